"""Every formula beside an independent library or a published table, on the same data.

    python tests/oracles/equality.py [--write]      # `make oracles`: prints (or writes docs/equality.md)

A row whose library is not installed is left out and named below the table. scikit-learn, statsmodels and krippendorff come
with the development environment; irrCAC and ppi-python are installed by `make oracles`, without their own pins.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from rftj_cli.stats import best_of_n, binomial, concordance, corrected, homogeneity, numeric, paired, probability, table
from rftj_cli.stats.reliability import fleiss_kappa, icc_2_1, krippendorff_alpha, rating_counts
from rftj_cli.stats.repeatability import components
from rftj_cli.stats.scores import alpha_ordinal, ccc, kendall_tau_b, spearman
from rftj_cli.stats.verdicts import holm

PAGE = Path(__file__).parents[2] / "docs" / "equality.md"
TOLERANCE = 1e-9
RNG = np.random.default_rng(7)
TABLES = [
    RNG.multinomial(120, RNG.dirichlet((np.eye(k) * 3 + 0.5).ravel())).reshape(k, k).astype(float) for k in (2, 3, 5)
]
MATRIX = np.where(
    RNG.random((60, 4)) < 0.15, -1, np.clip(RNG.integers(0, 4, (60, 1)) + RNG.integers(-1, 2, (60, 4)), 0, 3)
)
FULL = np.abs(MATRIX)
SCORE = np.round(RNG.normal(size=300), 1)
BINARY = (RNG.random(300) < 1 / (1 + np.exp(-SCORE))).astype(float)
OTHER = np.round(SCORE + RNG.normal(size=300), 1)
FLEISS = np.array(
    [[0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1], [7, 7, 0, 0, 0], [3, 2, 6, 3, 0],
     [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7]]
)  # fmt: skip
SHROUT = np.array([[9.0, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])
COHEN = np.array([[88.0, 14, 18], [10, 40, 10], [2, 6, 12]])


@dataclass(frozen=True)
class Row:
    """One formula: ours and theirs on the same data, and why they may differ."""

    what: str
    library: str
    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    tolerance: float = TOLERANCE
    why: str = ""

    def gap(self) -> float:
        """The largest difference of any of the numbers."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(np.max(np.abs(np.asarray(self.ours(), float) - np.asarray(self.theirs(), float))))


def of(library: str, path: str) -> Any:
    """A module of a library."""
    return importlib.import_module(f"{library}.{path}" if path else library)


def items(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    cells = np.repeat(np.arange(counts.size), counts.astype(int).ravel())
    return cells // len(counts), cells % len(counts)


def rows() -> Iterator[Row]:
    yield from _agreement()
    yield from _intervals()
    yield from _several()
    yield from _scores()
    yield from _published()


def _agreement() -> Iterator[Row]:
    for kind, name in (("nominal", None), ("linear", "linear"), ("quadratic", "quadratic")):
        yield Row(
            f"kappa, {kind}", "scikit-learn",
            lambda kind=kind: [table.kappa(t, table.weights(len(t), kind)) for t in TABLES],
            lambda name=name: [of("sklearn", "metrics").cohen_kappa_score(*items(t), weights=name) for t in TABLES],
        )  # fmt: skip
    yield Row(
        "standard error of kappa (FCE), nominal, linear, quadratic", "statsmodels",
        lambda: [np.sqrt(table.fce_variance(t, table.weights(len(t), k))) for t in TABLES for k in ("nominal", "linear", "quadratic")],
        lambda: [_kappa(t, w) for t in TABLES for w in (None, "linear", "quadratic")],
    )  # fmt: skip
    yield Row(
        "Matthews correlation, R_K", "scikit-learn", lambda: [table.mcc(t) for t in TABLES],
        lambda: [of("sklearn", "metrics").matthews_corrcoef(*items(t)) for t in TABLES],
    )  # fmt: skip
    yield Row(
        "balanced accuracy, macro F1", "scikit-learn",
        lambda: [[table.balanced_accuracy(t), table.macro_f1(t)] for t in TABLES],
        lambda: [_classes(*items(t)) for t in TABLES],
    )  # fmt: skip
    yield Row(
        "Scott's pi", "irrCAC", lambda: [table.scott_pi(t) for t in TABLES],
        lambda: [_irr_table(t, "identity").scott()["est"]["coefficient_value"] for t in TABLES],
    )  # fmt: skip
    yield Row(
        "Scott's pi, from the nominal alpha of two raters", "krippendorff", lambda: [table.scott_pi(t) for t in TABLES],
        lambda: [_pi_of_alpha(*items(t)) for t in TABLES],
    )  # fmt: skip
    for kind, name in (("nominal", "identity"), ("linear", "linear"), ("quadratic", "quadratic")):
        yield Row(
            f"Gwet's {'AC1' if kind == 'nominal' else 'AC2, ' + kind}", "irrCAC",
            lambda kind=kind: [table.gwet_ac(t, table.weights(len(t), kind)) for t in TABLES],
            lambda name=name: [_irr_table(t, name).gwet()["est"]["coefficient_value"] for t in TABLES],
        )  # fmt: skip


def _kappa(counts: np.ndarray, weights: str | None) -> float:
    return float(of("statsmodels", "stats.inter_rater").cohens_kappa(counts, wt=weights).std_kappa)


def _classes(truth: np.ndarray, judge: np.ndarray) -> list[float]:
    metrics = of("sklearn", "metrics")
    return [metrics.balanced_accuracy_score(truth, judge), metrics.f1_score(truth, judge, average="macro")]


def _pi_of_alpha(truth: np.ndarray, judge: np.ndarray) -> float:
    """1 - alpha = (1 - pi) (2n - 1)/2n: alpha is pi with the correction for small samples taken out."""
    alpha = of("krippendorff", "").alpha(np.array([truth, judge], float), level_of_measurement="nominal")
    return float(1 - (1 - alpha) * 2 * truth.size / (2 * truth.size - 1))


def _irr_table(counts: np.ndarray, weights: str) -> Any:
    import pandas

    names = [str(i) for i in range(len(counts))]
    return of("irrCAC", "table").CAC(pandas.DataFrame(counts, index=names, columns=names), weights=weights, digits=15)


def _intervals() -> Iterator[Row]:
    cases = [(81, 263), (15, 148), (0, 20), (1, 29), (50, 50)]
    for name, ours, method in (
        ("Wilson", binomial.wilson, "wilson"),
        ("Clopper-Pearson", binomial.clopper_pearson, "beta"),
    ):
        yield Row(
            f"{name}, 95% and 99%", "statsmodels",
            lambda ours=ours: [ours(x, n, level) for x, n in cases for level in (0.95, 0.99)],
            lambda method=method: [
                of("statsmodels", "stats.proportion").proportion_confint(x, n, alpha, method) for x, n in cases for alpha in (0.05, 0.01)
            ],
        )  # fmt: skip
    yield Row(
        "McNemar, exact p (ours is mid-p: exact less the probability of the count itself)", "statsmodels",
        lambda: [homogeneity.mcnemar_mid_p(b, c) + _point(b, c) for b, c in ((25, 4), (5, 15), (121, 59))],
        lambda: [of("statsmodels", "stats.contingency_tables").mcnemar([[9, b], [c, 9]], exact=True).pvalue
                 for b, c in ((25, 4), (5, 15), (121, 59))],
    )  # fmt: skip
    yield Row(
        "Bhapkar's test of equal marginals", "statsmodels",
        lambda: [homogeneity.marginal_homogeneity(t).value for t in TABLES[1:]],
        lambda: [of("statsmodels", "stats.contingency_tables").SquareTable(t, shift_zeros=False).homogeneity("bhapkar").pvalue for t in TABLES[1:]],
    )  # fmt: skip
    yield Row(
        "Holm's adjusted p", "statsmodels", lambda: holm([0.01, 0.04, 0.03, 0.005, 0.2]),
        lambda: of("statsmodels", "stats.multitest").multipletests([0.01, 0.04, 0.03, 0.005, 0.2], method="holm")[1],
    )  # fmt: skip
    truth, judge, rest = BINARY[:80], OTHER[:80], OTHER[80:]
    yield Row(
        "PPI mean and 95% interval (lambda 1)", "ppi-python",
        lambda: _ppi_ours(truth, judge, rest), lambda: _ppi(truth, judge, rest),
        2e-3, "ppi-python divides variances by n, ours by n - 1; the mean itself is equal to 1e-9",
    )  # fmt: skip
    yield Row(
        "PPI mean (lambda 1)", "ppi-python",
        lambda: corrected.ppi_mean(truth, judge, rest, lam=1).value,
        lambda: of("ppi_py", "").ppi_mean_pointestimate(truth, judge, rest, lam=1)[0],
    )  # fmt: skip


def _point(b: int, c: int) -> float:
    from math import comb

    return comb(b + c, min(b, c)) / 2 ** (b + c)


def _ppi_ours(truth: np.ndarray, judge: np.ndarray, rest: np.ndarray) -> list[float | None]:
    found = corrected.ppi_mean(truth, judge, rest, lam=1)
    return [found.low, found.high]


def _ppi(truth: np.ndarray, judge: np.ndarray, rest: np.ndarray) -> list[float]:
    low, high = of("ppi_py", "").ppi_mean_ci(truth, judge, rest, alpha=0.05, lam=1)
    return [low[0], high[0]]


def _several() -> Iterator[Row]:
    values = np.arange(4.0)
    nan = np.where(MATRIX < 0, np.nan, MATRIX).T
    for distance in ("nominal", "ordinal", "interval"):
        yield Row(
            f"Krippendorff's alpha with gaps, {distance}", "krippendorff",
            lambda distance=distance: krippendorff_alpha(MATRIX, distance=distance, values=list(values)).value,
            lambda distance=distance: of("krippendorff", "").alpha(nan, level_of_measurement=distance),
        )  # fmt: skip
    yield Row(
        "Krippendorff's alpha with gaps, nominal", "irrCAC",
        lambda: krippendorff_alpha(MATRIX).value, lambda: _irr_raw(MATRIX).krippendorff()["est"]["coefficient_value"],
    )  # fmt: skip
    yield Row(
        "Fleiss' kappa", "statsmodels", lambda: fleiss_kappa(FULL).value,
        lambda: of("statsmodels", "stats.inter_rater").fleiss_kappa(rating_counts(FULL, 4)),
    )  # fmt: skip
    yield Row(
        "ordinal alpha of a table", "krippendorff", lambda: alpha_ordinal(TABLES[2]),
        lambda: of("krippendorff", "").alpha(np.array(items(TABLES[2]), float), level_of_measurement="ordinal"),
    )  # fmt: skip


def _irr_raw(matrix: np.ndarray) -> Any:
    import pandas

    return of("irrCAC", "raw").CAC(pandas.DataFrame(np.where(matrix < 0, np.nan, matrix)), digits=15)


def _scores() -> Iterator[Row]:
    stats = importlib.import_module("scipy.stats")
    named = ("pearson", "spearman", "kendall_tau_b")
    yield Row(
        "Pearson, Spearman, Kendall tau-b of scores", "scipy",
        lambda: [numeric.numeric_agreement(SCORE, OTHER)[name].value for name in named],
        lambda: [getattr(stats, f)(SCORE, OTHER).statistic for f in ("pearsonr", "spearmanr", "kendalltau")],
    )  # fmt: skip
    yield Row(
        "Spearman and tau-b from a table", "scipy",
        lambda: [[spearman(t), kendall_tau_b(t)] for t in TABLES[1:]],
        lambda: [[stats.spearmanr(*items(t)).statistic, stats.kendalltau(*items(t)).statistic] for t in TABLES[1:]],
    )  # fmt: skip
    yield Row(
        "area under the ROC curve", "scikit-learn", lambda: concordance.concordance(BINARY, OTHER).value,
        lambda: of("sklearn", "metrics").roc_auc_score(BINARY, OTHER),
    )  # fmt: skip
    p = 1 / (1 + np.exp(-OTHER))
    yield Row(
        "Brier score, log loss", "scikit-learn",
        lambda: [getattr(probability.probability_scores(p, BINARY), name).value for name in ("brier", "log_loss")],
        lambda: [of("sklearn", "metrics").brier_score_loss(BINARY, p), of("sklearn", "metrics").log_loss(BINARY, p)],
    )  # fmt: skip
    yield Row(
        "levels of the isotonic map", "scikit-learn",
        lambda: [y for _, y in _isotonic()],
        lambda: sorted(set(np.round(of("sklearn", "isotonic").IsotonicRegression().fit_transform(OTHER, SCORE), 12))),
    )  # fmt: skip


def _isotonic() -> tuple[tuple[float, float], ...]:
    from rftj_cli.stats.scoremap import isotonic

    return isotonic(OTHER, SCORE).knots


def _published() -> Iterator[Row]:
    eye = np.eye(3)
    yield Row(
        "kappa, its standard error and MCC of Cohen's table", "Cohen 1960, recomputed",
        lambda: [table.kappa(COHEN, eye), np.sqrt(table.fce_variance(COHEN, eye)), table.mcc(COHEN)],
        lambda: [0.491525, 0.051002, 0.501193], 5e-7, "published to fewer digits",
    )  # fmt: skip
    yield Row(
        "Fleiss' kappa of 14 raters", "Fleiss 1971 style table",
        lambda: fleiss_kappa(np.array([np.repeat(np.arange(5), row) for row in FLEISS])).value, lambda: 0.209931, 5e-7,
        "published to fewer digits",
    )  # fmt: skip
    yield Row(
        "ICC(1), ICC(2,1)", "Shrout and Fleiss 1979",
        lambda: [_icc_1(), icc_2_1(SHROUT).value], lambda: [0.1657, 0.2898], 5e-5, "published to 4 digits",
    )  # fmt: skip
    yield Row(
        "Newcombe's interval of a paired difference", "Newcombe 1998, Agresti",
        lambda: [paired.newcombe_10(36, 12, 2, 0), paired.newcombe_10(794, 150, 86, 570)],
        lambda: [(0.05693, 0.34043), (0.02123, 0.05870)], 5e-6, "published to 5 digits",
    )  # fmt: skip
    yield Row(
        "McNemar mid-p of 121/59, 5/15, 25/4", "Fagerland 2013, recomputed",
        lambda: [homogeneity.mcnemar_mid_p(b, c) for b, c in ((121, 59), (5, 15), (25, 4))],
        lambda: [3.267e-6, 0.026604, 5.948e-5], 5e-7, "published to fewer digits",
    )  # fmt: skip
    yield Row(
        "Lin's concordance", "the definition, item by item",
        lambda: ccc(TABLES[2], np.arange(5.0)), lambda: _lin(*items(TABLES[2])),
    )  # fmt: skip
    yield Row(
        "best of 3 of 5 by counting subsets", "the definition",
        lambda: best_of_n.best_of_n([0] * 5, [1.0, 5, 2, 4, 3], [1.0, 2, 3, 4, 5], most=3).steps[2].truth.value,  # type: ignore[union-attr]
        lambda: (6 * 3 + 3 * 4 + 1 * 2) / 10,
    )  # fmt: skip


def _icc_1() -> float | None:
    found = components(SHROUT)
    return None if found is None else found.icc.value


def _lin(x: np.ndarray, y: np.ndarray) -> float:
    return float(2 * np.cov(x, y, bias=True)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    given = parser.parse_args()
    lines, wrong, absent = [], [], set()
    for row in rows():
        try:
            gap = row.gap()
        except ImportError:
            absent.add(row.library)
            continue
        wrong += [row.what] if not gap <= row.tolerance else []
        lines.append(f"| {row.what} | {row.library} | {gap:.1e} | {row.tolerance:.0e} | {row.why} |")
    page = HEAD + "\n".join(lines) + "\n\n" + _versions(absent)
    if given.write and not wrong:
        PAGE.write_text(page, encoding="utf-8")
    sys.stdout.write(page)
    if wrong:
        print(f"differ by more than they may: {', '.join(wrong)}", file=sys.stderr)
    return 1 if wrong else 0


HEAD = """# Equality: the same numbers as other libraries

Each formula beside an independent implementation, or a published table, on the same data. Written by `make oracles`. The
libraries are needed for this page and for tests, never by rftj. Where two do not agree to 1e-9 the last column says why.

| number | beside | largest difference | allowed | why not equal |
|---|---|---|---|---|
"""


def _versions(absent: set[str]) -> str:
    names = ("numpy", "scipy", "scikit-learn", "statsmodels", "krippendorff", "irrCAC", "ppi-python")
    have = [f"{name} {version(name)}" for name in names if name not in absent]
    return f"Versions: {', '.join(have)}.\n" + (f"Not installed: {', '.join(sorted(absent))}.\n" if absent else "")


if __name__ == "__main__":
    sys.exit(main())
