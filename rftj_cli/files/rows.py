"""Rows of a JSON Lines, CSV or Parquet file, streamed: one mapping at a time with its line number, never all at once."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from rftj_cli.errors import InputError, nearest
from rftj_cli.files.text import existing, not_utf8

DELIMITERS = {".csv": ",", ".tsv": "\t"}
ENDINGS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")


@dataclass(frozen=True, slots=True)
class Table:
    """A file of rows. `columns` renames: wanted name -> name in the file by `option`. `delimiter`: of a CSV file."""

    path: Path
    what: str = "samples file"
    columns: Mapping[str, str] = field(default_factory=dict)
    delimiter: str | None = None
    option: str = "--map"

    def __iter__(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """(line number, row). Raises `InputError` for the first row that cannot be read."""
        existing(self.path, self.what)
        suffix = self.path.suffix.lower()
        if suffix not in ENDINGS:
            raise InputError("unknown kind of file", file=self.path, expected="one of " + ", ".join(ENDINGS))
        by_delimiter = partial(_csv, delimiter=self.delimiter or DELIMITERS.get(suffix, ","))
        rows = by_delimiter if suffix in DELIMITERS else _parquet if suffix == ".parquet" else _jsonl
        try:
            yield from self._rows(rows)
        except OSError as error:
            raise InputError(f"cannot read the {self.what}: {error.strerror}", file=self.path) from None

    def _rows(
        self, rows: Callable[[Path], Iterator[tuple[int, dict[str, Any]]]]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        self._find_columns(rows)
        empty = True
        for number, row in rows(self.path):
            empty = False
            try:
                yield number, self._renamed(row)
            except InputError as error:
                raise error.located(file=self.path, row=number) from None
        if empty:
            raise InputError(f"the {self.what} has no rows", file=self.path)

    def _find_columns(self, rows: Callable[[Path], Iterator[tuple[int, dict[str, Any]]]]) -> None:
        """Refuse a renamed column that no row has; a row may lack it. Mostly the first row settles it."""
        missing, seen = set(self.columns.values()), dict[str, None]()
        for _, row in rows(self.path) if missing else ():
            missing -= row.keys()
            seen.update(dict.fromkeys(row))
            if not missing:
                return
        for found in sorted(missing):
            raise InputError(
                f"{self.option}: no column `{found}`", file=self.path, key=found, hint=nearest(found, seen)
            )

    def _renamed(self, row: dict[str, Any]) -> dict[str, Any]:
        if not self.columns:
            return row
        for wanted, found in self.columns.items():
            if wanted in row and wanted != found and wanted not in self.columns.values():
                raise InputError(f"{self.option}: there is a column `{wanted}` already", key=wanted)
        names = {found: wanted for wanted, found in self.columns.items()}
        return {names.get(key, key): value for key, value in row.items()}


def _jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    decode = msgspec.json.Decoder().decode
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
                if line.lstrip()[:1] == b"[":
                    raise InputError(
                        "this is one JSON array", file=path, row=1, expected="JSON Lines: one object a line"
                    )
            if not line.strip():
                continue
            try:
                row = decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise _broken(path, number, line, error) from None
            if not isinstance(row, dict):
                raise InputError("not a JSON object", file=path, row=number, found=row, expected="one object a line")
            yield number, row


_LONE = re.compile(r"[\ud800-\udfff]")


def _broken(path: Path, number: int, line: bytes, error: Exception) -> InputError:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as fault:
        return not_utf8(path, number, line[fault.start : fault.start + 1])
    nan = next((word for word in (b"NaN", b"Infinity") if word in line), None)
    if nan is not None and _python_reads(line):
        return InputError(f"{nan.decode()} is not JSON", file=path, row=number, hint="leave the key out, or write null")
    if lone := _lone_surrogate(line):
        problem = f"half a surrogate pair (\\u{ord(lone):04x}), which is no character"
        return InputError(problem, file=path, row=number, hint="write the whole pair, or U+FFFD")
    return InputError(f"broken JSON: {error}", file=path, row=number, found=line.strip().decode()[:60])


def _lone_surrogate(line: bytes) -> str | None:
    try:
        found = _LONE.search(json.dumps(json.loads(line), ensure_ascii=False))
    except (ValueError, RecursionError):
        return None
    return None if found is None else found.group()


def _python_reads(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _csv(path: Path, delimiter: str) -> Iterator[tuple[int, dict[str, Any]]]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    with path.open("rb") as raw:
        lines = _Lines(raw, path)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            header = [name.strip() for name in next(reader, [])]
            _check_header(header, path)
            for values in reader:
                if not values:
                    continue
                if len(values) != len(header):
                    raise InputError(
                        "wrong number of columns",
                        file=path,
                        row=lines.number,
                        found=len(values),
                        expected=str(len(header)),
                    )
                yield lines.number, {k: v for k, v in zip(header, values, strict=True) if v != ""}
        except csv.Error as error:
            raise InputError(f"broken CSV: {error}", file=path, row=lines.number) from None


def refuse_semicolons(header: Sequence[str], path: Path, hint: str | None = None) -> None:
    """Refuse a file whose only column is named as several: spreadsheets of many countries write semicolons."""
    if len(header) == 1 and ";" in header[0]:
        raise InputError(
            "one column, which looks separated by semicolons",
            file=path,
            row=1,
            found=header[0],
            expected="commas (.csv) or tabs (.tsv) between columns",
            hint=hint,
        )


def _check_header(header: list[str], path: Path) -> None:
    refuse_semicolons(header, path)
    for index, name in enumerate(header):
        if not name:
            raise InputError(f"column {index + 1} has no name", file=path, row=1)
        if name in header[:index]:
            raise InputError("the same column twice", file=path, row=1, found=name)


class _Lines:
    """Decoded lines of a file, counted, so that a byte that is not UTF-8 is located."""

    def __init__(self, raw: io.BufferedReader, path: Path) -> None:
        self._raw, self._path, self.number = raw, path, 0

    def __iter__(self) -> Iterator[str]:
        for number, line in enumerate(self._raw, 1):
            self.number = number
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            try:
                yield line.decode("utf-8")
            except UnicodeDecodeError as error:
                raise not_utf8(self._path, number, line[error.start : error.start + 1]) from None


def _parquet(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"not a Parquet file: {error}", file=path) from None
    number = 0
    with file:
        for batch in file.iter_batches(batch_size=1024):
            for row in batch.to_pylist():
                number += 1
                yield number, {key: _value(item, key, path, number) for key, item in row.items()}


def _value(value: object, key: str, path: Path, row: int) -> object:
    """A cell as JSON would hold it: NaN, as data frames write what is missing, is null."""
    if isinstance(value, float) and not math.isfinite(value):
        if math.isnan(value):
            return None
        raise InputError("not a finite number", file=path, row=row, key=key, found=value)
    if isinstance(value, dict):
        return {name: _value(item, f"{key}.{name}", path, row) for name, item in value.items()}
    if isinstance(value, list):
        return [_value(item, key, path, row) for item in value]
    return value
