"""A few columns of a large table as codes: each distinct value once, and its code in every row.

CSV goes through Arrow and JSON Lines through msgspec, in batches and these columns only, so that a million rows cost a
second and hardly more memory than their codes. What these cannot read the row-by-row reader reads, or it names the fault.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from rftj_cli.errors import InputError, listed, nearest
from rftj_cli.files.rows import Table, refuse_semicolons
from rftj_cli.files.text import existing

WHAT = "table"
BATCH = 1 << 20  # bytes; Arrow reads 32 of them ahead
ROWS = 1 << 14
Codes = np.ndarray[Any, np.dtype[np.int32]]


@dataclass(frozen=True, slots=True)
class Column:
    """`codes` (n,) index `values`; an empty cell has the code of the empty string."""

    name: str
    values: list[str]
    codes: Codes


class _Builder:
    def __init__(self, name: str) -> None:
        self.name = name
        self._known: dict[str, int] = {}
        self._parts: list[Codes] = []

    def add(self, values: Sequence[object], codes: Codes) -> None:
        """One batch: its distinct values, and codes into them."""
        into = [self._known.setdefault(_text(value), len(self._known)) for value in values]
        self._parts.append(np.array(into, dtype=np.int32)[codes] if into else codes)

    def column(self) -> Column:
        codes = np.concatenate(self._parts) if self._parts else np.zeros(0, np.int32)
        return Column(self.name, list(self._known), codes)


def read_columns(path: Path, names: Sequence[str]) -> dict[str, Column]:
    """The named columns. Raises `InputError` with file and row for what cannot be read, or a column that is not there."""
    existing(path, WHAT)
    suffix, wanted = path.suffix.lower(), list(dict.fromkeys(names))
    fast = {".csv": _csv, ".tsv": _csv, ".jsonl": _jsonl, ".ndjson": _jsonl}.get(suffix)
    try:
        return _gathered(wanted, (fast or _rows)(path, wanted))
    except _Unread:
        return _gathered(wanted, _rows(path, wanted))  # reads it after all, or finds the fault and its row


def row_of(path: Path, index: int) -> int:
    """The row of the file that holds the value at `index`, as an editor numbers them (cells of one line each)."""
    return index + (2 if path.suffix.lower() in (".csv", ".tsv") else 1)


Batch = dict[str, tuple[Sequence[object], Codes]]


class _Unread(Exception):
    """The fast reader of a format cannot read this file."""


def _gathered(names: list[str], batches: Iterator[Batch]) -> dict[str, Column]:
    builders = {name: _Builder(name) for name in names}
    for batch in batches:
        for name, (values, codes) in batch.items():
            builders[name].add(values, codes)
    return {name: builder.column() for name, builder in builders.items()}


def _csv(path: Path, names: list[str]) -> Iterator[Batch]:
    import pyarrow
    import pyarrow.csv

    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    header = _header(path, delimiter)
    refuse_semicolons(header, path)
    _check(path, [name.strip() for name in header], names)
    if not set(names) <= set(header) or _odd_quotes(path):
        raise _Unread
    coded = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
    try:
        reader = pyarrow.csv.open_csv(
            path,
            read_options=pyarrow.csv.ReadOptions(block_size=BATCH, use_threads=False),
            parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=names, column_types=dict.fromkeys(names, coded), strings_can_be_null=False
            ),
        )
        for batch in reader:
            yield {name: _encoded(batch.column(index)) for index, name in enumerate(names)}
    except (pyarrow.ArrowException, UnicodeDecodeError):
        raise _Unread from None


def _odd_quotes(path: Path) -> bool:
    """Whether a quote may be left open. Arrow would then take all that follows for one cell, and say nothing."""
    with path.open("rb") as file:
        return sum(part.count(b'"') for part in iter(lambda: file.read(BATCH), b"")) % 2 == 1


def _encoded(column: Any) -> tuple[Sequence[object], Codes]:
    codes: Any = np.from_dlpack(column.indices)  # not to_numpy: it would import pandas
    return column.dictionary.to_pylist(), codes


def _jsonl(path: Path, names: list[str]) -> Iterator[Batch]:
    """Decodes only the named keys, many lines at a time."""
    keys = {f"f{index}": name for index, name in enumerate(names)}
    row = msgspec.defstruct("Row", [(key, Any, msgspec.UNSET) for key in keys], rename=keys, gc=False)
    decoder = msgspec.json.Decoder(row)
    missing = set(names)
    with path.open("rb") as file:
        while lines := file.readlines(BATCH):
            try:
                rows = decoder.decode_lines(b"".join(lines))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                raise _Unread from None
            if len(rows) != sum(not line.isspace() for line in lines):
                raise _Unread  # an object over several lines, or several on one
            batch = {name: [getattr(one, key) for one in rows] for key, name in keys.items()}
            missing -= {name for name in missing if any(value is not msgspec.UNSET for value in batch[name])}
            yield {name: _coded(one if type(one) is str else _text(one) for one in of) for name, of in batch.items()}
    if missing:
        raise _Unread


def _header(path: Path, delimiter: str) -> list[str]:
    with path.open("r", encoding="utf-8-sig", errors="replace", newline="") as file:
        return next(csv.reader(file, delimiter=delimiter), [])


def _check(path: Path, known: Sequence[str], names: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            expected = "one of " + listed([*known])
            raise InputError("no such column", file=path, key=name, expected=expected, hint=nearest(name, known))
        if list(known).count(name) > 1:
            raise InputError("the same column twice", file=path, row=1, found=name)


def _rows(path: Path, names: list[str]) -> Iterator[Batch]:
    seen: dict[str, None] = {}
    rows = iter(Table(path, WHAT))
    while some := list(islice(rows, ROWS)):
        for number, row in some:
            seen.update(dict.fromkeys(row))
            _refuse_nested(row, names, path, number)
        yield {name: _coded(_text(row.get(name)) for _, row in some) for name in names}
    _check(path, list(seen), names)


def _refuse_nested(row: Mapping[str, object], names: Sequence[str], path: Path, number: int) -> None:
    for name in names:
        if isinstance(row.get(name), (dict, list)):
            raise InputError(
                "not one value", file=path, row=number, key=name, found=row[name], expected="text, a number, true or false"
            )  # fmt: skip


def _coded(texts: Iterable[str]) -> tuple[Sequence[object], Codes]:
    known: dict[str, int] = {}
    codes = np.fromiter((known.setdefault(text, len(known)) for text in texts), np.int32)
    return list(known), codes


def _text(value: object) -> str:
    if isinstance(value, str):
        return value.strip()
    if value is None or value is msgspec.UNSET:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (dict, list)):
        raise _Unread  # the row-by-row reader names the row
    return str(value)
