"""What stands on the command line of an audit, to runs: those that exist, and those that are judged first.

RUN                  the run; RUN-references beside it where there is one; --references, --rollouts: run folders
RUBRIC SAMPLES       judged into the run, the references into RUN-references, a file of rollouts into RUN-rollouts
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rftj_cli.errors import InputError
from rftj_cli.files.maps import read_maps
from rftj_cli.files.runs import Run, default_folder, open_run, read_manifest
from rftj_cli.files.samples import SampleFile
from rftj_cli.files.typed import score_command
from rftj_cli.kernel.evaluate import prepare
from rftj_cli.kernel.reward import refuse_without_reward
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.measure.labelled import validated_labels
from rftj_cli.measure.sources import Source
from rftj_cli.reward.audit_answers import alike
from rftj_cli.reward.audit_references import any_reference, as_responses
from rftj_cli.running.changes import rubric_changes
from rftj_cli.running.order import Order
from rftj_cli.running.recordings import Recordings, chosen, close_borrowed, nearest_first
from rftj_cli.running.selection import Part

REFERENCES, ROLLOUTS = "-references", "-rollouts"
HOW = "audit RUBRIC SAMPLES judges the references of the samples beside their answers; or --references RUN"


@dataclass(frozen=True, slots=True)
class Asked:
    """How to judge (`order`; its rubric is filled in), where replies are taken from, and the runs that are named."""

    order: Order
    replay: Path | None = None
    imported: Path | None = None
    references: str | None = None
    rollouts: str | None = None

    @property
    def judging(self) -> list[str]:
        """The options given that only make sense where something is judged."""
        order = self.order
        given = {
            "--model or --set": order.overrides, "--run": order.folder, "--replay": self.replay,
            "--import-replies": self.imported, "--workers": order.workers, "--region": order.region,
            "--max-cost": order.max_cost,
        }  # fmt: skip
        return [name for name, value in given.items() if value not in (None, ())]


@dataclass(frozen=True, slots=True)
class Opened:
    """The runs of an audit. `reference_ids`, `rollout_ids`: which of their samples count (None: all).

    no_references: what would measure the references, where samples carry some and they are not judged
    """

    run: Run
    references: Run | None = None
    reference_ids: Collection[str] | None = None
    rollouts: Run | None = None
    rollout_ids: Collection[str] | None = None
    no_references: str | None = None
    named_references: bool = False


def opened(names: Sequence[str], asked: Asked, source: Source) -> Opened:
    """The runs that are audited; in the form RUBRIC SAMPLES they are judged, or continued, first."""
    if len(names) == 2:
        return _judged(Path(names[0]), Path(names[1]), asked, source)
    if len(names) != 1 or Path(names[0]).suffix in (".yaml", ".yml"):
        raise InputError("what is to be audited?", found=" ".join(names), expected="RUN, or RUBRIC SAMPLES")
    if asked.judging:
        raise InputError(
            f"{asked.judging[0]} is about judging, and a run is judged already",
            expected="audit RUBRIC SAMPLES, or RUN alone",
        )
    return _existing(open_run(names[0]), asked)


def _existing(run: Run, asked: Asked) -> Opened:
    if asked.rollouts is not None and Path(asked.rollouts).is_file() and Path(asked.rollouts).name != "run.json":
        raise InputError(
            "--rollouts: a file of answers is judged by `audit RUBRIC SAMPLES`", file=asked.rollouts,
            expected="a run folder of the rollouts",
            hint=f"`{score_command(run.manifest, samples=asked.rollouts)} --run DIR`, then --rollouts DIR",
        )  # fmt: skip
    found = Opened(run, rollouts=None if asked.rollouts is None else alike(run, asked.rollouts, "--rollouts"))
    if asked.references is not None:
        return replace(found, references=alike(run, asked.references, "--references"), named_references=True)
    beside = _beside(run.folder, REFERENCES)
    if read_manifest(beside) is None:
        return replace(found, no_references=HOW if any_reference(run) else None)
    other = open_run(str(beside))
    if rubric_changes(run.rubric, other.rubric):
        return replace(found, no_references=f"{beside} was judged by another rubric: {HOW}")
    return replace(found, references=other)


def _beside(folder: Path, ending: str) -> Path:
    """`runs/x-references` of `runs/x`; also where the folder is given as `.`."""
    whole = folder if folder.name.strip(".") else folder.resolve()
    return whole.with_name(whole.name + ending)


def _judged(path: Path, table: Path, asked: Asked, source: Source) -> Opened:
    """Judge the samples, then their references, then the rollouts; `--max-cost` is for all together."""
    order = replace(asked.order, rubric=path)
    rubric = order.load()
    refuse_without_reward(rubric, path)
    maps = read_maps(source.map, source.map_labels, source.labels, table)
    columns = maps.samples
    samples = SampleFile(table, rubric.kind, columns)
    if source.truth_rubric is None:  # before a call is paid for
        validated_labels(
            rubric, samples, source.labels, wide=source.wide, columns=maps.labels,
            rule=source.truth, ignore_unknown=source.ignore_unknown,
        )  # fmt: skip
    folder = order.folder or default_folder(rubric)
    judging = _Judging(order, rubric, asked, order.max_cost)
    rollouts = _rollouts(asked, rubric, columns)  # read before anything is judged
    run = judging.into(folder, samples, internal=False)
    found = judging.references(Opened(run), folder, samples)
    if asked.rollouts is not None and rollouts is None:
        found = replace(found, rollouts=alike(run, asked.rollouts, "--rollouts"))
    elif rollouts is not None:
        ids = frozenset(sample.id for _, sample in rollouts)
        found = replace(found, rollouts=judging.into(_beside(folder, ROLLOUTS), rollouts), rollout_ids=ids)
    return found


def _rollouts(asked: Asked, rubric: Rubric, columns: Mapping[str, str]) -> SampleFile | None:
    """The file of rollouts, read once; None where it is a run, or not asked for."""
    if asked.rollouts is None or asked.rollouts == "@last" or Path(asked.rollouts).is_dir():
        return None
    used = {name: column for name, column in columns.items() if name not in ("label", "labels")}
    file = SampleFile(Path(asked.rollouts), rubric.kind, used)
    for _ in file:
        pass
    return file


@dataclass(slots=True)
class _Judging:
    """Judges one file after another; what one spends, the next no longer has."""

    order: Order
    rubric: Rubric
    asked: Asked
    left: float | None

    def into(self, folder: Path, samples: SampleFile, *, internal: bool = True) -> Run:
        """Judge these samples into a run folder, or go on with it."""
        order = replace(
            self.order, folder=folder, replay=chosen(self.asked.replay, self.asked.imported), max_cost=self.left
        )
        settings = replace(order.settings(self.rubric), internal=internal)
        scored = order.judge(self.rubric, Part(samples, None), settings)
        self.left = None if self.left is None else max(0.0, self.left - scored.tally.cost)
        return scored.run

    def references(self, found: Opened, folder: Path, samples: SampleFile) -> Opened:
        """The references of the samples, judged; or why they are not."""
        if self.asked.references is not None:
            return replace(
                found, references=alike(found.run, self.asked.references, "--references"), named_references=True
            )
        held, beside = as_responses(self.rubric, samples), _beside(folder, REFERENCES)
        if not held.rows:
            return found
        missing = self._missing(beside, held)
        if missing is not None:
            return replace(found, no_references=f"the recorded replies lack {missing}: record it, or --references RUN")
        ids = frozenset(sample.id for _, sample in held)
        return replace(found, references=self.into(beside, held), reference_ids=ids)

    def _missing(self, folder: Path, samples: SampleFile) -> str | None:
        """The first reference that recorded replies cannot answer; None where the judge can be asked, or all are there."""
        recorded = chosen(self.asked.replay, self.asked.imported)
        if recorded is None:
            return None
        found: list[Recordings] = nearest_first(folder, None, recorded, None, recorded.name)
        for _, sample in samples:
            task = prepare(self.rubric, sample)
            for ask in task.asks:
                if all(one.find(sample.id, ask) is None for one in found):
                    return sample.id
        close_borrowed(found)
        return None
