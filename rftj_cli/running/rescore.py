"""`rescore`: verdicts and rewards once more from the replies that a run holds; nobody is called.

store of RUN --answers(sample, request)--> finish (the kernel) --> store of a new run, compared with the old on the way

A first pass finds out whether every request has its answer, and writes nothing. RUN is only read.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, count
from pathlib import Path
from typing import Final

from rftj_cli.errors import InputError, Shown, listed
from rftj_cli.files.runs import Lock, Run, default_folder, is_foreign, make_private, open_run, seal, write_manifest
from rftj_cli.files.samples import SampleFile
from rftj_cli.files.store import Store
from rftj_cli.files.store_rows import OutcomeRow, ReplyRow, Rewards, Row, SampleRow
from rftj_cli.files.typed import score_command
from rftj_cli.kernel.asks import Ask, names_used
from rftj_cli.kernel.evaluate import Task, finish, prepare
from rftj_cli.kernel.outcome import CallError, Failure, Reply, Stage
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.kernel.votes import needed
from rftj_cli.running.account import Silent, Tally
from rftj_cli.running.changes import rubric_changes
from rftj_cli.running.flips import Flip, compare
from rftj_cli.running.manifests import begun, ended

SCHEMA: Final = "rftj.rescore/1"
BATCH: Final = 500  # rows in one commit
KEPT: Final = 50  # changed samples in the report
Answered = list[tuple[Ask, Reply | CallError]]


@dataclass(frozen=True, slots=True)
class Change:
    """A sample whose verdict, failure or reward is another one now."""

    sample: str
    flips: tuple[Flip, ...]
    reward_before: float | None
    reward_after: float | None
    before_failure: Stage | None
    after_failure: Stage | None

    @property
    def rank(self) -> tuple[bool, bool, float, str]:
        """The worst first: verdicts lost, rewards lost or found, then by the distance of the rewards."""
        lost = self.after_failure is not None and self.before_failure is None
        before, after = self.reward_before, self.reward_after
        one_sided = (before is None) != (after is None)
        far = 0.0 if before is None or after is None else abs(after - before)
        return not lost, not one_sided, -far, self.sample


@dataclass(slots=True)
class Changes:
    """What differs between the old run and the new, counted; `worst` are the first of the changed samples."""

    samples: int = 0
    verdicts: int = 0
    flipped: int = 0
    moved: int = 0
    rewards: int = 0
    mended: int = 0
    broken: int = 0
    restaged: int = 0
    skipped: list[int] = field(default_factory=lambda: [0, 0])  # before and after
    votes_lost: list[int] = field(default_factory=lambda: [0, 0])  # before and after
    worst: list[Change] = field(default_factory=list)

    def add(self, sample: str, old: OutcomeRow, new: OutcomeRow) -> None:
        """Count one sample."""
        both = compare(sample, old.outcome, new.outcome)
        stages = [one.outcome.stage if isinstance(one.outcome, Failure) else None for one in (old, new)]
        self.verdicts += both.units
        self.flipped += sum(flip.before is not None and flip.after is not None for flip in both.flips)
        self.moved += both.moved
        self.rewards += old.reward.value != new.reward.value
        failed = [stage not in (None, "skipped") for stage in stages]
        self.mended += failed[0] and not failed[1]
        self.broken += failed[1] and not failed[0]
        for index, one in enumerate((old, new)):
            self.votes_lost[index] += 0 if isinstance(one.outcome, Failure) else one.outcome.votes_lost
            self.skipped[index] += stages[index] == "skipped"
        self.restaged += all(failed) and stages[0] != stages[1]
        if both.flips or old.reward.value != new.reward.value or both.moved:
            self.samples += 1
            self.worst.append(Change(sample, both.flips, old.reward.value, new.reward.value, stages[0], stages[1]))
        if len(self.worst) > 20 * KEPT:
            self.trim()

    def trim(self) -> None:
        """Keep the worst."""
        self.worst = sorted(self.worst, key=lambda one: one.rank)[:KEPT]


@dataclass(frozen=True, slots=True)
class Rescored:
    """The new run, what became of its samples, and what differs in the rubric."""

    run: Run
    of: Run
    rubric_changes: tuple[str, ...]
    changes: Changes
    before: Rewards
    after: Rewards
    seconds: float


def rescore(run: Run, rubric: Rubric, rubric_path: Path, folder: Path | None) -> Rescored:
    """Judge a run's samples again by its own replies, into a new run. Raises `InputError` where a reply is missing."""
    if rubric.kind != run.rubric.kind:
        raise InputError("this rubric is of another kind than the run", file=rubric_path, key="kind", found=rubric.kind,
                         expected=run.rubric.kind)  # fmt: skip
    began, target = time.monotonic(), _target(run, rubric, folder)
    old = run.store()
    try:
        known = _known(run, rubric, rubric_path, old)
        make_private(target)
        with Lock(target):
            if is_foreign(target):
                raise InputError("another command has made a run here meanwhile", file=target, hint="try again")
            try:
                changes, after = _write(run, rubric, rubric_path, target, old, known, began)
            except BaseException:
                _discard(target)
                raise
        before = old.rewards()
    finally:
        old.close()
    return Rescored(
        open_run(str(target)), run, rubric_changes(run.rubric, rubric), changes, before, after, time.monotonic() - began
    )  # fmt: skip


def _target(run: Run, rubric: Rubric, folder: Path | None) -> Path:
    """Where the new run goes: a place that holds nothing yet."""
    inside = run.folder.resolve()
    if folder is not None:
        if is_foreign(folder) or folder.resolve().is_relative_to(inside):
            raise InputError("there is something already, or it lies in the run itself", file=folder, key="--run",
                             hint="rescore writes a new run and changes none: name another folder")  # fmt: skip
        return folder
    beside = run.folder if run.folder.name not in ("", "..") else run.folder.resolve()
    names = (f"{beside.name}-rescored{'' if number == 1 else f'-{number}'}" for number in count(1))
    first = default_folder(rubric)
    if (
        rubric.reward_fingerprint != run.manifest.reward_fingerprint
    ):  # the plain name stays free for the run's own rubric
        first = first.with_name(f"{first.name}-{rubric.reward_fingerprint[:8]}")
    places = chain([first], (beside.with_name(name) for name in names))
    return next(one for one in places if not (is_foreign(one) or one.resolve().is_relative_to(inside)))


class _Answers:
    """What a run holds for the asks of a rubric."""

    def __init__(self, run: Run, store: Store) -> None:
        self._rubric, self._store, self._names = run.rubric, store, names_used(run.rubric)

    def of(self, row: SampleRow, task: Task) -> Answered | None:
        """Every ask with its answer; None where one is missing that a verdict needs."""
        answers = [self._store.answer(task.sample.id, ask.request.key) for ask in task.asks]
        if None in answers and row.fingerprint != row.sample.fingerprint(self._names):
            answers = self._by_place(task, answers)
        if None in answers and not self._saved(task, answers):
            return None
        return [(ask, answer) for ask, answer in zip(task.asks, answers, strict=True) if answer is not None]

    def _by_place(self, task: Task, answers: list[Reply | CallError | None]) -> list[Reply | CallError | None]:
        """For a sample that the store could not keep to the letter (dates of a Parquet file): where the run's
        own rubric, on what is kept, asks the same, the answer is the one that the run has at that place."""
        own = {ask.request.key for ask in prepare(self._rubric, task.sample).asks}
        return [
            self._store.answer_at(
                task.sample.id, ask.item, ask.order, ask.vote, ",".join(criterion.id for criterion in ask.criteria)
            )
            if answer is None and ask.request.key in own
            else answer
            for ask, answer in zip(task.asks, answers, strict=True)
        ]

    def _saved(self, task: Task, answers: list[Reply | CallError | None]) -> bool:
        """Whether what is missing are votes that the run left out because the majority stood (`--adaptive-votes`)."""
        judge = task.rubric.judge
        open_ = [ask for ask, answer in zip(task.asks, answers, strict=True) if answer is None]
        asked = all(ask.vote < self._rubric.judge.votes for ask in open_)
        majority = task.rubric.kind == "rubric" and judge.vote == "majority"
        return asked and majority and not needed(task, answers)


def _known(run: Run, rubric: Rubric, path: Path, store: Store) -> set[str]:
    """The ids of the judged samples, all of whose answers are there."""
    answers, known, missing = _Answers(run, store), set(), []
    for row, _ in store.outcomes():
        try:
            task = prepare(rubric, row.sample)
        except InputError as error:
            raise InputError(
                f"sample {row.sample.id}: {error.problem}", file=error.file or path, key=error.key,
                found=None if error.found is None else Shown(error.found), expected=error.expected, hint=error.hint,
            ) from None  # fmt: skip
        known.add(row.sample.id)
        if answers.of(row, task) is None:
            missing.append(row.sample.id)
    if not known:
        raise InputError("this run has judged nothing yet", file=run.folder, hint="`rftj score` goes on with it")
    if missing:
        raise _missing(run, rubric, path, missing)
    return known


def _missing(run: Run, rubric: Rubric, path: Path, samples: list[str]) -> InputError:
    others = f" and {len(samples) - 1:,} others" if len(samples) > 1 else ""
    changed = (
        listed(rubric_changes(run.rubric, rubric))
        or f"nothing, but the run was judged by rftj {run.manifest.rftj_version}"
    )
    return InputError(
        f"the run has no reply to what this rubric asks about sample {samples[0]}{others}; changed: {changed}",
        file=run.folder, key="id", found=samples[0],
        hint="another prompt, model, scale or more votes need the judge, who is asked by "
        f"`{score_command(replace(run.manifest, rubric_path=str(path)))}`; replies to unchanged requests are reused",
    )  # fmt: skip


def _write(
    run: Run, rubric: Rubric, path: Path, target: Path, old: Store, known: set[str], began: float
) -> tuple[Changes, Rewards]:
    """Write the new run; what changed, and its rewards."""
    then = run.manifest
    samples = SampleFile(Path(then.samples_path), rubric.kind, then.columns)
    source = f"rescore of {run.folder}"
    manifest = replace(
        begun(rubric, path, samples, source, target, None),
        learned=then.learned, selections=then.selections,
    )  # fmt: skip
    write_manifest(target, manifest)
    new, changes, tally = Store(target / "store.sqlite", write=True), Changes(), Tally(len(known), Silent())
    try:
        batch: list[Row] = []
        for row in _rows(run, rubric, old, known, changes):
            batch.append(row)
            tally.acknowledge(row)
            if len(batch) >= BATCH:
                new.write(batch)
                batch = []
        new.write(batch)
        took, of = time.monotonic() - began, then.counts.get("samples", 0)
        write_manifest(target, ended(manifest, new, of, tally, took, {}, source))
        changes.trim()
        return changes, new.rewards()
    finally:
        new.close()
        seal(target)


def _rows(run: Run, rubric: Rubric, old: Store, known: set[str], changes: Changes) -> Iterator[Row]:
    answers, names = _Answers(run, old), names_used(rubric)
    same = names == names_used(run.rubric)
    for row, before in old.outcomes():
        sample = row.sample
        task = prepare(rubric, sample)
        answered = answers.of(row, task) if sample.id in known else None
        if answered is None:
            continue  # judged since the first pass, by another command
        yield row if same else replace(row, fingerprint=sample.fingerprint(names))
        for ask, answer in answered:
            criteria = ",".join(criterion.id for criterion in ask.criteria)
            yield ReplyRow(ask.request.key, sample.id, ask.item, ask.order, ask.vote, criteria, answer, 0.0, True)
        judged = finish(task, answered)
        after = OutcomeRow(sample.id, judged.outcome, judged.reward, judged.checks)
        changes.add(sample.id, before, after)
        yield after


def _discard(target: Path) -> None:
    """Take back what was begun, so that no half run is left."""
    for name in ("run.json", "store.sqlite", "store.sqlite-wal", "store.sqlite-shm", ".gitignore", "lock"):
        (target / name).unlink(missing_ok=True)
    if not any(target.iterdir()):
        target.rmdir()
