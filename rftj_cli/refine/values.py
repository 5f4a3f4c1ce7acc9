"""What a refinement is made of, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rftj_cli.files.runs import Run
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.measure.comparison import Against, Comparison, Piece
from rftj_cli.stats.estimate import Estimate

SCHEMA = "rftj.refinement/1"
Fate = Literal["kept", "rejected", "refused", "not_judged"]


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of one part of a rubric: `find` stands in it once and becomes `replace` (empty `find`: added at its end).

    part: `prompt.system`, `prompt.user`, `criteria.ID.question` or `criteria.ID.scale.LEVEL`; why: the proposer's words
    """

    part: str
    find: str
    replace: str
    why: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rubric that is tried, with its run on dev."""

    name: str
    rubric: Rubric
    run: Run


@dataclass(frozen=True, slots=True)
class Target:
    """The cluster of errors that an edit is meant to mend: its units, what words they share, the most that could be gained."""

    criterion: str
    direction: str
    terms: tuple[str, ...]
    units: tuple[tuple[str, str | None], ...]
    gain: Estimate


@dataclass(frozen=True, slots=True)
class Step:
    """One proposal and what became of it.

    fate: kept; rejected (it did not hold up on dev); refused (the guards, or no usable edit); not_judged (the budget or the
    judge ended first). `mended` of the target's units are right now. `against` is the comparison with the incumbent.
    """

    number: int
    target: Target | None
    edit: Edit | None
    fate: Fate
    why: str
    mended: int
    run: str | None
    against: Against | None
    words: int


@dataclass(frozen=True, slots=True)
class Front:
    """One candidate that no other beats on every cluster at once: the share right on each target's units."""

    name: str
    run: str
    right: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Spent:
    """Calls, tokens and US dollars (None: a price is unknown) of the proposer and of the judges."""

    proposals: int
    proposals_reused: int
    proposer_tokens: tuple[int, int]
    proposer_cost: float | None
    judge_calls: int
    judge_cost: float | None


@dataclass(frozen=True, slots=True)
class Refinement:
    """The whole search. `stopped`: why it ended; `held_out`: the last incumbent against the first prompt on test.

    cannot_tell: the proposer, a judge or the money ended before the search or the held-out verdict that was asked for
    """

    rubric: str
    written: str | None
    proposer: str
    search: str
    seed: int
    samples: int
    steps: Sequence[Step]
    pareto: Sequence[Front]
    stopped: str
    prompt: Sequence[Piece]
    held_out: Comparison | None
    held_out_note: str | None
    spent: Spent
    cannot_tell: bool = False
    warnings: Sequence[str] = ()
    schema: str = SCHEMA

    @property
    def kept(self) -> list[Step]:
        """The edits that the new rubric holds."""
        return [step for step in self.steps if step.fate == "kept"]

    @property
    def exit_code(self) -> int:
        """3 where the search was cut off, or edits were kept and held-out samples do not tell whether they help; else 0."""
        return 3 if self.cannot_tell else 0 if self.held_out is None else self.held_out.exit_code


Plain = dict[str, Any]
