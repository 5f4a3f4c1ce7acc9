"""Every type of check: what passes and what does not."""

from __future__ import annotations

from typing import Any

import pytest
from making import rubric, sample

from rftj_cli.errors import InputError
from rftj_cli.kernel.checks import CheckResult, compile_check, run_check
from rftj_cli.kernel.evaluate import finish, prepare
from rftj_cli.kernel.fields import Fields
from rftj_cli.kernel.outcome import Failure

SCHEMA = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer", "minimum": 3}}}


def result(settings: dict[str, Any], response: str, reference: object = None) -> CheckResult:
    return run_check(compile_check(Fields({"id": "c", **settings})), response, reference)


@pytest.mark.parametrize(
    ("settings", "good", "bad"),
    [
        ({"type": "json_valid"}, '{"a": 1}', "{a: 1}"),
        ({"type": "json_valid"}, "[1]", "[NaN]"),
        ({"type": "json_valid"}, '"text"', ""),
        ({"type": "json_schema", "schema": SCHEMA}, '{"a": 3}', '{"a": 2}'),
        ({"type": "json_schema", "schema": SCHEMA}, '{"a": 3, "b": 0}', "not JSON"),
        ({"type": "regex", "pattern": r"^\d+$"}, "123", "12a"),
        ({"type": "regex", "pattern": "TODO", "absent": True}, "done", "a TODO"),
        ({"type": "contains", "text": "clause"}, "the clause", "the Clause"),
        ({"type": "contains", "text": "clause", "ignore_case": True}, "the CLAUSE", "the law"),
        ({"type": "contains", "text": "sorry", "absent": True}, "no", "so sorry"),
        ({"type": "max_words", "max": 2}, "two words", "three whole words"),
        ({"type": "min_words", "min": 2}, "two words", "one"),
        ({"type": "max_chars", "max": 3}, "äöü", "äöüß"),
    ],
)
def test_a_check_tells_good_from_bad_and_says_why(settings: dict[str, Any], good: str, bad: str) -> None:
    assert result(settings, good) == CheckResult("c", True)
    failed = result(settings, bad)
    assert not failed.passed and failed.why


@pytest.mark.parametrize(
    ("reference", "response", "ignore_case", "passed"),
    [
        ("Paris", " Paris\n", False, True),
        ("Paris", "paris", False, False),
        ("Paris", "paris", True, True),
        ({"b": 1, "a": 2}, '{"a":2,"b":1}', False, True),
    ],
)
def test_equals_reference_ignores_white_space(
    reference: object, response: str, ignore_case: bool, passed: bool
) -> None:
    assert result({"type": "equals_reference", "ignore_case": ignore_case}, response, reference).passed is passed


def test_equals_reference_refuses_a_sample_without_one() -> None:
    with pytest.raises(InputError, match="needs a reference"):
        result({"type": "equals_reference"}, "r")


def test_deeply_nested_json_fails_a_check_instead_of_ending_the_run() -> None:
    assert not result({"type": "json_valid"}, "[" * 100_000).passed


def test_a_check_weighs_1_unless_it_is_essential() -> None:
    assert compile_check(Fields({"id": "c", "type": "json_valid"})).weight == 1
    assert compile_check(Fields({"id": "c", "type": "json_valid", "essential": True})).weight == 0


def test_an_essential_check_that_fails_settles_the_sample_without_a_call() -> None:
    made = rubric(checks=[{"id": "json", "type": "json_valid", "essential": True}], reward={"range": [-1, 1]})
    task = prepare(made, sample(response="not json"))
    assert task.asks == ()
    judged = finish(task, ())
    assert isinstance(judged.outcome, Failure) and judged.outcome.stage == "skipped"
    assert judged.reward.value == -1


def test_another_check_that_fails_does_not_spare_the_call() -> None:
    made = rubric(checks=[{"id": "json", "type": "json_valid"}])
    assert len(prepare(made, sample(response="not json")).asks) == 1
