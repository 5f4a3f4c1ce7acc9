"""Texts of results by their hashes: what `--record` stores beside a reward log, which holds none."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from rftj_cli.errors import InputError
from rftj_cli.files.text import existing

WHAT = "records file"
Key = tuple[str, str]  # prompt_sha256, response_sha256


class _Record(msgspec.Struct):
    prompt_sha256: str
    response_sha256: str
    row: dict[str, Any]


def read_records(path: Path, wanted: set[Key]) -> dict[Key, dict[str, Any]]:
    """The rows of the wanted prompts and responses. Streams; raises `InputError` at the first line that is no record."""
    decoder, found = msgspec.json.Decoder(_Record), dict[Key, dict[str, Any]]()
    for file in sorted(path.rglob("*.json*")) if path.is_dir() else [existing(path, WHAT)]:
        for number, line in enumerate(_lines(file), start=1):
            if not line.strip():
                continue
            try:
                record = decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise InputError(
                    f"not a record: {error}", file=file, row=number,
                    expected='{"prompt_sha256": ..., "response_sha256": ..., "row": {...}}',
                ) from None  # fmt: skip
            key = record.prompt_sha256, record.response_sha256
            if key in wanted:
                found.setdefault(key, record.row)
    return found


def _lines(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if packed:
                with gzip.open(raw) as inner:
                    yield from inner
            else:
                yield from raw
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read the {WHAT}: {error}", file=file) from None
