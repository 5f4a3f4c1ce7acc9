"""Questions to whoever sits at the terminal, and what is said while a plan is executed."""

from __future__ import annotations

import sys
from collections.abc import Callable

import typer

from rftj_cli.errors import InputError, Interrupted


def confirm(question: str, *, yes: bool, json: bool) -> None:
    """Ask whether to go on. Raises `InputError` where nobody can answer, `Interrupted` for a no."""
    if yes:
        return
    if json or not sys.stdin.isatty():
        raise InputError(
            "nobody can be asked whether to go on",
            key="--yes",
            hint="give --yes, or --dry-run where the command has it",
        )
    if not typer.confirm(question, err=True):
        raise Interrupted("nothing was changed")


def teller(*, quiet: bool) -> Callable[[str], None]:
    """Says what was done."""

    def tell(line: str) -> None:
        print(line, file=sys.stderr)

    return (lambda line: None) if quiet else tell
