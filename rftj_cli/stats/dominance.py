"""Pairs counted in O(n log n): for each item, how many of its group lie below it in x, in y, in both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rftj_cli.stats.arrays import Bools, Floats, Ints

FEW_LEVELS = 8
Small = np.ndarray[Any, np.dtype[np.int32]]


@dataclass(frozen=True, slots=True, eq=False)
class Below:
    """For each item (n,), the number of items of its group with

    x: a smaller x;  both: a smaller x and a smaller y;  tied: a smaller x and the same y.
    """

    x: Ints
    both: Ints
    tied: Ints


def below(x: Floats | Ints, y: Floats | Ints, group: Ints | None = None) -> Below:
    """Counts of the pairs inside groups (all one group by default), without going through the pairs.

    Every pair is seen once, from its upper item in x: sum(x) pairs differ in x, sum(both) of them are concordant,
    sum(tied) tied in y, the rest discordant.
    """
    n = x.size
    groups = np.zeros(n, dtype=np.int64) if group is None else group
    of_x, of_y = dense(x), dense(y)
    levels = int(of_y.max(initial=-1)) + 1
    within = of_x if group is None else dense(groups * (int(of_x.max(initial=-1)) + 1) + of_x)
    # Within equal x the larger y comes first, so that "earlier and smaller in y" means smaller in both.
    order = np.argsort(within * levels + (levels - 1 - of_y))
    gs, xs, ys = (some[order].astype(np.int32) for some in (groups, within, of_y))
    back = np.empty(n, dtype=np.int32)
    back[order] = np.arange(n)
    del order, within, of_x, of_y
    start = _run_start(_changes(gs))
    under = _run_start(_changes(xs)) - start
    by_y = np.argsort(ys, kind="stable") if group is None else np.lexsort((ys, gs))
    fresh = _changes(gs[by_y]) | _changes(ys[by_y])
    if levels <= FEW_LEVELS:
        both = _earlier_lower(ys, levels, start)
    else:  # All of an earlier group is earlier and ranks lower: what they add is the group's start.
        rank = np.empty(n, dtype=np.int32)
        rank[by_y] = np.cumsum(fresh) - 1
        both = _earlier_smaller(rank) - start
    tied = np.empty(n, dtype=np.int32)
    # In (y, x) order, the first of a run of equal (y, x) has before it, in its run of equal y, the smaller x.
    tied[by_y] = _run_start(fresh | _changes(xs[by_y])) - _run_start(fresh)
    return Below(*(some[back].astype(np.int64) for some in (under, both, tied)))


def concordance(x: Ints, y: Ints) -> Ints:
    """For each item (n,), concordant minus discordant items: the sum of sign(x - x_j) sign(y - y_j) over all j.

    x, y: `dense` ranks. Of the nine ways in which another item may compare, one count for both, the marginals and the
    counts of equals give the rest.
    """
    low = below(x, y)
    of_x, of_y = np.bincount(x), np.bincount(y)
    lower_y = (np.cumsum(of_y) - of_y)[y]
    # Cells of equal (x, y), in order of x and then y: how many items they hold, and how many the cells before them.
    _, cell, held = np.unique(x * of_y.size + y, return_inverse=True, return_counts=True)
    equal_x_lower_y = (np.cumsum(held) - held)[cell] - low.x
    higher_x = x.size - of_x[x] - low.x
    return np.asarray(
        4 * low.both + 2 * (low.tied + equal_x_lower_y - lower_y) + higher_x - low.x - of_y[y] + held[cell]
    )


def dense(values: Floats | Ints) -> Ints:
    """Ranks 0, 1, ... (n,) without gaps: equal values have equal ranks."""
    if values.dtype.kind == "i" and values.size and 0 <= values.min() and values.max() < 2 * values.size:
        used = np.bincount(values) > 0  # small whole numbers: counted, not sorted
        return np.asarray((np.cumsum(used) - 1)[values])
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _changes(values: Small) -> Bools:
    """True where a run of equal values begins."""
    out = np.ones(values.size, dtype=bool)
    out[1:] = values[1:] != values[:-1]
    return out


def _run_start(first: Bools) -> Small:
    """For each place the index at which its run began."""
    return np.maximum.accumulate(np.where(first, np.arange(first.size, dtype=np.int32), np.int32(0)))


def _earlier_lower(level: Small, count: int, start: Small) -> Small:
    """For each place the number of places of its group before it with a lower level: one pass for each level."""
    found = np.zeros(level.size, dtype=np.int32)
    for one in range(count - 1):
        here, higher = level == one, np.flatnonzero(level > one)
        before = np.cumsum(here, dtype=np.int32) - here
        found[higher] += before[higher] - before[start[higher]]
    return found


def _earlier_smaller(rank: Small) -> Small:
    """For each place the number of earlier places with a smaller rank.

    Two places part at the highest bit in which they differ. So the places, in order of rank, are parted bit by bit from the top:
    one with bit 1 has before it in its block as many earlier places of smaller rank as there are zeros. A block of the bits
    above holds 2^bit zeros and then ones, the last one maybe less.
    """
    n = rank.size
    # Of equal ranks the later place comes first, so that none of them counts for another.
    place = np.argsort(rank.astype(np.int64) * n + np.arange(n - 1, -1, -1)).astype(np.int32)
    count = np.zeros(n, dtype=np.int32)
    for bit in range((n - 1).bit_length() - 1 if n else -1, -1, -1):
        one = (place & (1 << bit)) != 0
        ones = np.flatnonzero(one)
        count[ones] += (ones - np.arange(ones.size) - (ones >> (bit + 1) << bit)).astype(np.int32)
        place, count = (_parted(values, one, 1 << bit) for values in (place, count))
    return count


def _parted(values: Small, one: Bools, half: int) -> Small:
    """Each block of 2 * half values with its zeros before its ones, both in the order that they had."""
    zeros, ones, moved = values[~one], values[one], np.empty_like(values)
    full = values.size // (2 * half)
    blocks = moved[: full * 2 * half].reshape(full, 2, half)
    blocks[:, 0], blocks[:, 1] = (some[: full * half].reshape(full, half) for some in (zeros, ones))
    moved[full * 2 * half :] = np.concatenate([zeros[full * half :], ones[full * half :]])
    return moved
