"""Zips whose bytes hang on their content alone, and reading them without trusting them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rftj_cli.errors import InputError

MADE: Final = (2020, 1, 1, 0, 0, 0)  # of every member: when a zip is built must not show in it
LARGEST: Final = 250 << 20  # bytes of a member, and of all: as much as Lambda unpacks


def zip_bytes(members: Mapping[str, bytes]) -> bytes:
    """A zip of these members, by name, stored as they are: compressed bytes would hang on the zlib of the machine."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as made:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, MADE)
            info.create_system, info.external_attr = 3, 0o644 << 16
            made.writestr(info, members[name])
    return out.getvalue()


def read_zip(path: Path) -> dict[str, bytes]:
    """The members of a zip by name, folders left out. Raises `InputError` for what is none, or too large."""
    try:
        with zipfile.ZipFile(path) as given:
            if sum(info.file_size for info in given.infolist()) > LARGEST:
                raise InputError("the zip unpacks to more than Lambda takes", file=path, expected=f"{LARGEST >> 20} MB")
            return {info.filename: given.read(info) for info in given.infolist() if not info.is_dir()}
    except FileNotFoundError:
        raise InputError("no such file", file=path, hint="`rftj reward build` makes it") from None
    except IsADirectoryError:
        raise InputError("a folder, not a zip", file=path) from None
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, ValueError) as error:
        raise InputError(f"not a zip: {error}", file=path) from None
