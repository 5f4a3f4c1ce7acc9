"""One criterion's arrays to its part of the report: runs and tables made elsewhere take the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from rftj_cli.kernel.rubric import Scale
from rftj_cli.measure.baselines import baselines
from rftj_cli.measure.beyond import length_bias, population, sureness
from rftj_cli.measure.missing import with_reasons
from rftj_cli.measure.raters import raters_report
from rftj_cli.measure.values import Baseline, Criterion, Repeats, Terms
from rftj_cli.stats.agreement import Kind, agreement
from rftj_cli.stats.arrays import Bools, Floats, Ints
from rftj_cli.stats.clusters import Clusters
from rftj_cli.stats.corrected import Sampling
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.groups import pair_accuracy
from rftj_cli.stats.intervals import functional_interval
from rftj_cli.stats.shares import share
from rftj_cli.stats.table import cross_table, macro_f1

KINDS: dict[str, Kind] = {
    "pass_fail": "binary",
    "levels": "ordinal",
    "numeric": "ordinal",
    "preference": "preference",
    "nominal": "nominal",
}


UNWEIGHTED = "the weights of the labels are not used here"


@dataclass(slots=True)
class Levels:
    """Truth and verdict of the units that have a truth, as level codes (n,); a verdict of -1 is a failure.

    `cluster` and `group` are keys (n,), None where every unit stands alone. `scores` are the baselines' scores (n,).
    `matrix` (m, raters) holds the raters' levels, -1 where there is none, of the units that two or more of them rated, also
    of those whose truth they leave open; `rated_judge` and `rated_cluster` (m,) are the verdict and the cluster there.
    `weight` (n,) is 1/inclusion probability on any scale, None where all units count alike. `judged` (N,) are the verdicts of
    all units, `judged_labelled` (N,) says which of them have a truth, and `sampling` how these were chosen. `probability` (n,)
    is that of the better of two levels, nan where
    the judge does not say; `costs` are those of a false pass and of a false fail.
    """

    id: str
    kind: Kind
    scale: str
    levels: tuple[str, ...]
    values: tuple[float, ...] | None
    truth: Ints
    judge: Ints
    unit: str = "sample"
    cluster: Ints | None = None
    weight: Floats | None = None
    group: Ints | None = None
    scores: Mapping[str, Floats] = field(default_factory=dict)
    raters: tuple[str, ...] = ()
    matrix: Ints | None = None
    rated_judge: Ints | None = None
    rated_cluster: Ints | None = None
    sources: Mapping[str, int] = field(default_factory=dict)
    stages: Mapping[str, int] = field(default_factory=dict)
    undecided: int = 0
    cannot_tell: int = 0
    extra: Mapping[str, Estimate] = field(default_factory=dict)
    judged: Ints | None = None
    judged_cluster: Ints | None = None
    judged_labelled: Bools | None = None
    sampling: Sampling | None = None
    probability: Floats | None = None
    costs: tuple[float, float] | None = None
    repeats: Repeats | None = None

    def weights(self, use: Bools | None = None) -> Floats | None:
        """The weights of the units `use` (n,) (default all), scaled to mean 1."""
        if self.weight is None:
            return None
        some = self.weight if use is None else self.weight[use]
        return np.asarray(some / some.mean()) if some.size else None

    @staticmethod
    def kind_of(scale: Scale) -> Kind:
        """The statistics' name for a rubric's scale: two ordered levels are binary."""
        return "binary" if scale.kind == "levels" and len(scale.levels) == 2 else KINDS[scale.kind]


def criterion_report(given: Levels, terms: Terms) -> Criterion:
    """Everything that is said of one criterion. `table` counts units; the estimates weigh them, or their note says not."""
    k = len(given.levels)
    done = given.judge >= 0
    truth, judge = _of(given.truth, done), _of(given.judge, done)
    table = cross_table(truth, judge, k)
    cluster = None if given.cluster is None else _of(given.cluster, done)
    clusters = Clusters.of(cluster, truth, judge, k, given.weights(done))
    probability, threshold = sureness(given, done, terms)
    return Criterion(
        id=given.id,
        scale=given.scale,
        levels=given.levels,
        unit=given.unit,
        table=table.astype(int).tolist(),
        estimates=_estimates(given, done, table if clusters is None else clusters.table(k), clusters, terms),
        baselines=_baselines(given, done, cluster, terms) if truth.size else (),
        raters=raters_report(given, terms),
        sources=given.sources,
        failed=int((~done).sum()),
        stages=given.stages,
        undecided=given.undecided,
        cannot_tell=given.cannot_tell,
        population=population(given, table, clusters, terms),
        probability=probability,
        threshold=threshold,
        repeats=given.repeats,
        weighted=given.weight is not None,
    )


def _of(values: Ints, use: Bools) -> Ints:
    """The values (n,) that are used; not copied where all are, since a table may have millions of rows."""
    return values if use.all() else values[use]


def _estimates(
    given: Levels, done: Bools, table: Floats, clusters: Clusters | None, terms: Terms
) -> dict[str, Estimate]:
    """All numbers of the units with a verdict (`done`), and the other readings of those without."""
    found = agreement(
        table, kind=given.kind, values=given.values, clusters=clusters, seed=terms.seed, level=terms.level
    )
    found = with_reasons(found, given) | _readings(given, done, terms)
    if given.group is not None and given.kind not in ("preference", "nominal"):
        cluster = None if given.cluster is None else _of(given.cluster, done)
        pairs = pair_accuracy(
            _of(given.group, done), _of(given.truth, done), _of(given.judge, done), clusters=cluster, level=terms.level
        )
        found |= _counted_alike(given, {"pair_accuracy": pairs.estimate})
    return found | {**_counted_alike(given, given.extra), **length_bias(given, done, terms)}


def _baselines(given: Levels, done: Bools, cluster: Ints | None, terms: Terms) -> Sequence[Baseline]:
    scores = {name: score[done] for name, score in given.scores.items()}
    weights = given.weights(done)
    k = len(given.levels)
    return baselines(given.kind, k, given.values, given.truth[done], scores, cluster, terms, weights)


def _counted_alike(given: Levels, found: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """Numbers of pairs and of single replies, whose chances to be labelled nobody knows: with a note where units are weighted."""
    if given.weight is None:
        return dict(found)
    return {
        name: replace(one, note=f"{one.note}; {UNWEIGHTED}" if one.note else UNWEIGHTED) for name, one in found.items()
    }


def _readings(given: Levels, done: Bools, terms: Terms) -> dict[str, Estimate]:
    """How complete the verdicts are, and agreement in the other readings of those that are missing."""
    shared: dict[str, Any] = {"clusters": given.cluster, "weights": given.weight, "level": terms.level}
    found = {"coverage": share(done, **shared)}
    if done.all():
        return found
    right = (given.judge == given.truth) & done
    found["agreement_failures_wrong"] = share(right, note="a failure counts as wrong", **shared)
    if given.kind == "preference":
        as_tie = np.where(done, given.judge, 1) == given.truth
        found["agreement_failures_tie"] = share(as_tie, note="a failure counts as a tie", **shared)
        found["macro_f1_failures_tie"] = _macro_f1(given, np.where(done, given.judge, 1), terms)
    return found


def _macro_f1(given: Levels, judge: Ints, terms: Terms) -> Estimate:
    clusters = Clusters.of(given.cluster, given.truth, judge, 3, given.weights())
    table = cross_table(given.truth, judge, 3) if clusters is None else clusters.table(3)
    found = functional_interval(table, macro_f1, clusters=clusters, seed=terms.seed, scale="logit", level=terms.level)
    return replace(found, note=found.note or "a failure counts as a tie")


def headline(kind: str) -> Sequence[str]:
    """The estimates that the first screen shows for a kind of scale, most telling first."""
    return {
        "binary": ("kappa", "tpr", "tnr"),
        "ordinal": ("kappa_quadratic", "spearman", "mae"),
        "preference": ("pair_accuracy", "kappa", "order_agreement"),
        "nominal": ("kappa", "balanced_accuracy"),
    }[kind]


def slice_report(given: Levels, terms: Terms) -> dict[str, Any]:
    """What is said of one slice: the headline, and every reading of the replies and of the failures in it."""
    estimates = criterion_report(replace(given, scores={}, raters=(), matrix=None, judged=None), terms).estimates
    names = ("agreement", *headline(given.kind), "coverage")
    readings = (name for name in estimates if name.startswith(("reply_", "order_")) or "_failures_" in name)
    kept = dict.fromkeys(name for name in (*names, *readings) if name in estimates)
    return {"n": int(given.truth.size), "estimates": {name: estimates[name] for name in kept}}
