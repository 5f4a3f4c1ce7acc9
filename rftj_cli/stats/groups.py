"""Does the judge rank the responses to one prompt as the humans do? The number that decides a reward's worth.

Group-relative training sees only differences inside a prompt; a judge that knows no more than which prompts are hard
has a good pooled agreement and a within-prompt pair accuracy of one half.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rftj_cli.stats.arrays import Floats, Ints
from rftj_cli.stats.binomial import share_from_se
from rftj_cli.stats.clusters import few, item_se
from rftj_cli.stats.dominance import below
from rftj_cli.stats.estimate import LEVEL, Estimate, percent

NO_PAIRS = "no group holds two items that the labels tell apart"


@dataclass(frozen=True, slots=True)
class PairAccuracy:
    """estimate: over all pairs pooled (pair-weighted);  by_group: mean of the groups' accuracies (prompt-weighted).

    pairs: pairs inside groups whose truth differs; right: of these ranked alike, tied: of these scored alike
    groups: groups with at least one such pair;  tie_rate: tied/pairs
    """

    estimate: Estimate
    by_group: Estimate
    pairs: int
    right: int
    tied: int
    groups: int
    tie_rate: Estimate


def pair_accuracy(
    group: ArrayLike, truth: ArrayLike, score: ArrayLike, *, clusters: ArrayLike | None = None, level: float = LEVEL
) -> PairAccuracy:
    """P(score ranks a pair as the truth does), score ties counted half, over pairs inside a group whose truth differs.

    group: (n,) any keys; truth, score: (n,); clusters: (n,) keys of what groups belong to, by default the groups.
    It is the within-prompt AUC. Interval: ratio linearised by cluster, as an effective n in Wilson's with t(G-1), so
    that 1.0 keeps a width. n of the estimates counts the pairs, or the groups for `by_group`.
    """
    codes = np.unique(np.asarray(group), return_inverse=True)[1].astype(np.int64)
    x, y = np.asarray(truth, dtype=np.float64), np.asarray(score, dtype=np.float64)
    if not codes.size == x.size == y.size or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("group, truth and score must be of one length, truth and score finite")
    count = int(codes.max(initial=-1)) + 1
    cluster = _cluster_of_group(codes, count, clusters)
    found = below(x, y, codes)
    pairs, right, tied = (
        np.bincount(codes, weights=w, minlength=count).astype(np.float64) for w in (found.x, found.both, found.tied)
    )
    with_pairs = pairs > 0
    pairs, right, tied = pairs[with_pairs], right[with_pairs], tied[with_pairs]
    cluster = np.unique(cluster[with_pairs], return_inverse=True)[1].astype(np.int64)
    credit = right + tied / 2
    return PairAccuracy(
        estimate=_ratio(credit, pairs, pairs, cluster, "pair-weighted", level),
        by_group=_ratio(credit / pairs, np.ones(pairs.size), pairs, cluster, "group-weighted", level),
        pairs=round(float(pairs.sum())),
        right=round(float(right.sum())),
        tied=round(float(tied.sum())),
        groups=int(pairs.size),
        tie_rate=_ratio(tied, pairs, pairs, cluster, "pair-weighted", level),
    )


def _cluster_of_group(codes: Ints, count: int, clusters: ArrayLike | None) -> Ints:
    if clusters is None:
        return np.arange(count)
    of_item = np.unique(np.asarray(clusters), return_inverse=True)[1].astype(np.int64)
    of_group = np.zeros(count, dtype=np.int64)
    of_group[codes] = of_item
    if not np.array_equal(of_group[codes], of_item):
        raise ValueError("a group lies in two clusters")
    return of_group


def _ratio(credit: Floats, weight: Floats, pairs: Floats, cluster: Ints, reading: str, level: float) -> Estimate:
    """sum(credit)/sum(weight) over groups, with the interval of a ratio of cluster sums."""
    n = round(float(weight.sum()))
    if n == 0:
        return Estimate.missing(0, NO_PAIRS)
    value = float(credit.sum() / weight.sum())
    se, units = item_se((credit - value * weight) / weight.sum(), cluster)
    if units < 2:
        return Estimate(value, None, None, n, "none", "only 1 group with pairs: no interval")
    low, high = share_from_se(value, se, units, float(pairs.sum()), level)
    method = f"Wilson {percent(level)} on the effective n of {units} clusters, t({units - 1}), {reading}"
    return Estimate(value, low, high, n, method, few(units))
