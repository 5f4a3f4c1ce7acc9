"""Events of one key that come close together in time: the answers that a training step gave to one prompt.

A reward log says no training step. The same prompt comes again in a later epoch, so a prompt's events are cut where
nothing came for long.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt

import numpy as np

from rftj_cli.stats.arrays import Floats, Ints

LEAST_RATIO, CANDIDATES, SHORTEST = 1.5, 8, 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Bursts:
    """group: (n,) codes in the order of their first event; gap: seconds of silence that end a group (inf: none does);
    size: the most frequent number of events in a group of at least two, and the share of these groups that have it."""

    group: Ints
    gap: float
    size: int
    regular: float


def bursts(key: Ints, at: Floats, gap: float | None = None) -> Bursts:
    """Cut the events of each key (n,) at times `at` (n,), ascending, where more than `gap` seconds lie between two.

    Without `gap` it is found: the widest stretches of the logarithm of the gaps that hold no gap (a factor of at least 1.5,
    1% of the gaps on either side) and "no cut" are tried; the one whose groups are the most regular in size wins (group
    sizes are constant in group-relative training), of equal ones the widest.
    """
    order = np.lexsort((at, key))
    k, t = key[order], at[order]
    same = k[1:] == k[:-1]
    gaps = np.where(same, np.diff(t), inf)
    if gap is not None:
        return _cut(order, gaps, gap)
    tried = [_cut(order, gaps, one) for one in _candidates(gaps[same])]
    best = max(one.regular for one in tried)
    return next(one for one in tried if one.regular >= best - 0.02)


def _candidates(gaps: Floats) -> list[float]:
    """Where a cut may lie, the widest stretch first; last of all nowhere."""
    x = np.sort(np.log(np.maximum(gaps, SHORTEST)))
    edge = max(1, round(0.01 * x.size))
    if x.size < 2 * edge + 1:
        return [inf]
    inner = x[edge - 1 : x.size - edge + 1]
    widths = np.diff(inner)
    order = np.argsort(-widths, kind="stable")[:CANDIDATES]
    wide = [int(i) for i in order if widths[i] >= np.log(LEAST_RATIO)]
    return [*(sqrt(float(np.exp(inner[i])) * float(np.exp(inner[i + 1]))) for i in wide), inf]


def _cut(order: Ints, gaps: Floats, gap: float) -> Bursts:
    """`gaps` (n-1,) between neighbours in `order`, infinite between two keys."""
    n = order.size
    starts = np.ones(n, np.bool_)
    starts[1:] = (gaps > gap) | np.isinf(gaps)
    code = np.empty(n, np.int64)
    code[order] = np.cumsum(starts) - 1
    first = np.full(int(starts.sum()), n, np.int64)
    np.minimum.at(first, code, np.arange(n))
    rank = np.empty(first.size, np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(first.size)
    sizes = np.bincount(code)
    several = np.bincount(sizes[sizes >= 2]) if (sizes >= 2).any() else np.zeros(1, np.int64)
    share = float(several.max() / max(1, several.sum()))
    return Bursts(rank[code], gap, int(several.argmax()) if several.any() else 1, share)
