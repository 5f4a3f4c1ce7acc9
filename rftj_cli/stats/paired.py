"""Two judges on the same items: is B better than A? Differences with intervals, and tests that respect the pairing."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from rftj_cli.stats.arrays import Bools, Floats, Ints
from rftj_cli.stats.binomial import wilson
from rftj_cli.stats.clusters import ONE_CLUSTER
from rftj_cli.stats.cube import kappa_gain_posterior
from rftj_cli.stats.estimate import LEVEL, Estimate, percent
from rftj_cli.stats.homogeneity import mcnemar_mid_p
from rftj_cli.stats.moved import GAINED_LOST, flip_effect, flip_interval, of_few, of_few_clusters, said, sums
from rftj_cli.stats.table import WeightKind, cross_table, influence, kappa, weights

RESAMPLES = 10_000
ONE_CLASS = "all labels and verdicts of one judge are one class"


def newcombe_10(both: float, only_1: float, only_2: float, neither: float, level: float = LEVEL) -> tuple[float, float]:
    """Interval of p1 - p2, two shares of the same items (Newcombe 1998, method 10: Wilson's intervals, correlated).

    The four counts say on how many items both, only the first, only the second, or neither of the two holds.
    """
    n = both + only_1 + only_2 + neither
    if n <= 0:
        return -1.0, 1.0
    p1, p2 = (both + only_1) / n, (both + only_2) / n
    (l1, u1), (l2, u2) = wilson(p1 * n, n, level), wilson(p2 * n, n, level)
    cross = both * neither - only_1 * only_2
    if cross > 0:
        cross = max(cross - n / 2, 0.0)
    margins = (both + only_1) * (only_2 + neither) * (both + only_2) * (only_1 + neither)
    phi = cross / sqrt(margins) if margins > 0 else 0.0
    down = (p1 - l1) ** 2 - 2 * phi * (p1 - l1) * (u2 - p2) + (u2 - p2) ** 2
    up = (p2 - l2) ** 2 - 2 * phi * (p2 - l2) * (u1 - p1) + (u1 - p1) ** 2
    gap = p1 - p2
    return max(-1.0, gap - sqrt(max(down, 0.0))), min(1.0, gap + sqrt(max(up, 0.0)))


def agreement_difference(
    right_a: ArrayLike, right_b: ArrayLike, *, clusters: ArrayLike | None = None, level: float = LEVEL
) -> Estimate:
    """Share right of B minus that of A on the same items (n,) of 0 and 1, by Newcombe's method 10.

    clusters: (n,) keys; then the interval of the shares that B puts right and breaks (`moved`).
    """
    a, b = _bits(right_a, right_b)
    n = int(a.size)
    codes = _codes(clusters, n)
    if n == 0 or codes is not None:
        return credit_difference(a, b, clusters=clusters, level=level)
    both, only_b, only_a, neither = (float(one.sum()) for one in (a & b, b & ~a, a & ~b, ~a & ~b))
    value = (only_b - only_a) / n
    low, high = newcombe_10(both, only_b, only_a, neither, level)
    note = of_few((b & ~a).astype(np.float64), (a & ~b).astype(np.float64))
    return Estimate(value, min(low, value), max(high, value), n, f"Newcombe method 10 {percent(level)}", note)


def agreement_p(
    right_a: ArrayLike, right_b: ArrayLike, *, clusters: ArrayLike | None = None, seed: int = 0
) -> Estimate:
    """p-value of "A and B are right equally often": McNemar's mid-p; with clusters, whole clusters swapped at random."""
    a, b = _bits(right_a, right_b)
    codes = _codes(clusters, a.size)
    if a.size == 0:
        return Estimate.missing(0, "no items")
    if codes is None:
        p = mcnemar_mid_p(int((a & ~b).sum()), int((b & ~a).sum()))
        return Estimate(p, None, None, int(a.size), "McNemar mid-p")
    return credit_p(a, b, clusters=codes, seed=seed)


def credit_p(credit_a: ArrayLike, credit_b: ArrayLike, *, clusters: ArrayLike | None = None, seed: int = 0) -> Estimate:
    """Permutation p of "A and B have the same mean credit" on the same items (n,): A and B swapped on whole units at random."""
    a, b = _credits(credit_a, credit_b)
    if a.size == 0:
        return Estimate.missing(0, "no items")
    codes = _codes(clusters, a.size)
    # Rounded, so that sums of thirds that are the same number count as one pattern.
    change = np.round(b - a if codes is None else np.bincount(codes, weights=b - a), 12)
    rows, counts = np.unique(change[change != 0], return_counts=True)
    p = _swap_p(rows[:, None], counts, lambda sums: sums[:, 0], float(change.sum()), seed)
    unit = "paired" if codes is None else "cluster"
    return Estimate(p, None, None, int(a.size), f"{unit} permutation p, {RESAMPLES} resamples, seed {seed}")


def kappa_difference(
    truth: Ints,
    a: Ints,
    b: Ints,
    k: int,
    *,
    kind: WeightKind = "nominal",
    values: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    seed: int = 0,
    level: float = LEVEL,
) -> Estimate:
    """kappa(truth, B) - kappa(truth, A) of level codes (n,), with quantiles of the posterior of truth x A x B (`cube`).

    clusters: (n,) keys; flips that gain and flips that lose then count by their own design effects (`moved`).
    """
    _check_codes(k, truth, a, b)
    w = weights(k, kind, None if values is None else list(np.asarray(values, np.float64)))
    tables = [cross_table(truth, codes, k) for codes in (a, b)]
    n = int(truth.size)
    if n == 0:
        return Estimate.missing(0, "no items")
    ka, kb = (float(kappa(table, w)) for table in tables)
    if not np.isfinite(ka) or not np.isfinite(kb):
        return Estimate.missing(n, ONE_CLASS)
    codes, value = _codes(clusters, n), kb - ka
    units = n if codes is None else int(codes.max()) + 1
    if units < 2:
        return _alone(value, n, codes)
    psi = [influence(table, w) for table in tables]
    gain = np.where(a == b, 0.0, psi[1][truth, b] - psi[0][truth, a])
    sizes = sums(np.ones(n), codes)
    fixed, broken = (sums((sign * gain > 0).astype(np.float64), codes) for sign in (1, -1))
    deffs = (1.0, 1.0) if codes is None else (flip_effect(fixed, sizes, level), flip_effect(broken, sizes, level))
    low, high, method = kappa_gain_posterior(truth, a, b, w, gain=gain, deffs=deffs, seed=seed, level=level)
    flips = sums((a != b).astype(np.float64), codes)
    note = (of_few if codes is None else of_few_clusters)(flips, np.zeros_like(flips))
    return Estimate(value, min(low, value), max(high, value), n, method, note)


def kappa_p(
    truth: Ints,
    a: Ints,
    b: Ints,
    k: int,
    *,
    kind: WeightKind = "nominal",
    values: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    seed: int = 0,
) -> Estimate:
    """Permutation p of "A and B have the same kappa": on each item (or whole cluster) A and B are swapped at random.

    Exact in distribution; units that change the tables alike are drawn together (Binomial), so the cost does not grow with
    n for single items. Two-sided, with the observed one counted: (1 + hits)/(1 + resamples) (Phipson and Smyth 2010).
    """
    _check_codes(k, truth, a, b)
    w = weights(k, kind, None if values is None else list(np.asarray(values, np.float64)))
    n, size = int(truth.size), k * k
    if n == 0:
        return Estimate.missing(0, "no items")
    tables = [cross_table(truth, codes, k) for codes in (a, b)]
    observed = float(kappa(tables[1], w) - kappa(tables[0], w))
    if not np.isfinite(observed):
        return Estimate.missing(n, ONE_CLASS)
    change = _changes(truth * k + a, truth * k + b, _codes(clusters, n), size)
    both = (tables[0] + tables[1]).ravel()

    def statistic(sums: Floats) -> Floats:
        # sums is T_B - T_A after the swaps; the sum of the two tables never changes.
        first, second = ((both - sums) / 2).reshape(-1, k, k), ((both + sums) / 2).reshape(-1, k, k)
        return np.asarray(kappa(second, w) - kappa(first, w))

    p = _swap_p(*change, statistic, observed, seed)
    unit = "" if clusters is None else "cluster "
    return Estimate(p, None, None, n, f"paired {unit}permutation p, {RESAMPLES} resamples, seed {seed}")


def credit_difference(
    credit_a: ArrayLike, credit_b: ArrayLike, *, clusters: ArrayLike | None = None, level: float = LEVEL
) -> Estimate:
    """Mean credit of B minus that of A on the same items (n,) of numbers in [0, 1] (.5 for half a credit).

    Interval: the credit that B gains less the credit that it loses, each with Wilson's on its own n/deff (`moved`).
    """
    a, b = _credits(credit_a, credit_b)
    n, codes = int(a.size), _codes(clusters, a.size)
    if n == 0:
        return Estimate.missing(0, "no items")
    gain = b - a
    value = float(gain.mean())
    sizes = sums(np.ones(n), codes)
    if sizes.size < 2:
        return _alone(value, n, codes)
    up, down = np.maximum(gain, 0.0), np.maximum(-gain, 0.0)
    fixed, broken = sums(up, codes), sums(down, codes)
    graded = not bool(np.isin(gain, (-1, 0, 1)).all())
    low, high, deffs = flip_interval(fixed, broken, sizes, level, graded=graded)
    method = f"{GAINED_LOST} {percent(level)}" + said(deffs)
    note = (of_few if codes is None else of_few_clusters)(fixed, broken)
    return Estimate(value, min(low, value), max(high, value), n, method, note)


def _alone(value: float, n: int, codes: Ints | None) -> Estimate:
    return Estimate(value, None, None, n, "none", "1 item: no interval" if codes is None else ONE_CLUSTER)


def _credits(credit_a: ArrayLike, credit_b: ArrayLike) -> tuple[Floats, Floats]:
    a, b = np.asarray(credit_a, np.float64), np.asarray(credit_b, np.float64)
    if a.shape != b.shape or a.ndim != 1 or not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("credits must be finite arrays of one length")
    return a, b


def _changes(cell_a: Ints, cell_b: Ints, codes: Ints | None, size: int) -> tuple[Floats, Ints]:
    """What units add to T_B - T_A: the distinct rows (patterns, cells), and how many units add each."""
    moved = np.flatnonzero(cell_a != cell_b)
    if codes is None:
        pairs, counts = np.unique(cell_a[moved] * size + cell_b[moved], return_counts=True)
        rows = np.zeros((pairs.size, size))
        rows[np.arange(pairs.size), pairs % size] += 1
        rows[np.arange(pairs.size), pairs // size] -= 1
        return rows, counts
    used, unit = np.unique(codes[moved], return_inverse=True)
    rows = np.zeros((used.size, size))
    np.add.at(rows, (unit, cell_b[moved]), 1.0)
    np.add.at(rows, (unit, cell_a[moved]), -1.0)
    return np.unique(rows, axis=0, return_counts=True)


def _swap_p(rows: Floats, counts: Ints, statistic: Callable[[Floats], Floats], observed: float, seed: int) -> float:
    """Two-sided p where each unit's row is taken with either sign."""
    if not rows.size:
        return 1.0
    rng, hits, step = np.random.default_rng(seed), 0, max(1, 4_000_000 // max(rows.shape))
    for start in range(0, RESAMPLES, step):
        kept = rng.binomial(counts, 0.5, size=(min(step, RESAMPLES - start), counts.size))
        found = statistic((2 * kept - counts) @ rows)
        hits += int((np.abs(np.where(np.isfinite(found), found, np.inf)) >= abs(observed) - 1e-12).sum())
    return (1 + hits) / (1 + RESAMPLES)


def _check_codes(k: int, *sides: Ints) -> None:
    if any(one.shape != sides[0].shape or one.ndim != 1 or ((one < 0) | (one >= k)).any() for one in sides):
        raise ValueError(f"truth and verdicts are codes 0 to {k - 1} of one length")


def _bits(right_a: ArrayLike, right_b: ArrayLike) -> tuple[Bools, Bools]:
    a, b = np.asarray(right_a), np.asarray(right_b)
    if a.shape != b.shape or a.ndim != 1 or not (np.isin(a, (0, 1)).all() and np.isin(b, (0, 1)).all()):
        raise ValueError("right or wrong is 1 or 0, one for each item, of one length for A and B")
    return a.astype(np.bool_), b.astype(np.bool_)


def _codes(clusters: ArrayLike | None, n: int) -> Ints | None:
    if clusters is None:
        return None
    keys, codes = np.unique(np.asarray(clusters), return_inverse=True)
    if codes.size != n:
        raise ValueError("one cluster key for each item")
    return None if keys.size == n else codes.astype(np.int64)
