"""The templates of a command line: how a row becomes what the model is asked."""

from __future__ import annotations

from pathlib import Path

from rftj_cli.files.text import read_text
from rftj_cli.rft.prompts import Template


def read_template(system: str | None, prompt: Path | None) -> Template:
    """`--system TEXT|@FILE` and `--prompt-template FILE`. One line break at the end of a file is none of the text."""
    if system is not None and system.startswith("@"):
        system = _text(Path(system[1:]), "system message")
    return Template(system, None if prompt is None else _text(prompt, "prompt template"))


def _text(path: Path, what: str) -> str:
    return read_text(path, what).removesuffix("\n")
