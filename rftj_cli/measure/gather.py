"""Joined units to the arrays that one criterion is measured on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rftj_cli.kernel.rubric import Scale
from rftj_cli.measure.beyond import repeats
from rftj_cli.measure.join import Unit
from rftj_cli.measure.levels import Levels
from rftj_cli.measure.preference import by_reply, orders
from rftj_cli.measure.truth import ADJUDICATED, Truths
from rftj_cli.measure.values import Terms
from rftj_cli.stats.arrays import Floats, Ints
from rftj_cli.stats.corrected import Sampling
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.shares import share


@dataclass(frozen=True, slots=True)
class About:
    """What the user says of the labels and of errors: how the labelled were chosen, what a false pass and a false fail cost."""

    sampling: Sampling | None = None
    costs: tuple[float, float] | None = None


def levels_of(
    id: str, scale: Scale, units: Sequence[Unit], truths: Truths, terms: Terms, about: About | None = None
) -> Levels:
    """One criterion's units that have a truth, as arrays; the verdicts of all units are counted beside them."""
    # What a check or the response itself settled was never put to the judge: it is no failure of the judge.
    asked = [unit for unit in units if unit.stage != "skipped"]
    decided, judged = [unit for unit in asked if _has_truth(unit)], [unit for unit in asked if unit.level is not None]
    labelled = [unit.truth for unit in units if unit.truth is not None]
    cluster, group = _codes([unit.cluster for unit in decided]), _codes([unit.group for unit in decided])
    raters = tuple(rater for rater in truths.raters if rater != ADJUDICATED)
    rated = _rated(units, raters)
    truth = np.array([truth_level(unit) for unit in decided], dtype=np.int64)
    items = any(unit.item is not None for unit in units)
    kind = Levels.kind_of(scale)
    return Levels(
        id=id,
        kind=kind,
        scale=scale.kind,
        levels=scale.names,
        values=scale.values if kind == "ordinal" else None,
        truth=truth,
        judge=np.array([-1 if unit.level is None else unit.level for unit in decided], dtype=np.int64),
        unit="pair" if kind == "preference" else "item" if items else "sample",
        cluster=cluster,
        weight=_weights(decided),
        group=group,
        scores={name: _numbers(decided, name) for name in ("length", "lexical")},
        raters=raters,
        matrix=_matrix(rated, raters),
        rated_judge=np.array([-1 if unit.level is None else unit.level for unit in rated], dtype=np.int64),
        rated_cluster=_codes([unit.cluster for unit in rated]),
        sources=dict(Counter(source for truth_ in labelled for source in truth_.sources)),
        stages=dict(Counter(unit.stage or "" for unit in decided if unit.level is None)),
        undecided=sum(one.level is None and any(v is not None for v in one.raters.values()) for one in labelled),
        cannot_tell=sum(value is None for one in labelled for value in one.raters.values()),
        extra=_extra(kind, truth, decided, cluster, terms.level),
        judged=np.array([unit.level for unit in judged], dtype=np.int64),
        judged_cluster=_codes([unit.cluster for unit in judged]),
        judged_labelled=np.array([_has_truth(unit) for unit in judged], dtype=np.bool_),
        sampling=about.sampling if about else None,
        probability=_probability(decided),
        costs=about.costs if about else None,
        repeats=repeats(kind, scale, asked, terms) if about else None,
    )


def independent(given: Levels) -> int:
    """How many clusters the units with a truth and a verdict are in."""
    done = given.judge >= 0
    return int(done.sum()) if given.cluster is None else int(np.unique(given.cluster[done]).size)


def _has_truth(unit: Unit) -> bool:
    return unit.truth is not None and unit.truth.level is not None


def truth_level(unit: Unit) -> int:
    """The level of a unit that has a truth."""
    assert unit.truth is not None and unit.truth.level is not None
    return unit.truth.level


def _probability(units: Sequence[Unit]) -> Floats | None:
    found = np.array([np.nan if unit.probability is None else unit.probability for unit in units], dtype=np.float64)
    return None if np.isnan(found).all() else found


def _weights(units: Sequence[Unit]) -> Floats | None:
    """1/inclusion probability (n,), None where all labels weigh alike."""
    found = np.array(
        [1.0 if (w := unit.truth.weight) is None else w for unit in units if unit.truth is not None], dtype=np.float64
    )
    return found if found.size and np.ptp(found) > 0 else None


def _codes(keys: Sequence[str]) -> Ints:
    return np.unique(np.array(keys, dtype=object), return_inverse=True)[1].astype(np.int64)


def _numbers(units: Sequence[Unit], name: str) -> Floats:
    return np.array([getattr(unit, name) for unit in units], dtype=np.float64)


def _rated(units: Sequence[Unit], raters: tuple[str, ...]) -> list[Unit]:
    """The units with two ratings or more: raters do not only meet where they agree enough to settle a truth."""
    return [unit for unit in units if sum(_rating(unit, rater) >= 0 for rater in raters) > 1]


def _matrix(units: Sequence[Unit], raters: tuple[str, ...]) -> Ints:
    rows = [[_rating(unit, rater) for rater in raters] for unit in units]
    return np.array(rows, dtype=np.int64).reshape(len(rows), len(raters))


def _rating(unit: Unit, rater: str) -> int:
    """The level that a rater gave, -1 where there is none."""
    level = None if unit.truth is None else unit.truth.raters.get(rater)
    return -1 if level is None else level


def _extra(kind: str, truth: Ints, units: Sequence[Unit], cluster: Ints, level: float) -> dict[str, Estimate]:
    """Estimates that need the single replies: orders of a comparison, unanimity of votes."""
    cast = [unit.ballots for unit in units]
    found: dict[str, Estimate] = {}
    if kind == "preference" and any(cast):
        found |= by_reply(truth, cast, cluster, level) | orders(cast, cluster, level)
    voted = [(unit.unanimous < 1, int(code)) for unit, code in zip(units, cluster, strict=True) if _votes(unit) > 1]
    if voted:
        found["flips"] = share(
            [v for v, _ in voted],
            clusters=[c for _, c in voted],
            note="votes that are not unanimous",
            level=level,
        )
    return found


def _votes(unit: Unit) -> int:
    return len({ballot.vote for ballot in unit.ballots}) if unit.level is not None else 0
