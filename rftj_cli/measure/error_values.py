"""What `rftj errors` finds, as values: every disagreement with its sort, clusters of them with what mending could gain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rftj_cli.measure.values import Unjudged
from rftj_cli.stats.estimate import Estimate

SCHEMA = "rftj.errors/1"
Sort = Literal["stable", "unstable", "suspected", "not repeated"]
SORTS: tuple[Sort, ...] = ("stable", "unstable", "suspected", "not repeated")
UnitId = tuple[str, str | None]  # sample, item


@dataclass(frozen=True, slots=True)
class ErrorUnit:
    """One unit on which judge and truth differ.

    sort: `stable`: the judge repeats itself; `unstable`: it does not; `suspected`: the label may be what is wrong;
    `not repeated`: the judge was asked once, so nobody knows. `why` says what that rests on. `said` counts the levels of all
    replies, `raters` the levels of the labels. `response` is given for examples.
    """

    sample: str
    item: str | None
    criterion: str
    truth: str
    verdict: str
    sort: Sort
    why: str
    said: Mapping[str, int]
    raters: Mapping[str, str]
    reason: str
    label_reason: str
    response: str = ""

    @property
    def id(self) -> UnitId:
        return self.sample, self.item


@dataclass(frozen=True, slots=True)
class SliceRate:
    """How often an error is made in one slice and outside it, of the units on which it can be made.

    `p_holm` allows for every slice that the report tests. `higher`: clearly more often inside.
    """

    field: str
    value: str
    errors: int
    inside: Estimate
    outside: Estimate
    p: Estimate
    p_holm: float
    higher: bool


@dataclass(frozen=True, slots=True)
class InSlice:
    """A slice in which the error of a cluster is clearly more frequent, and how many of its units lie in it."""

    field: str
    value: str
    units: int


@dataclass(frozen=True, slots=True)
class Direction:
    """All errors of one criterion in one direction. `possible` units could have been judged so; `rate` is of these.

    `gains` and `then` as in `Cluster`, for all of them together; `untested` slices had too few units.
    """

    criterion: str
    name: str
    units: int
    possible: int
    rate: Estimate
    gains: Mapping[str, Estimate]
    then: Mapping[str, float | None]
    slices: tuple[SliceRate, ...] = ()
    untested: int = 0


@dataclass(frozen=True, slots=True)
class Cluster:
    """Disagreements of one criterion and direction whose texts have words in common.

    by: what was compared (`reasons`, `responses`, or empty); terms: words that tell it from units on which judge and
    label agree; others: the texts that are like no other; share: of the criterion's disagreements. `mendable` units count
    as right in `gains` and `then` (NAME -> the criterion's headline): those that are not unstable and not suspected.
    """

    criterion: str
    direction: str
    units: tuple[UnitId, ...]
    share: float
    sorts: Mapping[Sort, int]
    by: str
    terms: tuple[str, ...]
    others: bool
    slices: tuple[InSlice, ...]
    mendable: int
    gains: Mapping[str, Estimate]
    then: Mapping[str, float | None]
    examples: tuple[ErrorUnit, ...]

    @property
    def gain(self) -> Estimate:
        """What mending this cluster could add at most to the first headline of its criterion."""
        return next(iter(self.gains.values()))


@dataclass(frozen=True, slots=True)
class CriterionErrors:
    """One criterion: how many units were compared, how many differ and of which sort, and its headline as it is."""

    id: str
    scale: str
    levels: tuple[str, ...]
    unit: str
    compared: int
    wrong: int
    failed: int
    sorts: Mapping[Sort, int]
    now: Mapping[str, Estimate]
    pitfall: bool = False

    def meaning(self, direction: str) -> str:
        """What `label -> verdict` is where the better level is the one that is not there; "" of other criteria."""
        if not self.pitfall:
            return ""
        missed = {f"{truth} -> {said}" for place, truth in enumerate(self.levels) for said in self.levels[:place]}
        return " (missed)" if direction in missed else " (false alarm)"


@dataclass(frozen=True, slots=True)
class Rejudged:
    """The run that holds the repeated judgements: replies a sample, samples, ratings that could not be had, US dollars."""

    run: str
    votes: int
    samples: int
    lost: int
    cost: float | None
    options: str = ""  # with which the judge was asked


@dataclass(frozen=True, slots=True)
class Second:
    """The second judge: on how many disagreements it has a verdict, and on how many it says what the judge says."""

    run: str
    model: str
    same_model: bool
    compared: int
    agrees: int


@dataclass(frozen=True, slots=True)
class Queue:
    """A file of units to label again, blind: suspected ones, and controls on which judge and label agree."""

    file: str
    suspected: int
    controls: int


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """The disagreements of a run with its labels; clusters by what mending them could gain, the largest first."""

    rubric: Mapping[str, Any]
    run: Mapping[str, Any]
    split: str
    truth: str
    seed: int
    criteria: Mapping[str, CriterionErrors]
    directions: tuple[Direction, ...]
    clusters: tuple[Cluster, ...]
    units: tuple[ErrorUnit, ...]
    repeated: int  # disagreements that were judged more than once
    rejudged: Rejudged | None = None
    second: Second | None = None
    queue: Queue | None = None
    warnings: tuple[str, ...] = ()
    next: tuple[str, ...] = ()
    failures: tuple[Unjudged, ...] = ()  # labelled samples without a verdict
    schema: str = SCHEMA

    def of_sort(self, sort: Sort) -> tuple[ErrorUnit, ...]:
        """The disagreements of one sort."""
        return tuple(unit for unit in self.units if unit.sort == sort)
