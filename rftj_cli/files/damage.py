"""Stores whose bytes are not what was written: an input error that says how to save the rest."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from shlex import quote
from typing import Concatenate, Final, ParamSpec, Protocol, TypeVar

import msgspec

from rftj_cli.errors import InputError

# What reading a damaged store may raise: SQLite's own errors, and values that are not what was written.
UNREADABLE: Final = (sqlite3.DatabaseError, msgspec.DecodeError, ValueError, TypeError)


class _Stored(Protocol):
    path: Path


_Self = TypeVar("_Self", bound=_Stored)
_Given = ParamSpec("_Given")
_Read = TypeVar("_Read")


def damaged(path: Path, error: Exception) -> InputError:
    """What to say of a store that cannot be read, and how to save the rest."""
    return InputError(
        f"not a run store, or a damaged one: {error}", file=path,
        hint=f"what can still be read is saved into a new folder by `rftj run repair {quote(str(path.parent))}`",
    )  # fmt: skip


def reads(method: Callable[Concatenate[_Self, _Given], _Read]) -> Callable[Concatenate[_Self, _Given], _Read]:
    """A method of a store that reads: damage is the user's input error, not a bug."""

    @wraps(method)
    def guarded(store: _Self, /, *given: _Given.args, **named: _Given.kwargs) -> _Read:
        try:
            return method(store, *given, **named)
        except UNREADABLE as error:
            raise damaged(store.path, error) from None

    return guarded
