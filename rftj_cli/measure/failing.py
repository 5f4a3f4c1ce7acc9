"""Samples on which a run's verdict is not what the labels say, and the door to every choice of samples."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rftj_cli.errors import InputError
from rftj_cli.files.runs import Run
from rftj_cli.files.samples import Placed, SampleFile, read_labels
from rftj_cli.files.store_rows import SampleRow
from rftj_cli.files.typed import typed
from rftj_cli.kernel.asks import names_used, rubric_for
from rftj_cli.kernel.outcome import Verdict
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.measure.truth import Known, Truths, settle
from rftj_cli.running.selection import Choice, Part, by_outcome, opened, select


@dataclass(frozen=True, slots=True)
class Given:
    """Where labels are and how they are read, as the command line says: a file, else the samples themselves."""

    file: str | None = None
    wide: bool = False
    truth: str | None = None
    ignore_unknown: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)  # of the labels file, by rftj's names

    @property
    def options(self) -> str:
        """These options as they would be typed again."""
        how = {"map_labels": self.columns, "truth": self.truth, "ignore_unknown": self.ignore_unknown}
        return typed(labels=self.file, wide=self.wide, **how)

    def refuse_unused(self, only: str | None) -> None:
        """Raise `InputError` for an option of labels that nothing would read."""
        if only == "failing":
            return
        for name in ("file", "wide", "truth", "ignore_unknown"):
            if getattr(self, name):
                option = "labels" if name == "file" else name.replace("_", "-")
                raise InputError(
                    f"--{option} belongs to --only failing and to --watch",
                    hint="a run holds no labels: `rftj calibrate`",
                )


def part_of(rubric: Rubric, samples: SampleFile, choice: Choice, given: Given) -> Part:
    """The samples that the command line asks for."""
    runs = opened(choice)
    if given.wide and given.file is None:
        raise InputError("--wide describes a labels file", expected="--labels FILE --wide")
    if choice.only is None:
        return select(samples, rubric, choice, (), None)
    ids = failing(runs[0], samples, given) if choice.only == "failing" else by_outcome(choice, runs)
    return select(samples, rubric, choice, runs, ids)


def failing(run: Run, samples: SampleFile, given: Given) -> frozenset[str]:
    """The samples that have a verdict and a truth that differ, for at least one criterion or item."""
    truths = truths_now(run, samples, given)
    if not truths.of:
        raise InputError(
            "no label is of a sample that this run judged", file=given.file or samples.path,
            hint="do the ids of labels and samples agree?" if given.file else "give labels with --labels FILE",
        )  # fmt: skip
    store = run.store()
    found = [
        row.sample.id
        for row, one in store.outcomes()
        if isinstance(one.outcome, Verdict)
        and _differs(rubric_for(run.rubric, row.sample), row.sample.id, one.outcome, truths)
    ]
    store.close()
    return frozenset(found)


def _differs(rubric: Rubric, sample: str, verdict: Verdict, truths: Truths) -> bool:
    for rating in verdict.ratings:
        truth, criterion = truths.of.get((sample, rating.item, rating.criterion)), rubric.criterion(rating.criterion)
        if truth is None or truth.level is None or criterion is None:
            continue
        if criterion.scale.names[truth.level] != rating.level:
            return True
    return False


def truths_now(run: Run, samples: SampleFile, given: Given) -> Truths:
    """The truth of every labelled sample of a run, from the labels as they are now. No labels at all are no error."""
    placed, ids = labels_now(samples, given, names_used(run.rubric))
    store = run.store()
    rows = [row for row, _ in store.outcomes()]
    store.close()
    return truths_among(run.rubric, rows, placed, ids, given)


def labels_now(samples: SampleFile, given: Given, names: frozenset[str]) -> tuple[list[Placed], set[str]]:
    """The labels of the file that is given, else those in the samples, and the ids of all samples of their file."""
    ids, inline = set(), list[Placed]()
    for row, sample in replace(samples, only=None):
        ids.add(sample.id)
        sha = sample.fingerprint(names) if sample.labels else ""
        inline += [
            Placed(replace(one, sample_sha=one.sample_sha or sha), str(samples.path), row) for one in sample.labels
        ]
    return (
        inline if given.file is None else read_labels(Path(given.file), wide=given.wide, columns=given.columns).placed
    ), ids


def truths_among(
    rubric: Rubric, rows: Iterable[SampleRow], placed: Sequence[Placed], ids: Collection[str], given: Given
) -> Truths:
    """The truth of these judged samples. Labels of other samples of the file (`ids`) are passed over."""
    known = {row.sample.id: Known.of(rubric, row.sample, row.fingerprint) for row in rows}
    placed = [one for one in placed if one.label.id in known or one.label.id not in ids]
    rule = given.truth if any(one.label.id in known for one in placed) else None
    return settle(placed, known, ignore_unknown=given.ignore_unknown, rule=rule)
