"""The JSON schema of an answer, for services that can hold a model to one.

It asks for the same object as `asks.answer_format` does in words, and `parse.py` reads whatever it allows. Only what all
services take is used: no minimum, maximum or length, every property required, none besides.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from rftj_cli.kernel.outcome import Request

SCHEMA_NAME: Final = "verdict"  # also the name of the tool that a model is made to call
SCHEMA_DESCRIPTION: Final = "The verdict: one of the listed levels for each criterion."
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_Answers = tuple[tuple[str, tuple[str, ...]], ...]


def answer_schema(request: Request) -> dict[str, Any]:
    """The schema of the object that answers a request: a property a criterion, in the order of the criteria.

    Each is an object of `reason` and `level` in the order that the rubric wants them, or the level alone where it wants
    no reason. The dict is shared between calls: do not change it.
    """
    return _schema(tuple((id, tuple(names)) for id, names in request.answers.items()), request.reason)


def answer_schema_text(request: Request) -> str:
    """The same schema as compact JSON text."""
    return _schema_text(tuple((id, tuple(names)) for id, names in request.answers.items()), request.reason)


@lru_cache(maxsize=256)
def _schema_text(answers: _Answers, reason: str) -> str:
    return json.dumps(_schema(answers, reason), ensure_ascii=False, separators=(",", ":"))


@lru_cache(maxsize=256)
def _schema(answers: _Answers, reason: str) -> dict[str, Any]:
    return _object({id: _answer(names, reason) for id, names in answers})


def _answer(names: tuple[str, ...], reason: str) -> dict[str, Any]:
    level = _level(names)
    if reason == "none":
        return level
    pair: dict[str, Any] = {"reason": {"type": "string"}, "level": level}
    return _object(pair if reason == "before" else dict(reversed(pair.items())))


def _level(names: tuple[str, ...]) -> dict[str, Any]:
    """One of the levels: a number where all their names are numbers, since a scale of numbers has no other bounds."""
    numbers = [_as_number(name) for name in names]
    known = [number for number in numbers if number is not None]
    if len(set(known)) < len(names):  # some are words, or two are the same number
        return {"type": "string", "enum": list(names)}
    whole = all(isinstance(number, int) for number in known)
    return {"type": "integer" if whole else "number", "enum": known}


def _as_number(name: str) -> int | float | None:
    if not _NUMBER.fullmatch(name):
        return None
    number = float(name)
    return int(number) if number.is_integer() else number


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }
