"""JSON Lines that grow: a log to which several processes may add, and which only its owner can read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rftj_cli.errors import InputError


def append_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add rows in one write, so that those of two processes do not mix. Raises `InputError` where that cannot be done."""
    text = "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(handle, "wb", buffering=0) as file:
            file.write(text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise InputError(f"the log cannot be written: {error.strerror}", file=path) from None
