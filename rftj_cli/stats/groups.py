"""Does the judge rank the responses to one prompt as the humans do? The number that decides a reward's worth.

Group-relative training sees only differences inside a prompt; a judge that knows no more than which prompts are hard
has a good pooled agreement and a within-prompt pair accuracy of one half.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, sqrt

import numpy as np
from numpy.typing import ArrayLike

from rftj_cli.stats.arrays import Bools, Floats, Ints
from rftj_cli.stats.binomial import share_from_se, wilson
from rftj_cli.stats.clusters import (
    ONE_CLUSTER,
    PRIOR_CLUSTERS,
    PRIOR_GROWTH,
    RARER,
    codes_of,
    few,
    freedom,
    item_se,
)
from rftj_cli.stats.dominance import below, dense
from rftj_cli.stats.estimate import LEVEL, Estimate, percent
from rftj_cli.stats.moved import GAINED_LOST, flip_interval, of_few_clusters, said, sums
from rftj_cli.stats.paired import credit_p
from rftj_cli.stats.ties import settled

SMALL = 16  # items of a group whose pairs are gone through one by one
LEAST_DF = 4
ONE_GROUP = "only 1 group with pairs: no interval"
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
    It is the within-prompt AUC. Interval: jackknife over clusters, as an effective n in Wilson's with t, so that 1.0 keeps
    a width. n of the estimates counts the pairs, or the groups for `by_group`.
    """
    if not np.isfinite(np.asarray(score, dtype=np.float64)).all():
        raise ValueError("group, truth and score must be of one length, truth and score finite")
    pairs, right, tied, cluster = _counted(group, truth, score, clusters)
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


def pooled_pair_accuracy(
    truth: ArrayLike, score: ArrayLike, *, clusters: ArrayLike | None = None, level: float = LEVEL
) -> Estimate:
    """The same over all pairs of items, whatever their group: what `pair_accuracy` is to be held against.

    A judge that knows which prompts are hard, and nothing else, is good here and no better than chance inside groups.
    truth, score: (n,); clusters: (n,) keys. Interval: influence values of the ratio of two U-statistics (for two classes
    DeLong's variance) summed by cluster, as an effective n in Wilson's with t; its degrees of freedom are no more than the
    items that do not have the most frequent truth, less 1. n counts the items.
    """
    x, y = settled(np.asarray(truth, np.float64)), settled(np.asarray(score, np.float64))
    if x.shape != y.shape or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("truth and score must be finite and of one length")
    under, over = below(x, y), below(-x, -y)
    pairs = (under.x + over.x).astype(np.float64)
    credit = under.both + over.both + (under.tied + over.tied) / 2
    n, total = int(x.size), float(pairs.sum())
    if not total:
        return Estimate.missing(n, "the labels tell no two items apart")
    value = float(credit.sum()) / total
    pull, codes = 2 * (credit - value * pairs) / total, None if clusters is None else codes_of(clusters, n)
    se, units = item_se(pull, codes)
    if units < 2:
        return Estimate(value, None, None, n, "none", ONE_CLUSTER)
    df = rank_freedom(pull, x, codes)
    low, high = share_from_se(value, se, units, float(n), level, df=df)
    method = f"Wilson {percent(level)} on the effective n of {units} clusters, t({df:.0f}), all pairs"
    return Estimate(value, low, high, n, method, few(units))


def rank_freedom(pull: Floats, truth: Floats, codes: Ints | None) -> float:
    """Degrees of freedom of the variance of a share of pairs: items that lack the most frequent truth, less 1.

    Every pair has one of them: with 4 of 30 items positive the variance over pairs is known from 4. With clusters (n,) no more
    than Satterthwaite's of their sums of pull (n,).
    """
    rarer = truth.size - int(np.unique(truth, return_counts=True)[1].max())
    most = float(pull.size - 1) if codes is None else freedom(sums(pull, codes), LEAST_DF)
    return max(1.0, min(most, rarer - 1.0))


def pair_accuracy_difference(
    group: ArrayLike,
    truth: ArrayLike,
    score_a: ArrayLike,
    score_b: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    seed: int = 0,
    level: float = LEVEL,
) -> tuple[Estimate, Estimate]:
    """Pair accuracy of B minus that of A on the same pairs (pair-weighted), and the p-value of "they are the same".

    A score of nan has failed: its pairs are wrong.
    Interval: the credit of pairs that B gains less that which it loses, by group, with Wilson's on n/deff of either (`moved`);
    the p swaps the two judges' credits on whole clusters at random.
    """
    pairs, right, tied, cluster = _counted(group, truth, score_a, clusters)
    _, right_b, tied_b, _ = _counted(group, truth, score_b, clusters)
    gain = right_b + tied_b / 2 - (right + tied / 2)
    n = round(float(pairs.sum()))
    if n == 0:
        return Estimate.missing(0, NO_PAIRS), Estimate.missing(0, NO_PAIRS)
    value = float(gain.sum()) / n
    p = replace(credit_p(np.zeros(gain.size), gain, clusters=cluster, seed=seed), n=n)
    fixed, broken = (sums(np.maximum(sign * gain, 0.0), cluster) for sign in (1, -1))
    if fixed.size < 2:
        return Estimate(value, None, None, n, "none", ONE_GROUP), p
    low, high, deffs = flip_interval(fixed, broken, sums(pairs, cluster), level, graded=True)
    method = f"{GAINED_LOST} {percent(level)}, pair-weighted{said(deffs)}"
    return Estimate(value, min(low, value), max(high, value), n, method, of_few_clusters(fixed, broken)), p


def _counted(
    group: ArrayLike, truth: ArrayLike, score: ArrayLike, clusters: ArrayLike | None
) -> tuple[Floats, Floats, Floats, Ints]:
    """Of each group with pairs: how many, how many ranked right, how many scored alike, and its cluster."""
    codes = dense(np.asarray(group))
    x, y = np.asarray(truth, dtype=np.float64), np.asarray(score, dtype=np.float64)
    if not codes.size == x.size == y.size or not np.isfinite(x).all() or np.isinf(y).any():
        raise ValueError("group, truth and score must be of one length, truth and score finite")
    done = ~np.isnan(y)
    x, y = settled(x), settled(np.where(done, y, 0.0))
    count = int(codes.max(initial=-1)) + 1
    cluster = _cluster_of_group(codes, count, clusters)
    counted = _in_small_groups if int(np.bincount(codes).max(initial=0)) <= SMALL else _in_groups
    pairs, right, tied = counted(codes, count, x, y, done)
    some = pairs > 0
    return pairs[some], right[some], tied[some], dense(cluster[some])


def _in_groups(codes: Ints, count: int, x: Floats, y: Floats, done: Bools) -> tuple[Floats, Floats, Floats]:
    """Of each group the pairs that the truth tells apart, and of these, ranked right and scored alike: (count,) each."""
    every, found = below(x, x, codes), below(x[done], y[done], codes[done])
    pairs = np.bincount(codes, weights=every.x, minlength=count).astype(np.float64)
    right, tied = (
        np.bincount(codes[done], weights=w, minlength=count).astype(np.float64) for w in (found.both, found.tied)
    )
    return pairs, right, tied


def _in_small_groups(codes: Ints, count: int, x: Floats, y: Floats, done: Bools) -> tuple[Floats, Floats, Floats]:
    """The same, pair by pair: each item with the next of its group, with the one after it, and so on."""
    if (codes[1:] < codes[:-1]).any():
        order = np.argsort(codes, kind="stable")
        codes, x, y, done = codes[order], x[order], y[order], done[order]
    pairs, right, tied = np.zeros(count), np.zeros(count), np.zeros(count)
    for step in range(1, codes.size):
        one = np.flatnonzero((codes[step:] == codes[:-step]) & (x[step:] != x[:-step]))
        two, group = one + step, codes[one]
        pairs += np.bincount(group, minlength=count)
        both = done[one] & done[two]
        alike = both & (y[one] == y[two])
        tied += np.bincount(group[alike], minlength=count)
        right += np.bincount(group[both & ~alike & ((x[one] < x[two]) == (y[one] < y[two]))], minlength=count)
        if not (codes[step:] == codes[:-step]).any():
            break
    return pairs, right, tied


def _cluster_of_group(codes: Ints, count: int, clusters: ArrayLike | None) -> Ints:
    if clusters is None:
        return np.arange(count)
    of_item = codes_of(clusters, codes.size)
    of_group = np.zeros(count, dtype=np.int64)
    of_group[codes] = of_item
    if not np.array_equal(of_group[codes], of_item):
        raise ValueError("a group lies in two clusters")
    return of_group


def _ratio(credit: Floats, weight: Floats, pairs: Floats, cluster: Ints, reading: str, level: float) -> Estimate:
    """sum(credit)/sum(weight) over groups, by `ratio_bounds` of the sums of their clusters."""
    n = round(float(weight.sum()))
    if n == 0:
        return Estimate.missing(0, NO_PAIRS)
    over, under = sums(credit, cluster), sums(weight, cluster)
    value, units = float(over.sum() / under.sum()), int(under.size)
    if units < 2:
        return Estimate(value, None, None, n, "none", ONE_GROUP)
    low, high, df = ratio_bounds(over, under, sums(pairs, cluster), level)
    method = f"Wilson {percent(level)} on the effective n of {units} clusters, jackknife, t({df:.0f}), {reading}"
    hit = int((over < under - 1e-9).sum()) if value > 0.5 else int((over > 1e-9).sum())
    return Estimate(value, low, high, n, method, few(units, hit if units < n else 0, RARER))


def ratio_bounds(over: Floats, under: Floats, pairs: Floats, level: float = LEVEL) -> tuple[float, float, float]:
    """Interval of sum(over)/sum(under), a share of pairs, and its degrees of freedom: a jackknife that leaves out each cluster.

    over, under, pairs: (G,) the clusters' credit, weight and number of pairs; G is 2 at least.
    Where few clusters hold a pair that is ranked wrong, the jackknife sees too little: the effective n is at most `_most`, and
    what is assumed and not estimated takes t with G - 1 degrees of freedom. Else they are Satterthwaite's, at least 4.
    """
    value, units = float(over.sum() / under.sum()), int(under.size)
    if value in (0.0, 1.0):  # nothing was estimated
        return *wilson(value * _most(over, under, pairs), _most(over, under, pairs), level), inf
    left = (over.sum() - over) / (under.sum() - under)
    left -= left.mean()
    se, most, df = sqrt((units - 1) / units * float(left @ left)), _most(over, under, pairs), float(units - 1)
    if se > 1e-12 and value * (1 - value) < most * se**2:
        df = freedom(left, LEAST_DF)
    return *share_from_se(value, se, most, most, level, df=df), df


def _most(over: Floats, under: Floats, pairs: Floats) -> float:
    """The largest effective n to believe in, of G clusters with credit `over`, weight `under` and a number of pairs each (G,).

    The shrunken correlation of `clusters.shrunken_effect`: without an error the pairs of one cluster are taken to be correlated
    by one half, and e clusters with one lift n towards all pairs: (e + a)/(e/pairs + a/n0). The prior a grows with the clusters
    so that one more error makes no bound better, less so where a few clusters hold most of the pairs.
    """
    whole, units = float(pairs.sum()), under.size
    even = float(under.sum()) ** 2 / float(under @ under)  # clusters of one size that would tell as much (Kish 1965)
    alone = whole / (1 + (whole / even - 1) / 2)
    prior = max(PRIOR_CLUSTERS, PRIOR_GROWTH * (whole / units - 1) * even / units)
    share = over / under
    events = min(float(np.minimum(one * pairs, 1.0).sum()) for one in (1 - share, share))
    return (events + prior) / (events / whole + prior / alone)
