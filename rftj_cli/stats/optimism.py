"""The best of M tried judges looks better than it is: by how much, on these labels."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, sqrt

import numpy as np
from numpy.typing import ArrayLike

from rftj_cli.stats.arrays import Floats, Ints
from rftj_cli.stats.clusters import Clusters
from rftj_cli.stats.estimate import LEVEL, Estimate
from rftj_cli.stats.intervals import kappa_interval
from rftj_cli.stats.table import WeightKind, cross_table, kappa, weights

SPLITS = 400


@dataclass(frozen=True, slots=True)
class Optimism:
    """apparent: kappa of the best of `tried` judges on the labels it was chosen by (index `best`)

    optimism: how much of that is luck of the choice; corrected: apparent minus optimism, with the interval of a judge of that
    kappa, widened by the luck
    """

    best: int
    tried: int
    apparent: Estimate
    optimism: Estimate
    corrected: Estimate


def best_of(
    truth: Ints,
    verdicts: Ints,
    k: int,
    *,
    kind: WeightKind = "nominal",
    values: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    seed: int = 0,
    level: float = LEVEL,
) -> Optimism:
    """Optimism of choosing the best of M judges by kappa on the same n items.

    truth: (n,) codes, verdicts: (n, M) codes; clusters: (n,) keys, kept whole. The items are split in halves at random, 400
    times: the best judge of one half against itself on the other. A choice from n/2 items is sqrt(2) times as
    lucky as one from n, so the mean gap is divided by that. (Choosing in a bootstrap sample and scoring on what it
    left out finds only about 1/sqrt(2) of the luck: the sample keeps the luck of the data.)

    corrected: the table is mixed with what chance alone gives until its kappa is the corrected one (with the same marginals
    kappa falls in proportion), and its interval is widened by the luck itself, for the choice is as uncertain as that.
    """
    if verdicts.ndim != 2 or verdicts.shape[0] != truth.size or verdicts.shape[1] < 1:
        raise ValueError("verdicts are (items, judges)")
    if any(((one < 0) | (one >= k)).any() for one in (truth, verdicts)):
        raise ValueError(f"truth and verdicts are codes 0 to {k - 1}")
    w = weights(k, kind, None if values is None else list(np.asarray(values, np.float64)))
    n, tried = verdicts.shape
    scores = np.array([float(kappa(cross_table(truth, verdicts[:, m], k), w)) for m in range(tried)])
    if not np.isfinite(scores).any():
        missing = Estimate.missing(n, "no judge has a defined kappa")
        return Optimism(0, tried, missing, missing, missing)
    best = int(np.nanargmax(scores))
    codes = None if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1].astype(np.int64)
    inside = Clusters.of(codes, truth, verdicts[:, best], k)
    scale = None if values is None else list(np.asarray(values, np.float64))
    table = cross_table(truth, verdicts[:, best], k)
    apparent = kappa_interval(table, kind, scale, clusters=inside, seed=seed, level=level)
    method = f"{SPLITS} random halves, gap/sqrt(2), seed {seed}"
    if tried == 1:
        return Optimism(best, 1, apparent, Estimate(0.0, None, None, n, "nothing was chosen"), apparent)
    gap = _gap(truth * k + verdicts.T, codes, w, seed)
    if gap is None:
        lost = Estimate.missing(n, "too few items to halve them", method)
        return Optimism(best, tried, apparent, lost, lost)
    luck = max(0.0, gap / sqrt(2))
    assert apparent.value is not None
    part = min(1.0, luck / apparent.value) if apparent.value > 0 else 0.0
    by_chance = np.outer(table.sum(1), table.sum(0)) / max(n, 1)
    less = kappa_interval((1 - part) * table + part * by_chance, kind, scale, clusters=inside, seed=seed, level=level)
    corrected = _widened(less, apparent.value - luck, luck)
    return Optimism(best, tried, apparent, Estimate(luck, None, None, n, method), corrected)


def _widened(found: Estimate, value: float, luck: float) -> Estimate:
    """The interval of a judge with the kappa `value`, as `found` has it, with half-widths sqrt(half^2 + luck^2).

    The interval around the apparent kappa, shifted, is that of a better judge and too narrow: it held the corrected kappa in
    79 to 97% of simulated choices, this in 91 to 100%.
    """
    method = f"{found.method}, at the corrected kappa, widened by the optimism"
    if found.value is None or found.low is None or found.high is None:
        return Estimate(value, None, None, found.n, method, found.note or "no interval")
    low, high = value - hypot(found.value - found.low, luck), value + hypot(found.high - found.value, luck)
    return Estimate(value, max(-1.0, low), min(1.0, high), found.n, method, found.note)


def _gap(cells: Ints, codes: Ints | None, w: Floats, seed: int) -> float | None:
    """Mean over random halves of (best judge's kappa on its half - its kappa on the other)."""
    rng = np.random.default_rng(seed)
    tried, n = cells.shape
    unit = np.arange(n) if codes is None else codes
    units, size = int(unit.max()) + 1, w.size
    if units < 4:
        return None
    # What each unit adds to each judge's table: a half's tables are then one product.
    parts = np.zeros((units, tried * size))
    for m in range(tried):
        np.add.at(parts, (unit, m * size + cells[m]), 1.0)
    whole, gaps = parts.sum(0), []
    for _ in range(SPLITS):
        half = np.zeros(units)
        half[rng.permutation(units)[: units // 2]] = 1.0
        first = half @ parts
        one, other = (kappa(part.reshape(tried, *w.shape), w) for part in (first, whole - first))
        if np.isfinite(one).any():
            chosen = int(np.nanargmax(one))
            if np.isfinite(other[chosen]):
                gaps.append(float(one[chosen] - other[chosen]))
    return float(np.mean(gaps)) if gaps else None
