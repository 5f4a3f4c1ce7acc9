"""What the labels would say of everything that was judged: rates and means corrected for the judge's errors.

A judge's pass rate is not the pass rate. With labels on a part of the judged units its errors can be taken out, and
which way depends on how that part was chosen:

    at random, or at random given the verdict   post-stratified: E[label | verdict], weighted by the verdicts of all
    from elsewhere (balanced, older traffic)    Rogan-Gladen: only P(verdict | label) carries over

Taken the wrong way, the interval is far off (docs/coverage.md: post-stratification holds the truth in 1% of data sets with balanced labels).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri, stdtrit

from rftj_cli.stats.arrays import Floats
from rftj_cli.stats.binomial import proportion
from rftj_cli.stats.clusters import codes_of, item_se
from rftj_cli.stats.estimate import LEVEL, Estimate, percent
from rftj_cli.stats.mismatch import verdict_mismatch

Sampling = Literal["random", "balanced", "other", "weighted"]

DRAWS = 20_000
ALIKE = 0.01  # p-value under which labelled and other verdicts are not drawn alike
WEAK_J = 0.5  # Youden's J under which Rogan-Gladen multiplies its noise more than twofold
WHY = {
    "random": "labels are a random part of what was judged",
    "balanced": "labels were balanced by class, so only the judge's rates on each class carry over",
    "other": "labels come from elsewhere, so only the judge's rates on each class carry over",
    "weighted": "labels were drawn with known chances, which their weights give back",
    None: "how labels were chosen is not said: this holds if they are a random part (labels.sampling, --sampling)",
}


@dataclass(frozen=True, slots=True)
class Corrected:
    """The pass rate (or mean value) of all judged units, read in four ways.

    naive: the verdicts as they are; labels_only: the labels alone; post_stratified, rogan_gladen: corrected
    chosen: the name of the one to use, and `why`: what it assumes
    mismatch: p-value of "the labelled units' verdicts are drawn like the others'"; doubt: what is wrong, or None
    """

    naive: Estimate
    labels_only: Estimate
    post_stratified: Estimate
    rogan_gladen: Estimate
    chosen: str
    why: str
    mismatch: Estimate
    doubt: str | None


def corrected(
    table: Floats,
    judged: Floats,
    *,
    values: ArrayLike | None = None,
    sampling: Sampling | None = None,
    deff: float = 1.0,
    naive: Estimate | None = None,
    labels_only: Estimate | None = None,
    labelled: Floats | None = None,
    apart: float = 1.0,
    seed: int = 0,
    level: float = LEVEL,
) -> Corrected:
    """All four readings, and which of them the sampling of the labels allows.

    table: (k, k) truth x verdict of the labelled units; judged: (k,) verdicts of all units, those included
    values: (k,) numbers of the levels, by default 0 and 1 for two levels (the mean is then the pass rate)
    deff: design effect of clustered or weighted units, of the truth given the verdict
    naive, labels_only: where units are clustered, these two with their own design effects
    labelled: (k,) verdicts of the labelled units as they are, where `table` is weighted
    apart: design effect of the difference between labelled and other verdicts (`mismatch.labelled_deff`)
    """
    table, judged = np.asarray(table, np.float64), np.asarray(judged, np.float64)
    k = table.shape[0]
    if table.shape != (k, k) or judged.shape != (k,):
        raise ValueError(f"a table of shape {table.shape} and verdicts of shape {judged.shape} do not belong together")
    if not all(np.isfinite(one).all() and (one >= 0).all() for one in (table, judged)):
        raise ValueError("counts are finite and not negative")
    known = table.sum(0) if labelled is None else labelled
    if (judged + 1e-9 < known).any():
        raise ValueError("the labelled units are not among the judged ones")
    x = np.arange(k, dtype=np.float64) if values is None else np.asarray(values, np.float64)
    terms = {"deff": deff, "level": level}
    mismatch = verdict_mismatch(known, judged, deff=apart)
    if sampling == "weighted":
        mismatch = Estimate.missing(mismatch.n, "weighted labels: their verdicts differ by design", mismatch.method)
    by_rate = sampling in ("balanced", "other")
    return Corrected(
        naive=naive or _level_mean(judged, x, **terms),
        labels_only=labels_only or _level_mean(table.sum(1), x, **terms),
        post_stratified=post_stratified(table, judged, values=x, seed=seed, **terms),
        rogan_gladen=rogan_gladen(table, judged, **terms) if k == 2 else Estimate.missing(0, "defined for two levels"),
        chosen="rogan_gladen" if by_rate else "post_stratified",
        why=WHY[sampling],
        mismatch=mismatch,
        doubt=None if by_rate or sampling == "weighted" else _doubt(mismatch, sampling),
    )


def _doubt(mismatch: Estimate, sampling: Sampling | None) -> str | None:
    if mismatch.value is None or mismatch.value >= ALIKE:
        return None
    said = "labels are said to be a random part" if sampling == "random" else "labels are taken for a random part"
    return f"{said}, but their verdicts differ from the others' (p = {mismatch.value:.2g})"


def _level_mean(counts: Floats, x: Floats, *, deff: float, level: float) -> Estimate:
    """Mean value of units at levels: Wilson for 0 and 1, else t."""
    n = float(counts.sum())
    if n == 0:
        return Estimate.missing(0, "no units")
    if x.size == 2 and x.tolist() == [0.0, 1.0]:
        return proportion(float(counts[1]), n, deff=deff, level=level)
    mean = float(counts @ x) / n
    method = f"mean {percent(level)}, t"
    if n <= deff or n < 2:
        return Estimate(mean, None, None, round(n), method, "too few units for an interval")
    se = sqrt(float(counts @ (x - mean) ** 2) / (n - 1) / n * deff)
    half = float(stdtrit(max(1.0, n / deff - 1), 0.5 + level / 2)) * se
    return Estimate(mean, mean - half, mean + half, round(n), method)


def post_stratified(
    table: Floats,
    judged: Floats,
    *,
    values: ArrayLike | None = None,
    deff: float = 1.0,
    seed: int = 0,
    level: float = LEVEL,
) -> Estimate:
    """sum_j p_j E[value of the truth | verdict j], p from all verdicts, E from the labelled units.

    Valid where labels are random, or random given the verdict (the best design: `plan`). Two levels: quantiles of the
    posterior, Beta(1/2, 1/2) for each verdict and Dirichlet(1/2) for p. More levels: stratified variance, t. A verdict
    without a label counts as one half of the range, with all of it as its uncertainty.
    """
    k = table.shape[0]
    x = np.arange(k, dtype=np.float64) if values is None else np.asarray(values, np.float64)
    n, total = float(table.sum()), float(judged.sum())
    if n == 0 or total == 0:
        return Estimate.missing(0, "no labelled unit" if total else "no units")
    p, labelled = judged / total, table.sum(0)
    middle = (x.min() + x.max()) / 2
    mean = np.divide(x @ table, labelled, out=np.full(k, middle), where=labelled > 0)
    value = float(p @ mean)
    bare = float(p[(labelled == 0)].sum())
    note = f"no label among verdicts that are {bare:.1%} of all: anything is allowed there" if bare > 0 else None
    if k == 2:
        rng = np.random.default_rng(seed)
        weights = rng.standard_gamma(judged / deff + 0.5, size=(DRAWS, 2))
        rates = rng.beta(table[1] / deff + 0.5, table[0] / deff + 0.5, size=(DRAWS, 2))
        draws = x[0] + (x[1] - x[0]) * (weights * rates).sum(1) / weights.sum(1)
        low, high = (float(one) for one in np.quantile(draws, [0.5 - level / 2, 0.5 + level / 2]))
        method = f"Beta(1/2) posterior by verdict {percent(level)}, {DRAWS} draws, seed {seed}"
        return Estimate(value, min(low, value), max(high, value), round(n), method, note)
    return _stratified(table, p, x, mean, value, (n, total), deff, level, note)


def _stratified(
    table: Floats,
    p: Floats,
    x: Floats,
    mean: Floats,
    value: float,
    sizes: tuple[float, float],
    deff: float,
    level: float,
    note: str | None,
) -> Estimate:
    """Variance sum_j p_j^2 s_j^2/n_j + var(mean_j)/N (Cochran 1977, 5A.9); few labels at a verdict borrow the pooled s^2."""
    n, total = sizes
    labelled = table.sum(0)
    squares = (table * (x[:, None] - mean[None, :]) ** 2).sum(0)
    df = n - float((labelled > 0).sum())
    method = f"stratified variance {percent(level)}, t"
    if df < 1:
        return Estimate(value, None, None, round(n), method, "too few labels for an interval")
    pooled = float(squares.sum()) / df
    own = np.where(labelled >= 5, squares / np.maximum(labelled - 1, 1), pooled)
    inside = np.where(labelled > 0, own / np.maximum(labelled, 1), np.ptp(x) ** 2 / 4)
    variance = float(p**2 @ inside) * deff + float(p @ (mean - value) ** 2) / total
    if variance <= 0:
        return Estimate(value, None, None, round(n), method, "the labels do not vary given the verdict: no interval")
    half = float(stdtrit(max(1.0, df / deff), 0.5 + level / 2)) * sqrt(variance)
    return Estimate(value, max(float(x.min()), value - half), min(float(x.max()), value + half), round(n), method, note)


def rogan_gladen(table: Floats, judged: Floats, *, deff: float = 1.0, level: float = LEVEL) -> Estimate:
    """(p + tnr - 1)/(tpr + tnr - 1), p the share of passing verdicts (Rogan and Gladen 1978), interval of Lee et al. 2025.

    table: (2, 2) truth x verdict, rows and columns (fail, pass). Survives any prevalence among the labels, and no change of
    the judge's rates. Missing where the lower bound of tpr + tnr - 1 is not above 0: then p says nothing.
    """
    t, all_ = table / deff, judged / deff
    m0, m1 = (float(row) for row in t.sum(1))
    n = round(float(table.sum()))
    if m0 <= 0 or m1 <= 0 or judged.sum() == 0:
        return Estimate.missing(n, "needs labels of both classes")
    z = float(ndtri(0.5 + level / 2))
    q0, q1, p = float(t[0, 0]) / m0, float(t[1, 1]) / m1, float(judged[1] / judged.sum())
    j = q0 + q1 - 1
    s0, s1 = (float(t[0, 0]) + 1) / (m0 + 2), (float(t[1, 1]) + 1) / (m1 + 2)
    spread = sqrt(s0 * (1 - s0) / (m0 + 2) + s1 * (1 - s1) / (m1 + 2))
    if j - z * spread <= 0:
        return Estimate.missing(
            n, f"the judge's J = {j:.2f} is not shown to be above 0: its verdicts say nothing of the rate"
        )
    value = min(1.0, max(0.0, (p + q0 - 1) / j))
    total = float(all_.sum())
    ps, ns, ms0, ms1 = (total * p + z * z / 2) / (total + z * z), total + z * z, m0 + 2, m1 + 2
    js = s0 + s1 - 1
    theta = min(1.0, max(0.0, (ps + s0 - 1) / js))
    shift = 2 * z * z * (-(1 - theta) * s0 * (1 - s0) / ms0 + theta * s1 * (1 - s1) / ms1)
    variance = ps * (1 - ps) / ns + (1 - theta) ** 2 * s0 * (1 - s0) / ms0 + theta**2 * s1 * (1 - s1) / ms1
    half = z * sqrt(variance) / js
    low, high = max(0.0, theta + shift - half), min(1.0, theta + shift + half)
    note = f"J = {j:.2f}: the noise of the verdicts counts {1 / j:.1f} times" if j < WEAK_J else None
    return Estimate(value, min(low, value), max(high, value), n, f"Rogan-Gladen, Lee et al. {percent(level)}", note)


def rogan_gladen_allocation(labels: int, pass_rate: float, tnr: float, tpr: float) -> tuple[int, int]:
    """How many of `labels` to spend on fails and on passes (by a first look) for the narrowest Rogan-Gladen interval.

    m1 = m/(1 + (1/p - 1) sqrt(kappa)), kappa = (1 - tnr)/(1 - tpr) (Lee et al. 2025); at least one of each.
    """
    if not (0 < pass_rate < 1 and 0 <= tnr < 1 and 0 <= tpr < 1 and labels >= 2):
        raise ValueError("needs two labels or more, a pass rate inside (0, 1) and rates below 1")
    ratio = sqrt((1 - tnr) / (1 - tpr))
    passes = min(labels - 1, max(1, round(labels / (1 + (1 / pass_rate - 1) * ratio))))
    return labels - passes, passes


def ppi_mean(
    truth: ArrayLike,
    judge: ArrayLike,
    rest: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    rest_clusters: ArrayLike | None = None,
    lam: float | None = None,
    level: float = LEVEL,
) -> Estimate:
    """Mean truth of all by prediction-powered inference, PPI++ (Angelopoulos, Duchi, Zrnic 2023).

    lam mean(f of the rest) + mean(truth - lam f): truth and judge (n,) of the labelled units, rest (N,) scores of the
    others, all random parts of one population. lam None: Cov(truth, f)/((1 + n/N) Var f) within [0, 1]; 1 is plain PPI, 0
    the labels alone. Normal interval; the two parts' variances add (clusters: (n,) and (N,) keys).
    """
    y, f, u = (np.asarray(one, np.float64) for one in (truth, judge, rest))
    if y.shape != f.shape or y.ndim != 1 or u.ndim != 1 or not all(np.isfinite(one).all() for one in (y, f, u)):
        raise ValueError("truth and judge must be finite arrays of one length, rest a finite array")
    n, total = int(y.size), int(u.size)
    if n < 2 or total < 2:
        return Estimate.missing(n, "needs two labelled units and two others")
    if lam is None:
        spread = float(np.concatenate([f, u]).var(ddof=1))
        lam = 0.0 if spread == 0 else float(np.clip(np.cov(y, f)[0, 1] / ((1 + n / total) * spread), 0, 1))
    gap = y - lam * f
    value = lam * float(u.mean()) + float(gap.mean())
    own, units = item_se((gap - gap.mean()) / n, None if clusters is None else codes_of(clusters, n))
    other, rest_units = item_se(
        lam * (u - u.mean()) / total, None if rest_clusters is None else codes_of(rest_clusters, total)
    )
    half = float(ndtri(0.5 + level / 2)) * sqrt(own**2 + other**2)
    method = f"PPI++ {percent(level)}, lambda {lam:.3f}"
    if min(units, rest_units) < 2:
        return Estimate(value, None, None, n, method, "only 1 cluster: no interval")
    if not half > 1e-12:
        return Estimate(value, None, None, n, method, "truth and judge differ by a constant: no interval")
    return Estimate(value, value - half, value + half, n, method)
