"""Samples and labels from files, streamed and checked row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from rftj_cli.errors import InputError
from rftj_cli.files.escapes import restored
from rftj_cli.files.rows import DELIMITERS, Table
from rftj_cli.kernel.rubric import Kind
from rftj_cli.kernel.sample import CANNOT_TELL, Label, Sample, read_label, read_sample


@dataclass(frozen=True, slots=True)
class SampleFile:
    """A file of samples for one kind of rubric. Iterating gives (line number, sample) and refuses duplicate ids.

    `only` are the ids of a chosen part; the rows outside it are read and checked like all others, and passed over.
    """

    path: Path
    kind: Kind
    columns: Mapping[str, str] = field(default_factory=dict)
    only: frozenset[str] | None = None

    def __iter__(self) -> Iterator[tuple[int, Sample]]:
        seen: set[int] = set()  # hashes of ids: 64 bytes a sample, so a million fit in 64 MB
        for row, data in Table(self.path, "samples file", self.columns):
            try:
                sample = read_sample(data, self.kind)
                known = hash(sample.id)
                first = self._row_of(sample.id) if known in seen else row
                if first != row:
                    raise InputError(f"the same id as in row {first}", key="id", found=sample.id)
            except InputError as error:
                raise error.located(file=self.path, row=row) from None
            seen.add(known)
            if self.only is None or sample.id in self.only:
                yield row, sample

    def state(self) -> tuple[int, ...] | None:
        """What changes when the file is written again; None where it is not read any more, or not there."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _row_of(self, id: str) -> int:
        """The first row with an id that some row is known to have."""
        rows = Table(self.path, "samples file", self.columns)
        return next(row for row, data in rows if read_sample(data, self.kind).id == id)


@dataclass(frozen=True, slots=True)
class HeldSamples(SampleFile):
    """Samples of a file that are in memory, for whoever goes over them many times."""

    rows: tuple[tuple[int, Sample], ...] = ()

    def __iter__(self) -> Iterator[tuple[int, Sample]]:
        yield from self.rows

    def state(self) -> tuple[int, ...] | None:
        """None: the file may change."""
        return None


@dataclass(frozen=True, slots=True)
class Placed:
    """A label and where it stands, so that a later fault can name its row."""

    label: Label
    file: str
    row: int


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of a file. `blank` rows of a plan (they have a weight) wait for their value."""

    placed: list[Placed]
    blank: int = 0


def read_labels(path: Path, *, wide: bool = False, columns: Mapping[str, str] | None = None) -> Labels:
    """All labels of a file; with `wide`, every column but id, item and rater is a criterion.

    Rows that have a weight and no value are those of `rftj plan` that nobody filled in yet. The labelled rows of the same
    weight then stand for them too: their weight rises by the share that is missing (a nonresponse adjustment). Cells that
    rftj escaped when it wrote the sheet (`files/escapes.py`) are read as the texts that they stand for.
    """
    placed: list[Placed] = []
    waiting: list[tuple[str, float]] = []
    sheet = path.suffix.lower() in DELIMITERS
    for row, found in Table(path, "labels file", columns or {}, option="--map-labels"):
        data: dict[str, object] = {key: restored(value) for key, value in found.items()} if sheet else found
        try:
            if not wide and _is_blank(data):
                empty = read_label({**data, "value": CANNOT_TELL})
                waiting.append((empty.criterion or "", empty.weight))
                continue
            labels = _wide(data) if wide else [read_label(data)]
        except InputError as error:
            if not wide and error.problem == "unknown key":
                error.hint = error.hint or "one column a criterion? then add --wide"
            raise error.located(file=path, row=row) from None
        placed += [Placed(label, str(path), row) for label in labels]
    return Labels(_raised(placed, waiting) if waiting else placed, len(waiting))


def _is_blank(data: Mapping[str, object]) -> bool:
    value = data.get("value")
    return data.get("weight") not in (None, "") and (value is None or str(value).strip() == "")


def _raised(placed: list[Placed], waiting: list[tuple[str, float]]) -> list[Placed]:
    """The labels with the weight of the blank rows of their class added."""
    missing = Counter(waiting)
    units = {(one.label.id, one.label.item, one.label.criterion or "", one.label.weight) for one in placed}
    given = Counter((criterion, weight) for _, _, criterion, weight in units)
    return [
        replace(one, label=replace(one.label, weight=one.label.weight * (1 + missing[key] / given[key])))
        for one in placed
        for key in [(one.label.criterion or "", one.label.weight)]
    ]


def _wide(data: dict[str, object]) -> list[Label]:
    shared = {key: value for key, value in data.items() if key in ("id", "item", "rater", "source")}
    named = {key: value for key, value in data.items() if key not in shared and value is not None and value != ""}
    return [read_label({**shared, "criterion": key, "value": value}) for key, value in named.items()]


def inline_labels(samples: SampleFile) -> list[Placed]:
    """The labels that stand in the samples themselves."""
    return [Placed(label, str(samples.path), row) for row, sample in samples for label in sample.labels]
