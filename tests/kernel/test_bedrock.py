"""Bedrock: pure translation both ways, and a real boto3 client against the fake service."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rftj_cli.errors import InputError
from rftj_cli.kernel.bedrock import BedrockJudge, build_converse, read_converse
from rftj_cli.kernel.outcome import CallError, Reply, Request
from rftj_cli.kernel.retry import Retry
from rftj_cli.testing import Canned, FakeJudgeServer, Faults

SECRET = "wJalrXUtnFEMI/K7MDENG"
REQUEST = Request(
    model="bedrock:us.amazon.nova-2-lite-v1:0",
    system="You judge.",
    user="Is it so?",
    temperature=0.0,
    max_tokens=300,
    seed=7,
    answers={"quality": ("fail", "pass")},
    reason="none",
    json=True,
)


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_BEARER_TOKEN_BEDROCK", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAFAKE",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
    }.items():
        monkeypatch.setenv(name, value)


def judge_at(server: FakeJudgeServer, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> BedrockJudge:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", server.url)
    return BedrockJudge(REQUEST.model, workers=2, **{"timeout": 5.0, **settings})


def answer(*blocks: dict[str, Any], stop: str = "end_turn") -> dict[str, Any]:
    usage = {"inputTokens": 12, "outputTokens": 3, "totalTokens": 15}
    return {"output": {"message": {"role": "assistant", "content": list(blocks)}}, "stopReason": stop, "usage": usage}


def test_a_request_becomes_a_converse_call() -> None:
    assert build_converse(REQUEST) == {
        "modelId": "us.amazon.nova-2-lite-v1:0",
        "system": [{"text": "You judge."}],
        "messages": [{"role": "user", "content": [{"text": "Is it so?"}]}],
        "inferenceConfig": {"maxTokens": 300, "temperature": 0.0},
    }


def test_what_is_not_set_is_not_sent() -> None:
    call = build_converse(replace(REQUEST, system="", temperature=None))
    assert "system" not in call
    assert call["inferenceConfig"] == {"maxTokens": 300}


def test_reasoning_blocks_are_kept_apart_from_the_text() -> None:
    reasoning = {"reasoningContent": {"reasoningText": {"text": "hm"}}}
    redacted = {"reasoningContent": {"redactedContent": b"x"}}
    reply = read_converse(answer(reasoning, redacted, {"text": '{"quality":'}, {"text": ' "pass"}'}))
    assert reply == Reply('{"quality": "pass"}', input_tokens=12, output_tokens=3, reasoning="hm")


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        ("end_turn", "end"),
        ("stop_sequence", "end"),
        ("max_tokens", "max_tokens"),
        ("model_context_window_exceeded", "max_tokens"),
        ("guardrail_intervened", "filtered"),
        ("content_filtered", "filtered"),
        ("refusal", "refused"),
    ],
)
def test_stop_reasons(stop: str, expected: str) -> None:
    assert read_converse(answer({"text": "x"}, stop=stop)).stop == expected


@pytest.mark.parametrize("response", [{}, None, [], {"output": {}}, {"output": {"message": None}, "stopReason": "x"}])
def test_a_response_without_a_message_is_a_fault(response: object) -> None:
    with pytest.raises(CallError, match="malformed") as caught:
        read_converse(response)
    assert caught.value.retry


def test_malformed_model_output_is_tried_again() -> None:
    with pytest.raises(CallError) as caught:
        read_converse(answer(stop="malformed_model_output"))
    assert caught.value.retry


def test_a_real_client_gets_its_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeJudgeServer('{"quality": "pass"}') as server:
        reply = judge_at(server, monkeypatch)(REQUEST)
    assert reply.text == '{"quality": "pass"}'
    assert reply.seconds > 0
    assert server.bodies == [{key: value for key, value in build_converse(REQUEST).items() if key != "modelId"}]


@pytest.mark.parametrize(
    ("fault", "stage", "retry", "fatal"),
    [
        ("429", "throttled", True, False),
        ("408", "timeout", True, False),
        ("424", "call", True, False),
        ("500", "call", True, False),
        ("503", "call", True, False),
        ("reset", "call", True, False),
        ("truncated", "call", True, False),
        ("html", "call", True, False),
        ("malformed", "call", True, False),
        ("400", "call", False, True),
        ("401", "call", False, True),
        ("403", "call", False, True),
        ("404", "call", False, True),
    ],
)
def test_every_fault_has_its_stage(
    fault: str, stage: str, retry: bool, fatal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeJudgeServer(faults=Faults(script=[fault])) as server:
        with pytest.raises(CallError) as caught:
            judge_at(server, monkeypatch)(REQUEST)
        assert server.requests == 1, "the SDK must not retry"
    error = caught.value
    assert (error.stage, error.retry, error.fatal) == (stage, retry, fatal)
    assert bool(error.advice) == fatal
    assert SECRET not in f"{error} {error.advice}"


def test_a_hang_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeJudgeServer(faults=Faults(script=["hang"])) as server, pytest.raises(CallError) as caught:
        judge_at(server, monkeypatch, timeout=0.2)(REQUEST)
    assert (caught.value.stage, caught.value.retry) == ("timeout", True)


def test_nobody_there_is_worth_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeJudgeServer() as server:
        judge = judge_at(server, monkeypatch)
    with pytest.raises(CallError) as caught:
        judge(REQUEST)
    assert (caught.value.stage, caught.value.retry) == ("call", True)


def test_retry_after_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = Faults(script=["429-after"], retry_after=3)
    with FakeJudgeServer(faults=faults) as server, pytest.raises(CallError) as caught:
        judge_at(server, monkeypatch)(REQUEST)
    assert caught.value.retry_after == 3


def test_empty_and_broken_replies_are_retried_to_a_good_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeJudgeServer(faults=Faults(script=["empty", "malformed", "503"])) as server:
        judge = Retry(judge_at(server, monkeypatch), sleep=lambda seconds: None)
        assert judge(REQUEST).attempts == 4


def refusal(message: str) -> Canned:
    return Canned(400, json.dumps({"message": message}), {"x-amzn-ErrorType": "ValidationException"})


def test_a_model_that_refuses_temperature_is_asked_without_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    script = [refusal("`temperature` is deprecated for this model.")]
    with FakeJudgeServer(faults=Faults(script=script)) as server:
        judge = judge_at(server, monkeypatch)
        judge(REQUEST)
        judge(REQUEST)
    assert ["temperature" in body["inferenceConfig"] for body in server.bodies] == [True, False, False]
    assert "temperature" in judge.notes[0]


def test_a_temperature_out_of_range_is_not_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    script = [refusal("Value 2 at inferenceConfig.temperature failed: must be less than or equal to 1")]
    with FakeJudgeServer(faults=Faults(script=script)) as server, pytest.raises(CallError) as caught:
        judge_at(server, monkeypatch)(REQUEST)
    assert caught.value.fatal


def test_a_prompt_that_is_too_long_stops_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    script = [refusal("Input is too long for requested model.")]
    with FakeJudgeServer(faults=Faults(script=script)) as server, pytest.raises(CallError) as caught:
        judge_at(server, monkeypatch)(REQUEST)
    assert (caught.value.fatal, caught.value.retry) == (False, False)


def test_no_credentials_names_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(InputError) as caught:
        BedrockJudge(REQUEST.model, workers=1)
    text = str(caught.value)
    assert all(way in text for way in ("AWS_BEARER_TOKEN_BEDROCK", "--base-url", "judge.model=local", "--replay"))


def test_an_api_key_is_enough_and_is_sent_over_https_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "bedrock-key")
    with FakeJudgeServer() as server, pytest.raises(CallError, match="HTTPS") as caught:
        judge_at(server, monkeypatch)(REQUEST)
    assert caught.value.fatal
    assert server.requests == 0
    assert "bedrock-key" not in str(caught.value)


def test_no_region_is_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    with pytest.raises(InputError, match="no AWS region"):
        BedrockJudge(REQUEST.model, workers=1)


def test_only_allowed_regions() -> None:
    with pytest.raises(InputError, match="allow_regions") as caught:
        BedrockJudge(REQUEST.model, workers=1, allow_regions=["eu-west-1"])
    assert "us-east-1" in str(caught.value)
    assert BedrockJudge(REQUEST.model, workers=1, region="eu-west-1", allow_regions=["eu-west-1"]).region == "eu-west-1"


def test_a_global_profile_cannot_be_kept_to_regions() -> None:
    with pytest.raises(InputError, match="global inference profile"):
        BedrockJudge("bedrock:global.amazon.nova-2-lite-v1:0", workers=1, allow_regions=["us-east-1"])


def test_an_unknown_profile_is_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(InputError, match="nobody"):
        BedrockJudge(REQUEST.model, workers=1)
