"""Processes that are harder on intervals than those of `coverage.py`: uneven clusters, whole clusters wrong, rare classes.

Cluster sizes follow a Zipf law from 1 to 20 (or are 4 or 8), errors come in whole clusters, with a difficulty of each cluster
(beta), or to items alone; labels of a cluster may be alike; a judge may shift some clusters by a level. Each is drawn with
30, 60, 150 and 400 items. Next to the interval that reports print stands the rule that it replaced: the observed design
effect (with Satterthwaite's degrees of freedom), and a smoothed bootstrap for three levels and more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.designs import Count, Tally, fewer_draws
from rftj_cli.stats.agreement import agreement
from rftj_cli.stats.binomial import student, wilson
from rftj_cli.stats.clusters import Clusters, freedom, share_influence
from rftj_cli.stats.jackknife import Functional, jackknife_influence
from rftj_cli.stats.table import balanced_accuracy, gwet_ac, kappa, macro_f1, weights

Array = np.ndarray
Drawn = tuple[Array, Array, Array]  # truth, verdict and cluster (n,)
ITEMS = (30, 60, 150, 400)
MANY = 400_000  # items whose table stands for the truth
RESAMPLES = 1_000  # of the rule that was replaced
PASSING, RARE = (0.3, 0.7), (0.04, 0.96)
U_SHAPED, SKEWED, RARE_TOP = (0.4, 0.07, 0.06, 0.07, 0.4), (0.05, 0.1, 0.15, 0.3, 0.4), (0.3, 0.3, 0.2, 0.17, 0.03)
SHARES: Mapping[str, tuple[slice | int, slice | int]] = {
    "agreement": (slice(None), slice(None)), "tpr": (1, slice(None)), "tnr": (0, slice(None)), "precision": (slice(None), 1),
}  # fmt: skip
LEVELS = ("kappa", "kappa_quadratic", "ac2", "macro_f1", "balanced_accuracy", "mae", "bias")


@dataclass(frozen=True)
class Process:
    """labels: shares of the levels; alike: share of items whose label is their cluster's; size: of clusters, 0 for Zipf;
    wrong: how errors come, with their share; shift: share of clusters whose verdicts are a level too high."""

    labels: tuple[float, ...]
    size: int
    wrong: str
    share: float
    alike: float = 0.0
    elsewhere: float = 0.0
    near: float = 0.75
    shift: float = 0.0

    def draw(self, rng: np.random.Generator, n: int) -> Drawn:
        k, cluster = len(self.labels), _clusters(rng, n, self.size)
        groups = int(cluster[-1]) + 1
        lead = rng.choice(k, groups, p=self.labels)[cluster]
        truth = np.where(rng.random(n) < self.alike, lead, rng.choice(k, n, p=self.labels))
        wrong = _wrong(rng, self.wrong, self.share, groups)[cluster] > rng.random(n)
        wrong |= rng.random(n) < self.elsewhere
        judge = np.where(wrong, _other(rng, truth, k, self.near), truth)
        shifted = (rng.random(groups) < self.shift)[cluster]
        return truth, np.minimum(judge + shifted, k - 1), cluster


PROCESSES: Mapping[str, Process] = {
    "whole clusters wrong, 10%, Zipf": Process(PASSING, 0, "whole", 0.1, elsewhere=0.02),
    "whole clusters wrong, 5%, Zipf": Process(PASSING, 0, "whole", 0.05),
    "whole clusters wrong, 10%, of 4": Process(PASSING, 4, "whole", 0.1, alike=0.5, elsewhere=0.02),
    "whole clusters wrong, 10%, of 8": Process(PASSING, 8, "whole", 0.1, alike=0.3, elsewhere=0.01),
    "difficulty, 10% wrong, Zipf": Process(PASSING, 0, "beta", 0.1),
    "difficulty, 25% wrong, labels alike, Zipf": Process(PASSING, 0, "beta", 0.25, alike=0.5),
    "items alone wrong, 5%, labels alike, Zipf": Process(PASSING, 0, "items", 0.05, alike=0.5),
    "items alone wrong, 15%, of 4": Process(PASSING, 4, "items", 0.15, alike=0.3),
    "4% fail, difficulty, Zipf": Process(RARE, 0, "beta", 0.1),
    "30% of clusters too high, Zipf": Process(PASSING, 0, "items", 0.05, shift=0.3),
    "five levels, U-shaped, difficulty, Zipf": Process(U_SHAPED, 0, "beta", 0.2, alike=0.3),
    "five levels, skewed, whole clusters, Zipf": Process(SKEWED, 0, "whole", 0.15, alike=0.3, elsewhere=0.1),
    "five levels, 30% of clusters too high, Zipf": Process(SKEWED, 0, "items", 0.08, near=1.0, shift=0.3),
    "five levels, rare top, 20% wrong, alone": Process(RARE_TOP, 1, "items", 0.2),
    "five levels, rare top, 5% wrong, alone": Process(RARE_TOP, 1, "items", 0.05),
    "five levels, skewed, 30% wrong, alone": Process(SKEWED, 1, "items", 0.3),
}


def _clusters(rng: np.random.Generator, n: int, size: int) -> Array:
    if size:
        return np.arange(n) // size
    law = 1 / np.arange(1, 21) ** 1.2
    sizes = rng.choice(np.arange(1, 21), n, p=law / law.sum())
    return np.repeat(np.arange(n), sizes)[:n]


def _wrong(rng: np.random.Generator, how: str, share: float, groups: int) -> Array:
    """The chance of an error in each cluster (G,)."""
    if how == "whole":
        return (rng.random(groups) < share).astype(np.float64)
    return rng.beta(share, 1 - share, groups) if how == "beta" else np.full(groups, share)


def _other(rng: np.random.Generator, truth: Array, k: int, near: float) -> Array:
    """Another level than the truth: mostly the next one."""
    step = truth + np.where(rng.random(truth.size) < 0.5, 1, -1)
    beside = np.where(step < 0, 1, np.where(step >= k, k - 2, step))
    return np.where(rng.random(truth.size) < near, beside, (truth + rng.integers(1, k, truth.size)) % k)


def process_cell(name: str, n: int, data_sets: int, seed: int) -> dict[str, Count]:
    """Coverage and width of each estimate, and of the same "before"; "few" counts data sets by clusters with an error."""
    fewer_draws()
    process, tally = PROCESSES[name], Tally()
    k = len(process.labels)
    kind = "binary" if k == 2 else "ordinal"
    truth, judge, _ = process.draw(np.random.default_rng(99), MANY)
    true = {
        of: one.value for of, one in agreement(np.bincount(truth * k + judge, minlength=k * k).reshape(k, k), kind=kind).items()  # type: ignore[arg-type]
    }  # fmt: skip
    rng = np.random.default_rng([seed, n, list(PROCESSES).index(name)])
    for data_set in range(data_sets):
        truth, judge, cluster = process.draw(rng, n)
        clusters = Clusters(np.unique(cluster, return_inverse=True)[1].astype(np.int64), truth * k + judge)
        table = clusters.table(k)
        found = agreement(table, kind=kind, clusters=clusters, seed=data_set)  # type: ignore[arg-type]
        for of, (low, high) in _before(table, clusters, rng).items():
            if found[of].value is not None and found[of].low is not None:
                tally.add(of, found[of], true[of])
                tally.of[f"{of}, before"].add(low, high, true[of] or 0.0)
    return dict(tally.of)


def _before(table: Array, clusters: Clusters, rng: np.random.Generator) -> dict[str, tuple[float | None, float | None]]:
    """The intervals of the rule that was replaced; no ends where it had another rule (too few errors)."""
    k = len(table)
    if k == 2:
        found = {name: _share_before(table, clusters, *cells) for name, cells in SHARES.items()}
        return found | {
            "kappa": _drawn_before(table, clusters, lambda t: kappa(t, np.eye(2)), rng),
            "balanced_accuracy": _drawn_before(table, clusters, balanced_accuracy, rng),
        }
    x, quadratic = np.arange(float(k)), weights(k, "quadratic")
    of: dict[str, Functional] = {
        "kappa": lambda t: kappa(t, np.eye(k)), "kappa_quadratic": lambda t: kappa(t, quadratic),
        "ac2": lambda t: gwet_ac(t, quadratic), "macro_f1": macro_f1, "balanced_accuracy": balanced_accuracy,
        "mae": lambda t: (t * np.abs(x[:, None] - x)).sum((-2, -1)) / t.sum((-2, -1)),
        "bias": lambda t: (t * (x - x[:, None])).sum((-2, -1)) / t.sum((-2, -1)),
    }  # fmt: skip
    return {"agreement": _share_before(table, clusters, slice(None), slice(None))} | {
        name: _drawn_before(table, clusters, f, rng) for name, f in of.items()
    }


def _observed(psi: Array, clusters: Clusters) -> float:
    """Variance by cluster sums over that of independent items, raised by (t/z)^2; the mean size where nothing varies."""
    sums, iid, n = clusters.sums(psi), float(clusters.sums(psi * psi).sum()), clusters.n
    if clusters.count == n:
        return 1.0
    if iid < 1e-9 or clusters.count < 2:
        return n / clusters.count * student(clusters.count - 1)
    between = float((sums**2).sum()) * clusters.count / (clusters.count - 1)
    return max(1.0, between / (iid * n / (n - 1))) * student(freedom(sums))


def _share_before(table: Array, clusters: Clusters, rows: slice | int, columns: slice | int) -> tuple[float, float]:
    within = np.zeros(table.shape, dtype=bool)
    within[rows, columns] = True
    n, hits = float(table[within].sum()), float((table * np.eye(len(table)))[within].sum())
    inside = within.ravel()[clusters.cell]
    held = Clusters(np.unique(clusters.cluster[inside], return_inverse=True)[1], clusters.cell[inside])
    deff = _observed(share_influence(table, np.eye(len(table)), within), held) if n else 1.0
    return wilson(hits / deff, n / deff)


def _drawn_before(
    table: Array, clusters: Clusters, f: Functional, rng: np.random.Generator
) -> tuple[float | None, float | None]:
    k, n, value = len(table), clusters.n, float(f(table))
    if not np.isfinite(value) or (k > 2 and n - np.trace(table) < 3):
        return None, None
    deff = _observed(jackknife_influence(f, table), clusters)
    if k == 2:
        stack = rng.standard_gamma(table.ravel() / deff + [0.5, 0.4, 0.4, 0.5], size=(RESAMPLES, 4))
    else:
        r, c = ((table.sum(axis) + 0.5) / (n + k / 2) for axis in (1, 0))
        shares = (table / deff + np.outer(r, c)).ravel()
        stack = rng.multinomial(max(2, round(n / deff)), shares / shares.sum(), size=RESAMPLES).astype(np.float64)
    found = f(stack.reshape(-1, k, k))
    found = found[np.isfinite(found)]
    if not found.size:
        return None, None
    low, high = np.quantile(found, [0.025, 0.975])
    return min(float(low), value), max(float(high), value)


Markdown = Callable[[Sequence[str], Sequence[Sequence[str]]], str]


def tables(found: Mapping[tuple[str, int], Mapping[str, Count]], markdown: Markdown) -> str:
    """Summary and rows by process of all cells (process, n)."""
    rows = []
    for name in PROCESSES:
        names = [of for of in next(one for (p, _), one in found.items() if p == name) if not of.endswith("before")]
        for of in names:
            cells = [found[name, n] for n in ITEMS if (name, n) in found]
            rows.append([name, of, *(f"{_said(one[of])} (before {_said(one[f'{of}, before'])})" for one in cells)])
    sizes = [n for n in ITEMS if any(n == size for _, size in found)]
    heads = ["process", "estimate", *(f"n = {n}" for n in sizes)]
    summed = [
        "estimate", "least", "where", "cells below 92", "least before", "cells below 92 before",
        "widest, against before where that is 92 or more",
    ]  # fmt: skip
    return f"{markdown(summed, _summary(found))}\n{markdown(heads, rows)}"


def _said(one: Count) -> str:
    return f"{100 * one.hits / one.made:.1f}, {one.width / one.made:.2f}" if one.made else "-"


def _summary(found: Mapping[tuple[str, int], Mapping[str, Count]]) -> list[list[str]]:
    """Of each estimate the least coverage of all cells; the largest width over that of the old rule in cells where that holds."""
    rows = []
    for of in dict.fromkeys(of for one in found.values() for of in one if not of.endswith("before")):
        cells = {where: (one[of], one[f"{of}, before"]) for where, one in found.items() if of in one}
        now = {where: 100 * new.hits / max(new.made, 1) for where, (new, _) in cells.items()}
        old = {where: 100 * was.hits / was.made for where, (_, was) in cells.items() if was.made}
        ratios = [
            new.width / new.made / (was.width / was.made)
            for where, (new, was) in cells.items()
            if was.made and old[where] >= 92
        ]
        worst = min(now, key=lambda where: now[where])
        rows.append([
            of, f"{now[worst]:.1f}", f"{worst[0]}, n = {worst[1]}", f"{sum(one < 92 for one in now.values())} of {len(now)}",
            f"{min(old.values()):.1f}", f"{sum(one < 92 for one in old.values())} of {len(old)}", f"{max(ratios, default=1):.2f}",
        ])  # fmt: skip
    return rows
