"""One row's result and its log line: what stands in them for verdicts, failures and malformed rows."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from making import rubric

from rftj_cli.errors import InputError
from rftj_cli.kernel.answering import Answer, answered, failure_code, score_of
from rftj_cli.kernel.events import read_row
from rftj_cli.kernel.outcome import CallError, Failure, Judge, Reply, Reward
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.kernel.scoring import Scorer

ALWAYS = {
    "schema", "at", "request", "id", "aggregate_reward_score", "outcome", "failure", "failure_code", "essential", "parts", "latency_ms",
    "calls", "attempts", "input_tokens", "output_tokens", "judge_fingerprint", "reward_fingerprint", "prompt_sha256",
    "response_sha256", "response_chars", "response_words",
}  # fmt: skip


def made(**changes: Any) -> Rubric:
    reward = {"range": [-1, 1], "on_failure": {"service": -0.5, "content": -0.25}, **changes.pop("reward", {})}
    return rubric(**{
        "criteria": [{"id": "quality", "question": "Q"}, {"id": "depth", "question": "Q", "scale": {"min": 1, "max": 5}}],
        "checks": [{"id": "short", "type": "max_words", "max": 3, "essential": True}],
        "reward": reward, **changes,
    })  # fmt: skip


def row(response: object = "an answer", **fields: Any) -> dict[str, Any]:
    return {
        "id": "r1",
        "messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": response}],
        **fields,
    }


def answer(given: object, said: str | Reply | CallError, rubric_: Rubric | None = None) -> Answer:
    own = rubric_ or made()

    def judge(request: object) -> Reply:
        if isinstance(said, CallError):
            raise said
        return said if isinstance(said, Reply) else Reply(said)

    read = read_row(given)
    found: Judge = judge
    scored = None if read.sample is None else Scorer(own, found).score([read.sample], 10)[0]
    return answered(own, read, scored, "req-1")


GOOD = '{"quality": "pass", "depth": 4}'


def test_a_verdict() -> None:
    one = answer(row(), Reply(GOOD, input_tokens=900, output_tokens=80, cache_read_tokens=7, attempts=2))
    assert one.result == {
        "id": "r1",
        "aggregate_reward_score": 0.75,  # -1 + 2 * (1 + .75) / 2
        "metrics_list": [
            {"name": "quality", "value": 1.0, "type": "Reward"},
            {"name": "depth", "value": 0.75, "type": "Reward"},
            {"name": "short", "value": 1.0, "type": "Reward"},
        ],
    }
    log = one.log
    assert set(log) == ALWAYS
    assert (log["outcome"], log["failure"], log["essential"]) == ("verdict", None, None)
    assert log["parts"] == {"quality": 1.0, "depth": 0.75, "short": 1.0}
    assert (log["calls"], log["attempts"], log["input_tokens"], log["output_tokens"]) == (1, 2, 907, 80)
    assert (log["request"], log["response_chars"], log["response_words"]) == ("req-1", 9, 2)
    assert log["at"][10] == "T" and log["at"].endswith("Z") and len(log["at"]) == 24


@pytest.mark.parametrize(
    ("said", "value", "stage"),
    [
        (CallError("throttled", "slow", input_tokens=5, output_tokens=1), -0.5, "throttled"),
        (CallError("timeout", "late"), -0.5, "timeout"),
        (CallError("call", "gone"), -0.5, "call"),
        (Reply("cut", stop="max_tokens"), -0.25, "truncated"),
        (Reply("", stop="filtered"), -0.25, "filtered"),
        (Reply("no", stop="refused"), -0.25, "refused"),
        (Reply("no verdict"), -0.25, "unparsed"),
    ],
)
def test_a_failure_gets_its_constant_and_is_marked(said: Reply | CallError, value: float, stage: str) -> None:
    one = answer(row(), said)
    assert one.result["aggregate_reward_score"] == value
    assert one.result["metrics_list"] == [
        {"name": "short", "value": 1.0, "type": "Reward"},
        {"name": "rftj_failed", "value": 1.0, "type": "Metric"},
    ]
    assert (one.log["outcome"], one.log["failure"], one.log["essential"]) == ("failure", stage, None)
    assert one.log["parts"] == {"short": 1.0} and set(one.log) == ALWAYS
    assert one.log["input_tokens"] == (5 if stage == "throttled" else 0)


def test_a_failed_essential_check_is_a_verdict_without_a_call() -> None:
    one = answer(row("far too many words"), CallError("call", "must not be called"))
    assert one.result["aggregate_reward_score"] == -1
    assert one.result["metrics_list"] == [{"name": "short", "value": 0.0, "type": "Reward"}]
    assert (one.log["outcome"], one.log["essential"], one.log["calls"]) == ("verdict", "short", 0)


def test_a_failed_essential_criterion_is_named() -> None:
    own = made(criteria=[{"id": "quality", "question": "Q", "essential": True}], checks=[])
    one = answer(row(), '{"quality": "fail"}', own)
    assert (one.result["aggregate_reward_score"], one.log["outcome"], one.log["essential"]) == (
        -1,
        "verdict",
        "quality",
    )


@pytest.mark.parametrize("given", [None, "SECRET", ["SECRET"], {"SECRET": 1}, row(None), row([{"SECRET": 1}])])
def test_a_malformed_row_gets_the_constant_of_content_and_is_marked(given: object) -> None:
    one = answer(given, GOOD)
    assert one.result["aggregate_reward_score"] == -0.25
    assert one.result["metrics_list"] == [{"name": "rftj_malformed", "value": 1.0, "type": "Metric"}]
    assert set(one.log) == ALWAYS | {"fault"} and one.log["outcome"] == "malformed" and one.log["parts"] == {}
    assert one.log["prompt_sha256"] is None and one.log["response_chars"] == 0
    assert one.log["fault"] and "SECRET" not in json.dumps(one.log)


@pytest.mark.parametrize(
    "fields",
    [{"criteria": [{"id": "x", "question": "Q", "SECRET": 1}]}, {"criteria": [{"id": "SECRET x", "question": "Q"}]},
     {"criteria": [{"id": "x", "question": "Q", "scale": [{"level": "a", "SECRET": 1}, "b"]}]},
     {"criteria": [{"id": "quality", "question": "SECRET"}]}, {"criteria": "SECRET"}, {"prompt": ["SECRET"]},
     {"criteria": [{"id": "x", "question": "Q", "scale": "SECRET"}]}],
)  # fmt: skip
def test_what_is_wrong_with_a_row_is_said_in_none_of_its_words(fields: dict[str, Any]) -> None:
    one = answer(row(metadata=fields), GOOD)
    assert one.log["outcome"] == "malformed" and "SECRET" not in json.dumps(one.log)
    assert one.result["aggregate_reward_score"] == -0.25


def test_a_field_that_the_template_needs_is_named_by_the_prompts_key_alone() -> None:
    one = answer(row(other="SECRET"), GOOD, made(prompt={"user": "{{ context.a }} {{ response }}"}))
    assert one.log["fault"] == "prompt.user: the prompt uses names that this sample does not have"


def test_criteria_of_the_row_itself_count() -> None:
    one = answer(
        row(criteria=[{"id": "own", "question": "Q", "weight": 2}]), '{"quality": "fail", "depth": 1, "own": "pass"}'
    )
    assert one.result["aggregate_reward_score"] == 0 and one.log["parts"]["own"] == 1


@pytest.mark.parametrize("id", ["x" * 10_240, {"a": "x" * 10_240}, list(range(9999))])
def test_a_long_id_goes_back_whole_and_into_the_log_in_part(id: object) -> None:
    one = answer({**row(), "id": id}, GOOD)
    assert one.result["id"] == id and len(one.log["id"]) == 200


def test_a_score_is_a_float_in_the_range() -> None:
    own = made()
    assert [score_of(Reward(value), own) for value in (-7, 0, 7)] == [-1.0, 0.0, 1.0]
    assert all(type(score_of(Reward(value), own)) is float for value in (1, 0))
    for value in (None, math.nan, math.inf):
        with pytest.raises(ValueError, match="on_failure"):
            score_of(Reward(value), own)


def test_an_input_error_of_the_scorer_is_a_malformed_row() -> None:
    one = answered(made(), read_row(row()), InputError("it quotes: SECRET", key="a"), "")
    assert one.log["fault"] == "a: it quotes" and one.log["prompt_sha256"]


@pytest.mark.parametrize(
    ("stage", "reason", "code"),
    [
        ("call", "AccessDeniedException: arn:... may not invoke", "AccessDeniedException"),
        ("throttled", "ThrottlingException: too many", "ThrottlingException"),
        ("call", "HTTP 503: <html>", "HTTP 503"),
        ("timeout", "no whole answer in 3 s", None),
        ("unparsed", "ValueError: the judge's own words", None),
    ],
)
def test_the_services_own_word_is_logged_and_no_more(stage: Any, reason: str, code: str | None) -> None:
    """An operator sees why calls fail; the sentence, which may quote, stays out."""
    assert failure_code(Failure(stage, reason)) == code
    assert failure_code(None) is None
