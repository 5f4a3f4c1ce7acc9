"""Ranks inside groups: Kendall's tau-b as the mean over groups, and how often the answer scored highest is the best.

Public sets of reward models report these two. Pair accuracy (`groups`) weighs groups by their pairs and pairs alike; here
each group has one voice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rftj_cli.errors import counted
from rftj_cli.stats.arrays import Bools, Floats, Ints
from rftj_cli.stats.clusters import codes_of, few
from rftj_cli.stats.dominance import below
from rftj_cli.stats.estimate import LEVEL, Estimate, percent
from rftj_cli.stats.groups import ratio_bounds
from rftj_cli.stats.moved import sums
from rftj_cli.stats.shares import share
from rftj_cli.stats.ties import settled

NO_ORDER = "no group holds two items that the labels tell apart"
MOST_PAIRS = 20  # per item: up to here all pairs are compared directly, which is faster than counting by sorting


@dataclass(frozen=True, slots=True)
class GroupRanks:
    """tau_b: mean over groups;  top_1: ties for the highest score share the credit;  top_1_strict: they get none."""

    tau_b: Estimate
    top_1: Estimate
    top_1_strict: Estimate


def group_ranks(
    group: ArrayLike, truth: ArrayLike, score: ArrayLike, *, clusters: ArrayLike | None = None, level: float = LEVEL
) -> GroupRanks:
    """Agreement of two rankings inside groups, over groups whose items the labels tell apart. n counts groups.

    group: (n,) keys; truth: (n,) finite; score: (n,), nan where there is none; clusters: (n,) keys of what groups belong
    to, by default the groups.

    tau_b: mean of (C - D)/sqrt((P - tied in truth)(P - tied in score)) (Kendall 1945) of the items with a score. A group
    whose scores are all equal ranks nothing and counts as 0: to leave it out would favour a judge that seldom decides.
    top_1: the share of the items with the highest score that are among the best by the labels (ties averaged).
    top_1_strict: 1 only where all of them are: a tie with a worse answer is wrong. Groups with an item without a score are
    left out of both, since nobody knows what would have been chosen.

    Intervals: tau_b as `groups.ratio_bounds` of (1 + tau)/2, so that it stays within [-1, 1] and 1 keeps a width; top_1 as a
    share of groups.
    """
    code = np.unique(np.asarray(group), return_inverse=True)[1].astype(np.int64)
    x, y = np.asarray(truth, dtype=np.float64), np.asarray(score, dtype=np.float64)
    if not code.size == x.size == y.size or not np.isfinite(x).all() or np.isinf(y).any():
        raise ValueError("group, truth and score must be of one length, truth and score finite")
    keys = code if clusters is None else codes_of(clusters, code.size)
    order = np.argsort(code, kind="stable")
    code, x, keys = code[order], settled(x)[order], keys[order]
    scored = ~np.isnan(y[order])
    y = settled(np.where(np.isnan(y), 0.0, y))[order]
    return GroupRanks(
        _tau_b(code[scored], x[scored], y[scored], keys[scored], level), *_top_1(code, x, y, scored, keys, level)
    )


def _tau_b(code: Ints, x: Floats, y: Floats, keys: Ints, level: float) -> Estimate:
    """All arrays (n,) sorted by group."""
    count = int(code.max(initial=-1)) + 1
    balance, untied_x, untied_y = _pairs(code, x, y, count)
    use = untied_x > 0
    groups = int(use.sum())
    if not groups:
        return Estimate.missing(0, NO_ORDER)
    bottom = np.sqrt(untied_x[use] * untied_y[use])
    tau = np.divide(balance[use], bottom, out=np.zeros(groups), where=bottom > 0)
    flat = int((bottom == 0).sum())
    cluster = np.zeros(count, dtype=np.int64)
    cluster[code] = keys
    inside = np.unique(cluster[use], return_inverse=True)[1].astype(np.int64)
    said = [] if not flat else [f"{flat} of {groups} groups have equal scores throughout and count as 0"]
    value = float(tau.mean())
    right, voices, pairs = (sums(one, inside) for one in ((1 + tau) / 2, np.ones(groups), untied_x[use]))
    units = voices.size
    if units < 2:
        return Estimate(value, None, None, groups, "none", "; ".join(["only 1 group or cluster: no interval", *said]))
    low, high, df = ratio_bounds(right, voices, pairs, level)
    method = f"mean over groups, Wilson {percent(level)} on the effective n of {units} clusters, t({df:.0f})"
    return Estimate(
        value, 2 * low - 1, 2 * high - 1, groups, method, "; ".join([*filter(None, [few(units)]), *said]) or None
    )


def _pairs(code: Ints, x: Floats, y: Floats, count: int) -> tuple[Floats, Floats, Floats]:
    """Per group (count,): concordant less discordant pairs, pairs that differ in x, pairs that differ in y."""
    size = np.bincount(code, minlength=count).astype(np.float64)
    every = size * (size - 1) / 2
    if float(every.sum()) > MOST_PAIRS * max(code.size, 1):
        up, side = below(x, y, code), below(y, y, code)
        sums = [np.bincount(code, weights=w, minlength=count) for w in (2 * up.both - up.x + up.tied, up.x, side.x)]
        return sums[0].astype(np.float64), sums[1].astype(np.float64), sums[2].astype(np.float64)
    found = np.zeros((3, count))
    left = np.flatnonzero(code[:-1] == code[1:])
    step = 1
    while left.size:
        dx, dy = np.sign(x[left + step] - x[left]), np.sign(y[left + step] - y[left])
        for total, of in zip(found, (dx * dy, dx != 0, dy != 0), strict=True):
            total += np.bincount(code[left], weights=of, minlength=count)
        step += 1
        left = left[left + step < code.size]
        left = left[code[left] == code[left + step]]
    return found[0], found[1], found[2]


def _top_1(code: Ints, x: Floats, y: Floats, scored: Bools, keys: Ints, level: float) -> tuple[Estimate, Estimate]:
    """Ties averaged, ties wrong; all arrays (n,) sorted by group."""
    if not code.size:
        return Estimate.missing(0, NO_ORDER), Estimate.missing(0, NO_ORDER)
    start = np.flatnonzero(np.append(True, code[1:] != code[:-1]))
    of = np.cumsum(np.append(0, code[1:] != code[:-1]))
    best = x == np.maximum.reduceat(x, start)[of]
    chosen = y == np.maximum.reduceat(y, start)[of]
    differ = np.logical_not(np.logical_and.reduceat(best, start))
    complete = np.logical_and.reduceat(scored, start)
    use = differ & complete
    left_out = int((differ & ~complete).sum())
    note = f"left out, with an answer without a score: {counted(left_out, 'group')}" if left_out else None
    if not use.any():
        return Estimate.missing(0, note or NO_ORDER), Estimate.missing(0, note or NO_ORDER)
    right = np.add.reduceat((chosen & best).astype(np.float64), start)[use]
    credit = right / np.add.reduceat(chosen.astype(np.float64), start)[use]
    cluster = keys[start][use]
    return (
        share(credit, clusters=cluster, graded=True, note=note, level=level),
        share(credit == 1, clusters=cluster, note=note, level=level),
    )
