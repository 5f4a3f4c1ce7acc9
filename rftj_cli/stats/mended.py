"""What an agreement number would be if some wrong verdicts were right: an upper bound on what mending them gains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rftj_cli.stats.arrays import Bools, Floats, Ints
from rftj_cli.stats.clusters import Clusters, few, item_se
from rftj_cli.stats.estimate import LEVEL, Estimate, percent
from rftj_cli.stats.intervals import symmetric_interval
from rftj_cli.stats.jackknife import Functional, jackknife_influence
from rftj_cli.stats.table import cross_table


def mended_gain(
    f: Functional,
    truth: Ints,
    judge: Ints,
    mended: Bools,
    k: int,
    *,
    clusters: Ints | None = None,
    weights: Floats | None = None,
    undefined: str = "it cannot be computed on these labels",
    level: float = LEVEL,
) -> Estimate:
    """f(verdicts with those `mended` (n,) put right) - f(verdicts), all else as it is.

    truth, judge: level codes (n,); f: any functional of the count table; weights: (n,) of mean 1. t interval on the paired
    influence values, by cluster; what is mended is taken as given, so the interval is that of these labels alone.
    """
    after = np.where(mended, truth, judge)
    tables = [_table(truth, codes, k, weights) for codes in (judge, after)]
    now, then = (float(f(table)) for table in tables)
    n = int(truth.size)
    if not (np.isfinite(now) and np.isfinite(then)):
        return Estimate.missing(n, undefined)
    if not mended.any():
        return Estimate(0.0, None, None, n, "none", "nothing to mend: no interval")
    psi = [jackknife_influence(f, table) for table in tables]
    pull = (psi[1][truth, after] - psi[0][truth, judge]) / n
    codes = None if clusters is None else np.unique(clusters, return_inverse=True)[1].astype(np.int64)
    codes = None if codes is None or int(codes.max(initial=0)) + 1 == n else codes
    se, units = item_se(pull if weights is None else pull * weights, codes)
    method = f"paired influence {percent(level)}, t({units - 1})"
    if units < 2:
        return Estimate(then - now, None, None, n, "none", "only 1 independent unit: no interval")
    caution = None if codes is None else few(units)
    found = symmetric_interval(then - now, se, units, "identity", n, method, caution, level)
    if found.low is None or found.value is None or found.value < 0:
        return found
    high = found.high if found.high is None else max(found.value, min(1.0, found.high))
    return replace(found, low=max(0.0, found.low), high=high)  # to put verdicts right takes nothing away


def _table(truth: Ints, judge: Ints, k: int, weights: Floats | None) -> Floats:
    if weights is None:
        return cross_table(truth, judge, k)
    return Clusters(np.arange(truth.size), truth * k + judge, weights).table(k)
