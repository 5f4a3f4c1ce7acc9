"""Is a judge that says 80% right 80% of the time? Scores of probabilities, and how they part into their causes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rftj_cli.stats.arrays import Bools, Floats, Ints
from rftj_cli.stats.clusters import few
from rftj_cli.stats.estimate import LEVEL, Estimate, percent
from rftj_cli.stats.production import equal_bins
from rftj_cli.stats.shares import mean, share

BINS, LEAST = 10, 200
RESAMPLES = 2_000
CLIP = 1e-6


@dataclass(frozen=True, slots=True)
class Murphy:
    """brier = reliability - resolution + uncertainty + within (Murphy 1973): within is 0 unless a bin holds unequal
    probabilities (the two terms that binning leaves out, Stephenson 2008)."""

    brier: float
    reliability: float
    resolution: float
    uncertainty: float
    within: float


@dataclass(frozen=True, slots=True)
class Point:
    """One bin of the reliability curve: what the judge said on average, and how often it was so."""

    said: float
    was: Estimate


@dataclass(frozen=True, slots=True)
class Probabilities:
    """brier: mean (p - y)^2; log_loss: mean -log of the probability given to what was (p clipped to [1e-6, 1 - 1e-6])

    skill: 1 - brier/uncertainty, 0 for always saying the base rate; ece: see `calibration_error`
    """

    brier: Estimate
    log_loss: Estimate
    skill: Estimate
    ece: Estimate
    parts: Murphy
    curve: tuple[Point, ...]


def probability_scores(
    p: ArrayLike,
    truth: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    weights: Floats | None = None,
    seed: int = 0,
    level: float = LEVEL,
) -> Probabilities | None:
    """All scores of probabilities p (n,) that the truth (n,) of 0 and 1 is positive; None without items.

    clusters: (n,) keys; weights: (n,) 1/inclusion probability on any scale. All scores are then the weighted ones.
    """
    q, y = _checked(p, truth)
    if q.size == 0:
        return None
    w = None if weights is None else np.asarray(weights / weights.mean(), np.float64)
    brier = mean((q - y) ** 2, clusters=clusters, weights=w, scale="log", level=level)
    clipped = np.clip(q, CLIP, 1 - CLIP)
    loss = mean(
        -(y * np.log(clipped) + (1 - y) * np.log1p(-clipped)), clusters=clusters, weights=w, scale="log", level=level
    )
    bins = equal_bins(q, BINS)
    return Probabilities(
        brier,
        loss,
        _skill(q, y, clusters, w, level),
        calibration_error(q, y, clusters=clusters, weights=w, seed=seed, level=level),
        murphy(q, y, bins, w),
        _curve(q, y, bins, clusters, w, level),
    )


def murphy(p: ArrayLike, truth: ArrayLike, bins: Ints | None = None, weights: Floats | None = None) -> Murphy:
    """The Brier score in its parts, by bins (n,) of codes, by default one for each distinct probability; weights: (n,)."""
    q, y = _checked(p, truth)
    if q.size == 0:
        raise ValueError("no probabilities")
    codes = np.unique(q, return_inverse=True)[1] if bins is None else bins
    w = np.ones(q.size) if weights is None else weights
    mass, total = np.bincount(codes, weights=w), float(w.sum())
    safe = np.where(mass > 0, mass, 1.0)
    said, was = np.bincount(codes, weights=w * q) / safe, np.bincount(codes, weights=w * y) / safe
    base = float(w @ y) / total
    inner = q - said[codes]
    return Murphy(
        brier=float(w @ (q - y) ** 2) / total,
        reliability=float(mass @ (said - was) ** 2) / total,
        resolution=float(mass @ (was - base) ** 2) / total,
        uncertainty=base * (1 - base),
        within=float(w @ (inner**2 - 2 * inner * (y - was[codes]))) / total,
    )


def calibration_error(
    p: ArrayLike,
    truth: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    weights: Floats | None = None,
    seed: int = 0,
    level: float = LEVEL,
) -> Estimate:
    """Root mean squared gap between said and was over up to 10 bins of equal size, debiased (Kumar, Liang, Ma 2019).

    Each bin's squared gap is lessened by its own variance deff was (1 - was)/(m - 1), without which a calibrated judge
    seems not to be; below 0 the sum counts as 0. deff is the design effect of the gaps, pooled over the bins (1 where items
    are alone and alike). Interval: percentile bootstrap of items (whole clusters), centred as the estimate is. Missing below
    200 items, where it says nothing. weights: (n,) 1/inclusion probability on any scale.
    """
    q, y = _checked(p, truth)
    n = int(q.size)
    method = f"debiased, {BINS} bins of equal size, bootstrap {percent(level)}, {RESAMPLES} resamples, seed {seed}"
    if n < LEAST:
        return Estimate.missing(
            n, f"fewer than {LEAST} items: the error of the bins would be read as the judge's", method
        )
    bins = equal_bins(q, BINS)
    keys = np.arange(n) if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    units, count = int(keys.max()) + 1, int(bins.max()) + 1
    w = np.ones(n) if weights is None else weights * n / weights.sum()
    sums = np.zeros((units, 4 * count))
    for place, of in enumerate((np.ones(n), w, w * q, w * y)):
        np.add.at(sums, (keys, place * count + bins), of)
    deff = 1.0 if units == n and weights is None else _deff_of_bins(y - q, w, bins, keys.astype(np.int64))
    value = float(np.sqrt(max(0.0, float(_squared(sums.sum(0)[None], count, deff)[0]))))
    rng, draws = np.random.default_rng(seed), []
    step = max(1, 20_000_000 // units)
    for start in range(0, RESAMPLES, step):
        drawn = rng.multinomial(units, np.full(units, 1 / units), size=min(step, RESAMPLES - start))
        draws.append(_squared(drawn @ sums, count, 2 * deff))  # a resample has its own variance and that of the data
    low, high = np.sqrt(np.maximum(np.quantile(np.concatenate(draws), [0.5 - level / 2, 0.5 + level / 2]), 0.0))
    if not high - low > 1e-12:
        return Estimate(value, None, None, n, method, "the error of the bins does not vary over resamples: no interval")
    note = few(units) if units < n else None
    return Estimate(value, min(float(low), value), max(float(high), value), n, method, note)


def _squared(sums: Floats, count: int, times: float) -> Floats:
    """Squared error of stacks of bin sums (B, 4 count), lessened by `times` the variance that independent items would have."""
    m, mass, said, was = (sums[:, place * count : (place + 1) * count] for place in range(4))
    safe = np.where(mass > 0, mass, 1.0)
    rate = was / safe
    noise = np.where(m > 1, rate * (1 - rate) / np.maximum(m - 1, 1), 0.0)
    gap = (said / safe - rate) ** 2 - times * noise
    return np.asarray((np.where(m > 0, mass * gap, 0.0)).sum(1) / mass.sum(1))


def _deff_of_bins(gap: Floats, w: Floats, bins: Ints, keys: Ints) -> float:
    """Variance of the bins' mean gaps by (weighted) cluster sums over that of as many items alone and alike, at least 1."""
    mass, m = np.bincount(bins, weights=w), np.bincount(bins).astype(np.float64)
    off = gap - (np.bincount(bins, weights=w * gap) / mass)[bins]
    pairs, place = np.unique(keys * mass.size + bins, return_inverse=True)
    of, sums = pairs % mass.size, np.bincount(place, weights=w * off)
    units = np.bincount(of, minlength=mass.size).astype(np.float64)
    by_cluster = np.bincount(of, weights=sums**2) * units / np.maximum(units - 1, 1) / mass
    alone = np.bincount(bins, weights=w * off**2) / np.maximum(m - 1, 1)
    return max(1.0, float(by_cluster.sum() / alone.sum())) if alone.sum() > 0 else 1.0


def _skill(q: Floats, y: Floats, clusters: ArrayLike | None, weights: Floats | None, level: float) -> Estimate:
    """1 - Brier/(base (1 - base)); the interval is that of the difference to the base rate's score, over it."""
    base = float(np.average(y, weights=weights))
    worst = base * (1 - base)
    if worst == 0:
        return Estimate.missing(int(q.size), "the truth never varies")
    gain = mean((base - y) ** 2 - (q - y) ** 2, clusters=clusters, weights=weights, level=level)
    value, low, high = (None if one is None else one / worst for one in (gain.value, gain.low, gain.high))
    return Estimate(value, low, high, gain.n, gain.method, gain.note)


def _curve(
    q: Floats, y: Floats, bins: Ints, clusters: ArrayLike | None, weights: Floats | None, level: float
) -> tuple[Point, ...]:
    keys = None if clusters is None else np.asarray(clusters)
    points = []
    for one in range(int(bins.max()) + 1):
        inside: Bools = bins == one
        within = None if keys is None else keys[inside]
        w = None if weights is None else weights[inside]
        said = float(np.average(q[inside], weights=w))
        points.append(Point(said, share(y[inside], clusters=within, weights=w, level=level)))
    return tuple(points)


def _checked(p: ArrayLike, truth: ArrayLike) -> tuple[Floats, Floats]:
    q, y = np.asarray(p, np.float64), np.asarray(truth, np.float64)
    if q.shape != y.shape or q.ndim != 1 or not ((q >= 0) & (q <= 1)).all() or not np.isin(y, (0.0, 1.0)).all():
        raise ValueError("probabilities lie in [0, 1], the truth is 0 or 1, in arrays of one length")
    return q, y
