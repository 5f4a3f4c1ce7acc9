"""A few columns of a large table as codes: each distinct value once, and its code in every row.

CSV goes through Arrow and JSON Lines through msgspec, in batches and these columns only, so that a million rows cost a
second and hardly more memory than their codes. What these cannot read the row-by-row reader reads, or it names the fault.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from rftj_cli.errors import InputError, listed, nearest
from rftj_cli.files.ids import Ids
from rftj_cli.files.rows import DELIMITERS, Table, refuse_semicolons
from rftj_cli.files.text import existing

WHAT = "table"
MANY = 1_000  # distinct values in the first 2,000 rows: such a column may hold a number per row, which needs no text
BATCH = 1 << 19  # bytes; Arrow reads 32 of them ahead
ROWS = 1 << 14
Codes = np.ndarray[Any, np.dtype[np.int32]]
Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Column:
    """`codes` (n,) index `values`; an empty cell has the code of the empty string.

    `numbers` (n,), nan where a cell is empty, take the place of both where a column has very many numbers and nothing else.
    """

    name: str
    values: list[str]
    codes: Codes
    numbers: Floats | None = None

    def first(self, value: str) -> int:
        """The index of the first row that holds this value."""
        return int(np.flatnonzero(self.codes == self.values.index(value))[0])


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is read, and how."""

    path: Path
    names: list[str]
    ids: Ids
    delimiter: str
    numeric: frozenset[str]  # columns that may come as numbers without text


Coded = tuple[Sequence[str], Codes]
Batch = dict[str, "Coded | Floats"]


class _Builder:
    def __init__(self, name: str) -> None:
        self.name = name
        self._known: dict[str, int] = {}
        self._parts: list[Codes] = []
        self._numbers: list[Floats] = []

    def add(self, part: Coded | Floats) -> None:
        """One batch: its distinct values with codes into them, or its numbers."""
        if not isinstance(part, tuple):
            self._numbers.append(part)
            return
        values, codes = part
        into = [self._known.setdefault(value, len(self._known)) for value in values]
        self._parts.append(np.array(into, dtype=np.int32)[codes] if into else codes)

    def column(self) -> Column:
        numbers = np.concatenate(self._numbers) if self._numbers else None
        codes = np.concatenate(self._parts) if self._parts else np.zeros(0, np.int32)
        return Column(self.name, list(self._known), codes, numbers)


def read_columns(
    path: Path,
    names: Sequence[str],
    *,
    ids: Ids | None = None,
    delimiter: str | None = None,
    numeric: Collection[str] = (),
) -> dict[str, Column]:
    """The named columns; `ids` are filled. Raises `InputError` with file and row for what cannot be read or is not there.

    `delimiter` separates the columns of a CSV file (default: comma, tab in .tsv). `numeric` columns may come as `numbers`.
    """
    existing(path, WHAT)
    suffix = path.suffix.lower()
    if delimiter is not None and suffix not in DELIMITERS:
        raise InputError("--delimiter is for CSV files", file=path, expected="a file that ends in .csv or .tsv")
    separator = delimiter or DELIMITERS.get(suffix, "")
    asked = _Asked(path, list(dict.fromkeys(names)), ids or Ids(None), separator, frozenset(numeric))
    fast = {".csv": _csv, ".tsv": _csv, ".jsonl": _jsonl, ".ndjson": _jsonl}.get(suffix, _rows)
    try:
        return _gathered(asked, fast)
    except _NotNumbers:
        return read_columns(path, names, ids=ids, delimiter=delimiter)
    except _Unread:
        return _gathered(asked, _rows)  # reads it after all, or finds the fault and its row


def row_of(path: Path, index: int) -> int:
    """The row of the file that holds the value at `index`, as an editor numbers them (cells of one line each)."""
    return index + (2 if path.suffix.lower() in DELIMITERS else 1)


class _Unread(Exception):
    """The fast reader of a format cannot read this file."""


class _NotNumbers(Exception):
    """A column that began as numbers holds something else."""


def _gathered(asked: _Asked, reader: Callable[[_Asked], Iterator[Batch]]) -> dict[str, Column]:
    asked.ids.clear()
    builders = {name: _Builder(name) for name in asked.names}
    for batch in reader(asked):
        for name, part in batch.items():
            builders[name].add(part)
    return {name: builders.pop(name).column() for name in asked.names}


def _csv(asked: _Asked) -> Iterator[Batch]:
    path, names = asked.path, asked.names
    header = _header(path, asked.delimiter)
    refuse_semicolons(header, path, hint="--delimiter ';'")
    _check(path, [name.strip() for name in header], _wanted(asked))
    if not set(_wanted(asked)) <= set(header) or _odd_quotes(path):
        raise _Unread
    import pyarrow

    named = header.count(asked.ids.name) == 1
    floats = _many(asked, header) if asked.numeric else set()
    try:
        for batch in _arrow(asked, named, floats):
            yield {
                name: _floats(batch.column(at)) if name in floats else _encoded(batch.column(at))
                for at, name in enumerate(names)
            }
            if named:
                asked.ids.keep(batch.column(len(names)))
    except (pyarrow.ArrowException, UnicodeDecodeError):
        raise (_NotNumbers if floats else _Unread) from None


def _many(asked: _Asked, header: Sequence[str]) -> set[str]:
    """The columns that begin with very many different values, of those that may come as numbers."""
    with asked.path.open("r", encoding="utf-8-sig", errors="replace", newline="") as file:
        try:
            rows = list(islice(csv.reader(file, delimiter=asked.delimiter), 1, 1 + 2 * MANY))
        except csv.Error:
            return set()
    places = {name: header.index(name) for name in asked.numeric}
    return {name for name, at in places.items() if len({row[at] for row in rows if len(row) > at}) > MANY}


def _arrow(asked: _Asked, named: bool, floats: Collection[str]) -> Any:
    """Arrow's batches of the columns, and of the ids where they are `named`, last."""
    import pyarrow
    import pyarrow.csv

    coded, types = pyarrow.dictionary(pyarrow.int32(), pyarrow.string()), {}
    for name in asked.names:
        types[name] = pyarrow.float64() if name in floats else coded
    wanted = [*asked.names, *([asked.ids.name] if named else [])]
    return pyarrow.csv.open_csv(
        asked.path,
        read_options=pyarrow.csv.ReadOptions(block_size=BATCH, use_threads=False),
        parse_options=pyarrow.csv.ParseOptions(delimiter=asked.delimiter, newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            include_columns=wanted, column_types={asked.ids.name: pyarrow.string(), **types}, strings_can_be_null=False,
            null_values=[""],
        ),
        memory_pool=pyarrow.system_memory_pool(),  # which gives memory back
    )  # fmt: skip


def _floats(column: Any) -> Floats:
    """The numbers of an Arrow column, nan where a cell is empty. Raises `_NotNumbers` for a written nan or infinity."""
    valid, data = column.buffers()
    found = np.frombuffer(data, np.float64)[column.offset : column.offset + len(column)].copy()
    given = np.ones(found.size, np.bool_)
    if valid is not None:
        bits = np.unpackbits(np.frombuffer(valid, np.uint8), bitorder="little")
        given = bits[column.offset : column.offset + len(column)].astype(np.bool_)
    if not np.isfinite(found[given]).all():
        raise _NotNumbers
    found[~given] = np.nan
    return found


def _odd_quotes(path: Path) -> bool:
    """Whether a quote may be left open. Arrow would then take all that follows for one cell, and say nothing."""
    with path.open("rb") as file:
        return sum(part.count(b'"') for part in iter(lambda: file.read(BATCH), b"")) % 2 == 1


def _encoded(column: Any) -> Coded:
    codes: Any = np.from_dlpack(column.indices)  # not to_numpy: it would import pandas
    return [*map(str.strip, column.dictionary.to_pylist())], codes


def _wanted(asked: _Asked) -> list[str]:
    """The columns that must be there."""
    return [*asked.names, *([asked.ids.name] if asked.ids.needed else [])]


def _jsonl(asked: _Asked) -> Iterator[Batch]:
    """Decodes only the named keys, many lines at a time."""
    keys = {f"f{index}": name for index, name in enumerate(dict.fromkeys([*asked.names, asked.ids.name]))}
    row = msgspec.defstruct("Row", [(key, Any, msgspec.UNSET) for key in keys], rename=keys, gc=False)
    decoder = msgspec.json.Decoder(row)
    missing = set(keys.values())
    with asked.path.open("rb") as file:
        while lines := file.readlines(BATCH):
            try:
                rows = decoder.decode_lines(b"".join(lines))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                raise _Unread from None
            if len(rows) != sum(not line.isspace() for line in lines):
                raise _Unread  # an object over several lines, or several on one
            batch = {name: [getattr(one, key) for one in rows] for key, name in keys.items()}
            missing -= {name for name in missing if any(value is not msgspec.UNSET for value in batch[name])}
            yield {name: _coded(map(_text, batch[name])) for name in asked.names}
            asked.ids.add([_text(value) for value in batch[asked.ids.name]])
    if missing & set(_wanted(asked)):
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


def _rows(asked: _Asked) -> Iterator[Batch]:
    seen: dict[str, None] = {}
    path, names = asked.path, list(dict.fromkeys([*asked.names, asked.ids.name]))
    rows = iter(Table(path, WHAT, delimiter=asked.delimiter or None))
    while some := list(islice(rows, ROWS)):
        for number, row in some:
            seen.update(dict.fromkeys(row))
            _refuse_nested(row, names, path, number)
        yield {name: _coded(_text(row.get(name)) for _, row in some) for name in asked.names}
        asked.ids.add([_text(row.get(asked.ids.name)) for _, row in some])
    _check(path, list(seen), _wanted(asked))


def _refuse_nested(row: Mapping[str, object], names: Sequence[str], path: Path, number: int) -> None:
    for name in names:
        if isinstance(row.get(name), (dict, list)):
            raise InputError(
                "not one value", file=path, row=number, key=name, found=row[name], expected="text, a number, true or false"
            )  # fmt: skip


def _coded(texts: Iterable[str]) -> Coded:
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
