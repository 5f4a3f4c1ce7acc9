"""The schema of an answer: what it allows is what the prompt asks for and what the parser reads."""

from __future__ import annotations

import json
import re
from typing import Any

import fastjsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rftj_cli.kernel.asks import answer_format
from rftj_cli.kernel.outcome import Request
from rftj_cli.kernel.parse import parse_reply
from rftj_cli.kernel.rubric import Criterion, Level, Scale
from rftj_cli.kernel.structure import SCHEMA_DESCRIPTION, SCHEMA_NAME, answer_schema, answer_schema_text

REASONS = ("before", "after", "none")


def criterion(id: str, names: list[str]) -> Criterion:
    levels = tuple(Level(name, float(index)) for index, name in enumerate(names))
    return Criterion(id, "Is it?", Scale("levels", levels))


def request_for(criteria: tuple[Criterion, ...], reason: Any) -> Request:
    answers = {one.id: one.scale.names for one in criteria}
    return Request("bedrock:m", "", "?", 0.0, 100, None, answers, reason, json=True)


def level_of(schema: dict[str, Any], id: str) -> dict[str, Any]:
    found: dict[str, Any] = schema["properties"][id]
    return found["properties"]["level"] if "properties" in found else found


def test_a_reason_before_the_level() -> None:
    assert answer_schema(request_for((criterion("quality", ["fail", "pass"]),), "before")) == {
        "type": "object",
        "properties": {
            "quality": {
                "type": "object",
                "properties": {"reason": {"type": "string"}, "level": {"type": "string", "enum": ["fail", "pass"]}},
                "required": ["reason", "level"],
                "additionalProperties": False,
            }
        },
        "required": ["quality"],
        "additionalProperties": False,
    }


def test_the_order_is_that_of_the_rubric() -> None:
    criteria = (criterion("b", ["no", "yes"]), criterion("a", ["no", "yes"]))
    text = answer_schema_text(request_for(criteria, "after"))
    assert json.loads(text) == answer_schema(request_for(criteria, "after"))
    schema = json.loads(text)
    assert list(schema["properties"]) == schema["required"] == ["b", "a"]
    assert list(schema["properties"]["b"]["properties"]) == ["level", "reason"]


def test_without_a_reason_the_level_stands_alone() -> None:
    schema = answer_schema(request_for((criterion("q", ["fail", "pass"]),), "none"))
    assert schema["properties"] == {"q": {"type": "string", "enum": ["fail", "pass"]}}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["1", "2", "3"], {"type": "integer", "enum": [1, 2, 3]}),
        (["-1", "0", "1"], {"type": "integer", "enum": [-1, 0, 1]}),
        (["1.0", "2.0"], {"type": "integer", "enum": [1, 2]}),
        (["0", "0.5", "1"], {"type": "number", "enum": [0, 0.5, 1]}),
        (["1", "2", "many"], {"type": "string", "enum": ["1", "2", "many"]}),
        (["1", "1.0"], {"type": "string", "enum": ["1", "1.0"]}),
        (["nan", "inf"], {"type": "string", "enum": ["nan", "inf"]}),
        (["1_000", "\u0661"], {"type": "string", "enum": ["1_000", "\u0661"]}),
    ],
)
def test_a_scale_of_numbers_is_an_enum_of_numbers(names: list[str], expected: dict[str, Any]) -> None:
    assert level_of(answer_schema(request_for((criterion("q", names),), "none")), "q") == expected


def test_name_and_description_are_fit_for_every_service() -> None:
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", SCHEMA_NAME)
    assert 0 < len(SCHEMA_DESCRIPTION) < 200


ids = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,12}", fullmatch=True)
numbers = st.decimals(-1000, 1000, places=2).map(str) | st.integers(-99, 99).map(str)
words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).map(str.strip).filter(bool)
scales = st.lists(words | numbers, min_size=2, max_size=6, unique_by=str.casefold) | st.lists(
    numbers, min_size=2, max_size=6, unique_by=str.casefold
)


@given(st.dictionaries(ids, scales, min_size=1, max_size=4), st.sampled_from(REASONS), st.data())
def test_what_the_schema_allows_is_read_back(rubric: dict[str, list[str]], reason: str, data: st.DataObject) -> None:
    criteria = tuple(criterion(id, names) for id, names in rubric.items())
    schema = answer_schema(request_for(criteria, reason))
    chosen = {one.id: data.draw(st.integers(0, len(one.scale.names) - 1)) for one in criteria}
    answer: dict[str, Any] = {}
    for one in criteria:
        level = level_of(schema, one.id)["enum"][chosen[one.id]]
        pair = {"reason": "because", "level": level}
        answer[one.id] = level if reason == "none" else pair if reason == "before" else dict(reversed(pair.items()))
    fastjsonschema.validate(schema, answer)
    parsed = parse_reply(json.dumps(answer), criteria, None, ())
    assert {id: found.level for id, found in parsed.answers.items()} == chosen
    assert not parsed.repaired
    in_words = json.loads(answer_format(criteria, reason).partition("\n")[2])
    assert list(in_words) == list(answer)
    for id, asked in in_words.items():
        assert (list(asked) if isinstance(asked, dict) else None) == (None if reason == "none" else list(answer[id]))


@given(st.dictionaries(ids, scales, min_size=1, max_size=4), st.sampled_from(REASONS))
def test_only_what_every_service_takes(rubric: dict[str, list[str]], reason: str) -> None:
    criteria = tuple(criterion(id, names) for id, names in rubric.items())

    def keywords(schema: dict[str, Any]) -> set[str]:
        return set(schema).union(*(keywords(part) for part in schema.get("properties", {}).values()))

    allowed = {"type", "properties", "required", "additionalProperties", "enum"}
    assert keywords(answer_schema(request_for(criteria, reason))) <= allowed
