"""The one shape in which every estimated number leaves the statistics: `Estimate`."""

from __future__ import annotations

from dataclasses import dataclass

LEVEL = 0.95  # of every interval, unless a look at a test split is charged
LEAST_LABELS = 5  # for a verdict on a judge: with fewer, one that is exactly on a bar of .80 misses it by chance in 20%


def percent(level: float) -> str:
    """`95%`, `96.96%`: how a method names its level."""
    return f"{100 * level:.4g}%"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its uncertainty.

    value:  the point estimate, or None where it cannot be computed (then `note` says why)
    low, high: the two-sided interval at the level that `method` names (95% by default), or None
    n:      how many items it rests on
    method: how the interval was made, with its seed where chance was involved
    note:   the reason for a missing value or interval, or a caution; None if there is nothing to say
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    method: str
    note: str | None = None

    @staticmethod
    def missing(n: int, reason: str, method: str = "") -> Estimate:
        """An estimate that could not be computed, and why."""
        return Estimate(None, None, None, n, method, reason)
