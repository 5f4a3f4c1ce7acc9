"""Which interval for which table (simulated: statistics.md 1c).

    levels in use   clusters   interval
    2               no         Dirichlet(1/2 a cell) posterior quantiles
    2               yes        the same on the table divided by the design effect, raised by (t/z)^2
    3..12           no         BCa on multinomial resamples of the table
    3..12           yes        cluster influence sums, t(G-1), on a scale without bounds
    13..            either     delete-a-group jackknife (of whole clusters), t, on a scale without bounds
    3.. with fewer than 3 items off the diagonal, or no variation: no interval, said in the note

A functional maps a stack of count tables (..., k, k) to its values (...), nan where undefined.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import atanh, exp, log, tanh
from typing import Literal

import numpy as np
from scipy.special import expit, logit, ndtr, ndtri, stdtrit

from rftj_cli.stats.arrays import Floats, Ints
from rftj_cli.stats.binomial import clopper_pearson, student
from rftj_cli.stats.clusters import Clusters, cluster_se, clustered, design_effect
from rftj_cli.stats.estimate import LEVEL, Estimate, percent
from rftj_cli.stats.jackknife import Functional, jackknife_influence
from rftj_cli.stats.table import WeightKind, influence, kappa, weights

Scale = Literal["fisher", "logit", "log", "identity"]

POSTERIOR_DRAWS = 20_000
RESAMPLES = 10_000
MOST_LEVELS = 12  # above it a stack of resamples costs more than it tells
PARTS = 200
ONE_CLASS = "all labels and verdicts are one class"
NO_SPREAD = "the statistic does not vary over the items: no interval"


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
    draws: Floats | None = None,
    undefined: str = NO_SPREAD,
    level: float = LEVEL,
) -> Estimate:
    """A functional of a k x k count table with the interval that the head of this module names.

    psi: its influence values (k, k), a function of the table; the jackknife's where None
    scale: on which t intervals are symmetric: fisher for [-1, 1], logit for [0, 1], log for > 0, or identity
    draws: the stack of `draw_tables`, to share one among several functionals
    undefined: the reason to give where the functional is nan
    """
    n = round(float(table.sum()))
    if n == 0:
        return Estimate.missing(0, "no items")
    value = float(f(table))
    if not np.isfinite(value):
        return Estimate.missing(n, undefined)
    groups = clustered(clusters)
    pull = psi or (lambda t: jackknife_influence(f, t))
    if _cells(table) is not None:
        deff = 1.0
        if groups is not None:
            deff = design_effect(pull(table), groups) * student(groups.count, level)
        return _posterior(table, f, value, groups, deff, seed, draws, level)
    if n - float(np.trace(table)) < 3:
        return _worst_case(table, f, value, groups, level)
    if table.shape[0] > MOST_LEVELS:
        return _grouped_jackknife(table, f, value, groups, scale, seed, level)
    if groups is not None:
        return _cluster_t(value, n, pull(table), groups, scale, level)
    return _bca(table, f, value, draw_tables(table, seed) if draws is None else draws, seed, level)


def draw_tables(table: Floats, seed: int, deff: float = 1.0) -> Floats:
    """The stack (B, k, k) on which intervals rest: posterior shares for two levels, else multinomial resamples.

    A multinomial resample of the table is a bootstrap sample of its items. Only cells in use are drawn: mass on
    cells that cannot occur ruins the interval for three levels and more.
    """
    cells = _cells(table)
    if cells is None:
        return _resampled(table, seed)
    drawn = np.random.default_rng(seed).standard_gamma(
        table.ravel()[cells] / deff + 0.5, size=(POSTERIOR_DRAWS, cells.size)
    )
    return _stacked(drawn, cells, table.shape[0])


def bca(table: Floats, f: Functional, seed: int = 0, level: float = LEVEL) -> Estimate:
    """A functional of a k x k count table with its BCa bootstrap interval; missing where it is undefined."""
    value = float(f(table))
    if not np.isfinite(value):
        return Estimate.missing(round(float(table.sum())), NO_SPREAD)
    return _bca(table, f, value, _resampled(table, seed), seed, level)


def _resampled(table: Floats, seed: int) -> Floats:
    cells = np.flatnonzero(table)
    counts = table.ravel()[cells]
    n = round(float(counts.sum()))
    drawn = np.random.default_rng(seed).multinomial(n, counts / counts.sum(), size=RESAMPLES)
    return _stacked(drawn.astype(np.float64), cells, table.shape[0])


def _stacked(drawn: Floats, cells: Ints, k: int) -> Floats:
    """Draws of the cells in use, (B, cells), as tables (B, k, k)."""
    stack = np.zeros((drawn.shape[0], k * k))
    stack[:, cells] = drawn
    return stack.reshape(-1, k, k)


def symmetric_interval(
    value: float,
    se: float,
    units: int,
    scale: Scale,
    n: int,
    method: str,
    note: str | None,
    level: float = LEVEL,
) -> Estimate:
    """value -+ t(units - 1) se on `scale`, carried back; no interval where se is 0 or unknown."""
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


def _cells(table: Floats) -> np.ndarray[tuple[int], np.dtype[np.intp]] | None:
    """The four cells of a table with two levels in use; None where there are more (or k > 2 and only one)."""
    k = table.shape[0]
    used = np.arange(2) if k == 2 else np.flatnonzero(table.sum(0) + table.sum(1))
    if used.size != 2:
        return None
    return np.asarray((used[:, None] * k + used[None, :]).ravel(), dtype=np.intp)


def _posterior(
    table: Floats,
    f: Functional,
    value: float,
    groups: Clusters | None,
    deff: float,
    seed: int,
    draws: Floats | None,
    level: float,
) -> Estimate:
    if draws is None or deff != 1.0:
        draws = draw_tables(table, seed, deff)
    found = f(draws)
    low, high = np.quantile(found[np.isfinite(found)], [0.5 - level / 2, 0.5 + level / 2])
    method = f"Dirichlet(1/2) posterior {percent(level)}, {POSTERIOR_DRAWS} draws, seed {seed}"
    if groups is not None:
        method += f", on n/deff, deff {deff:.2f}"
    # The posterior of a perfect table ends just short of 1; an interval that leaves out its own value only puzzles.
    low, high = min(float(low), value), max(float(high), value)
    return Estimate(value, low, high, round(float(table.sum())), method, groups.caution if groups else None)


def _bca(table: Floats, f: Functional, value: float, draws: Floats, seed: int, level: float) -> Estimate:
    """Bias-corrected and accelerated bootstrap (Efron 1987); z0 counts half of the ties, kappa being lattice-valued."""
    n = round(float(table.sum()))
    method = f"BCa bootstrap of the table {percent(level)}, {RESAMPLES} resamples, seed {seed}"
    found = f(draws)
    found = found[np.isfinite(found)]
    counts = table[table > 0]
    gap = jackknife_influence(f, table)[table > 0]
    spread = float((counts * gap**2).sum())
    if spread <= 1e-18 * n or found.size < RESAMPLES // 2 or float(np.ptp(found)) < 1e-12:
        return Estimate(value, None, None, n, method, NO_SPREAD)
    below = float((found < value - 1e-12).mean() + 0.5 * (np.abs(found - value) <= 1e-12).mean())
    z0 = ndtri(np.clip(below, 0.5 / found.size, 1 - 0.5 / found.size))
    acceleration = float((counts * gap**3).sum()) / (6 * spread**1.5)
    reach = z0 + ndtri(np.array([0.5 - level / 2, 0.5 + level / 2]))
    low, high = np.quantile(found, ndtr(z0 + reach / (1 - acceleration * reach)))
    lost = 1 - found.size / RESAMPLES
    note = f"{lost:.0%} of the resamples were undefined and left out" if lost > 0.05 else None
    return Estimate(value, min(float(low), value), max(float(high), value), n, method, note)


def _cluster_t(value: float, n: int, psi: Floats, groups: Clusters, scale: Scale, level: float) -> Estimate:
    method = f"cluster influence {percent(level)}, t({groups.count - 1}), {SCALES[scale]}"
    if groups.count < 2:
        return Estimate(value, None, None, n, "cluster influence", "only 1 cluster: no interval")
    return symmetric_interval(value, cluster_se(psi, groups), groups.count, scale, n, method, groups.caution, level)


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
    return Estimate(value, low, high, round(n), method, f"{note}; {caution}" if caution else note)
