"""Where candidates are tested: judged on dev within the money that is left, compared, their errors clustered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rftj_cli.errors import CannotTell, InputError, nearest
from rftj_cli.files.runs import Manifest, read_manifest
from rftj_cli.files.samples import SampleFile
from rftj_cli.kernel.asks import names_used
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.measure.calibrate import Question, calibrate, joined_of
from rftj_cli.measure.cautions import refuse_shown
from rftj_cli.measure.compare import CompareQuestion, compare
from rftj_cli.measure.comparison import Comparison
from rftj_cli.measure.error_values import ErrorReport
from rftj_cli.measure.errors import Found, find, report_of
from rftj_cli.measure.join import Joined, Unit
from rftj_cli.measure.sides import Judging
from rftj_cli.refine.edits import Shingles
from rftj_cli.refine.values import Candidate
from rftj_cli.running.budget import Budget
from rftj_cli.running.preflight import place
from rftj_cli.running.score import score as run_score

DEV, TEST, TRAIN = "dev", "test", "train"


@dataclass(slots=True)
class Purse:
    """US dollars that judges and proposer may spend together; None: no ceiling."""

    ceiling: float | None
    proposer: Budget
    judges: float = 0.0
    calls: int = 0
    priced: bool = True

    @property
    def left(self) -> float | None:
        """What a run may still cost."""
        if self.ceiling is None:
            return None
        return max(0.0, self.ceiling - self.judges - (self.proposer.spent or 0.0))

    @property
    def spent_up(self) -> CannotTell:
        """What to say where the money has ended."""
        return CannotTell(f"--max-cost {self.ceiling:g} reached")

    def lend(self) -> None:
        """Let the proposer spend what the judges have left of the money."""
        if self.ceiling is not None:
            self.proposer.ceiling = max(0.0, self.ceiling - self.judges)

    def pay(self, before: Manifest | None, after: Manifest | None) -> None:
        """Take note of what a run has cost since."""
        if after is None:
            return
        self.calls += after.calls - (0 if before is None else before.calls)
        if after.cost is None:
            self.priced = False
        else:
            self.judges += after.cost - (0.0 if before is None or before.cost is None else before.cost)


@dataclass(slots=True)
class Bench:
    """The samples, their splits (those of the first rubric), and how a rubric is judged on them."""

    samples: SampleFile
    question: Question
    judging: Judging
    purse: Purse
    by: tuple[str, ...] = ()
    on: str | None = None
    cut: bool = False  # the held-out verdict could not be had
    with_labels: frozenset[str] = frozenset()
    splits: Mapping[str, str] = field(default_factory=dict)
    _held: list[str] = field(default_factory=list)
    _train: list[str] = field(default_factory=list)

    def read(self, rubric: Rubric, name: str) -> None:
        """Take note of every sample's split, and of the texts that no prompt may quote. Refuses a rubric that does so already."""
        names, splits, held, fields = names_used(rubric), {}, [], set[str]()
        for _, sample in self.samples:
            fields |= sample.fields.keys()
            splits[sample.id] = place(sample, names)[2]
            train = splits[sample.id] == TRAIN
            (self._train if train else self._held).extend(_texts(sample.fields))
            held += [] if train else [sample]
        refuse_shown(rubric, name, held, "dev or test")
        for field_ in self.by:
            if field_ not in fields:
                raise InputError("--by: no sample has such a field", key=field_, hint=nearest(field_, fields))
        self.splits = splits

    def count(self, split: str) -> int:
        """How many samples a split has."""
        return sum(one == split for one in self.splits.values())

    def labelled(self, split: str) -> int:
        """How many samples of a split have a label."""
        return sum(self.splits.get(id) == split for id in self.with_labels)

    @property
    def quotable(self) -> Shingles:
        """What stands in the samples that candidates are tested on."""
        return Shingles(self._held, self._train)

    def judge(self, name: str, rubric: Rubric, split: str = DEV, *, ids: frozenset[str] | None = None) -> Candidate:
        """A rubric with its run on a split, or on some samples. Raises `CannotTell` where the judge or the money ends."""
        if self.purse.left == 0.0 and self.purse.ceiling:
            raise self.purse.spent_up
        ids = frozenset(id for id, one in self.splits.items() if one == split) if ids is None else ids
        settings = replace(self.judging.settings(rubric, self.purse.left), internal=True)
        assert settings.folder is not None
        before = read_manifest(settings.folder)
        try:
            scored = run_score(rubric, Path(name), replace(self.samples, only=ids), settings)
        except CannotTell as error:
            raise (self.purse.spent_up if str(error).startswith("--max-cost") else error) from error
        finally:  # what was judged before the money or the judge ended was paid for too
            self.purse.pay(before, read_manifest(settings.folder))
        return Candidate(name, rubric, scored.run)

    def compare(self, before: Candidate, after: Candidate, split: str = DEV, *, frozen: bool = False) -> Comparison:
        """The second candidate against the first."""
        given = self.question
        question = CompareQuestion(
            labels=given.labels, wide=given.wide, columns=given.columns,
            label_columns=given.label_columns, truth=given.truth, ignore_unknown=given.ignore_unknown, split=split,
            by=self.by if split == DEV else (), seed=given.seed, frozen=frozen, on=self.on,
        )  # fmt: skip
        return compare([(before.name, before.run), (after.name, after.run)], question)

    def errors(self, candidate: Candidate) -> tuple[ErrorReport, Found]:
        """What a candidate gets wrong on dev. Raises `InputError` where no labelled sample of dev has a verdict."""
        found = find(candidate.run, replace(self.question, split=DEV, by=self.by))
        return report_of(found), found

    def joined(self, candidate: Candidate) -> Joined:
        """Every unit of dev as a candidate judges it, failures too."""
        return joined_of(candidate.run, replace(self.question, split=DEV))[1]

    def at_ceiling(self, candidate: Candidate) -> frozenset[str]:
        """The criteria on which the judge agrees with the raters as well as one rater with the others: no more can be asked."""
        report = calibrate(candidate.run, replace(self.question, split=DEV, needed=True))
        gaps = {id: one.raters["ceiling"]["kappa_gap"] for id, one in report.criteria.items() if one.raters is not None}
        return frozenset(id for id, gap in gaps.items() if gap.value is not None and gap.value >= 0)


def _texts(value: object) -> list[str]:
    """All texts in a sample's fields."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for one in value.values() for text in _texts(one)]
    return [text for one in value for text in _texts(one)] if isinstance(value, (list, tuple)) else []


def right_on(units: Sequence[tuple[str, str | None]], judged: Sequence[Unit]) -> int:
    """How many of some units a judge gets right."""
    wanted = set(units)
    return sum(
        unit.level is not None and unit.truth is not None and unit.level == unit.truth.level
        for unit in judged
        if (unit.sample, unit.item) in wanted
    )
