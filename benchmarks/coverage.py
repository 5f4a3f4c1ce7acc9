"""How often do the intervals that a report prints hold the true value? Simulated judges, nominal 95%.

    python benchmarks/coverage.py [--data-sets 1000] [--seed 1] [--jobs 2] [--only binary,levels,rates,groups] [--write]

Every data set goes through the same functions as a report. Intervals are drawn with fewer resamples than in a report
(4,000 posterior draws, 2,000 bootstrap resamples): that widens nothing and saves hours. `--write` puts the tables into
docs/coverage.md. judgy and evalproof are compared where they are installed (pip install judgy evalproof).
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rftj_cli.stats import corrected, resampling
from rftj_cli.stats.agreement import agreement
from rftj_cli.stats.clusters import Clusters
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.groups import pair_accuracy
from rftj_cli.stats.signal import false_signal, within_phi
from rftj_cli.stats.table import fce_variance, kappa

DRAWS, RESAMPLES = 4_000, 2_000
SIZE, COPIES = 4, 0.5  # items a cluster, and the share of them that repeat the first one's label and verdict
SIZES = (30, 50, 100, 200)
PASS_RATES, KAPPAS = (0.5, 0.8, 0.9), (0.4, 0.6, 0.8, 0.9)
PAGE = Path(__file__).parent.parent / "docs" / "coverage.md"


@dataclass(frozen=True)
class Cell:
    """One kind of judge and data: expected cell shares (k, k), number of items, whether they come in clusters."""

    name: str
    kind: str
    shares: tuple[tuple[float, ...], ...]
    n: int
    clustered: bool
    seed: int
    data_sets: int


@dataclass
class Count:
    """Data sets whose interval holds the truth, all that have an interval, all, and the summed width."""

    hits: int = 0
    made: int = 0
    all: int = 0
    width: float = 0.0

    def add(self, low: float | None, high: float | None, true: float) -> None:
        self.all += 1
        if low is not None and high is not None:
            self.made += 1
            self.hits += low - 1e-9 <= true <= high + 1e-9
            self.width += high - low


@dataclass
class Tally:
    """Counts by estimate."""

    of: dict[str, Count] = field(default_factory=lambda: defaultdict(Count))

    def add(self, name: str, one: Estimate, true: float | None) -> None:
        if one.value is not None and true is not None:
            self.of[name].add(one.low, one.high, true)


def binary_cells(data_sets: int, seed: int) -> Iterator[Cell]:
    for rate in PASS_RATES:
        for value in KAPPAS:
            off = rate * (1 - rate) * (1 - value)
            shares = ((1 - rate - off, off), (off, rate - off))
            for n in SIZES:
                for clustered in (False, True):
                    yield Cell(f"pass {rate:g}, kappa {value:g}", "binary", shares, n, clustered, seed, data_sets)


def level_cells(data_sets: int, seed: int) -> Iterator[Cell]:
    """Five levels; the judge errs to a neighbour (three of four errors) or anywhere."""
    for shape, margin in (("even", (0.2,) * 5), ("skew", (0.05, 0.1, 0.15, 0.3, 0.4))):
        for right in (0.5, 0.7, 0.85):
            shares = tuple(tuple(margin[h] * _given(h, right)[j] for j in range(5)) for h in range(5))
            for n in SIZES:
                for clustered in (False, True):
                    yield Cell(f"{shape}, right {right:g}", "ordinal", shares, n, clustered, seed, data_sets)


def _given(level: int, right: float) -> list[float]:
    beside = [j for j in (level - 1, level + 1) if 0 <= j < 5]
    others = [j for j in range(5) if j != level]
    return [
        right if j == level else (1 - right) * (0.75 * (j in beside) / len(beside) + 0.25 / len(others))
        for j in range(5)
    ]


def draw(cell: Cell, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, verdict and cluster (n,) of one data set."""
    k = len(cell.shares)
    n = cell.n if not cell.clustered else max(SIZE, round(cell.n / SIZE) * SIZE)
    cells = rng.choice(k * k, size=n, p=np.array(cell.shares).ravel() / np.sum(cell.shares))
    cluster = np.arange(n)
    if cell.clustered:
        cluster = np.arange(n) // SIZE
        cells = np.where(rng.random(n) < COPIES, cells[cluster * SIZE], cells)
    return cells // k, cells % k, cluster


def truths(cell: Cell) -> Mapping[str, float | None]:
    """Every estimate of the population: that of a table so large that nothing depends on n."""
    table = np.array(cell.shares) * 1e9
    return {name: one.value for name, one in agreement(np.round(table), kind=cell.kind).items()}  # type: ignore[arg-type]


def table_cell(cell: Cell) -> tuple[Cell, dict[str, Count]]:
    """Coverage of all estimates of one cell, with two rivals for kappa."""
    resampling.POSTERIOR_DRAWS, resampling.RESAMPLES = DRAWS, RESAMPLES
    rng, tally, true = (
        np.random.default_rng([cell.seed, cell.n, cell.clustered, hash_of(cell.name)]),
        Tally(),
        truths(cell),
    )
    k = len(cell.shares)
    for data_set in range(cell.data_sets):
        truth, judge, keys = draw(cell, rng)
        table = np.bincount(truth * k + judge, minlength=k * k).reshape(k, k).astype(np.float64)
        clusters = Clusters.of(keys, truth, judge, k) if cell.clustered else None
        found = agreement(table, kind=cell.kind, clusters=clusters, seed=data_set)  # type: ignore[arg-type]
        for name, one in found.items():
            if "no interval" not in one.method and name != "marginal_homogeneity":
                tally.add(name, one, true[name])
        _rivals(tally, table, true["kappa"], rng)
    return cell, dict(tally.of)


def _rivals(tally: Tally, table: np.ndarray, true: float | None, rng: np.random.Generator) -> None:
    """Wald's interval and the percentile bootstrap of items, which know nothing of clusters."""
    eye, value = np.eye(len(table)), float(kappa(table, np.eye(len(table))))
    if not np.isfinite(value) or true is None:
        return
    half = 1.959964 * float(np.sqrt(max(float(fce_variance(table, eye)), 0.0)))
    tally.of["kappa, Wald"].add(value - half, value + half, true)
    n = int(table.sum())
    drawn = rng.multinomial(n, table.ravel() / n, size=1000).reshape(-1, *table.shape).astype(np.float64)
    resampled = kappa(drawn, eye)
    low, high = np.nanquantile(resampled, [0.025, 0.975])
    tally.of["kappa, percentile"].add(float(low), float(high), true)


def hash_of(text: str) -> int:
    """The same number in every process."""
    return int.from_bytes(text.encode(), "big") % 2**31


RATES = (
    (0.5, 0.9, 0.8, 100, None), (0.8, 0.9, 0.8, 50, None), (0.8, 0.9, 0.8, 100, None), (0.8, 0.9, 0.8, 200, None),
    (0.95, 0.9, 0.8, 100, None), (0.8, 0.75, 0.7, 100, None), (0.8, 0.9, 0.8, 100, 0.5),
)  # fmt: skip


def rate_cell(scenario: tuple[float, float, float, int, float | None], data_sets: int, seed: int) -> dict[str, Count]:
    """Corrected pass rates: 1,000 judged units, m of them labelled at random, or balanced labels from elsewhere."""
    theta, tpr, tnr, m, prevalence = scenario
    corrected.DRAWS = DRAWS
    rng, tally, total, peers = (
        np.random.default_rng([seed, m, int(theta * 100), int(tpr * 100)]),
        Tally(),
        1000,
        _peers(),
    )
    for data_set in range(data_sets):
        truth = rng.random(total) < theta
        verdict = np.where(truth, rng.random(total) < tpr, rng.random(total) >= tnr)
        if prevalence is None:
            y, f, u = truth[:m], verdict[:m], verdict[m:]
        else:
            y = rng.random(m) < prevalence
            f = np.where(y, rng.random(m) < tpr, rng.random(m) >= tnr)
            u = verdict
        table = np.bincount(y.astype(int) * 2 + f, minlength=4).reshape(2, 2).astype(np.float64)
        judged = np.bincount(verdict.astype(int), minlength=2).astype(np.float64)
        everyone = judged if prevalence is None else judged + table.sum(0)
        found = corrected.corrected(
            table, everyone, sampling="random" if prevalence is None else "balanced", seed=data_set
        )
        # Balanced labels are no part of the population whose rate is asked for: `judged` holds only its verdicts.
        tally.add("verdicts as they are", found.naive, theta)
        tally.add("labels alone", found.labels_only, theta)
        tally.add("post-stratified", corrected.post_stratified(table, judged, seed=data_set), theta)
        tally.add("Rogan-Gladen, Lee", corrected.rogan_gladen(table, judged), theta)
        tally.add("PPI++", corrected.ppi_mean(y, f, u), theta)
        for name, peer in peers.items() if data_set < min(data_sets, 200) else ():
            try:
                low, high = peer(y, f, u, verdict)
            except (ValueError, RuntimeError):
                low = high = None
            tally.of[name].add(low, high, theta)
    return dict(tally.of)


def _peers() -> dict[str, Callable[..., tuple[float | None, float | None]]]:
    """judgy and evalproof, where they are installed."""
    found: dict[str, Callable[..., Any]] = {}
    try:
        from judgy import estimate_success_rate

        def judgy(y: Any, f: Any, u: Any, everyone: Any) -> tuple[float, float]:
            return estimate_success_rate(y.astype(int), f.astype(int), u.astype(int), bootstrap_iterations=1000)[1:]

        found["judgy"] = judgy
    except ImportError:
        pass
    try:
        from evalproof.calibration import acc_estimate, ppi_estimate

        def acc(y: Any, f: Any, u: Any, everyone: Any) -> tuple[float | None, float | None]:
            one = acc_estimate(everyone.tolist(), f.tolist(), y.tolist(), n_boot=1000)
            return one.low, one.high

        def ppi(y: Any, f: Any, u: Any, everyone: Any) -> tuple[float | None, float | None]:
            one = ppi_estimate(u.tolist(), f.tolist(), y.tolist())
            return one.low, one.high

        found |= {"evalproof ACC": acc, "evalproof PPI": ppi}
    except ImportError:
        pass
    return found


def group_cell(prompts: int, size: int, data_sets: int, seed: int) -> dict[str, Count]:
    """Within-group numbers of a judge with rates .85 on prompts of every difficulty."""

    def data(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        group = np.repeat(np.arange(count), size)
        truth = (rng.random(group.size) < rng.beta(2, 2, count)[group]).astype(float)
        right = np.where(rng.random(group.size) < 0.85, truth, 1 - truth)
        return group, truth, right

    def numbers(group: np.ndarray, truth: np.ndarray, score: np.ndarray) -> dict[str, Estimate]:
        pairs = pair_accuracy(group, truth, score)
        phi, square = within_phi(group, truth, score)
        return {
            "pair accuracy": pairs.estimate, "pair accuracy by group": pairs.by_group, "tie rate": pairs.tie_rate,
            "phi": phi, "phi^2": square, "false signal": false_signal(group, truth, score),
        }  # fmt: skip

    true = {name: one.value for name, one in numbers(*data(np.random.default_rng(99), 200_000)).items()}
    rng, tally = np.random.default_rng([seed, prompts, size]), Tally()
    for _ in range(data_sets):
        for name, one in numbers(*data(rng, prompts)).items():
            tally.add(name, one, true[name])
    return dict(tally.of)


def summary(results: Sequence[tuple[Cell, dict[str, Count]]], names: Sequence[str] | None = None) -> list[list[str]]:
    """Rows: estimate, then for each n the mean and the least coverage over the cells, and the mean width."""
    sizes = sorted({cell.n for cell, _ in results})
    every = dict.fromkeys(name for _, counts in results for name in counts)
    rows = []
    for name in names or every:
        row = [name]
        for n in sizes:
            counts = [c[name] for cell, c in results if cell.n == n and name in c and c[name].made]
            rates = [100 * one.hits / one.made for one in counts]
            width = sum(one.width for one in counts) / max(1, sum(one.made for one in counts))
            row.append(f"{np.mean(rates):.1f} / {min(rates):.1f}, {width:.2f}" if rates else "-")
        rows.append(row)
    return rows


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def simulate(kinds: Sequence[str], data_sets: int, seed: int, jobs: int) -> str:
    """All tables, as Markdown."""
    parts = []
    with ProcessPoolExecutor(jobs) as pool:
        for kind, title, cells in (
            ("binary", "Pass and fail", list(binary_cells(data_sets, seed))),
            ("levels", "Five ordered levels", list(level_cells(max(1, data_sets // 3), seed))),
        ):
            if kind not in kinds:
                continue
            results = list(pool.map(table_cell, cells))
            for clustered in (False, True):
                some = [one for one in results if one[0].clustered == clustered]
                heads = ["estimate", *(f"n = {n}" for n in SIZES)]
                what = f"in clusters of {SIZE}, half of the items copies" if clustered else "independent items"
                parts.append(f"## {title}, {what}\n\n{markdown(heads, summary(some))}")
        if "rates" in kinds:
            found = list(pool.map(rate_cell, RATES, [data_sets] * len(RATES), [seed] * len(RATES)))
            parts.append(_rates(found))
        if "groups" in kinds:
            parts.append(_groups([group_cell(p, 4, data_sets, seed) for p in (15, 30, 60, 120)]))
    return "\n".join(parts)


def _rates(found: Sequence[dict[str, Count]]) -> str:
    names = dict.fromkeys(name for counts in found for name in counts)
    heads = ["pass rate, tpr, tnr, labels", *names]
    rows = []
    for (theta, tpr, tnr, m, prevalence), counts in zip(RATES, found, strict=True):
        what = f"{theta:g}, {tpr:g}, {tnr:g}, {m}" + ("" if prevalence is None else f", **balanced** ({prevalence:g})")
        cells = [counts.get(name, Count()) for name in names]
        rows.append([what, *(f"{100 * c.hits / c.made:.1f}, {c.width / c.made:.3f}" if c.made else "-" for c in cells)])
    return f"## Pass rates of everything that was judged\n\n{markdown(heads, rows)}"


def _groups(found: Sequence[dict[str, Count]]) -> str:
    heads = ["estimate", *(f"{p} groups of 4" for p in (15, 30, 60, 120))]
    rows = [
        [name, *(f"{100 * c[name].hits / c[name].made:.1f}, {c[name].width / c[name].made:.2f}" for c in found)]
        for name in found[0]
    ]
    return f"## Inside groups\n\n{markdown(heads, rows)}"


HEAD = """# Coverage: do the intervals hold what they promise?

Simulated by `make coverage`; nominal 95%. A cell shows the mean and the least coverage in percent over all simulated
judges, and the mean width. An interval that is not made (a number without an interval says so in its note) does not count.

Pass and fail: pass rates .5, .8, .9 (labels and judge alike) and kappa .4, .6, .8, .9: {cells} judges a column. Five levels:
even and skewed labels, right on 50, 70 and 85%, errors mostly to the neighbouring level. Clusters: 4 items each, half of
them copies of the first one's label and verdict. "Wald" and "percentile" are the usual intervals of kappa; they know
nothing of clusters. {data_sets} data sets a judge ({levels} for five levels), seed {seed}: a single judge's figure has a Monte
Carlo error of {error:.1f} points, the least of {cells} lies about two of these below the mean by chance alone.

"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-sets", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="binary,levels,rates,groups")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    given = parser.parse_args()
    head = HEAD.format(
        cells=len(PASS_RATES) * len(KAPPAS), data_sets=given.data_sets, levels=max(1, given.data_sets // 3), seed=given.seed,
        error=100 * (0.95 * 0.05 / given.data_sets) ** 0.5,
    )  # fmt: skip
    page = head + simulate(given.only.split(","), given.data_sets, given.seed, given.jobs)
    page += f"\nPython {platform.python_version()}, numpy {np.__version__}, {datetime.date.today()}.\n"
    if given.write:
        PAGE.write_text(page, encoding="utf-8")
    sys.stdout.write(page)


if __name__ == "__main__":
    main()
