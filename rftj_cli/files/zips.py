"""Zips whose bytes hang on their content alone, and reading them without trusting them."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rftj_cli.errors import InputError, listed
from rftj_cli.files.unzip import MOST_BYTES

MADE: Final = (2020, 1, 1, 0, 0, 0)  # of every member: when a zip is built must not show in it


def zip_bytes(members: Mapping[str, bytes]) -> bytes:
    """A zip of these members, by name, stored as they are: compressed bytes would hang on the zlib of the machine."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as made:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, MADE)
            info.create_system, info.external_attr = 3, 0o644 << 16
            made.writestr(info, members[name])
    return out.getvalue()


def read_zip(path: Path, *, most: int = MOST_BYTES) -> dict[str, bytes]:
    """The members of a zip by name, folders left out; together they unpack to at most so many bytes.

    Raises `InputError` for what is no zip, too large, or names a member twice or outside of the folder it is unpacked to.
    """
    try:
        with zipfile.ZipFile(path) as given:
            if sum(info.file_size for info in given.infolist()) > most:
                raise InputError("the zip unpacks to more than Lambda takes", file=path, expected=f"{most >> 20} MB")
            _plain(path, given.namelist())
            return {info.filename: given.read(info) for info in given.infolist() if not info.is_dir()}
    except FileNotFoundError:
        raise InputError("no such file", file=path, hint="`rftj reward build` makes it") from None
    except IsADirectoryError:
        raise InputError("a folder, not a zip", file=path) from None
    except OSError as error:
        raise InputError(f"cannot read the zip: {error.strerror or error}", file=path) from None
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, ValueError) as error:
        raise InputError(f"not a zip, or a damaged one: {error}", file=path) from None


def _plain(path: Path, names: list[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:  # one of them is checked, and another one may be run
        raise InputError("the zip holds two members of one name", file=path, found=listed(twice))
    outside = [name for name in names if name.startswith("/") or "\\" in name or ".." in name.split("/")]
    if outside:
        raise InputError("the zip would be unpacked outside of its folder", file=path, found=listed(outside))
