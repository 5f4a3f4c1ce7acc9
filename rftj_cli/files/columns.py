"""A few columns of a large table as codes: each distinct value once, and its code in every row.

CSV goes through Arrow in batches, so that a million rows cost seconds and no more memory than their codes.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rftj_cli.errors import InputError, listed, nearest
from rftj_cli.files.rows import Table
from rftj_cli.files.text import existing

WHAT = "table"
BATCH = 1 << 20  # bytes; Arrow reads 32 of them ahead
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
    builders = {name: _Builder(name) for name in dict.fromkeys(names)}
    read = _csv if path.suffix.lower() in (".csv", ".tsv") else _rows
    for batch in read(path, list(builders)):
        for name, (values, codes) in batch.items():
            builders[name].add(values, codes)
    return {name: builder.column() for name, builder in builders.items()}


Batch = dict[str, tuple[list[object], Codes]]


def _csv(path: Path, names: list[str]) -> Iterator[Batch]:
    import pyarrow
    import pyarrow.csv

    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    _check(path, _header(path, delimiter), names)
    try:
        reader = pyarrow.csv.open_csv(
            path,
            read_options=pyarrow.csv.ReadOptions(block_size=BATCH, use_threads=False),
            parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=names,
                column_types={name: pyarrow.string() for name in names},
                strings_can_be_null=False,
            ),
        )
        for batch in reader:
            encoded = (batch.column(index).dictionary_encode() for index in range(len(names)))
            yield {
                name: (one.dictionary.to_pylist(), one.indices.to_numpy(zero_copy_only=False).astype(np.int32))
                for name, one in zip(names, encoded, strict=True)
            }
    except (pyarrow.ArrowException, UnicodeDecodeError) as error:
        for _ in Table(path, WHAT):  # the row-by-row reader finds the same fault, and its row
            pass
        raise InputError(f"broken CSV: {error}", file=path) from None


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
    waiting: dict[str, list[str]] = {name: [] for name in names}
    seen: dict[str, None] = {}
    for _, row in Table(path, WHAT):
        seen.update(dict.fromkeys(row))
        for name in names:
            waiting[name].append(_text(row.get(name)))
    _check(path, list(seen), names)
    batch: Batch = {}
    for name, texts in waiting.items():
        known: dict[str, int] = {}
        codes = np.fromiter((known.setdefault(text, len(known)) for text in texts), np.int32, len(texts))
        batch[name] = (list(known), codes)
    yield batch


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).strip()
