"""`rftj show` without a sample: which samples failed, differ from their labels or flipped, so that one is picked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from typing import Final

from rftj_cli.errors import InputError, nearest
from rftj_cli.files.runs import Run, open_run
from rftj_cli.files.store import Store
from rftj_cli.files.store_rows import OutcomeRow, SampleRow
from rftj_cli.kernel.asks import rubric_for
from rftj_cli.kernel.outcome import Failure, Outcome, Rating, Stage, Verdict
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.kernel.sample import Sample
from rftj_cli.measure.calibrate import Question
from rftj_cli.measure.join import labels_of, truths_of
from rftj_cli.measure.truth import Truths
from rftj_cli.running.flips import Flip, compare

SCHEMA: Final = "rftj.show-list/1"
LONGEST: Final = 200  # characters of the line of text


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to list, as the command line says; nothing: all samples. `limit` 0: no limit."""

    failures: bool = False
    skipped: bool = False
    disagreements: bool = False
    flips: str | None = None
    criterion: str | None = None
    limit: int = 20

    @property
    def words(self) -> str:
        """`failures, flipped beside runs/x, criterion tone`."""
        names = ("failures", "skipped", "disagreements")
        parts = [name for name in names if getattr(self, name)]
        parts += [] if self.flips is None else [f"flipped beside {self.flips}"]
        return ", ".join(parts + ([] if self.criterion is None else [f"criterion {self.criterion}"]))

    def refuse(self) -> None:
        """Raise `InputError` for wishes that no sample can meet together."""
        apart = [name for name in ("failures", "skipped") if getattr(self, name)]
        for name in ("disagreements", "criterion"):
            if apart and getattr(self, name):
                raise InputError(f"--{apart[0]} and --{name}: a sample without a verdict has no level", key=f"--{name}")
        if len(apart) == 2:
            raise InputError("--failures and --skipped: give one of the two", key="--skipped")


@dataclass(frozen=True, slots=True)
class Difference:
    """A criterion (of an item) on which label and judge differ."""

    criterion: str
    item: str | None
    label: str
    judge: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A sample of the list. `stage` None: it has a verdict. `text` is one line: why it failed, what the judge said, or the
    response."""

    sample: str
    stage: Stage | None
    levels: tuple[Rating, ...]
    differences: tuple[Difference, ...]
    flips: tuple[Flip, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Listing:
    """The samples found: how many in all, and the first of them. `failed` and `skipped` count those of the run."""

    run: str
    wanted: str
    found: int
    samples: tuple[Listed, ...]
    judged: int
    failed: int
    skipped: int
    schema: str = SCHEMA


Meet = Callable[[SampleRow, OutcomeRow], Listed | None]


def list_samples(run: Run, wanted: Wanted, question: Question) -> Listing:
    """The samples of a run that are wanted, in the order of the run; no more of them are in memory than are shown."""
    wanted.refuse()
    with ExitStack() as opened:
        store = opened.enter_context(closing(run.store()))
        stages = store.stages()
        skipped, judged = stages.get("skipped", 0), sum(stages.values())
        meet = _meeting(run, wanted, question, opened)
        found, kept = _found(store, wanted, meet, skipped, judged - skipped - stages.get("verdict", 0))
    if not found and wanted.criterion is not None:
        _refuse_unknown(run.rubric, wanted.criterion)
    failed = judged - skipped - stages.get("verdict", 0)
    return Listing(str(run.folder), wanted.words, found, tuple(kept), judged, failed, skipped)


def _found(store: Store, wanted: Wanted, meet: Meet, skipped: int, failed: int) -> tuple[int, list[Listed]]:
    """How many samples meet the wish, and the first of them. Where the store itself can tell, no other is read."""
    ids = None
    limit = wanted.limit or None
    if wanted.failures or wanted.skipped:
        ids = store.failed(skipped=wanted.skipped, limit=limit if wanted.flips is None else None)
    rows = store.outcomes(None if ids is None else (id for id, _ in ids))
    met = (one for row, outcome in rows if (one := meet(row, outcome)) is not None)
    kept = list(islice(met, limit))
    if wanted.flips is None and not wanted.disagreements and wanted.criterion is None:
        return skipped if wanted.skipped else failed if wanted.failures else store.count("outcomes"), kept
    return len(kept) + sum(1 for _ in met), kept


def _meeting(run: Run, wanted: Wanted, question: Question, opened: ExitStack) -> Meet:
    truths: Truths | None = None
    if wanted.disagreements:
        columns = question.columns if question.labels is None else question.label_columns
        labels = labels_of(run, question.labels, wide=question.wide, columns=columns)
        truths = truths_of(
            run, labels, rule=question.truth, truth_rubric=None, ignore_unknown=question.ignore_unknown
        )  # fmt: skip
    other = None if wanted.flips is None else opened.enter_context(closing(open_run(wanted.flips).store()))

    def meet(row: SampleRow, outcome: OutcomeRow) -> Listed | None:
        levels = _levels(outcome.outcome, wanted.criterion)
        differences = tuple(_differences(run.rubric, row.sample, levels, truths)) if truths is not None else ()
        flips = () if other is None else tuple(_flips(other, row.sample.id, outcome.outcome, wanted.criterion))
        lacks = (truths is not None and not differences) or (other is not None and not flips)
        if lacks or (wanted.criterion is not None and not levels and not flips):
            return None
        told = {one.criterion for one in differences} | {one.criterion for one in flips}
        said = [one.reason for one in levels if one.criterion in told or not told]
        stage = outcome.outcome.stage if isinstance(outcome.outcome, Failure) else None
        return Listed(row.sample.id, stage, levels, differences, flips, _line(outcome.outcome, said, row.sample))

    return meet


def _levels(outcome: Outcome, criterion: str | None) -> tuple[Rating, ...]:
    ratings = outcome.ratings if isinstance(outcome, Verdict) else ()
    return tuple(one for one in ratings if criterion in (None, one.criterion))


def _differences(rubric: Rubric, sample: Sample, levels: tuple[Rating, ...], truths: Truths) -> Iterator[Difference]:
    own = rubric_for(rubric, sample)
    for one in levels:
        truth, criterion = truths.of.get((sample.id, one.item, one.criterion)), own.criterion(one.criterion)
        if truth is not None and truth.level is not None and criterion is not None:
            label = criterion.scale.names[truth.level]
            if label != one.level:
                yield Difference(one.criterion, one.item, label, one.level)


def _flips(other: Store, id: str, outcome: Outcome, criterion: str | None) -> Iterator[Flip]:
    """What this sample was in the other run, to what it is in this one."""
    for _, before in other.outcomes([id]):
        for flip in compare(id, before.outcome, outcome).flips:
            if criterion in (None, flip.criterion):
                yield flip


def _line(outcome: Outcome, said: list[str], sample: Sample) -> str:
    text = outcome.reason if isinstance(outcome, Failure) else next((one for one in said if one.strip()), "")
    fields = sample.fields
    line = " ".join((text or str(fields.get("response", fields.get("response_a", "")))).split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def _refuse_unknown(rubric: Rubric, criterion: str) -> None:
    known = [one.id for one in rubric.criteria]
    if criterion not in known:
        raise InputError(
            "--criterion: the run has no such criterion", found=criterion, expected="one of " + ", ".join(known),
            hint=nearest(criterion, known),
        )  # fmt: skip
