"""`--map` and `--map-labels`: which columns of a user's file stand for rftj's own. Each option is about one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from rftj_cli.errors import InputError
from rftj_cli.files.rows import Table

SAMPLES, LABELS = "--map", "--map-labels"
LOOKED_AT = 1_000  # rows whose columns are compared with a name that the other file lacks


@dataclass(frozen=True, slots=True)
class Maps:
    """Columns by rftj's name for them, of the samples file and of the labels file."""

    samples: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


def read_maps(map_: Sequence[str], map_labels: Sequence[str], labels: str | None, samples: Path | None) -> Maps:
    """Both options of a command that reads `labels` (None: those in the samples) and `samples` (None: those of a run).

    Raises `InputError` for columns that only the other file has, and for an option whose file is not read.
    """
    maps = Maps(read_map(map_, SAMPLES), read_map(map_labels, LABELS))
    if labels is None:
        if maps.labels:
            raise InputError(f"{LABELS} describes a labels file", expected=f"--labels FILE {LABELS} NAME=COLUMN")
        return maps
    if samples is None and maps.samples:
        raise _swapped(SAMPLES, "the samples, and the labels are in a file of their own", maps.samples, LABELS, labels)
    if samples is not None:
        _refuse_swapped(maps, samples, Path(labels))
    return maps


def _refuse_swapped(maps: Maps, samples: Path, labels: Path) -> None:
    for option, columns, other in ((SAMPLES, maps.samples, LABELS), (LABELS, maps.labels, SAMPLES)):
        if not columns:
            continue
        own, others = _columns(samples, "samples file"), _columns(labels, "labels file")
        if option == LABELS:
            own, others = others, own
        strays = {name: column for name, column in columns.items() if column in others - own}
        if strays:
            of, file = ("the samples", labels) if option == SAMPLES else ("the labels file", samples)
            raise _swapped(option, f"{of}, and only this file has them", strays, other, file)


def _swapped(option: str, of: str, columns: Mapping[str, str], other: str, file: object) -> InputError:
    pairs = ",".join(f"{name}={column}" for name, column in columns.items())
    return InputError(f"{option} names columns of {of}", file=file, found=pairs, expected=f"{other} {pairs}")


def _columns(path: Path, what: str) -> set[str]:
    return {name for _, row in islice(Table(path, what), LOOKED_AT) for name in row}


def read_map(pairs: Sequence[str], option: str = SAMPLES) -> dict[str, str]:
    """`--map response=answer,label=score` as {wanted: column}."""
    columns: dict[str, str] = {}
    for pair in (part for text in pairs for part in text.split(",") if part):
        wanted, equals, found = pair.partition("=")
        if not (equals and wanted and found):
            raise InputError(f"bad {option}", found=pair, expected="name=column, for example response=answer")
        columns[wanted.strip()] = found.strip()
    return columns
