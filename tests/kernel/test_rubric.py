"""Compiling a rubric: every key, every scale, and what is refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from making import LEVELS, pair_data, pairs, rubric

from rftj_cli.errors import InputError
from rftj_cli.kernel.compile import compile_rubric
from rftj_cli.kernel.rubric import Rubric

FULL: dict[str, Any] = {
    "name": "full",
    "kind": "rubric",
    "description": "every key",
    "criteria": [
        {
            "id": "grounding",
            "question": "Grounded?",
            "scale": "pass_fail",
            "weight": 2,
            "essential": True,
            "on": "item",
        },
        {
            "id": "action",
            "question": "Actionable?",
            "scale": [
                {"level": "vague", "is": "no change named", "value": 0},
                {"level": "usable"},
                {"level": "ready", "value": 9},
            ],
            "on": "response",
        },
        {"id": "rating", "question": "Rate it.", "scale": {"min": 1, "max": 10, "step": 1}},
    ],
    "checks": [
        {"id": "short", "type": "max_words", "max": 300, "weight": 0.5},
        {"id": "json", "type": "json_schema", "schema": {"type": "object"}, "essential": True},
    ],
    "items": {"path": "$.comments", "id": "comment_id", "max": 5, "empty": "fail", "combine": "minimum"},
    "prompt": {"system": "You review.", "user": "{{ item }} {{ criteria }}", "answer_format": "auto"},
    "judge": {
        "model": "bedrock:us.amazon.nova-2-lite-v1:0",
        "temperature": 0.5,
        "max_tokens": 800,
        "seed": 7,
        "votes": 3,
        "vote": "mean",
        "votes_tie": "worst",
        "calls": "per_criterion",
        "reason": "after",
        "allow_regions": ["eu-west-1"],
    },
    "reward": {"range": [-1, 2], "combine": "minimum", "on_failure": {"service": "error", "content": -1}},
}


def test_every_key_of_a_rubric_is_read() -> None:
    made = compile_rubric(copy.deepcopy(FULL))
    grounding, action, rating = made.criteria
    assert (grounding.weight, grounding.essential, grounding.on) == (2, True, "item")
    assert [(level.name, level.value) for level in action.scale.levels] == [("vague", 0), ("usable", 2), ("ready", 9)]
    assert action.scale.levels[0].meaning == "no change named"
    assert rating.scale.names == tuple(str(n) for n in range(1, 11))
    assert [(check.weight, check.essential) for check in made.checks] == [(0.5, False), (0, True)]
    assert made.items is not None and (made.items.path, made.items.id, made.items.max) == (
        "$.comments",
        "comment_id",
        5,
    )
    assert (made.items.empty, made.items.combine) == ("fail", "minimum")
    judge = made.judge
    assert (judge.backend, judge.temperature, judge.max_tokens, judge.seed) == ("bedrock", 0.5, 800, 7)
    assert (judge.votes, judge.vote, judge.votes_tie) == (3, "mean", "worst")
    assert (judge.calls, judge.reason, judge.allow_regions) == ("per_criterion", "after", ("eu-west-1",))
    reward = made.reward
    assert (reward.low, reward.high, reward.combine) == (-1, 2, "minimum")
    assert (reward.on_service_failure, reward.on_content_failure) == (None, -1)


def test_a_preference_rubric_has_one_criterion_with_the_levels_a_tie_b() -> None:
    made = pairs(orders="given")
    assert [criterion.id for criterion in made.criteria] == ["preference"]
    assert made.criteria[0].scale.names == ("A", "tie", "B")
    assert made.orders == "given"


def test_the_question_of_a_preference_may_be_given() -> None:
    made = pairs(criteria=[{"id": "preference", "question": "Which is kinder?"}])
    assert made.criteria[0].question == "Which is kinder?"


def test_the_default_temperature_of_the_service_is_spelled_default() -> None:
    assert rubric(judge={"model": "openai:x", "temperature": "default"}).judge.temperature is None


def test_a_regex_parser_is_read_with_its_map_and_take() -> None:
    made = rubric(parse={"regex": r"\[\[(\w)\]\]", "map": {"Y": "pass", "N": "fail"}, "take": "last"})
    assert made.parse is not None
    assert (made.parse.map, made.parse.take) == ({"y": "pass", "n": "fail"}, "last")


def test_numeric_scales_name_large_numbers_in_full() -> None:
    made = rubric(criteria=[{"id": "q", "question": "Q", "scale": {"min": 1000000, "max": 1000002}}])
    assert made.criteria[0].scale.names == ("1000000", "1000001", "1000002")


def test_numeric_scales_may_have_fractional_steps() -> None:
    made = rubric(criteria=[{"id": "q", "question": "Q", "scale": {"min": 0, "max": 1, "step": 0.1}}])
    assert made.criteria[0].scale.names == ("0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1")


def of_levels(*levels: object) -> Rubric:
    return rubric(criteria=[{"id": "q", "question": "Q", "scale": list(levels)}])


@pytest.mark.parametrize(
    ("levels", "word", "index"),
    [
        ((0, 1, 2), 1, 1),
        ((0, 1, 2), 1.0, 1),  # not the level of value 1, which is "0"
        ((0, 1, 2), 3, None),
        ((0, 1, 2), "1", 1),
        (LEVELS, "Usable", 1),
        (LEVELS, " READY ", 2),
        (LEVELS, 2, None),
        (LEVELS, "2", None),
        (LEVELS, True, None),
        (LEVELS, None, None),
        (LEVELS, ["usable"], None),
    ],
)
def test_a_word_names_a_level_or_nothing(levels: tuple[object, ...], word: object, index: int | None) -> None:
    assert of_levels(*levels).criteria[0].scale.find(word) == index


@pytest.mark.parametrize(("word", "index"), [("a", 0), ("TIE", 1), (1, None), (0, None), (0.5, None), ("1", None)])
def test_numbers_name_no_side_of_a_comparison(word: object, index: int | None) -> None:
    assert pairs().criteria[0].scale.find(word) == index


@pytest.mark.parametrize(
    ("word", "index"), [(7, 6), (7.0, 6), ("7", 6), ("7.0", 6), ("7/10", None), (7.5, None), (True, None)]
)
def test_a_number_names_the_level_of_its_value_on_a_numeric_scale(word: object, index: int | None) -> None:
    made = rubric(criteria=[{"id": "q", "question": "Q", "scale": {"min": 1, "max": 10}}])
    assert made.criteria[0].scale.find(word) == index


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"criteria": [{"id": "a", "question": "Q"}] * 2}, "criteria[1].id", "duplicate id"),
    ({"criteria": [{"id": "1a", "question": "Q"}]}, "criteria[0].id", "bad id"),
    ({"criteria": [{"id": "a", "question": "Q", "wieght": 2}]}, "criteria[0].wieght", "unknown key"),
    ({"criteria": [{"id": "a", "question": "Q", "weight": 0}]}, "criteria", "all weights are 0"),
    ({"criteria": [{"id": "a", "question": "Q", "weight": 10**400}]}, "criteria[0].weight", "out of range"),
    ({"criteria": [{"id": "a", "question": "Q", "weight": float("nan")}]}, "criteria[0].weight", "out of range"),
    ({"criteria": [{"id": "a", "question": "Q", "weight": -1, "essential": True}]}, "criteria[0].essential", "pitfall"),
    ({"criteria": [{"id": "a", "question": "Q", "scale": ["one"]}]}, "criteria[0].scale", "at least two levels"),
    ({"criteria": [{"id": "a", "question": "Q", "scale": ["x", "X"]}]}, "criteria[0].scale[1].level", "same level twice"),
    ({"criteria": [{"id": "a", "question": "Q", "scale": [{"level": "x", "value": 2}, {"level": "y", "value": 2}]}]},
     "criteria[0].scale[1].value", "must rise"),
    ({"criteria": [{"id": "a", "question": "Q", "scale": "passfail"}]}, "criteria[0].scale", "unknown scale"),
    ({"criteria": [{"id": "a", "question": "Q", "scale": {"min": 1, "max": 10, "step": 4}}]}, "criteria[0].scale", "steps"),
    ({"criteria": [{"id": "a", "question": "Q", "scale": {"min": 1, "max": 1}}]}, "criteria[0].scale", "empty scale"),
    ({"criteria": [{"id": "a", "question": "Q", "scale": {"min": 0, "max": 1e9, "step": 1e-300}}]}, "criteria[0].scale", "more than"),
    ({"criteria": [{"id": "a", "question": "Q", "on": "item"}]}, "criteria[0].on", "items"),
    ({"items": {"path": "$.x"}}, "items", "no criterion says"),
    ({"items": {"path": "x"}}, "items.path", "bad path"),
    ({"criteria": []}, "criteria", "at least one criterion"),
    ({"judge": {"model": "openai:x", "votes_tie": "tie"}}, "judge.votes_tie", "only a preference"),
    ({"judge": {"model": "openai:x", "votes": 0}}, "judge.votes", "out of range"),
    ({"judge": {"model": "openai:x", "votes": True}}, "judge.votes", "wrong type"),
    ({"judge": {"model": "openai:x", "reason": "befor"}}, "judge.reason", "unknown value"),
    ({"reward": {"range": [1, 0]}}, "reward.range", "empty"),
    ({"reward": {"range": [0, 10**400]}}, "reward.range", "empty"),
    ({"reward": {"range": [0]}}, "reward.range", "two numbers"),
    ({"reward": {"on_failure": {"content": 2}}}, "reward.on_failure.content", "out of range"),
    ({"parse": {"regex": "("}}, "parse.regex", "not a regular expression"),
    ({"parse": {"regex": "x", "map": {"Y": "pas"}}}, "parse.map.Y", "does not have"),
    ({"prompt": {"user": "{{ x "}}, "prompt.user", "does not compile"),
    ({"prompt": {"user": "  "}}, "prompt.user", "empty text"),
    ({"orders": "both"}, "orders", "only a preference"),
    ({"name": "a/b"}, "name", "used in paths"),
    ({"description": 3}, "description", "wrong type"),
    ({"checks": [{"id": "quality", "type": "json_valid"}]}, "checks[0].id", "duplicate id"),
    ({"checks": [{"id": "c", "type": "max_word", "max": 3}]}, "checks[0].type", "unknown value"),
    ({"checks": [{"id": "c", "type": "json_valid", "max": 3}]}, "checks[0].max", "unknown key"),
    ({"checks": [{"id": "c", "type": "json_schema", "schema": {"type": "objekt"}}]}, "checks[0].schema", "not a JSON schema"),
    ({"checks": [{"id": "c", "type": "json_schema", "schema": {"$ref": "http://127.0.0.1:9/s"}}]}, "checks[0].schema", "may not leave"),
    ({"checks": [{"id": "c", "type": "regex", "pattern": "("}]}, "checks[0].pattern", "not a regular expression"),
    ({"checks": [{"id": "c", "type": "language", "language": "english"}]}, "checks[0].language", "language code"),
    ({"checks": [{"id": "c", "type": "json_valid", "weight": -1, "essential": True}]}, "checks[0].essential", "pitfall"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "key", "problem"), REFUSED, ids=[f"{key}-{problem}" for _, key, problem in REFUSED]
)
def test_a_faulty_rubric_is_refused_at_its_key(changes: dict[str, Any], key: str, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        rubric(**changes)
    assert caught.value.key == key
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"checks": [{"id": "c", "type": "json_valid"}]}, "checks"),
        ({"items": {"path": "$.x"}}, "items"),
        ({"criteria": [{"id": "better", "question": "Q"}]}, "criteria[0].id"),
        ({"judge": {"model": "openai:x", "votes_tie": "worst"}}, "judge.votes_tie"),
        ({"orders": "swapped"}, "orders"),
    ],
)
def test_a_faulty_preference_rubric_is_refused_at_its_key(changes: dict[str, Any], key: str) -> None:
    with pytest.raises(InputError) as caught:
        compile_rubric(pair_data(**changes))
    assert caught.value.key == key


def test_a_misspelt_key_gets_the_nearest_spelling() -> None:
    with pytest.raises(InputError, match="did you mean `essential`"):
        rubric(criteria=[{"id": "a", "question": "Q", "esential": True}])


def test_a_regex_for_several_criteria_needs_one_call_each() -> None:
    two = [{"id": "a", "question": "Q"}, {"id": "b", "question": "Q"}]
    with pytest.raises(InputError, match="one verdict a reply"):
        rubric(criteria=two, parse={"regex": "x"})
    assert rubric(criteria=two, parse={"regex": "x"}, judge={"model": "openai:x", "calls": "per_criterion"}).parse
