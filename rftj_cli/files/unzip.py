"""Unpacking a zip that may be hostile: nothing is written outside its folder, and no more than a limit allows."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Final
from uuid import uuid4

from rftj_cli.errors import InputError
from rftj_cli.files.text import existing

MOST_BYTES: Final = 262_144_000  # 250 MB unpacked: Lambda's limit of a deployment package
MOST_MEMBERS: Final = 50_000
_DEEPEST, _LONGEST_NAME = 100, 255  # parts of a path, and bytes of one
_CHUNK: Final = 1 << 20
_FOLDER: Final = 0o555
_WRITABLE: Final = 0o700
_LINUX: Final = 3  # `create_system` of a zip whose members carry Unix modes


def unzip(path: Path, into: Path, *, most: int = MOST_BYTES) -> None:
    """Unpack `path` into the new folder `into`, which is read-only afterwards.

    Raises `InputError`, with nothing left behind, for what is no zip or a damaged one, and for members that are absolute,
    climb (`..`), are links or no files at all, are encrypted, or together unpack to more than `most` bytes.
    """
    existing(path, "zip")
    into.mkdir(parents=True)
    try:
        with _understood(path), zipfile.ZipFile(path) as archive:
            left = most
            for member in _checked(archive, path, most):
                left -= _unpack(archive, member, into, left, path, most)
        _protect(into)
    except BaseException:
        remove(into)
        raise


def remove(folder: Path) -> None:
    """Remove a folder, whose parts may be read-only and nested beyond what a path can name.

    What cannot be removed stays, without a word: this runs while something else ends, perhaps with an error of its own.
    """
    waiting = [folder]
    while waiting:
        one = waiting.pop()
        with suppress(OSError):
            one.chmod(_WRITABLE)
            with os.scandir(one) as entries:
                found = list(entries)
            for entry in found:
                with suppress(OSError):
                    if not entry.is_dir(follow_symlinks=False):
                        os.unlink(entry)
                        continue
                    os.chmod(entry, _WRITABLE)  # a folder can be moved only by who may write to it
                    up = folder / uuid4().hex
                    os.rename(entry, up)
                    waiting.append(up)
            one.rmdir()
    with suppress(OSError):
        folder.rmdir()


def _folders(folder: Path) -> Iterator[Path]:
    """The folders below, each before what stands in it, so that it can be opened first. Links are not followed."""
    try:
        below = [one for one in folder.iterdir() if one.is_dir() and not one.is_symlink()]
    except OSError:
        return
    for one in below:
        yield one
        yield from _folders(one)


@contextmanager
def _understood(path: Path) -> Iterator[None]:
    """What can be wrong with a zip, in words."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise InputError(f"not a zip, or a damaged one: {error}", file=path) from None
    except (NotImplementedError, RuntimeError) as error:  # zipfile's own words for a method or an encryption
        raise InputError(f"the zip cannot be unpacked: {error}", file=path) from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise InputError("the zip holds a file and a folder of one name", file=path, found=error.filename) from None


def _checked(archive: zipfile.ZipFile, path: Path, most: int) -> list[zipfile.ZipInfo]:
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise InputError(f"the zip holds more than {MOST_MEMBERS:,} files", file=path, found=len(members))
    if sum(member.file_size for member in members) > most:
        raise _too_large(path, most)
    seen: set[PurePosixPath] = set()
    for member in members:
        fault = _fault(member)
        where = PurePosixPath(member.filename)
        if fault is None and where in seen and not member.is_dir():
            fault = "stands in the zip twice"
        if fault is not None:
            raise InputError(f"a member of the zip {fault}", file=path, found=member.filename)
        seen.add(where)
    return members


def _fault(member: zipfile.ZipInfo) -> str | None:
    """What makes a member unfit to be unpacked. `orig_filename`: zipfile cuts the other name at a NUL."""
    name = member.orig_filename
    where = PurePosixPath(name)
    if not name or "\0" in name or "\\" in name or any(ord(c) < 32 or 0xD800 <= ord(c) <= 0xDFFF for c in name):
        return "has a name that is none"
    if where.is_absolute() or name[1:2] == ":":
        return "has an absolute path"
    if ".." in where.parts:
        return "leads out of the folder"
    if len(where.parts) > _DEEPEST or max(len(part.encode()) for part in (*where.parts, "")) > _LONGEST_NAME:
        return "has a name that is too long"
    mode = member.external_attr >> 16 if member.create_system == _LINUX else 0
    if stat.S_ISLNK(mode):
        return "is a link"
    if stat.S_IFMT(mode) and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return "is no file"
    return "is encrypted" if member.flag_bits & 1 else None


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, into: Path, left: int, path: Path, most: int) -> int:
    """The size of a member, unpacked. Counts what really comes: a header may lie about the size."""
    target = into.joinpath(*PurePosixPath(member.filename).parts)
    if member.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return 0
    target.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with archive.open(member) as source, target.open("xb") as file:
        while data := source.read(_CHUNK):
            size += len(data)
            if size > left:
                raise _too_large(path, most)
            file.write(data)
    executable = (member.external_attr >> 16) & 0o111 if member.create_system == _LINUX else 0
    target.chmod(0o444 | executable)
    return size


def _protect(folder: Path) -> None:
    for one in (*_folders(folder), folder):
        one.chmod(_FOLDER)


def _too_large(path: Path, most: int) -> InputError:
    return InputError(
        f"unpacked, the zip is larger than Lambda allows: {most / (1 << 20):,.0f} MB", file=path,
        hint="a reward function needs few packages; boto3 is there already",
    )  # fmt: skip
