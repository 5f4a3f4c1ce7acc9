"""Differences that rest on a handful of units: what more of them may differ than the ones that were seen."""

from __future__ import annotations

from rftj_cli.stats.binomial import clopper_pearson
from rftj_cli.stats.estimate import Estimate, percent

FEW = 5  # units (items or clusters) that differ: with fewer a variance is taken from hardly anything


def allowing_for_more(found: Estimate, moved: int, units: int, most: float, level: float) -> Estimate:
    """The difference `found` with an interval that also holds what Clopper-Pearson allows where fewer than 5 units differ.

    moved: units (of `units`) on which the two sides differ; most: what the difference would be if all units differed.
    A t interval on one non-zero value of a hundred claims to know the variance of the others.
    """
    if moved >= FEW or found.value is None or units < 2:
        return found
    more = (clopper_pearson(moved, units, level)[1] - moved / units) * most
    low, high = found.value - more, found.value + more
    if found.low is not None and found.high is not None and found.low <= low and found.high >= high:
        return found
    low, high = (
        end if one is None else f(end, one) for f, end, one in ((min, low, found.low), (max, high, found.high))
    )
    method = f"worst case within Clopper-Pearson {percent(level)} on units that differ"
    note = f"A and B differ on {moved} of {units} units" if moved else "A and B never differ here"
    return Estimate(found.value, low, high, found.n, method, f"{note}; {found.note}" if found.note and moved else note)
