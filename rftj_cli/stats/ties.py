"""When two scores are the same: equal in their first 12 digits.

Scores that are sums of shares come out as .3 or as .30000000000000004. A rank, a tie and a spread must not tell them apart.
"""

from __future__ import annotations

import numpy as np

from rftj_cli.stats.arrays import Floats

DIGITS = 12


def settled(x: Floats) -> Floats:
    """`x` (n,) rounded to 12 significant digits, so that what differs only in its last bits is equal."""
    size = np.abs(x)
    if size.max(initial=0.0) < 10.0**DIGITS and bool((np.rint(x) == x).all()):
        return x  # levels: nothing to round, and there may be a million of them
    place = np.floor(np.log10(size, out=np.zeros_like(size), where=size > 0))
    first = int(place.min(initial=0))
    powers = 10.0 ** np.minimum(DIGITS - 1 - np.arange(first, int(place.max(initial=0)) + 1.0), 308)
    scale = powers[place.astype(np.int64) - first]
    with np.errstate(over="ignore"):
        found = np.round(x * scale) / scale
    return np.where(np.isfinite(found) & (found != 0), found, x)
