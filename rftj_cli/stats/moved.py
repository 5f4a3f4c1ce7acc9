"""Differences that rest on a handful of units: what more of them may differ than the ones that were seen."""

from __future__ import annotations

import numpy as np

from rftj_cli.stats.arrays import Floats, Ints
from rftj_cli.stats.binomial import clopper_pearson
from rftj_cli.stats.estimate import Estimate, percent

FEW = 5  # units (items or clusters) that differ: with fewer a variance is taken from hardly anything


def allowing_for_more(
    found: Estimate, moved: Floats, codes: Ints | None, most: float, level: float, *, n: int | None = None
) -> Estimate:
    """The difference `found` with an interval that also holds what Clopper-Pearson allows where fewer than 5 units differ.

    moved: (m,) by how many items each item (or group of them) differs, 0 where it does not; codes: (m,) clusters, the units
    then; n: items in all, by default m; most: what the difference would be if all items differed. A t interval on one value
    of a hundred that is not 0 claims to know the variance of the others. Clusters that differ count once, of as many as n
    items come to at the items that one of them moves (all of its items where none differs).
    """
    by_unit = moved if codes is None else np.bincount(codes, weights=moved)
    some, units = int((by_unit > 0).sum()), int(by_unit.size)
    if some >= FEW or found.value is None or units < 2:
        return found
    among = units if not some else max(float(units), (n or moved.size) * some / float(max(by_unit.sum(), some)))
    more = (clopper_pearson(some, among, level)[1] - some / among) * most
    low, high = found.value - more, found.value + more
    if found.low is not None and found.high is not None and found.low <= low and found.high >= high:
        return found
    low, high = (
        end if one is None else f(end, one) for f, end, one in ((min, low, found.low), (max, high, found.high))
    )
    method = f"worst case within Clopper-Pearson {percent(level)} on units that differ"
    note = f"A and B differ on {some} of {units} units" if some else "A and B never differ here"
    return Estimate(found.value, low, high, found.n, method, f"{note}; {found.note}" if found.note and some else note)
