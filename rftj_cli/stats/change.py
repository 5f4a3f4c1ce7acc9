"""Has a number changed between an early and a late part of a stream, where the same clusters may occur in both?"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit

from rftj_cli.stats.arrays import Bools, Floats, Ints
from rftj_cli.stats.clusters import codes_of, few, freedom, item_se
from rftj_cli.stats.estimate import LEVEL, Estimate, percent

MOST_LOG = 300.0  # of a ratio that is still worth a number


@dataclass(frozen=True, slots=True)
class Change:
    """early, late: the two means;  difference: late minus early (`as_ratio`: late over early), with its interval

    p_up, p_down: one-sided p-values of "it has not risen", "it has not fallen"; 1 where nothing can be said
    """

    early: float | None
    late: float | None
    difference: Estimate
    p_up: float
    p_down: float


def change(
    x: ArrayLike, late: Bools, clusters: ArrayLike, *, share: bool = False, ratio: bool = False, level: float = LEVEL
) -> Change:
    """Mean of `x` (n,) where `late` (n,), minus the mean elsewhere; clusters: (n,) keys, such as prompts.

    Influence values of the difference summed by cluster (a cluster on both sides is paired with itself), t with
    Satterthwaite's degrees of freedom. share: where x is 0 or 1 the variance is at least that of the effective counts
    with a success and a failure added on each side (Agresti and Caffo 2000), so that 0 against 3 of 400, or 0 of 40 against
    40 of 40, is neither everything nor nothing. ratio: x are logarithms; the difference is given as a ratio.
    """
    values, n = np.asarray(x, np.float64), np.asarray(x).size
    if not (values.shape == late.shape == (n,) and np.isfinite(values).all()):
        raise ValueError("x and late must be of one length, x finite")
    parts = ~late, late
    counts = [int(part.sum()) for part in parts]
    if min(counts) == 0:
        return Change(None, None, Estimate.missing(n, "nothing on one side"), 1.0, 1.0)
    early, late_mean = (float(values[part].mean()) for part in parts)
    found = late_mean - early
    codes = codes_of(clusters, n)
    pull = np.where(late, (values - late_mean) / counts[1], -(values - early) / counts[0])
    se, units = item_se(pull, codes)
    inside = min(np.unique(codes[part]).size for part in parts)
    if inside < 2:
        return Change(
            early, late_mean, Estimate(found, None, None, n, "none", "only 1 cluster on a side: no interval"), 1.0, 1.0
        )
    se = max(se, _least(values, parts, codes) if share else 0.0)
    if se <= 1e-12 * max(1.0, abs(found)):  # all alike on either side: as many voices as clusters
        se = abs(found) / sqrt(inside)
    df = min(units - 1.0, freedom(np.bincount(codes, weights=pull).astype(np.float64)))
    half = float(stdtrit(df, 0.5 + level / 2)) * se
    method = f"late minus early {percent(level)}, sums by cluster, t({df:.0f})"
    p_up = 1.0 if se == 0 else float(stdtr(df, -found / se))
    low, high = found - half, found + half
    p_down = 1.0 if se == 0 else 1 - p_up
    if ratio:
        method = f"ratio of geometric means, late to early {percent(level)}, sums by cluster, t({df:.0f})"
        early, late_mean, found, low, high = (exp(min(one, MOST_LOG)) for one in (early, late_mean, found, low, high))
    return Change(early, late_mean, Estimate(found, low, high, n, method, few(inside)), p_up, p_down)


def _least(x: Floats, parts: tuple[Bools, Bools], codes: Ints) -> float:
    """The standard error of a difference of shares of 0s and 1s whose effective counts have a success and a failure more."""
    if not np.isin(x, (0.0, 1.0)).all():
        return 0.0
    iid, total = float(x.mean() * (1 - x.mean())) / x.size, 0.0
    own = float(item_se((x - x.mean()) / x.size, codes)[0]) ** 2
    for part in parts:
        values = x[part]
        clusters = np.unique(codes[part]).size
        # One voice a cluster where nothing varies, else what the clusters cost over both parts.
        cost = max(1.0, min(values.size / clusters, own / iid)) if iid > 0 else values.size / clusters
        size = values.size / cost
        smooth = (float(values.mean()) * size + 1) / (size + 2)
        total += smooth * (1 - smooth) / (size + 2)
    return sqrt(total)
