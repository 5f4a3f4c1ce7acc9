"""How far do several human raters agree: Fleiss' kappa, Krippendorff's alpha, ICC(2,1), mean pairwise kappa.

A ratings matrix is (items, raters) of level codes 0..k-1, with -1 where a rater did not see the item.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from scipy.special import fdtri

from rftj_cli.stats.arrays import Bools, Floats, Ints
from rftj_cli.stats.clusters import Clusters, few, involved_se
from rftj_cli.stats.estimate import LEVEL, Estimate, percent
from rftj_cli.stats.intervals import ONE_CLASS, SCALES, kappa_interval, symmetric_interval
from rftj_cli.stats.resampling import NO_SPREAD
from rftj_cli.stats.scores import midranks
from rftj_cli.stats.table import WeightKind, cross_table, influence, ratio, weights

Distance = Literal["nominal", "ordinal", "interval", "ratio"]

RESAMPLES = 2_000
NO_DOUBLE = "no item has two ratings"


def rating_counts(matrix: Ints, k: int) -> Floats:
    """How many raters gave each level: (items, k)."""
    items, raters = np.nonzero(matrix >= 0)
    codes = items * k + matrix[items, raters]
    return np.bincount(codes, minlength=matrix.shape[0] * k).reshape(-1, k).astype(np.float64)


def fleiss_kappa(
    matrix: Ints, *, k: int | None = None, clusters: Ints | None = None, seed: int = 0, level: float = LEVEL
) -> Estimate:
    """Fleiss' kappa (1971): mean agreement of rater pairs against sum p_j^2, interval by item bootstrap.

    clusters: (items,) codes; the interval is then the delete-a-cluster jackknife's, t on the Fisher z scale.

    Items with fewer than two ratings are left out; with unequal numbers of ratings each item counts once in the
    pair agreement. For raters that are interchangeable; with gaps prefer `krippendorff_alpha`.
    """
    counts, unit = _doubled(matrix, k, clusters)
    if counts.shape[0] == 0:
        return Estimate.missing(0, NO_DOUBLE)
    m = counts.sum(1)
    alike = (counts * (counts - 1)).sum(1) / (m * (m - 1))
    features = np.column_stack([np.ones(m.size), alike, counts])

    def kappa(sums: Floats) -> Floats:
        p = sums[..., 2:] / sums[..., 2:].sum(-1, keepdims=True)
        chance = (p * p).sum(-1)
        return ratio(sums[..., 1] / sums[..., 0] - chance, 1 - chance)

    return _interval(features, unit, kappa, seed, level)


def krippendorff_alpha(
    matrix: Ints,
    *,
    distance: Distance = "nominal",
    values: Sequence[float] | None = None,
    k: int | None = None,
    clusters: Ints | None = None,
    seed: int = 0,
    level: float = LEVEL,
) -> Estimate:
    """Krippendorff's alpha = 1 - observed/expected disagreement (2011), interval by item bootstrap.

    distance: of two ratings; clusters: as for `fleiss_kappa`; `values` (k,) are the levels' numbers for interval and ratio (default
    0..k-1). Takes any number of raters and gaps; an item with one rating tells nothing and is left out.
    """
    counts, unit = _doubled(matrix, k, clusters)
    if counts.shape[0] == 0:
        return Estimate.missing(0, NO_DOUBLE)
    size = counts.shape[1]
    scale = np.asarray(range(size) if values is None else values, dtype=np.float64)
    pairs = counts[:, :, None] * counts[:, None, :]
    pairs[:, np.arange(size), np.arange(size)] -= counts
    coincidence = (pairs / (counts.sum(1) - 1)[:, None, None]).reshape(-1, size * size)

    def alpha(sums: Floats) -> Floats:
        table = sums.reshape(*sums.shape[:-1], size, size)
        margin = table.sum(-1)
        apart = _distance(margin, distance, scale)
        observed = (table * apart).sum((-2, -1))
        expected = (margin[..., :, None] * margin[..., None, :] * apart).sum((-2, -1))
        n = margin.sum(-1)
        return 1 - ratio(observed / n, expected / (n * (n - 1)))

    return _interval(coincidence, unit, alpha, seed, level)


def icc_2_1(ratings: Floats, *, level: float = LEVEL) -> Estimate:
    """ICC(2,1), absolute agreement of single ratings (Shrout and Fleiss 1979), F interval of McGraw and Wong (1996).

    ratings: (items, raters) of numbers, without gaps; the raters are a sample of those who might judge.
    """
    if ratings.ndim != 2 or not np.isfinite(ratings).all():
        raise ValueError("ratings are (items, raters) of numbers, without gaps")
    n, m = ratings.shape
    if n < 2 or m < 2:
        return Estimate.missing(n, "needs two items and two raters")
    grand, rows, columns = ratings.mean(), ratings.mean(1), ratings.mean(0)
    item = m * float(((rows - grand) ** 2).sum()) / (n - 1)
    rater = n * float(((columns - grand) ** 2).sum()) / (m - 1)
    residual = ratings - rows[:, None] - columns[None, :] + grand
    error = float((residual**2).sum()) / ((n - 1) * (m - 1))
    bottom = item + (m - 1) * error + m * (rater - error) / n
    if bottom <= 1e-12:
        return Estimate.missing(n, "the ratings never vary")
    value = (item - error) / bottom
    if error <= 1e-12:
        return Estimate(value, None, None, n, "F (McGraw-Wong)", NO_SPREAD)
    a = m * value / (n * (1 - value))
    b = 1 + m * value * (n - 1) / (n * (1 - value))
    spread = (a * rater) ** 2 / (m - 1) + (b * error) ** 2 / ((n - 1) * (m - 1))
    if spread <= 1e-15 * error**2:
        return Estimate(value, None, None, n, "F (McGraw-Wong)", "all variance lies inside items: no interval")
    df = (a * rater + b * error) ** 2 / spread
    upper, lower = (float(fdtri(*dfs, 0.5 + level / 2)) for dfs in ((n - 1, df), (df, n - 1)))
    rest = m * rater + (m * n - m - n) * error
    low = n * (item - upper * error) / (upper * rest + n * item)
    high = n * (lower * item - error) / (rest + n * lower * item)
    return Estimate(value, low, high, n, f"F {percent(level)} (McGraw-Wong)")


@dataclass(frozen=True, slots=True)
class PairwiseKappa:
    """Kappa of each pair of raters on the items that both rated, and the mean of the defined ones."""

    pairs: dict[tuple[int, int], Estimate]
    mean: Estimate


def pairwise_kappa(
    matrix: Ints,
    k: int,
    *,
    kind: WeightKind = "nominal",
    values: Sequence[float] | None = None,
    clusters: Ints | None = None,
    seed: int = 0,
    level: float = LEVEL,
) -> PairwiseKappa:
    """(Weighted) kappa of every pair of raters; the mean's interval sums each item's pulls over all its pairs.

    clusters: (items,) codes 0..G-1.
    """
    pairs: dict[tuple[int, int], Estimate] = {}
    pulls: list[Floats] = []
    involved = np.zeros(matrix.shape[0], dtype=np.bool_)
    for one, other in combinations(range(matrix.shape[1]), 2):
        use = (matrix[:, one] >= 0) & (matrix[:, other] >= 0)
        a, b = matrix[use, one], matrix[use, other]
        inside = Clusters.of(None if clusters is None else clusters[use], a, b, k)
        table = cross_table(a, b, k)
        found = kappa_interval(table, kind, values, clusters=inside, seed=seed, level=level)
        pairs[one, other] = found
        if found.value is not None:
            pulls.append(pull_of_items(use, a, b, table, weights(k, kind, values)))
            involved |= use
    defined = [found.value for found in pairs.values() if found.value is not None]
    return PairwiseKappa(pairs, mean_estimate(defined, pulls, involved, clusters, level))


def pull_of_items(use: Bools, a: Ints, b: Ints, table: Floats, w: Floats) -> Floats:
    """Each item's pull (items,) on the kappa of a table that the items `use` fill: psi/n, 0 elsewhere."""
    out = np.zeros(use.size)
    out[use] = influence(table, w)[a, b] / a.size
    return out


def mean_estimate(
    values: list[float], pulls: list[Floats], involved: Bools, clusters: Ints | None, level: float = LEVEL
) -> Estimate:
    """The mean of statistics that share items, each with its items' pulls (items,): t interval on Fisher z.

    involved: (items,) those that any of the statistics rests on; only these (and their clusters) count.
    """
    if not values:
        return Estimate.missing(0, ONE_CLASS)
    together = np.asarray(np.mean(pulls, axis=0))
    se, units = involved_se(together, involved, clusters)
    method = f"influence {percent(level)}, t({units - 1}), {SCALES['fisher']}, mean of {len(values)}"
    note = None if clusters is None else few(units)
    if units < 2:
        return Estimate(
            float(np.mean(values)), None, None, int(involved.sum()), method, "only 1 independent unit: no interval"
        )
    return symmetric_interval(float(np.mean(values)), se, units, "fisher", int(involved.sum()), method, note, level)


def _doubled(matrix: Ints, k: int | None, clusters: Ints | None) -> tuple[Floats, Ints | None]:
    """Rating counts (n, k) of the items with two ratings or more, and the clusters they are in (n,)."""
    counts = rating_counts(matrix, int(matrix.max(initial=0)) + 1 if k is None else k)
    use = counts.sum(1) >= 2
    return counts[use], None if clusters is None else clusters[use]


def _distance(margin: Floats, distance: Distance, scale: Floats) -> Floats:
    """Squared distances of the levels, (..., k, k); the ordinal ones depend on how often each level is used."""
    if distance == "nominal":
        return 1 - np.eye(scale.size)
    place = midranks(margin) if distance == "ordinal" else scale
    gap = (place[..., :, None] - place[..., None, :]) ** 2
    if distance != "ratio":
        return np.asarray(gap)
    together = (scale[:, None] + scale[None, :]) ** 2
    return np.asarray(np.divide(gap, together, out=np.zeros_like(gap), where=together > 0))


def _interval(
    features: Floats, clusters: Ints | None, value: Callable[[Floats], Floats], seed: int, level: float
) -> Estimate:
    """A function of the items' summed features (n, f), resampled by item, or jackknifed by cluster (n,)."""
    if clusters is not None and np.unique(clusters).size < clusters.size:
        return _jackknife(features, clusters, value, level)
    rows, times = np.unique(features, axis=0, return_counts=True)
    return _bootstrap(rows, times.astype(np.int64), value, seed, level)


def _jackknife(features: Floats, clusters: Ints, value: Callable[[Floats], Floats], level: float) -> Estimate:
    """Delete-a-cluster jackknife, t on the Fisher z scale: the percentile bootstrap of few clusters is too narrow."""
    codes = np.unique(clusters, return_inverse=True)[1]
    sums = np.zeros((int(codes.max()) + 1, features.shape[1]))
    np.add.at(sums, codes, features)
    whole, n, units = sums.sum(0), clusters.size, sums.shape[0]
    estimate = float(value(whole))
    if not np.isfinite(estimate):
        return Estimate.missing(n, ONE_CLASS)
    if units < 2:
        return Estimate(estimate, None, None, n, "none", "only 1 cluster: no interval")
    left = value(whole - sums)
    left = np.where(np.isfinite(left), left, estimate)
    se = float(np.sqrt((units - 1) / units * ((left - left.mean()) ** 2).sum()))
    method = f"delete-a-cluster jackknife {percent(level)}, t({units - 1}), {SCALES['fisher']}"
    return symmetric_interval(estimate, se, units, "fisher", n, method, few(units), level)


def _bootstrap(features: Floats, times: Ints, value: Callable[[Floats], Floats], seed: int, level: float) -> Estimate:
    """Percentile interval of a function of the items' summed features (patterns, f): multinomial weights, one product."""
    n = int(times.sum())
    estimate = float(value(times @ features))
    if not np.isfinite(estimate):
        return Estimate.missing(n, ONE_CLASS)
    rng = np.random.default_rng(seed)
    step = max(1, 4_000_000 // max(features.shape))
    found = []
    for start in range(0, RESAMPLES, step):
        drawn = rng.multinomial(n, times / n, size=min(step, RESAMPLES - start))
        found.append(value(drawn @ features))
    draws = np.concatenate(found)
    draws = draws[np.isfinite(draws)]
    method = f"item bootstrap percentile {percent(level)}, {RESAMPLES} resamples, seed {seed}"
    if draws.size < RESAMPLES // 2 or float(np.ptp(draws)) < 1e-12:
        return Estimate(estimate, None, None, n, method, NO_SPREAD)
    low, high = np.quantile(draws, [0.5 - level / 2, 0.5 + level / 2])
    return Estimate(estimate, float(low), float(high), n, method)
