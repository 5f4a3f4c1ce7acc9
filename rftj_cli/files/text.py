"""Opening a user's text file: missing, empty, badly encoded or too large files become errors that name themselves."""

from __future__ import annotations

import os
import sys
import tempfile
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path

from rftj_cli.errors import InputError, nearest

Reader = Callable[[Path, str], str]  # the text of a file, and what it is (for errors)


def existing(path: Path, what: str) -> Path:
    """`path`, if it is a readable file; else an error with the nearest name beside it."""
    if path.is_dir():
        raise InputError(f"this is a folder, not {'an' if what[0] in 'aeiou' else 'a'} {what}", file=path)
    if not path.exists():
        beside = [str(path.with_name(one.name)) for one in _siblings(path)]
        raise InputError(f"no such {what}", file=path, hint=nearest(str(path), beside))
    if not path.is_file():
        raise InputError(
            "not a regular file", file=path, hint="inputs are read more than once: save it to a file first"
        )
    if path.stat().st_size == 0:
        raise InputError(f"the {what} is empty", file=path)
    return path


def _siblings(path: Path) -> list[Path]:
    try:
        return list(path.parent.iterdir())
    except OSError:
        return []


def read_text(path: Path, what: str) -> str:
    """The UTF-8 text of a small file; a byte order mark is dropped."""
    data = read_data(path, what)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data[: error.start].count(b"\n") + 1
        raise not_utf8(path, row, data[error.start : error.start + 1]) from None


def read_data(path: Path, what: str) -> bytes:
    """The bytes of a file."""
    try:
        return existing(path, what).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the {what}: {error.strerror}", file=path) from None


def read_input(path: Path, what: str, most: int) -> bytes:
    """The UTF-8 bytes of a file, or of standard input for `-`: at most one more than `most`. A byte order mark is dropped."""
    given = str(path) == "-"
    file: object = "standard input" if given else path
    try:
        data = _piped(most + len(BOM_UTF8) + 1) if given else _start(existing(path, what), most + len(BOM_UTF8) + 1)
    except OSError as error:
        raise InputError(f"cannot read the {what}: {error.strerror}", file=file) from None
    if not data:
        raise InputError(f"the {what} is empty", file=file)
    data = data.removeprefix(BOM_UTF8)[: most + 1]
    try:
        data.decode()
    except UnicodeDecodeError as error:
        if len(data) <= most:  # else a character was cut at the end
            row = data[: error.start].count(b"\n") + 1
            raise not_utf8(file, row, data[error.start : error.start + 1]) from None
    return data


def _piped(most: int) -> bytes:
    return getattr(sys.stdin, "buffer", BytesIO(b"")).read(most) if sys.stdin is not None else b""


def _start(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        return file.read(most)


def not_utf8(path: object, row: int, byte: bytes) -> InputError:
    """The error for a byte that is not UTF-8."""
    return InputError(
        "the file is not UTF-8",
        file=path,
        row=row,
        found=byte,
        expected="UTF-8 text",
        hint="convert it, for example: iconv -f LATIN1 -t UTF-8 FILE",
    )


def write_whole(path: Path, text: str) -> None:
    """Replace a file in one step, so that no reader and no crash ever sees half of it."""
    _replace(path, (text.encode("utf-8"),))


def write_lines(path: Path, parts: Iterable[str]) -> None:
    """The same for text that comes in parts, such as the lines of a long file, each with its end of line."""
    _replace(path, (part.encode("utf-8") for part in parts))


def write_bytes(path: Path, data: bytes) -> bool:
    """The same for bytes; False where the file held other ones, or was not there."""
    if path.is_dir():
        raise InputError("this is a folder, not a file to write", file=path)
    if path.is_file() and path.read_bytes() == data:
        return True
    _replace(path, (data,))
    path.chmod(0o644)
    return False


def _replace(path: Path, parts: Iterable[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = str(path)
        raise


def append_line(path: Path, line: str) -> None:
    """Add a line to a file that only its owner can read, on disk when this returns."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())
