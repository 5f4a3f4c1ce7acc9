"""What `rftj local install` prints."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from rftj_cli.report.documents import show_json


def show(model: Path, *, json: bool) -> None:
    """Say where the model lies, and what is still missing to use it."""
    ready = find_spec("xllamacpp") is not None
    if json:
        show_json({"schema": "rftj.local/1", "model": str(model), "runtime_installed": ready})
        return
    print(f"model    {model}")
    print("use      --set judge.model=local" + ("" if ready else "   (first: pip install 'rftj[local]')"))
