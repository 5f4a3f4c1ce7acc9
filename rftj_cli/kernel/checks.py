"""Deterministic rules of a rubric: no model call. Each type is one reader of its settings and one test of a response."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rftj_cli.errors import InputError, counted
from rftj_cli.kernel.canonical import canonical
from rftj_cli.kernel.fields import Fields
from rftj_cli.kernel.rubric import Check

Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Whether a response passes a check, and why not."""

    id: str
    passed: bool
    why: str = ""


def compile_check(fields: Fields) -> Check:
    """One entry of `checks`, validated with the settings of its type."""
    id = fields.text("id")
    type = fields.choice("type", sorted(_TYPES))
    essential = fields.flag("essential", False)
    # An essential check gates; it adds to the weighted mean only where the rubric says so.
    weight = fields.number("weight", 0.0 if essential else 1.0)
    settings = _TYPES[type][0](fields)
    fields.done()
    no_essential_pitfall(fields, weight, essential)
    return Check(id, type, settings, weight, essential)


def no_essential_pitfall(fields: Fields, weight: float, essential: bool) -> None:
    """Refuse what can be read two ways: is a pitfall failed where its answer is no, or where it is yes?"""
    if essential and weight < 0:
        raise InputError(
            "a pitfall (negative weight) cannot be essential",
            key=fields.path("essential"),
            expected="a weight of at least 0, with the question put the other way round",
        )


def run_check(check: Check, response: str, reference: object) -> CheckResult:
    """Apply one check to one response. Raises `InputError` only where the rubric or the sample lacks what it needs."""
    why = _TYPES[check.type][1](check.settings, response, reference)
    return CheckResult(check.id, why is None, why or "")


def _nothing(fields: Fields) -> Settings:
    return {}


def _schema(fields: Fields) -> Settings:
    schema = fields.raw("schema")
    if not isinstance(schema, dict):
        raise InputError("wrong type", key=fields.path("schema"), found=schema, expected="a JSON schema, or its file")
    try:
        _validator(canonical(schema))
    except Exception as error:  # noqa: BLE001 - fastjsonschema raises whatever a malformed schema trips over
        raise InputError(f"not a JSON schema: {error}", key=fields.path("schema")) from None
    return {"schema": schema}


def _pattern(fields: Fields) -> Settings:
    pattern = fields.text("pattern")
    try:
        re.compile(pattern)
    except re.error as error:
        raise InputError(f"not a regular expression: {error}", key=fields.path("pattern"), found=pattern) from None
    return {"pattern": pattern, "absent": fields.flag("absent", False)}


def _contains(fields: Fields) -> Settings:
    return {
        "text": fields.text("text"),
        "absent": fields.flag("absent", False),
        "ignore_case": fields.flag("ignore_case", False),
    }


def _equals(fields: Fields) -> Settings:
    return {"ignore_case": fields.flag("ignore_case", False)}


def _max(fields: Fields) -> Settings:
    return {"max": fields.integer("max", low=0)}


def _min(fields: Fields) -> Settings:
    return {"min": fields.integer("min", low=0)}


def _language(fields: Fields) -> Settings:
    code = fields.text("language")
    if not re.fullmatch(r"[a-z]{2}", code):
        raise InputError("not a language code", key=fields.path("language"), found=code, expected="ISO 639-1, e.g. en")
    return {"language": code}


def _is_json(settings: Settings, response: str, reference: object) -> str | None:
    try:
        json.loads(response, parse_constant=_not_json)
    except (ValueError, RecursionError) as error:
        return f"not valid JSON: {error}"
    return None


def _not_json(word: str) -> object:
    raise ValueError(f"{word} is not JSON")


def _fits_schema(settings: Settings, response: str, reference: object) -> str | None:
    import fastjsonschema

    fault = _is_json(settings, response, reference)
    if fault:
        return fault
    try:
        _validator(canonical(settings["schema"]))(json.loads(response))
    except fastjsonschema.JsonSchemaException as error:
        return str(error)
    return None


def _matches(settings: Settings, response: str, reference: object) -> str | None:
    found = re.search(settings["pattern"], response) is not None
    if found == settings["absent"]:
        return f"{'matches' if found else 'does not match'} {settings['pattern']!r}"
    return None


def _has(settings: Settings, response: str, reference: object) -> str | None:
    text, within = settings["text"], response
    if settings["ignore_case"]:
        text, within = text.casefold(), within.casefold()
    if (text in within) == settings["absent"]:
        return f"{'contains' if settings['absent'] else 'does not contain'} {settings['text']!r}"
    return None


def _is_reference(settings: Settings, response: str, reference: object) -> str | None:
    if reference is None:
        raise InputError("the check equals_reference needs a reference, and this sample has none", key="reference")
    expected = reference if isinstance(reference, str) else canonical(reference)
    pair = " ".join(response.split()), " ".join(expected.split())
    if settings["ignore_case"]:
        pair = pair[0].casefold(), pair[1].casefold()
    return None if pair[0] == pair[1] else "differs from the reference"


def _words_at_most(settings: Settings, response: str, reference: object) -> str | None:
    count = len(response.split())
    return None if count <= settings["max"] else f"{counted(count, 'word')}, at most {settings['max']}"


def _words_at_least(settings: Settings, response: str, reference: object) -> str | None:
    count = len(response.split())
    return None if count >= settings["min"] else f"{counted(count, 'word')}, at least {settings['min']}"


def _chars_at_most(settings: Settings, response: str, reference: object) -> str | None:
    return None if len(response) <= settings["max"] else f"{len(response)} characters, at most {settings['max']}"


def _in_language(settings: Settings, response: str, reference: object) -> str | None:
    try:
        import py3langid
    except ImportError:
        raise InputError(
            "the check `language` needs a package that is not installed", hint="pip install 'rftj[language]'"
        ) from None
    found = py3langid.classify(response)[0]
    return None if found == settings["language"] else f"language {found}, expected {settings['language']}"


def _no_remote(uri: str) -> object:
    raise ValueError(f"a $ref may not leave the schema: {uri}")


@lru_cache(maxsize=32)
def _validator(schema: str) -> Callable[[object], object]:
    import fastjsonschema

    validator: Callable[[object], object] = fastjsonschema.compile(
        json.loads(schema), handlers=dict.fromkeys(("http", "https", "ftp", "file"), _no_remote)
    )
    return validator


Reader = Callable[[Fields], Settings]
Test = Callable[[Settings, str, object], str | None]
_TYPES: dict[str, tuple[Reader, Test]] = {
    "json_valid": (_nothing, _is_json),
    "json_schema": (_schema, _fits_schema),
    "regex": (_pattern, _matches),
    "contains": (_contains, _has),
    "equals_reference": (_equals, _is_reference),
    "max_words": (_max, _words_at_most),
    "min_words": (_min, _words_at_least),
    "max_chars": (_max, _chars_at_most),
    "language": (_language, _in_language),
}
