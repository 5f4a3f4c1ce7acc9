"""Which interval for which table (simulated: docs/coverage.md).

    levels in use   interval
    2               quantiles of a Dirichlet posterior
    3..12           quantiles of a smoothed bootstrap of the table
    13..            delete-a-group jackknife (of whole clusters), t, on a scale without bounds
    3.. with fewer than 3 items off the diagonal: the worst case that Clopper-Pearson allows

With clusters the first two draw from the table divided by the design effect, raised by (t/z)^2. A functional maps a stack
of count tables (..., k, k) to its values (...), nan where undefined.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import atanh, exp, log, tanh
from typing import Literal

import numpy as np
from scipy.special import expit, logit, stdtrit

from rftj_cli.stats.arrays import Floats
from rftj_cli.stats.binomial import clopper_pearson, student
from rftj_cli.stats.clusters import Clusters, clustered, design_effect, freedom
from rftj_cli.stats.estimate import LEVEL, Estimate, percent
from rftj_cli.stats.jackknife import Functional, jackknife_influence
from rftj_cli.stats.resampling import NO_SPREAD, Draws, quantile_interval, two_levels
from rftj_cli.stats.table import WeightKind, influence, kappa, weights

Scale = Literal["fisher", "logit", "log", "identity"]

MOST_LEVELS = 12  # above it a stack of resamples costs more than it tells
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
    caution = None if groups is None else groups.caution
    if two_levels(table) is None:
        if min(np.count_nonzero(table.sum(axis)) for axis in (0, 1)) < 2 and n > np.trace(table):
            return Estimate(value, None, None, n, "none", "the labels or the verdicts never vary: no interval")
        if n - float(np.trace(table)) < 3:
            return _worst_case(table, f, value, groups, level)
        if groups is not None and groups.count < 2:
            return Estimate(value, None, None, n, "none", "only 1 cluster: no interval")
        if table.shape[0] > MOST_LEVELS:
            return _grouped_jackknife(table, f, value, groups, scale, seed, level)
    deff = 1.0
    if groups is not None:
        pull = psi(table) if psi is not None else jackknife_influence(f, table)
        deff = design_effect(pull, groups) * student(freedom(groups.sums(pull)), level)
    return quantile_interval(draws or Draws(table, seed), f, value, deff=deff, level=level, note=caution)


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
        return Estimate(value, None, None, n, "delete-a-group jackknife", "only 1 cluster: no interval")
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
    return symmetric_interval(value, se, count, scale, n, method, groups.caution if groups else None, level)


def _worst_case(table: Floats, f: Functional, value: float, groups: Clusters | None, level: float) -> Estimate:
    """Too few disagreements to resample: the range of f over what Clopper-Pearson allows for exact agreement.

    At its lower bound the missing agreement is taken from the diagonal in proportion and put into one cell, each in turn; clusters have
    one voice each. Wide, and never [1, 1] on a perfect table.
    """
    n, k = float(table.sum()), table.shape[0]
    exact = float(np.trace(table))
    deff = 1.0 if groups is None else groups.mean_size * groups.spread
    if exact == 0:
        return Estimate(value, None, None, round(n), "none", f"only {n:g} items, none of them alike: no interval")
    bound, best = clopper_pearson(exact / deff, n / deff, level)
    diagonal = np.eye(k, dtype=np.bool_)
    base = np.where(diagonal, table * (bound * n / exact if exact else 0.0), table)
    cells = np.argwhere(~diagonal)
    stack = np.repeat(base[None], len(cells), axis=0)
    stack[np.arange(len(cells)), cells[:, 0], cells[:, 1]] += n - float(base.sum())
    # The best case: as few errors of the kinds seen as Clopper-Pearson allows.
    fewest = np.where(diagonal, table * best * n / max(exact, 1), table * (1 - best) * n / max(n - exact, 1))
    reached = f(np.concatenate([stack, fewest[None]]))
    reached = np.append(reached[np.isfinite(reached)], value)
    note = (
        f"fewer than 3 items off the diagonal: the worst case if exact agreement is only {bound:.3f} (Clopper-Pearson)"
    )
    caution = groups.caution if groups is not None else None
    method = f"worst case within Clopper-Pearson {percent(level)} on exact agreement" + (
        "" if deff == 1 else " of clusters"
    )
    low, high = float(reached.min()), float(reached.max())
    if high - low < 1e-12:
        return Estimate(value, None, None, round(n), method, NO_SPREAD)
    return Estimate(value, low, high, round(n), method, f"{note}; {caution}" if caution else note)
