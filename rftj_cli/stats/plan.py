"""How many labels would settle the question."""

from __future__ import annotations

from math import ceil

from rftj_cli.stats.estimate import Estimate

# The interval shrunk tenfold takes a hundred times the labels: nobody has them, and the value will not stay.
MOST = 10.0
NEARER = "so near to the limit that a hundred times the labels would not settle it"


def labels_needed(estimate: Estimate, threshold: float) -> int | None:
    """Items in all (not extra) after which the interval would clear `threshold`, if the value stays where it is.

    Half-widths shrink with the root of n: n' = n (half / distance)^2, with the side of the interval that faces the
    threshold. None where the value lies on the threshold (or so near that the answer means nothing), or there is no
    value or no interval.
    """
    value, n = estimate.value, estimate.n
    if value is None or value == threshold or n == 0:
        return None
    side = estimate.low if value > threshold else estimate.high
    if side is None:
        return None
    ratio = abs(value - side) / abs(value - threshold)
    if ratio > MOST:
        return None
    # The slack keeps an exact quotient from being rounded up by its last bit.
    return max(1, ceil(n * ratio * ratio - 1e-9))
