"""How well could any judge agree? As well as a human rater agrees with the others, on the same items."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import stdtrit

from rftj_cli.stats.agreement import Kind
from rftj_cli.stats.arrays import Bools, Floats, Ints
from rftj_cli.stats.binomial import proportion, share_from_se
from rftj_cli.stats.clusters import (
    ONE_CLUSTER,
    Clusters,
    clustered,
    design_effect,
    few,
    freedom,
    involved_se,
    item_se,
    share_influence,
)
from rftj_cli.stats.estimate import LEVEL, Estimate, percent
from rftj_cli.stats.intervals import kappa_interval
from rftj_cli.stats.reliability import mean_estimate, pull_of_items, rating_counts
from rftj_cli.stats.shares import share
from rftj_cli.stats.table import WeightKind, cross_table, weights

TIE = 1  # the level code of a comparison's tie: A, tie, B
LEAST_DF = 4


@dataclass(frozen=True, slots=True)
class RaterCeiling:
    """One rater and the judge, each against the other raters' majority on the same items.

    items: those that count; undecided: those dropped because the others have no majority
    """

    rater: int
    items: int
    undecided: int
    human_agreement: Estimate
    human_kappa: Estimate
    judge_agreement: Estimate
    judge_kappa: Estimate
    human_pair_accuracy: Estimate | None = None
    judge_pair_accuracy: Estimate | None = None


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Means over the raters, and the rows they come from.

    kappa_gap, agreement_gap: mean(judge) - mean(human) on the same items, for a test of non-inferiority
    *_pair_accuracy, pair_accuracy_gap: of comparisons, on pairs for which the others' majority prefers a side; else None
    """

    human_agreement: Estimate
    human_kappa: Estimate
    judge_agreement: Estimate
    judge_kappa: Estimate
    agreement_gap: Estimate
    kappa_gap: Estimate
    raters: tuple[RaterCeiling, ...]
    undecided: int
    human_pair_accuracy: Estimate | None = None
    judge_pair_accuracy: Estimate | None = None
    pair_accuracy_gap: Estimate | None = None


@dataclass(slots=True, eq=False)
class _Means:
    """Values and pulls of the raters' statistics, gathered for the means."""

    involved: Bools  # (items,) that any of them rests on
    values: list[tuple[float, float]] = field(default_factory=list)
    pulls: list[tuple[Floats, Floats]] = field(default_factory=list)

    def side(self, which: int) -> tuple[list[float], list[Floats]]:
        return [pair[which] for pair in self.values], [pair[which] for pair in self.pulls]


def leave_one_out_ceiling(
    matrix: Ints,
    judge: Ints,
    k: int,
    *,
    kind: Kind = "nominal",
    values: Sequence[float] | None = None,
    clusters: Ints | None = None,
    seed: int = 0,
    level: float = LEVEL,
) -> Ceiling:
    """Each rater against the strict majority of the others (ordinal: their median), and the judge against the same.

    matrix: (items, raters) level codes, -1 for missing; judge: (items,) codes, -1 for missing; clusters: (items,)
    codes 0..G-1. Items on which the others are undecided are dropped and counted. kappa is quadratic for ordinal
    levels, else nominal. Raters without a defined kappa are left out of both mean kappas.
    """
    counts = rating_counts(matrix, k)
    central = _median if kind == "ordinal" else _majority
    w = weights(k, "quadratic" if kind == "ordinal" else "nominal", values)
    rows, means = [], {name: _Means(np.zeros(matrix.shape[0], dtype=np.bool_)) for name in _PULLS}
    for rater in range(matrix.shape[1]):
        own = matrix[:, rater]
        others = counts - (own[:, None] == np.arange(k))
        seen = (own >= 0) & (judge >= 0) & (others.sum(1) > 0)
        target = central(others)
        use = seen & (target >= 0)
        sides = [_Side(target[use], codes[use], use, w, clusters) for codes in (own, judge)]
        human, its = (side.numbers(kind, values, seed, level) for side in sides)
        rows.append(
            RaterCeiling(
                rater, int(use.sum()), int((seen & (target < 0)).sum()), human["agreement"], human["kappa"], its["agreement"],
                its["kappa"], human.get("pair_accuracy"), its.get("pair_accuracy"),
            )
        )  # fmt: skip
        for name, one in human.items():
            _gather(means[name], one, its[name], sides, name)
    shares, kappas, pairs = means.values()
    pairwise = kind == "preference"
    return Ceiling(
        human_agreement=_mean_share(*shares.side(0), shares.involved, clusters, level),
        human_kappa=mean_estimate(*kappas.side(0), kappas.involved, clusters, level),
        judge_agreement=_mean_share(*shares.side(1), shares.involved, clusters, level),
        judge_kappa=mean_estimate(*kappas.side(1), kappas.involved, clusters, level),
        agreement_gap=_gap(shares, 1.0, clusters, level),
        kappa_gap=_gap(kappas, 2.0, clusters, level),
        raters=tuple(rows),
        undecided=sum(row.undecided for row in rows),
        human_pair_accuracy=_mean_share(*pairs.side(0), pairs.involved, clusters, level) if pairwise else None,
        judge_pair_accuracy=_mean_share(*pairs.side(1), pairs.involved, clusters, level) if pairwise else None,
        pair_accuracy_gap=_gap(pairs, 1.0, clusters, level) if pairwise else None,
    )


class _Side:
    """A rater or the judge against a target, on the items `use`."""

    def __init__(self, target: Ints, codes: Ints, use: Bools, w: Floats, clusters: Ints | None) -> None:
        k = w.shape[0]
        self.target, self.codes, self.use, self.w = target, codes, use, w
        self.table = cross_table(target, codes, k)
        self.keys = np.arange(target.size) if clusters is None else clusters[use]
        self.clusters = clustered(Clusters.of(None if clusters is None else clusters[use], target, codes, k))

    def numbers(self, kind: Kind, values: Sequence[float] | None, seed: int, level: float) -> dict[str, Estimate]:
        found = {"agreement": self.agreement(level), "kappa": self.kappa(kind, values, seed, level)}
        return found | ({"pair_accuracy": self.pair_accuracy(level)} if kind == "preference" else {})

    def agreement(self, level: float) -> Estimate:
        n, eye, hits = self.target.size, np.eye(self.w.shape[0]), float(np.trace(self.table))
        if self.clusters is None:
            empty = None if n else "no item has a decided majority of the others"
            return proportion(hits, n, note=empty, level=level)
        psi = share_influence(self.table, eye, np.ones_like(eye, dtype=bool))
        deff = design_effect(psi, self.clusters, level)
        return proportion(hits, n, deff=deff, note=self.clusters.caution, level=level)

    def kappa(self, kind: Kind, values: Sequence[float] | None, seed: int, level: float) -> Estimate:
        weighting: WeightKind = "quadratic" if kind == "ordinal" else "nominal"
        return kappa_interval(self.table, weighting, values, clusters=self.clusters, seed=seed, level=level)

    def pair_accuracy(self, level: float) -> Estimate:
        """Of comparisons: right on the pairs for which the others prefer a side, a tie half right."""
        decided = self.target != TIE
        if not decided.any():
            return Estimate.missing(0, "the others prefer a side in no pair")
        keys = None if self.clusters is None else self.keys[decided]
        return share(self._credit()[decided], clusters=keys, level=level)

    def _credit(self) -> Floats:
        return np.where(self.codes == TIE, 0.5, (self.codes == self.target).astype(np.float64))

    def decided(self) -> Bools:
        """The items (all of them) for which the others prefer a side."""
        out = self.use.copy()
        out[self.use] = self.target != TIE
        return out

    def pull_of_pairs(self) -> Floats:
        out, credit = np.zeros(self.use.size), self._credit()[self.target != TIE]
        out[self.decided()] = (credit - credit.mean()) / credit.size
        return out

    def pull_of_share(self) -> Floats:
        out = np.zeros(self.use.size)
        right = (self.target == self.codes).astype(np.float64)
        out[self.use] = (right - right.mean()) / right.size
        return out

    def pull_of_kappa(self) -> Floats:
        return pull_of_items(self.use, self.target, self.codes, self.table, self.w)


_PULLS: Mapping[str, Callable[[_Side], Floats]] = {
    "agreement": _Side.pull_of_share,
    "kappa": _Side.pull_of_kappa,
    "pair_accuracy": _Side.pull_of_pairs,
}


def _gather(means: _Means, human: Estimate, judge: Estimate, sides: list[_Side], name: str) -> None:
    if human.value is not None and judge.value is not None:
        means.values.append((human.value, judge.value))
        means.pulls.append((_PULLS[name](sides[0]), _PULLS[name](sides[1])))
        means.involved |= sides[0].decided() if name == "pair_accuracy" else sides[0].use


def _mean_share(
    values: list[float], pulls: list[Floats], involved: Bools, clusters: Ints | None, level: float
) -> Estimate:
    """Mean of shares of overlapping items: Wilson on the effective n, so that 1.0 keeps a width."""
    if not values:
        return Estimate.missing(0, "no item has a decided majority of the others")
    value, together, n = float(np.mean(values)), np.asarray(np.mean(pulls, axis=0)), int(involved.sum())
    se, units = involved_se(together, involved, clusters)
    if units < 2:
        return Estimate(value, None, None, n, "none", "1 item: no interval" if clusters is None else ONE_CLUSTER)
    low, high = share_from_se(value, se, units, float(n), level)
    method = f"Wilson {percent(level)} on the effective n, t({units - 1}), mean of {len(values)}"
    return Estimate(value, low, high, n, method, None if clusters is None else few(units))


def _gap(means: _Means, most: float, clusters: Ints | None, level: float) -> Estimate:
    """mean(judge - human) with a paired t interval; with clusters Satterthwaite's degrees of freedom, at least 4.

    most: by which two such numbers can differ
    """
    if not means.values:
        return Estimate.missing(0, "no rater has both numbers")
    value = float(np.mean([judge - human for human, judge in means.values]))
    pull = np.asarray(np.mean([judge - human for human, judge in means.pulls], axis=0))
    n = int(means.involved.sum())
    keys = None if clusters is None else np.unique(clusters[means.involved], return_inverse=True)[1].astype(np.int64)
    if keys is not None and n > 1 and int(keys.max(initial=-1)) + 1 == n:
        keys = None  # each item is a cluster of its own
    pull = pull[means.involved]
    if keys is not None and keys.max(initial=0):  # to first order a jackknife that leaves out one cluster each
        pull = pull / (1 - np.bincount(keys) / n)[keys]
    se, units = item_se(pull, keys)
    if units < 2:
        return Estimate(value, None, None, n, "none", "1 item: no interval" if keys is None else ONE_CLUSTER)
    df = units - 1.0 if keys is None else freedom(np.bincount(keys, weights=pull).astype(np.float64), LEAST_DF)
    method = f"paired influence {percent(level)}, t({df:.0f})"
    if not se > 1e-12:
        return Estimate(value, None, None, n, method, "the difference does not vary over the items: no interval")
    half = float(stdtrit(df, 0.5 + level / 2)) * se
    low, high = max(-most, value - half), min(most, value + half)
    return Estimate(value, low, high, n, method, None if keys is None else few(units))


def _majority(counts: Ints | Floats) -> Ints:
    """The level that more than half gave, (items,); -1 where there is none."""
    top = counts.argmax(1)
    return np.where(counts.max(1) * 2 > counts.sum(1), top, -1).astype(np.int64)


def _median(counts: Ints | Floats) -> Ints:
    """The middle level, (items,); -1 where two different levels share the middle, or nothing was given."""
    upto, n = np.cumsum(counts, axis=1), counts.sum(1)
    lower = (upto >= np.ceil(n / 2)[:, None]).argmax(1)
    upper = (upto >= (np.floor(n / 2) + 1)[:, None]).argmax(1)
    return np.where((lower == upper) & (n > 0), lower, -1).astype(np.int64)


def decided(matrix: Ints, k: int, kind: Kind) -> Ints:
    """The level that several raters come to (items,): their strict majority (ordinal: the median); -1 where nothing decides.

    matrix: (items, raters) level codes, -1 for missing
    """
    return (_median if kind == "ordinal" else _majority)(rating_counts(matrix, k))
