"""The difference of two judges on the same items, from what B puts right and what B breaks.

Both are shares of the items, each with its own interval. A judge that fails a few whole clusters may have broken nothing
here, while what it fixed is spread over many items: the few say little about the clusters that would have been broken.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from rftj_cli.stats.arrays import Floats
from rftj_cli.stats.binomial import student, wilson
from rftj_cli.stats.clusters import PRIOR_CLUSTERS, PRIOR_RHO, few, freedom
from rftj_cli.stats.estimate import LEVEL

GAINED_LOST = "Wilson on what B gains and what it loses"
NEVER = "A and B never differ here"
FEW = 5  # units (items or clusters) that differ: with fewer the interval is mostly what more of them might do
LEAST_DF = 6


def flip_effect(moved: Floats, sizes: Floats, level: float = LEVEL, *, graded: bool = False) -> float:
    """Design effect of the share sum(moved)/sum(sizes), already raised by (t/z)^2.

    moved: (G,) what flips one way in each unit (a cluster, or an item of size 1), from 0 to sizes (G,). The variance of the
    share by units over that of independent 0s and 1s, shrunken where e units have a flip towards the one of a correlation
    of 1/2 inside clusters: (e deff^ + 4 deff_0)/(e + 4), deff_0 = 1 + (m~ - 1)/2, m~ = sum m^2/n.
    graded: credits are amounts, such as halves, which vary less than 0s and 1s; deff^ may then be below 1.
    """
    n, units = float(sizes.sum()), int(sizes.size)
    within, share, hit = float((sizes**2).sum()) / n, float(moved.sum()) / n, int((moved > 0).sum())
    prior = 1 + (within - 1) * PRIOR_RHO
    off = moved - share * sizes
    found = prior
    if 0 < share < 1 and units > 1:
        found = float((off**2).sum()) * units / (units - 1) / (n * share * (1 - share))
        found = min(max(found, 0.0 if graded else 1.0), within)
    deff = (hit * found + PRIOR_CLUSTERS * prior) / (hit + PRIOR_CLUSTERS)
    return deff * (student(freedom(off, LEAST_DF), level) if hit and within > 1 else 1.0)


def flip_interval(
    fixed: Floats, broken: Floats, sizes: Floats, level: float = LEVEL, *, graded: bool = False
) -> tuple[float, float, tuple[float, float]]:
    """Interval of the share fixed less the share broken, and the design effects of both.

    fixed, broken: (G,) credits that B gains and loses in each unit of `sizes` (G,). Wilson's interval of each share on
    n/deff (`flip_effect`), combined from the ends that face each other, with the correlation of two shares of one sample
    (method of variance estimates recovery, Zou and Donner 2008).
    """
    n = float(sizes.sum())
    p, q = float(fixed.sum()) / n, float(broken.sum()) / n
    (l1, u1, up), (l2, u2, down) = (_bounds(one, sizes, level, graded) for one in (fixed, broken))
    spread = (1 - p) * (1 - q)
    together = sqrt(p * q / spread) if spread > 0 else 0.0
    below = (p - l1) ** 2 + (u2 - q) ** 2 + 2 * together * (p - l1) * (u2 - q)
    above = (u1 - p) ** 2 + (q - l2) ** 2 + 2 * together * (u1 - p) * (q - l2)
    return max(-1.0, p - q - sqrt(below)), min(1.0, p - q + sqrt(above)), (up, down)


def _bounds(moved: Floats, sizes: Floats, level: float, graded: bool) -> tuple[float, float, float]:
    """Wilson's ends of a share, and its design effect. The upper end is at least that of the unit with most flips alone.

    One flip tells little of the clusters, several single ones show that they are nearly independent: without that the
    upper end would fall while flips are added.
    """
    n, hit = float(sizes.sum()), np.flatnonzero(moved > 0)
    deff = flip_effect(moved, sizes, level, graded=graded)
    low, high = wilson(float(moved.sum()) / deff, n / deff, level)
    if hit.size > 1:
        alone = np.zeros_like(moved)
        most = hit[moved[hit].argmax()]
        alone[most] = moved[most]
        of_one = flip_effect(alone, sizes, level, graded=graded)
        high = max(high, wilson(float(moved[most]) / of_one, n / of_one, level)[1])
    return low, high, deff


def said(deffs: tuple[float, float]) -> str:
    """The design effects in a method's name; nothing where items are independent."""
    return "" if deffs == (1.0, 1.0) else f", on n/deff, deff {deffs[0]:.2f} and {deffs[1]:.2f}"


def of_few(fixed: Floats, broken: Floats) -> str | None:
    """What to say where fewer than 5 units (G,) differ."""
    units = int(((fixed > 0) | (broken > 0)).sum())
    if units >= FEW:
        return None
    return f"A and B differ on {units} of {fixed.size} units" if units else NEVER


def of_few_clusters(fixed: Floats, broken: Floats) -> str | None:
    """What to say of clusters (G,): that few differ, else that there are few or that few have all flips."""
    note, flipped = of_few(fixed, broken), int(((fixed > 0) | (broken > 0)).sum())
    return "; ".join(filter(None, (note, few(fixed.size, 0 if note else flipped, "flips")))) or None


def sums(values: Floats, codes: np.ndarray[tuple[int], np.dtype[np.int64]] | None) -> Floats:
    """By cluster (G,), or the values themselves."""
    return values if codes is None else np.bincount(codes, weights=values).astype(np.float64)
