"""Which interval for which table (simulated: docs/coverage.md).

    levels in use   interval
    2               quantiles of a Dirichlet posterior
    3 and more      the lower quantile of one Dirichlet posterior and the upper one of another (`resampling.Draws`)
    13 and more     the same below 30 items off the diagonal; else the delete-a-group jackknife (of whole clusters), t, on a
                    scale without bounds

With clusters the posteriors are those of the table divided by the design effect. A functional maps a stack of count tables
(..., k, k) to its values (...), nan where undefined.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import atanh, exp, log, tanh
from typing import Literal

import numpy as np
from scipy.special import expit, logit, stdtrit

from rftj_cli.stats.arrays import Floats
from rftj_cli.stats.clusters import ONE_CLUSTER, Clusters, clustered, design_effect
from rftj_cli.stats.estimate import LEVEL, Estimate, percent
from rftj_cli.stats.jackknife import Functional, jackknife_influence
from rftj_cli.stats.resampling import NO_SPREAD, Draws, more_errors, quantile_interval, two_levels
from rftj_cli.stats.table import WeightKind, influence, kappa, weights

Scale = Literal["fisher", "logit", "log", "identity"]

MOST_LEVELS = 12  # above it a stack of draws costs more than it tells ...
MANY_ERRORS = 30  # ... where there are enough errors to resample
PARTS = 200
ONE_CLASS = "all labels and verdicts are one class"


def kappa_interval(
    table: Floats,
    kind: WeightKind,
    values: Sequence[float] | None = None,
    *,
    clusters: Clusters | None = None,
    seed: int = 0,
    level: float = LEVEL,
) -> Estimate:
    """(Weighted) kappa of a k x k count table with its interval; missing where all is one class."""
    w = weights(table.shape[0], kind, values)
    return functional_interval(
        table,
        lambda t: kappa(t, w),
        clusters=clusters,
        seed=seed,
        psi=lambda t: influence(t, w),
        undefined=ONE_CLASS,
        level=level,
    )


def functional_interval(
    table: Floats,
    f: Functional,
    *,
    clusters: Clusters | None = None,
    seed: int = 0,
    psi: Callable[[Floats], Floats] | None = None,
    scale: Scale = "fisher",
    draws: Draws | None = None,
    undefined: str = NO_SPREAD,
    level: float = LEVEL,
) -> Estimate:
    """A functional of a k x k count table with the interval that the head of this module names.

    psi: its influence values (k, k), a function of the table; the jackknife's where None
    scale: on which t intervals are symmetric: fisher for [-1, 1], logit for [0, 1], log for > 0, or identity
    draws: of this table, to share one among several functionals
    undefined: the reason to give where the functional is nan
    """
    n = round(float(table.sum()))
    if n == 0:
        return Estimate.missing(0, "no items")
    value = float(f(table))
    if not np.isfinite(value):
        return Estimate.missing(n, undefined)
    groups = clustered(clusters)
    if groups is not None and groups.count < 2 and n > 1:
        return Estimate(value, None, None, n, "none", ONE_CLUSTER)
    caution = None if groups is None else groups.caution_of(table.shape[0])
    if two_levels(table) is None:
        if min(np.count_nonzero(table.sum(axis)) for axis in (0, 1)) < 2 and n > np.trace(table):
            return Estimate(value, None, None, n, "none", "the labels or the verdicts never vary: no interval")
        if table.shape[0] > MOST_LEVELS and n - float(np.trace(table)) >= MANY_ERRORS:
            return _grouped_jackknife(table, f, value, groups, scale, seed, level)
    deff = 1.0
    if groups is not None:
        pull = psi(table) if psi is not None else jackknife_influence(f, table)
        deff = design_effect(pull, groups, level, event=_weight_of_errors(table, f, value, pull))
    return quantile_interval(draws or Draws(table, seed), f, value, deff=deff, level=level, note=caution)


def _weight_of_errors(table: Floats, f: Functional, value: float, pull: Floats) -> Floats:
    """How much of an event the errors in each cell (k, k) are, from .1 to 1: their pull on f over that of an error drawn by chance.

    On five levels a near miss hardly moves quadratic kappa. Were it a full event, the design effect would fall by more than
    kappa does, and the bound would rise with an error.
    """
    size = np.abs(pull - np.diag(pull)[:, None])
    worse, step = more_errors(table), 1e-3
    if not worse.any():
        return np.ones(table.shape)
    moved = table + step / worse.sum() * (worse - np.diag(worse.sum(1)))
    usual = abs(float(f(np.maximum(moved, 0.0))) - value) * float(table.sum()) / step
    return np.asarray(np.clip(size / usual, 0.1, 1.0)) if usual > 1e-9 else np.ones(table.shape)


def symmetric_interval(
    value: float,
    se: float,
    units: float,
    scale: Scale,
    n: int,
    method: str,
    note: str | None,
    level: float = LEVEL,
) -> Estimate:
    """value -+ t(units - 1) se on `scale`, carried back (units: degrees of freedom + 1); no interval where se is 0 or unknown."""
    bounded = (scale == "fisher" and abs(value) >= 1) or (scale == "logit" and not 0 < value < 1)
    if not se > 1e-12 or bounded or (scale == "log" and value <= 0):
        return Estimate(value, None, None, n, method, NO_SPREAD)
    half = float(stdtrit(units - 1, 0.5 + level / 2)) * se
    if scale == "fisher":
        centre, half = atanh(value), half / (1 - value * value)
        low, high = tanh(centre - half), tanh(centre + half)
    elif scale == "logit":
        centre, half = float(logit(value)), half / (value * (1 - value))
        low, high = float(expit(centre - half)), float(expit(centre + half))
    elif scale == "log":
        low, high = exp(log(value) - half / value), exp(log(value) + half / value)
    else:
        low, high = value - half, value + half
    return Estimate(value, low, high, n, method, note)


SCALES: dict[Scale, str] = {"fisher": "Fisher z", "logit": "logit scale", "log": "log scale", "identity": "plain scale"}


def _grouped_jackknife(
    table: Floats, f: Functional, value: float, groups: Clusters | None, scale: Scale, seed: int, level: float
) -> Estimate:
    """Delete-a-group jackknife over a random split of the items, or of the clusters (Quenouille 1956).

    O(parts k^2) whatever n is: for tables too wide for a stack of resamples or for k^2 leave-outs.
    """
    n = round(float(table.sum()))
    units = n if groups is None else groups.count
    count = min(PARTS, units)
    if count < 2:
        return Estimate(value, None, None, n, "delete-a-group jackknife", ONE_CLUSTER)
    member = np.random.default_rng(seed).permutation(units) % count
    if groups is None:
        cells = np.repeat(np.arange(table.size), np.rint(table).astype(np.int64).ravel())
    else:
        cells, member = groups.cell, member[groups.cluster]
    weight = None if groups is None else groups.weight
    parts = np.bincount(member * table.size + cells, weights=weight, minlength=count * table.size)
    parts = parts.reshape(count, *table.shape)
    left = np.concatenate([f(table - some) for some in np.array_split(parts, max(1, parts.size // 1_000_000))])
    se = float(np.sqrt((count - 1) / count * ((left - left.mean()) ** 2).sum()))
    what = "groups" if groups is None else "groups of clusters"
    method = f"delete-a-group jackknife {percent(level)}, {count} {what}, t({count - 1}), {SCALES[scale]}, seed {seed}"
    return symmetric_interval(
        value, se, count, scale, n, method, groups.caution_of(table.shape[0]) if groups else None, level
    )
