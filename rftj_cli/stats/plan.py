"""How many labels would settle the question, most of the time: in 4 of 5 collections that come out as this one did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from scipy.special import betainc, ndtri

from rftj_cli.errors import counted
from rftj_cli.stats.binomial import student
from rftj_cli.stats.clusters import FEW, LEAST_DF
from rftj_cli.stats.estimate import LEAST_LABELS, LEVEL, Estimate
from rftj_cli.stats.exact import EXACT, effective_n, is_share

POWER = 0.8
MOST = 100  # times the labels there are: nobody has more, and the value will not stay
PRIOR = 0.25  # errors and successes that are added to those seen: after 20 of 20 the next 100 hold one error, not none
ON_THE_LIMIT = "the value lies on the limit: no number of labels settles that"
_INSIDE = (np.arange(8) + 0.5) / 8


@dataclass(frozen=True, slots=True)
class Need:
    """What would settle a question: `units` in all, and `clusters` in all where the units come in clusters; or the `reason`
    why that cannot be told, with the `units` to begin with where there are hardly any."""

    units: int | None = None
    clusters: int | None = None
    reason: str | None = None

    def words(self, unit: str, units: int, clusters: int = 0) -> str:
        """What is asked for beyond the `units` and `clusters` that there are: new clusters, where there are clusters."""
        if self.units is None:
            return self.reason or "it cannot be told"
        more = max(1, self.units - units)
        if self.reason is not None:
            return f"at least {more:,} more {unit}: {self.reason}"
        if self.clusters is None:
            return f"about {more:,} more {unit}, if the value stays"
        new = max(1, self.clusters - clusters)
        each = round(more / new)
        size = f" (about {each:,} in each)" if each > 1 else ""
        few = f"only {counted(clusters, 'cluster')} so far: " if clusters < FEW else ""
        return f"{few}about {more:,} more {unit}, from about {new:,} new clusters{size}, if the value stays"


def labels_needed(one: Estimate, threshold: float, *, clusters: int = 0, level: float = LEVEL) -> Need:
    """Labels in all (not extra) with which the interval clears `threshold` in 4 of 5 collections, if the value stays.

    A new collection has a new value: where the interval at the old one just reaches the threshold, only half of them clear it.
    Shares: the chance of binomial sums on n/deff, with the kind of interval that the share has. Others: see `_Bounds`.

    clusters: that the items are in (0: every item is its own). More items of the same clusters tell little: it is as many
    more clusters that are asked for, and they also raise the degrees of freedom.
    """
    if one.value is None or one.low is None or one.high is None or one.n == 0:
        return Need(reason=one.note or "it has no interval")
    if one.value == threshold:
        return Need(reason=ON_THE_LIMIT)
    if is_share(one) and 0 <= threshold <= 1:
        return _in_all(_share(one, threshold, level), one, clusters, level)
    bounds, distance = _Bounds.of(one, level, one.value > threshold), abs(one.value - threshold)
    return _in_all(lambda n: bounds.clear(distance, n), one, clusters, level)


def labels_for_width(one: Estimate, half_width: float, *, clusters: int = 0, level: float = LEVEL) -> Need:
    """Labels in all with which the interval is no wider than 2 `half_width` in 4 of 5 collections that go on from this one."""
    if one.value is None or one.low is None or one.high is None or one.n == 0:
        return Need(reason=one.note or "no interval to start from")
    if one.high - one.low <= 2 * half_width:
        return Need(one.n, clusters or None)
    bounds = _Bounds.of(one, level, one.value - one.low >= one.high - one.value)
    return _in_all(lambda n: n > one.n and bounds.half_width(n, one.n) <= half_width, one, clusters, level)


def _in_all(enough: Callable[[float], bool], one: Estimate, clusters: int, level: float) -> Need:
    """The smallest number of items that is `enough`, by how much those of `one` tell now; MOST times as many are too many."""
    n, clustered = one.n, clusters > 1
    varies = clustered and one.value not in (one.low, one.high)  # without an error nothing was estimated: no t to fall
    wide = student(min(clusters - 1, LEAST_DF), level)

    def tell(items: int) -> float:
        """More clusters come with more items, and t(clusters - 1) falls."""
        return items * wide / student(min(clusters * items / n - 1, LEAST_DF), level) if varies else float(items)

    least, most = 0, MOST * n
    if not enough(tell(most)):
        if n < LEAST_LABELS:
            return Need(LEAST_LABELS, reason="those there are tell too little to plan from")
        if clustered and clusters < FEW:
            more = f"label samples in about {FEW - clusters} new clusters first: until then the interval is unreliable"
            return Need(reason=f"only {counted(clusters, 'cluster')}: {more}")
        return Need(reason=f"{MOST} times as many ({most:,} in all) would probably not settle it")
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (least, middle) if enough(tell(middle)) else (middle, most)
    most = max(most, LEAST_LABELS)
    return Need(most, max(clusters + 1, ceil(clusters * most / n)) if clustered else None)


def _share(one: Estimate, threshold: float, level: float) -> Callable[[float], bool]:
    """Whether the interval of a share clears with n items. A miss and a hit change places where the threshold lies above."""
    assert one.value is not None
    here = effective_n(one, level)
    up = one.value > threshold
    value, limit = (one.value, threshold) if up else (1 - one.value, 1 - threshold)
    true = (value * here + PRIOR) / (here + 2 * PRIOR)
    z, exact = float(ndtri(0.5 + level / 2)), one.method.startswith(EXACT)

    def clears(n: float) -> bool:
        size = n * here / one.n
        if true <= limit or size <= 0:
            return False
        least = (
            _exact_hits(size, limit, (1 - level) / 2) if exact else size * limit + z * sqrt(size * limit * (1 - limit))
        )
        # Hits are whole, where `least` falls between two is chance: the mean over its places saves the sawtooth.
        hits = least + _INSIDE
        return float(np.mean(np.where(hits <= size, betainc(hits, np.maximum(size - hits, 0) + 1, true), 0.0))) >= POWER

    return clears


def _exact_hits(size: float, limit: float, tail: float) -> float:
    """The hits x of n with which Clopper and Pearson's lower bound reaches the limit: P(X >= x) = tail at the limit."""
    least, most = 0.0, size
    for _ in range(50):
        middle = (least + most) / 2
        enough = middle > 0 and float(betainc(middle, size - middle + 1, limit)) <= tail
        least, most = (least, middle) if enough else (middle, most)
    return most


@dataclass(frozen=True, slots=True)
class _Bounds:
    """How the bounds of any other number move with n: as those of a score test, (value - b)^2 = (V + S (value - b))/n.

    Their distances d1, d2 from the value give V = n d1 d2 and S = n (d1 - d2), d1 being the side in question. So the bound of a
    perfect table, whose value is its upper bound, nears it with n and not with its root. `shift`: by how much the true value is
    taken to lie nearer to that bound, which matters where no error was seen.
    """

    squares: float
    skew: float
    shift: float
    z: float

    @staticmethod
    def of(one: Estimate, level: float, lower: bool) -> _Bounds:
        assert one.value is not None and one.low is not None and one.high is not None
        below, above = max(0.0, one.value - one.low), max(0.0, one.high - one.value)
        near, far = (below, above) if lower else (above, below)
        z = float(ndtri(0.5 + level / 2))
        return _Bounds(one.n * near * far, one.n * (near - far), max(0.0, near - far) * PRIOR / z**2, z)

    @property
    def spread(self) -> float:
        """By how much a value of one item falls short in 1 of 5 collections; divided by the root of n it is that of n items."""
        return float(ndtri(POWER)) / self.z * sqrt(self.squares + max(0.0, self.skew) * self.shift)

    def clear(self, distance: float, n: float) -> bool:
        """Whether a threshold at this distance from the value is cleared in 4 of 5 collections of n items."""
        left = distance - self.shift - self.spread / sqrt(n)
        return left > 0 and left >= self.skew / (2 * n) + sqrt((self.skew / (2 * n)) ** 2 + self.squares / n)

    def half_width(self, n: float, before: int) -> float:
        """What the half-width does not pass in 4 of 5 collections of n items, `before` of which are there already."""
        moved = self.shift + self.spread * sqrt(1 / before - 1 / n)
        return sqrt((self.skew / (2 * n)) ** 2 + (self.squares + abs(self.skew) * moved) / n)
