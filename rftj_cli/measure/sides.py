"""The sides of a comparison: a run, a rubric file or a rubric in a git revision, each to a run that holds its verdicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rftj_cli.errors import InputError, nearest
from rftj_cli.files.maps import Maps, read_maps
from rftj_cli.files.prices import price_of
from rftj_cli.files.revisions import is_revision, load_revision
from rftj_cli.files.rubrics import load_rubric
from rftj_cli.files.runs import Run, default_folder, open_run
from rftj_cli.files.samples import SampleFile
from rftj_cli.kernel.asks import names_used
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.measure.cautions import refuse_shown
from rftj_cli.measure.compare import CompareQuestion
from rftj_cli.measure.labelled import validated_labels
from rftj_cli.measure.matching import ALL
from rftj_cli.running.account import Progress, Silent
from rftj_cli.running.calling import FIRST_TIMEOUT
from rftj_cli.running.live import Endpoint, default_workers
from rftj_cli.running.preflight import Forecast, place
from rftj_cli.running.score import Settings
from rftj_cli.running.score import score as run_score

TABLES = (".jsonl", ".csv", ".parquet", ".json")


@dataclass(frozen=True, slots=True)
class Side:
    """One side as the user named it. `run` is None while its verdicts are not there yet."""

    name: str
    rubric: Rubric
    run: Run | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """What stands on the command line: two sides or more, and the samples, if they are named."""

    sides: tuple[Side, ...]
    samples: Path | None

    def maps(self, map_: Sequence[str], map_labels: Sequence[str], labels: str | None) -> Maps:
        """Columns by other names. The samples file is read where a side waits for its verdicts."""
        waiting = any(side.run is None for side in self.sides)
        known = next((Path(side.run.manifest.samples_path) for side in self.sides if side.run is not None), None)
        return read_maps(map_, map_labels, labels, (self.samples or known) if waiting else None)


def opened(names: Sequence[str], overrides: tuple[str, ...] = (), baseline: str | None = None) -> Given:
    """The sides that `names` mean, and the samples where the last name is a table. `overrides` apply to rubrics, not to runs;
    the side named `baseline` comes first.

    Raises `InputError` for fewer than two sides, for rubrics of two kinds, and for what no file, run or revision is.
    """
    *sides, last = names or ("",)
    samples = Path(last) if Path(last).suffix in TABLES and not is_revision(last) else None
    if samples is None and last:
        sides.append(last)
    if len(sides) < 2:
        raise InputError(
            "two sides are compared", found=list(names),
            expected="A B [SAMPLES]: rubric files, run folders, or rubrics in git such as HEAD~1:prompts/judge.yaml",
        )  # fmt: skip
    found = tuple(_side(name, overrides) for name in sides)
    kinds = {side.rubric.kind for side in found}
    if len(kinds) > 1:
        raise InputError("a rubric and a preference rubric cannot be compared", found=sorted(kinds))
    return Given(found if baseline is None else _led_by(baseline, found), samples)


def _led_by(name: str, sides: tuple[Side, ...]) -> tuple[Side, ...]:
    first = next((side for side in sides if side.name == name), None)
    if first is None:
        names = [side.name for side in sides]
        raise InputError(
            "the baseline is none of the sides", key="--baseline", found=name, expected="one of " + ", ".join(names),
            hint=nearest(name, names),
        )  # fmt: skip
    return (first, *(side for side in sides if side is not first))


def _side(name: str, overrides: tuple[str, ...]) -> Side:
    if name == "@last" or Path(name).is_dir() or Path(name).name == "run.json":
        run = open_run(name)
        return Side(name, run.rubric, run)
    if is_revision(name):
        return Side(name, load_revision(name, overrides))
    return Side(name, load_rubric(Path(name), overrides))


@dataclass(frozen=True, slots=True)
class Judging:
    """How sides without verdicts are judged. `max_cost` is for all sides together."""

    workers: int | None = None
    base_url: str | None = None
    region: str | None = None
    prices: Path | None = None
    max_cost: float | None = None
    progress: Callable[[Forecast, Path], Progress] = field(default=lambda forecast, folder: Silent())

    def settings(self, rubric: Rubric, max_cost: float | None) -> Settings:
        """For one rubric, with what may still be spent."""
        at_once = self.workers or default_workers(rubric.judge)
        endpoint = Endpoint(rubric.judge, at_once, self.base_url, self.region, FIRST_TIMEOUT)
        return Settings(
            make_judge=endpoint.connect, source=endpoint.name, folder=default_folder(rubric), workers=at_once,
            price=price_of(rubric.judge.model, self.prices, rubric.judge.tier), max_cost=max_cost, progress=self.progress,
        )  # fmt: skip


def judged(given: Given, how: Judging, question: CompareQuestion) -> list[tuple[str, Run]]:
    """A run for every side, with its name. Sides that are no run are judged where they are not yet, on the wanted split.

    The samples are those that were named, else those of the first run; their splits are those of the first side.
    Raises `InputError` before a call is made where a label fits nothing or a prompt shows a sample of the split.
    """
    waiting = [side for side in given.sides if side.run is None]
    samples = _wanted(given, waiting, question) if waiting else None
    found, left = [], how.max_cost
    for side in given.sides:
        run = side.run
        if run is None:
            assert samples is not None
            scored = run_score(side.rubric, Path(side.name), samples, how.settings(side.rubric, left))
            left = None if left is None else max(0.0, left - scored.tally.cost)
            run = scored.run
        found.append((side.name, run))
    return found


def _wanted(given: Given, waiting: Sequence[Side], question: CompareQuestion) -> SampleFile:
    """The samples to judge, checked against the labels and the prompts of the sides that wait for verdicts."""
    samples = _samples(given, question.columns)
    every = frozenset(criterion.id for side in given.sides for criterion in side.rubric.criteria)
    for side in waiting:
        validated_labels(
            side.rubric, samples, question.labels, wide=question.wide, columns=question.label_columns,
            rule=question.truth, ignore_unknown=question.ignore_unknown, elsewhere=every,
        )  # fmt: skip
    if question.split != ALL:
        samples = replace(samples, only=frozenset(_of_split(given.sides[0].rubric, samples, question.split)))
    for side in waiting:
        refuse_shown(side.rubric, side.name, (sample for _, sample in samples), question.split)
    return samples


def _of_split(rubric: Rubric, samples: SampleFile, split: str) -> list[str]:
    """The ids of a split. Raises `InputError` where it has none."""
    names = names_used(rubric)
    splits = {sample.id: place(sample, names)[2] for _, sample in samples}
    found = [id for id, one in splits.items() if one == split]
    if not found:
        raise InputError(
            f"no sample is in the split {split}", file=samples.path, key="--split", found=split,
            expected=f"a split that has samples ({', '.join(sorted(set(splits.values())))}), or all",
        )  # fmt: skip
    return found


def _samples(given: Given, columns: Mapping[str, str]) -> SampleFile:
    kind = given.sides[0].rubric.kind
    if given.samples is not None:
        return SampleFile(given.samples, kind, columns)
    known = next((side.run.manifest for side in given.sides if side.run is not None), None)
    if known is None:
        raise InputError("which samples? None of the sides is a run", expected="A B SAMPLES")
    return SampleFile(Path(known.samples_path), kind, {**known.columns, **columns})
