"""Files that are not text: a bundle's bytes."""

from __future__ import annotations

from pathlib import Path

from rftj_cli.errors import InputError
from rftj_cli.files.text import existing


def read_bytes(path: Path, what: str) -> bytes:
    """All of a small file."""
    try:
        return existing(path, what).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the {what}: {error.strerror}", file=path) from None
