"""Pairs counted in O(n log n): for each item, how many of its group lie below it in x, in y, in both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rftj_cli.stats.arrays import Bools, Floats, Ints

FEW_LEVELS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Below:
    """For each item (n,), the number of items of its group with

    x: a smaller x;  both: a smaller x and a smaller y;  tied: a smaller x and the same y.
    """

    x: Ints
    both: Ints
    tied: Ints


def below(x: Floats, y: Floats, group: Ints | None = None) -> Below:
    """Counts of the pairs inside groups (all one group by default), without going through the pairs.

    Every pair is seen once, from its upper item in x: sum(x) pairs differ in x, sum(both) of them are concordant,
    sum(tied) tied in y, the rest discordant.
    """
    n = x.size
    groups = np.zeros(n, dtype=np.int64) if group is None else group
    # Within equal x the larger y comes first, so that "earlier and smaller in y" means smaller in both.
    order = np.lexsort((-y, x, groups))
    gs, xs, ys = groups[order], x[order], y[order]
    start = _run_start(_changes(gs))
    under = _run_start(_changes(gs) | _changes(xs)) - start
    by_y = np.lexsort((np.arange(n), ys, gs))
    fresh = _changes(gs[by_y]) | _changes(ys[by_y])
    rank = np.empty(n, dtype=np.int64)
    rank[by_y] = np.cumsum(fresh) - 1
    levels = np.unique(ys)
    if levels.size <= FEW_LEVELS:
        both = _earlier_lower(np.searchsorted(levels, ys), levels.size, start)
    else:  # All of an earlier group is earlier and ranks lower: what they add is the group's start.
        both = _earlier_smaller(rank) - start
    tied = np.empty(n, dtype=np.int64)
    # In (y, x) order, the first of a run of equal (y, x) has before it, in its run of equal y, the smaller x.
    tied[by_y] = _run_start(fresh | _changes(xs[by_y])) - _run_start(fresh)
    back = np.empty(n, dtype=np.int64)
    back[order] = np.arange(n)
    return Below(under[back], both[back], tied[back])


def _changes(values: Floats | Ints) -> Bools:
    """True where a run of equal values begins."""
    out = np.ones(values.size, dtype=bool)
    out[1:] = values[1:] != values[:-1]
    return out


def _run_start(first: Bools) -> Ints:
    """For each place the index at which its run began."""
    return np.maximum.accumulate(np.where(first, np.arange(first.size), 0)).astype(np.int64)


def _earlier_lower(level: Ints, count: int, start: Ints) -> Ints:
    """For each place the number of places of its group before it with a lower level: one pass for each level."""
    found = np.zeros(level.size, dtype=np.int64)
    for one in range(count - 1):
        here, higher = level == one, np.flatnonzero(level > one)
        before = np.cumsum(here) - here
        found[higher] += before[higher] - before[start[higher]]
    return found


def _earlier_smaller(rank: Ints) -> Ints:
    """For each place the number of earlier places with a smaller rank.

    Bit by bit from the top: two ranks are ordered by the first bit in which they differ, so among the places that
    share the bits above, one with bit 1 has before it as many smaller ones as there are zeros. A stable partition
    by the bit then leads to the next one.
    """
    n = rank.size
    count = np.zeros(n, dtype=np.int64)
    place = np.arange(n)
    current = rank.copy()
    bits = int(rank.max(initial=0)).bit_length()
    for bit in range(bits - 1, -1, -1):
        start = _run_start(_changes(current >> (bit + 1)))
        zero = ((current >> bit) & 1) == 0
        zeros = np.cumsum(zero) - zero
        before = zeros - zeros[start]
        count[place[~zero]] += before[~zero]
        last = np.append(np.flatnonzero(_changes(start))[1:], n) - 1
        inside = (zeros + zero)[last] - zeros[start[last]]
        total = inside[np.cumsum(_changes(start)) - 1]
        target = start + np.where(zero, before, total + (np.arange(n) - start) - before)
        moved, shifted = np.empty_like(current), np.empty_like(place)
        moved[target], shifted[target] = current, place
        current, place = moved, shifted
    return count
