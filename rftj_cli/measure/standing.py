"""How a few judged samples stand against their labels, now and before: flips that mended or broke, shares that agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import fsum
from typing import Literal

from rftj_cli.files.store_rows import OutcomeRow, SampleRow
from rftj_cli.kernel.asks import rubric_for
from rftj_cli.kernel.outcome import Verdict
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.measure.truth import Truths
from rftj_cli.running.flips import Flip
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.shares import share

Outcomes = Mapping[str, tuple[SampleRow, OutcomeRow]]
CHOSEN = "the samples were chosen by what came out before: their agreement says nothing of others"


@dataclass(frozen=True, slots=True)
class Marked:
    """A flip beside its label. `effect`: whether the verdict is right now, or was."""

    flip: Flip
    label: str | None
    effect: Literal["fixed", "broken", ""]


@dataclass(frozen=True, slots=True)
class Standing:
    """One criterion: `right` of `n` verdicts are what the labels say, and the share of them; `before` that of the last
    round, on the labels of now."""

    right: int
    n: int
    agreement: Estimate
    before: Standing | None = None


def mean_reward(outcomes: Outcomes) -> float | None:
    """The mean reward of those that have one."""
    found = [one.reward.value for _, one in outcomes.values() if one.reward.value is not None]
    return fsum(found) / len(found) if found else None


def marked(flip: Flip, rubric: Rubric, row: SampleRow, truths: Truths) -> Marked:
    """A flip with what the labels say of it."""
    label = None if flip.criterion is None else _label(rubric, row, flip.item, flip.criterion, truths)
    effect: Literal["fixed", "broken", ""] = ""
    if label is not None:
        effect = "fixed" if flip.after == label else "broken" if flip.before == label else ""
    return Marked(flip, label, effect)


def standings(
    rubric: Rubric, now: Outcomes, before: Outcomes, truths: Truths, *, by_outcome: bool
) -> dict[str, Standing]:
    """Each criterion that has a label and a verdict. No share is estimated from samples that were chosen `by_outcome`."""
    old = _standings(rubric, before, truths, by_outcome)
    return {
        id: Standing(one.right, one.n, one.agreement, old.get(id))
        for id, one in _standings(rubric, now, truths, by_outcome).items()
    }


def _standings(rubric: Rubric, outcomes: Outcomes, truths: Truths, by_outcome: bool) -> dict[str, Standing]:
    right: dict[str, list[bool]] = {}
    clusters: dict[str, list[str]] = {}
    for row, one in outcomes.values():
        for rating in one.outcome.ratings if isinstance(one.outcome, Verdict) else ():
            label = _label(rubric, row, rating.item, rating.criterion, truths)
            if label is not None:
                right.setdefault(rating.criterion, []).append(rating.level == label)
                clusters.setdefault(rating.criterion, []).append(row.cluster)
    return {
        id: Standing(
            sum(these), len(these),
            Estimate.missing(len(these), CHOSEN) if by_outcome else share(these, clusters=clusters[id]),
        )
        for id, these in right.items()
    }  # fmt: skip


def _label(rubric: Rubric, row: SampleRow, item: str | None, criterion: str, truths: Truths) -> str | None:
    """The level that is the truth, where there is one."""
    truth = truths.of.get((row.sample.id, item, criterion))
    own = rubric_for(rubric, row.sample).criterion(criterion)
    return None if truth is None or truth.level is None or own is None else own.scale.names[truth.level]
