"""Is an error more frequent in one slice than outside it? A two-sided test that lets answers of one cluster lean together."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from rftj_cli.stats.arrays import Bools, Floats, Ints
from rftj_cli.stats.estimate import Estimate

RESAMPLES = 10_000
SAME = 1 + 1e-7  # probabilities that differ by less are equal


def slice_p(error: ArrayLike, inside: ArrayLike, *, clusters: ArrayLike | None = None, seed: int = 0) -> Estimate:
    """p-value of "the error is as frequent inside the slice as outside", for units (n,) of 0 and 1.

    Units alone: Fisher's exact test. Clusters that lie wholly inside or outside: the places of whole clusters are permuted.
    A slice that cuts through clusters: the sums of each cluster's (inside - share)(error - rate) change sign at random
    (a wild score test; Kline and Santos 2012).
    """
    e, x = _bits(error), _bits(inside)
    n = int(e.size)
    if x.size != n:
        raise ValueError("error and inside are of one length")
    if not 0 < int(x.sum()) < n:
        return Estimate.missing(n, "all units are inside the slice, or none")
    codes = None if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1].astype(np.int64)
    if codes is None or int(codes.max()) + 1 == n:
        p = fisher_p(int((e & x).sum()), int((e & ~x).sum()), int((~e & x).sum()), int((~e & ~x).sum()))
        return Estimate(p, None, None, n, "Fisher exact p")
    size = np.bincount(codes)
    if size.size < 2:
        return Estimate.missing(n, "only 1 cluster")
    held = np.bincount(codes, weights=x)
    rng = np.random.default_rng(seed)
    if bool(((held == 0) | (held == size)).all()):
        p = _moved(_sums(codes, e - e.mean()), held > 0, rng)
        method = "cluster permutation p"
    else:
        p = _flipped(_sums(codes, (x - x.mean()) * (e - e.mean())), rng)
        method = "cluster sign-flip score p"
    return Estimate(p, None, None, n, f"{method}, {RESAMPLES} resamples, seed {seed}")


def fisher_p(a: int, b: int, c: int, d: int) -> float:
    """Two-sided exact p of a 2 x 2 table (Fisher 1935): the tables no likelier than this one, all margins kept."""
    first, left, n = a + b, a + c, a + b + c + d
    x = np.arange(max(0, first + left - n), min(first, left) + 1, dtype=np.float64)
    log = _choose(left, x) + _choose(n - left, first - x)
    chance = np.exp(log - log.max())
    here = chance[int(a - x[0])]
    return float(min(1.0, chance[chance <= here * SAME].sum() / chance.sum()))


def _sums(codes: Ints, values: Floats) -> Floats:
    return np.bincount(codes, weights=values).astype(np.float64)


def _moved(residual: Floats, inside: Bools, rng: np.random.Generator) -> float:
    """Whole clusters change places: how often is the sum of the residuals inside as far from 0?"""
    k, observed, hits = int(inside.sum()), abs(float(residual[inside].sum())), 0
    step = max(1, 4_000_000 // residual.size)
    for start in range(0, RESAMPLES, step):
        rows = min(step, RESAMPLES - start)
        order = rng.permuted(np.broadcast_to(residual, (rows, residual.size)), axis=1)
        hits += int((np.abs(order[:, :k].sum(axis=1)) >= observed - 1e-9).sum())
    return (1 + hits) / (1 + RESAMPLES)


def _flipped(sums: Floats, rng: np.random.Generator) -> float:
    observed, hits = abs(float(sums.sum())), 0
    step = max(1, 4_000_000 // sums.size)
    for start in range(0, RESAMPLES, step):
        signs = rng.integers(0, 2, size=(min(step, RESAMPLES - start), sums.size)) * 2 - 1
        hits += int((np.abs(signs @ sums) >= observed - 1e-9).sum())
    return (1 + hits) / (1 + RESAMPLES)


def _choose(n: int, k: Floats) -> Floats:
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))


def _bits(values: ArrayLike) -> Bools:
    found: Ints = np.asarray(values)
    if found.ndim != 1 or not np.isin(found, (0, 1)).all():
        raise ValueError("units are 1 or 0")
    return found.astype(np.bool_)
