"""The same share with the exact interval (Clopper and Pearson 1934), for decisions: it misses on either side in at most 2.5%.

Wilson's interval is the better description, and it fails a judge that is exactly on a limit of .80 by one wrong label of one,
which happens in 20%. Both rest on the same effective number of items, which can be read from a bound of either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from scipy.special import ndtri

from rftj_cli.stats.binomial import clopper_pearson
from rftj_cli.stats.estimate import LEVEL, Estimate

WILSON, EXACT = "Wilson", "Clopper-Pearson"  # how the methods of shares begin
DOUBLED = ("pabak",)  # 2p - 1 of a share p, with its method


def is_share(one: Estimate) -> bool:
    """Whether the interval is that of a share: of successes/deff of n/deff."""
    known = one.value is not None and one.low is not None and one.high is not None and one.low < one.high
    return known and one.method.startswith((WILSON, EXACT))


def effective_n(one: Estimate, level: float = LEVEL) -> float:
    """The number of independent items that a share's interval stands for, n/deff, from the longer side of the interval.

    Wilson's bounds b solve (p - b)^2 = z^2 b (1 - b)/n, so n = z^2 b (1 - b)/(p - b)^2. Those of Clopper and Pearson have no
    such formula; they close in on p as n grows, so n is found by bisection.
    """
    assert one.value is not None and one.low is not None and one.high is not None
    value = min(max(one.value, 0.0), 1.0)
    lower = value - one.low >= one.high - value
    bound = one.low if lower else one.high
    if one.method.startswith(WILSON):
        return float(ndtri(0.5 + level / 2)) ** 2 * bound * (1 - bound) / (value - bound) ** 2
    least, most = 1e-3, 1e12
    for _ in range(120):
        n = (least * most) ** 0.5
        found = clopper_pearson(value * n, n, level)[0 if lower else 1]
        least, most = (n, most) if (found < bound if lower else found > bound) else (least, n)
    return most


def exact(one: Estimate, level: float = LEVEL) -> Estimate:
    """A share that has Wilson's interval, with the exact one at the same `level` on the same n/deff; others as they are."""
    if not one.method.startswith(WILSON) or not is_share(one):
        return one
    assert one.value is not None
    n = effective_n(one, level)
    low, high = clopper_pearson(one.value * n, n, level)
    return replace(one, low=low, high=high, method=one.method.replace(WILSON, EXACT, 1))


def exactly(estimates: Mapping[str, Estimate], level: float = LEVEL) -> dict[str, Estimate]:
    """All estimates, the shares among them with exact intervals."""
    return {name: _doubled(one, level) if name in DOUBLED else exact(one, level) for name, one in estimates.items()}


def _doubled(one: Estimate, level: float) -> Estimate:
    value, low, high = (None if x is None else (x + 1) / 2 for x in (one.value, one.low, one.high))
    found = exact(replace(one, value=value, low=low, high=high), level)
    value, low, high = (None if x is None else 2 * x - 1 for x in (found.value, found.low, found.high))
    return replace(found, value=one.value, low=low, high=high)
