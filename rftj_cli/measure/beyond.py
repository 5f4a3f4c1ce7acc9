"""What labels say beyond agreement: of all that was judged, of how sure the judge is, of long answers, of repeated votes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rftj_cli.kernel.rubric import Scale
from rftj_cli.measure.join import Unit
from rftj_cli.measure.values import Repeats, Terms
from rftj_cli.stats.agreement import Kind
from rftj_cli.stats.arrays import Bools, Floats, Ints
from rftj_cli.stats.clusters import Clusters, clustered, design_effect
from rftj_cli.stats.corrected import Corrected, corrected
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.mismatch import labelled_deff
from rftj_cli.stats.probability import Probabilities, probability_scores
from rftj_cli.stats.repeatability import components, retest, right_by_votes, votes_worth
from rftj_cli.stats.shares import mean, share
from rftj_cli.stats.slope import within_slope
from rftj_cli.stats.threshold import Threshold, choose_threshold

if TYPE_CHECKING:
    from rftj_cli.measure.levels import Levels

HALF = 100  # words at which the length score of `judges.lexical` is one half


def population(given: Levels, table: Floats, clusters: Clusters | None, terms: Terms) -> Corrected | None:
    """The pass rate (or mean value) of everything that was judged; None where all of it is labelled, or levels have no order."""
    if given.judged is None or given.kind in ("preference", "nominal") or table.sum() == 0:
        return None
    k, everyone = table.shape[0], given.judged
    if everyone.size <= table.sum():
        return None
    judged = np.bincount(everyone, minlength=k).astype(np.float64)
    x = np.arange(k, dtype=np.float64) if given.values is None else np.array(given.values)
    of: Any = share if given.kind == "binary" else mean
    naive = of(x[everyone], clusters=given.judged_cluster, level=terms.level)
    labels_only = of(x[given.truth], clusters=given.cluster, weights=given.weight, level=terms.level)
    deff, groups, counts = 1.0, clustered(clusters), table.sum(0)
    if groups is not None:
        # How far the truth of one cluster's units leans one way, given the verdict.
        inside = np.divide(x @ table, table.sum(0), out=np.zeros(k), where=table.sum(0) > 0)
        deff = design_effect(x[:, None] - inside[None, :], groups, terms.level)
        table = groups.table(k)
    apart = 1.0
    if given.judged_cluster is not None and given.judged_labelled is not None:
        apart = labelled_deff(everyone, given.judged_labelled, given.judged_cluster)
    return corrected(
        table, judged, values=given.values, sampling="weighted" if given.weight is not None else given.sampling, deff=deff,
        naive=naive, labels_only=labels_only, labelled=counts, apart=apart, seed=terms.seed, level=terms.level,
    )  # fmt: skip


def sureness(given: Levels, done: Bools, terms: Terms) -> tuple[Probabilities | None, Threshold | None]:
    """Scores of the judge's probabilities, and the threshold that they would best be cut at."""
    p = given.probability
    if p is None or given.kind != "binary":
        return None, None
    use = done & ~np.isnan(p)
    if not use.any():
        return None, None
    truth = given.truth[use].astype(np.float64)
    keys = None if given.cluster is None or np.unique(given.cluster).size == given.cluster.size else given.cluster[use]
    shared: Any = {"clusters": keys, "weights": given.weights(use), "seed": terms.seed, "level": terms.level}
    return probability_scores(p[use], truth, **shared), choose_threshold(p[use], truth, costs=given.costs, **shared)


def length_bias(given: Levels, done: Bools, terms: Terms) -> dict[str, Estimate]:
    """Whether the judge is milder than the labels with longer answers.

    `length_slope`: rise of (verdict - truth) per doubling of the words, inside groups where there are any. Comparisons:
    `longer_wins`, the judge's share of wins for the longer side less the labels'.
    """
    score = given.scores.get("length")
    if score is None or given.kind == "nominal" or not done.any():
        return {}
    truth, judge, s = given.truth[done], given.judge[done], score[done]
    cluster, weights = None if given.cluster is None else given.cluster[done], given.weights(done)
    if given.kind == "preference":
        differ = s != 0
        toward = np.where(s > 0, 1.0, -1.0) * (truth - judge) / 2  # levels are A, tie, B: lower is more for A
        keys = None if cluster is None else cluster[differ]
        return {
            "longer_wins": mean(
                toward[differ], clusters=keys, weights=None if weights is None else weights[differ], level=terms.level
            )
        }
    values = np.arange(len(given.levels), dtype=np.float64) if given.values is None else np.array(given.values)
    words = np.log2(np.maximum(HALF * s / (1 - s), 1.0))
    gap = values[judge] - values[truth]
    group = None if given.group is None or np.unique(given.group).size == given.group.size else given.group[done]
    return {"length_slope": within_slope(words, gap, group=group, clusters=cluster, weights=weights, level=terms.level)}


def repeats(kind: Kind, scale: Scale, units: Sequence[Unit], terms: Terms) -> Repeats | None:
    """The votes of all units that have several, as runs of the same judge."""
    names, several = scale.names, [unit for unit in units if len({b.vote for b in unit.ballots}) > 1]
    if not several or kind == "preference":  # the replies of a comparison differ by order too: see `orders`
        return None
    most = max(len(unit.ballots) for unit in several)
    runs = np.full((len(several), most), -1, dtype=np.int64)
    for row, unit in enumerate(several):
        for column, ballot in enumerate(unit.ballots):
            runs[row, column] = -1 if ballot.level is None else names.index(ballot.level)
    keys = _codes([unit.cluster for unit in several])
    found = retest(
        runs, len(names), kind="quadratic" if kind == "ordinal" else "nominal",
        values=scale.values if kind == "ordinal" else None, clusters=keys, seed=terms.seed, level=terms.level,
    )  # fmt: skip
    whole = runs[(runs >= 0).all(axis=1)]
    parts = components(np.array(scale.values)[whole], level=terms.level) if whole.size else None
    return Repeats(
        most, found, parts, None if parts is None else votes_worth(parts), _right(kind, several, runs, terms)
    )


def _right(kind: Kind, units: Sequence[Unit], runs: Ints, terms: Terms) -> dict[int, Estimate]:
    """How often the majority of v of a unit's votes is right."""
    truth = np.array([-1 if u.truth is None or u.truth.level is None else u.truth.level for u in units])
    use = truth >= 0
    if kind != "binary" or not use.any():
        return {}
    cast, keys = (runs[use] >= 0).sum(1), np.array([unit.cluster for unit in units], dtype=object)[use]
    return right_by_votes((runs[use] == truth[use, None]).sum(1), cast, clusters=keys.astype(str), level=terms.level)


def _codes(keys: Sequence[str]) -> Ints | None:
    codes = np.unique(np.array(keys, dtype=object), return_inverse=True)[1].astype(np.int64)
    return None if np.unique(codes).size == codes.size else codes
