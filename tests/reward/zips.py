"""Small Lambda zips for tests."""

from __future__ import annotations

import textwrap
import zipfile
from pathlib import Path


def zipped(folder: Path, source: str, name: str = "fn.zip", **others: str) -> Path:
    """A zip with `lambda_function.py`, and other modules by name."""
    path = folder / name
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("lambda_function.py", textwrap.dedent(source))
        for module, text in others.items():
            archive.writestr(f"{module}.py", textwrap.dedent(text))
    return path


ECHO = """
    def lambda_handler(event, context):
        return event
"""
