"""What differs between two outcomes of one sample: levels that changed, verdicts that were lost or found."""

from __future__ import annotations

from dataclasses import dataclass

from rftj_cli.kernel.outcome import Failure, Outcome, Stage

Unit = tuple[str, str | None]  # criterion, item


@dataclass(frozen=True, slots=True)
class Flip:
    """One criterion of a sample (or item), before and after: a level, or None with the stage of the failure.

    `criterion` None: the whole sample, where neither side has a level.
    """

    sample: str
    item: str | None
    criterion: str | None
    before: str | None
    after: str | None
    before_failure: Stage | None = None
    after_failure: Stage | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """Two outcomes of one sample: how many units either has a level for, what flipped, and what moved within its level."""

    units: int
    flips: tuple[Flip, ...]
    moved: int = 0


def compare(sample: str, before: Outcome, after: Outcome) -> Compared:
    """The units of both. A criterion or item that only one of two verdicts knows is no flip: the rubric changed."""
    old, new = _ratings(before), _ratings(after)
    lost, found = _stage(before), _stage(after)
    units = [unit for unit in {**old, **new} if (unit in old or lost) and (unit in new or found)]
    flips = []
    for id, item in units:
        level, now = (one.get((id, item), (None, 0.0))[0] for one in (old, new))
        if level != now:
            flips.append(Flip(sample, item, id, level, now, lost, found))
    if not units and lost != found:
        flips = [Flip(sample, None, None, None, None, lost, found)]
    moved = sum(
        unit in old and unit in new and old[unit][0] == new[unit][0] and old[unit] != new[unit] for unit in units
    )
    return Compared(len(units), tuple(flips), moved)


def _ratings(outcome: Outcome) -> dict[Unit, tuple[str | None, float]]:
    if isinstance(outcome, Failure):
        return {}
    return {(rating.criterion, rating.item): (rating.level, rating.value) for rating in outcome.ratings}


def _stage(outcome: Outcome) -> Stage | None:
    return outcome.stage if isinstance(outcome, Failure) else None
