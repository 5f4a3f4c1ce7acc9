"""The judge's reward against the reward that the labels give."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rftj_cli.kernel.rubric import Rubric
from rftj_cli.measure.join import RewardRow
from rftj_cli.measure.values import Baseline, RewardReport, Terms
from rftj_cli.stats.arrays import Floats, Ints
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.group_ranks import group_ranks
from rftj_cli.stats.groups import pair_accuracy
from rftj_cli.stats.numeric import bounded_mean, numeric_agreement, within
from rftj_cli.stats.shares import mean, share


def reward_report(rows: Sequence[RewardRow], rubric: Rubric, judged: Rubric, terms: Terms) -> RewardReport | None:
    """How the judge's rewards agree with those of the labels; None where no sample has both.

    rubric: that makes the reward of the labels; judged: that of the judge. Where their ranges differ, the labels' rewards are
    moved into the judge's range, and the formula says so: a difference of units is no bias.
    """
    both = [row for row in rows if row.judge is not None and row.truth is not None]
    if not both:
        return None
    judge = np.array([row.judge for row in both], dtype=np.float64)
    truth = np.array([row.truth for row in both], dtype=np.float64)
    of, to, how = rubric.reward, judged.reward, formula(rubric)
    if (of.low, of.high) != (to.low, to.high):
        truth = to.low + (truth - of.low) * (to.high - to.low) / (of.high - of.low)
        how += f" for the labels, moved into the judge's range [{to.low:g}, {to.high:g}]"
    known = [row for row in rows if row.truth is not None]
    groups, clusters = [row.group for row in both], [row.cluster for row in both]
    pairs = pair_accuracy(groups, truth, judge, clusters=clusters, level=terms.level)
    estimates = {
        "pair_accuracy": pairs.estimate,
        "pair_accuracy_by_group": pairs.by_group,
        "tie_rate": pairs.tie_rate,
        **_inside_groups(known, terms.level),
        **numeric_agreement(truth, judge, clusters=clusters, ends=_ends(judged, truth, judge), level=terms.level),
        "coverage": share(
            [row.judge is not None for row in known], clusters=[row.cluster for row in known], level=terms.level
        ),
        **_verdicts_alone(both, terms.level),
    }
    baselines = []
    for name in ("length", "lexical"):
        score = np.array([getattr(row, name) for row in both], dtype=np.float64)
        found = pair_accuracy(groups, truth, score, clusters=clusters, level=terms.level).estimate
        baselines.append(Baseline(name, f"ranks by {name}", {"pair_accuracy": found}))
    return RewardReport(
        estimates, pairs.pairs, pairs.right, pairs.tied, pairs.groups, how, baselines, len(set(clusters))
    )


def _inside_groups(known: Sequence[RewardRow], level: float) -> dict[str, Estimate]:
    """Ranks inside groups, of the samples with a reward by the labels; the judge's may be missing."""
    found = group_ranks(
        [row.group for row in known],
        np.array([row.truth for row in known], dtype=np.float64),
        np.array([row.judge for row in known], dtype=np.float64),  # nan where there is none
        clusters=[row.cluster for row in known],
        level=level,
    )
    return {"kendall_tau_b_by_group": found.tau_b, "top_1": found.top_1, "top_1_strict": found.top_1_strict}


def reward_means(
    rubrics: tuple[Rubric, Rubric], rewards: tuple[Floats, Floats], cluster: Ints, terms: Terms
) -> tuple[list[Estimate], Estimate]:
    """The mean rewards (n,) of two judges on the same samples and their difference, within what their ranges allow."""
    difference = mean(rewards[1] - rewards[0], clusters=cluster, level=terms.level)
    ends = [_ends(rubric, x) for rubric, x in zip(rubrics, rewards, strict=True)]
    means = [
        mean(x, clusters=cluster, level=terms.level) if e is None else bounded_mean(x, cluster, e, terms.level)
        for x, e in zip(rewards, ends, strict=True)
    ]
    if ends[0] is None or ends[1] is None:
        return means, difference
    return means, within(difference, ends[1][0] - ends[0][1], ends[1][1] - ends[0][0])


def _ends(rubric: Rubric, *rewards: Floats) -> tuple[float, float] | None:
    """The ends of the rewards' range; None where some lie outside it (those of a learned map, or of another rubric)."""
    low, high = rubric.reward.low, rubric.reward.high
    inside = all(bool(((one >= low) & (one <= high)).all()) for one in rewards)
    return (low, high) if inside and not rubric.reward.map else None


def _verdicts_alone(rows: Sequence[RewardRow], level: float) -> dict[str, Estimate]:
    """The other reading where failures have a reward (`on_failure`, a failed check): pair accuracy without them."""
    judged = [row for row in rows if row.verdict]
    if len(judged) == len(rows) or not judged:
        return {}
    found = pair_accuracy(
        [row.group for row in judged],
        np.array([row.truth for row in judged], dtype=np.float64),
        np.array([row.judge for row in judged], dtype=np.float64),
        clusters=[row.cluster for row in judged],
        level=level,
    ).estimate
    return {"pair_accuracy_verdicts_alone": found}


def formula(rubric: Rubric) -> str:
    """How the reward is made, in one line."""
    parts = [(one.id, one.weight, one.essential) for one in rubric.criteria]
    parts += [(one.id, one.weight, one.essential) for one in rubric.checks]
    signed = [f"{weight:g} x {id}" for id, weight, _ in parts if weight]
    essential = [id for id, _, gates in parts if gates]
    text = f"{rubric.reward.combine}({', '.join(signed)}) in [{rubric.reward.low:g}, {rubric.reward.high:g}]"
    return text + (f", {rubric.reward.low:g} if {' or '.join(essential)} fails" if essential else "")
