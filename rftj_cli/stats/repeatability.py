"""How far does the judge agree with itself? Flips, variance components, and what more votes would buy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import fdtri, gammaln

from rftj_cli.stats.arrays import Floats, Ints
from rftj_cli.stats.estimate import LEVEL, Estimate, percent
from rftj_cli.stats.reliability import pairwise_kappa, rating_counts
from rftj_cli.stats.shares import share
from rftj_cli.stats.table import WeightKind

NO_REPEAT = "no item was judged twice"
MOST_VOTES, WORTH = 11, 0.01


@dataclass(frozen=True, slots=True)
class Retest:
    """flip_rate: items whose runs are not unanimous; pair_flip_rate: two runs of an item differ; kappa: mean run-run kappa"""

    flip_rate: Estimate
    pair_flip_rate: Estimate
    kappa: Estimate


@dataclass(frozen=True, slots=True)
class Components:
    """Variance of scores between items and inside them (run to run), with what follows from it.

    icc: reliability of one run, item/(item + run); sem: sqrt(run), in units of the scale; per_item: runs of an item (m)
    """

    item: float
    run: float
    icc: Estimate
    sem: Estimate
    per_item: int


@dataclass(frozen=True, slots=True)
class Votes:
    """reliability[i]: of the mean of i + 1 runs; enough: the fewest runs from which one more adds less than .01."""

    reliability: tuple[float, ...]
    enough: int


def retest(
    runs: Ints,
    k: int,
    *,
    kind: WeightKind = "nominal",
    values: Sequence[float] | None = None,
    clusters: ArrayLike | None = None,
    seed: int = 0,
    level: float = LEVEL,
) -> Retest:
    """The same judge on the same items, several times.

    runs: (items, m) level codes, -1 where a run has no verdict; values: (k,) of the levels (default 0..k-1), for weighted
    kappas; clusters: (items,) keys. Items with fewer than two verdicts are left out.
    """
    counts = rating_counts(runs, k)
    use = counts.sum(1) >= 2
    if not use.any():
        missing = Estimate.missing(0, NO_REPEAT)
        return Retest(missing, missing, missing)
    keys = None if clusters is None else np.unique(np.asarray(clusters)[use], return_inverse=True)[1].astype(np.int64)
    counts = counts[use]
    m = counts.sum(1)
    apart = 1 - (counts * (counts - 1)).sum(1) / (m * (m - 1))
    return Retest(
        share((counts > 0).sum(1) > 1, clusters=keys, level=level),
        share(apart, clusters=keys, level=level),
        pairwise_kappa(runs[use], k, kind=kind, values=values, clusters=keys, seed=seed, level=level).mean,
    )


def components(scores: Floats, *, level: float = LEVEL) -> Components | None:
    """One-way variance components of scores (items, m runs) without gaps; None for fewer than two items or runs.

    item = (MS_item - MS_run)/m, run = MS_run, ICC(1) with the F interval of Shrout and Fleiss (1979). A negative component
    of the items counts as 0.
    """
    if scores.ndim != 2 or not np.isfinite(scores).all():
        raise ValueError("scores are (items, runs) without gaps")
    n, m = scores.shape
    if n < 2 or m < 2:
        return None
    rows = scores.mean(1)
    between = m * float(((rows - rows.mean()) ** 2).sum()) / (n - 1)
    inside = float(((scores - rows[:, None]) ** 2).sum()) / (n * (m - 1))
    method = f"F {percent(level)}, one-way"
    item = max(0.0, (between - inside) / m)
    if between + inside <= 1e-15:
        icc = Estimate.missing(n, "the scores never vary", method)
    elif inside <= 1e-15:
        icc = Estimate(1.0, None, None, n, method, "no item's runs differ: no interval")
    else:
        f = between / inside
        df1, df2, p = n - 1, n * (m - 1), 0.5 + level / 2
        low, high = f / float(fdtri(df1, df2, p)), f * float(fdtri(df2, df1, p))
        icc = Estimate(
            (between - inside) / (between + (m - 1) * inside), (low - 1) / (low + m - 1), (high - 1) / (high + m - 1), n, method
        )  # fmt: skip
    return Components(item, inside, icc, _sem(inside, n * (m - 1), n, level), m)


def _sem(variance: float, df: int, n: int, level: float) -> Estimate:
    """sqrt of a variance with the chi-square interval (a ratio of F with infinite df)."""
    method = f"chi-square {percent(level)}, df {df}"
    if variance <= 1e-15:
        return Estimate(0.0, None, None, n, method, "no item's runs differ: no interval")
    many = 1e9
    low, high = (variance / float(fdtri(df, many, p)) for p in (0.5 + level / 2, 0.5 - level / 2))
    return Estimate(sqrt(variance), sqrt(low), sqrt(high), n, method)


def votes_worth(found: Components, *, most: int = MOST_VOTES, gain: float = WORTH) -> Votes:
    """Reliability of the mean of v runs, item/(item + run/v), v = 1..most (Spearman 1910, Brown 1910).

    It says how well the vote repeats itself, not how right it is: error that every run shares is never voted away.
    """
    total = found.item + found.run
    of = tuple(
        found.item / (found.item + found.run / v) if total > 0 and found.item > 0 else 0.0 for v in range(1, most + 1)
    )
    enough = next((v for v in range(1, most) if of[v] - of[v - 1] < gain), most)
    return Votes(of, enough)


def right_by_votes(
    right: ArrayLike, cast: ArrayLike, *, clusters: ArrayLike | None = None, level: float = LEVEL
) -> dict[int, Estimate]:
    """Expected share of items on which the majority of v votes is right, v = 1, 3, 5, ... up to what most items have.

    right, cast: (items,) votes that are right, and votes in all; clusters: (items,) keys. Every choice of v of an item's
    votes counts alike (hypergeometric sums, no sampling). Votes that are wrong count together. All v rest on the same items,
    those with at least the most common number of votes: else the curve would also show which items have many.
    """
    r, m = np.asarray(right, np.float64), np.asarray(cast, np.float64)
    if r.shape != m.shape or not ((r <= m) & (r >= 0) & np.isfinite(m)).all():
        raise ValueError("right votes are at most the votes cast, one pair for each item")
    keys = None if clusters is None else np.asarray(clusters)
    if keys is not None and keys.shape != m.shape:
        raise ValueError("one cluster key for each item")
    numbers, times = np.unique(m[m > 0], return_counts=True)
    if not numbers.size:
        return {}
    common = int(numbers[times == times.max()].max())
    use = m >= common
    r, m, found = r[use], m[use], {}
    for v in range(1, common + 1, 2):
        chance = np.zeros(m.size)
        for x in range(v // 2 + 1, v + 1):
            chance += np.exp(_choose(r, x) + _choose(m - r, v - x) - _choose(m, v))
        found[v] = share(np.clip(chance, 0, 1), clusters=None if keys is None else keys[use], level=level)
    return found


def _choose(n: Floats, k: int) -> Floats:
    """log of n over k, -inf where k > n."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found = gammaln(n + 1) - gammaln(k + 1) - gammaln(np.maximum(n - k, 0) + 1)
    return np.where(n >= k, found, -np.inf)
