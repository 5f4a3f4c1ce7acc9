"""Converse as data: bodies that botocore's service model accepts, and replies read from every shape of response."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from botocore.session import Session
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from rftj_cli.kernel.converse import build_converse, read_converse, used_for
from rftj_cli.kernel.dialect import Accepted, Learned
from rftj_cli.kernel.outcome import CallError, Reply, Request
from rftj_cli.kernel.structure import SCHEMA_NAME, answer_schema

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
LONG = replace(
    REQUEST,
    model="bedrock:global.anthropic.claude-sonnet-4-5-20250929-v1:0",
    system="s" * 3000,
    user="u" * 2000 + "the sample",
    shared=2000,
)
TEXT, SCHEMA, TOOL = Accepted(), Accepted("schema"), Accepted("tool")
POINT = {"cachePoint": {"type": "default"}}


@cache
def converse_shape() -> Any:
    return Session().get_service_model("bedrock-runtime").operation_model("Converse").input_shape


def body(request: Request, used: Accepted = TEXT, **settings: Any) -> dict[str, Any]:
    """What we build, which botocore must find valid."""
    built = build_converse(request, used, **{"cache": True, **settings})
    report = ParamValidator().validate({"modelId": "m", **built}, converse_shape())
    assert not report.has_errors(), report.generate_report()
    return built


def answer(*blocks: dict[str, Any], stop: str = "end_turn", **usage: int) -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": list(blocks)}},
        "stopReason": stop,
        "usage": {"inputTokens": 12, "outputTokens": 3, "totalTokens": 15, **usage},
        "metrics": {"latencyMs": 250},
    }


def test_a_request_becomes_a_converse_call() -> None:
    assert body(REQUEST) == {
        "system": [{"text": "You judge."}],
        "messages": [{"role": "user", "content": [{"text": "Is it so?"}]}],
        "inferenceConfig": {"maxTokens": 300, "temperature": 0.0},
    }


@pytest.mark.parametrize("request_", [replace(REQUEST, system="", temperature=None), replace(REQUEST, system=" \n")])
def test_what_is_not_set_is_not_sent(request_: Request) -> None:
    call = body(request_, replace(TEXT, temperature=False))
    assert "system" not in call
    assert call["inferenceConfig"] == {"maxTokens": 300}


def test_a_schema_is_sent_as_text() -> None:
    form = body(REQUEST, SCHEMA)["outputConfig"]["textFormat"]
    assert form["type"] == "json_schema"
    definition = form["structure"]["jsonSchema"]
    assert json.loads(definition["schema"]) == answer_schema(REQUEST)
    assert definition["name"] == SCHEMA_NAME


def test_a_tool_is_forced() -> None:
    config = body(REQUEST, TOOL)["toolConfig"]
    assert [tool["toolSpec"]["inputSchema"]["json"] for tool in config["tools"]] == [answer_schema(REQUEST)]
    assert config["toolChoice"] == {"tool": {"name": config["tools"][0]["toolSpec"]["name"]}}


@pytest.mark.parametrize("id", ["gr1", "arn:aws:bedrock:us-east-1:123456789012:guardrail/gr1"])
def test_guardrail_and_tier(id: str) -> None:
    call = body(replace(REQUEST, guardrail=f"{id}:DRAFT"), tier="flex")
    assert call["guardrailConfig"] == {"guardrailIdentifier": id, "guardrailVersion": "DRAFT"}
    assert call["serviceTier"] == {"type": "flex"}


def test_one_cache_point_at_the_end_of_what_is_shared() -> None:
    call = body(LONG)
    assert call["messages"][0]["content"] == [{"text": "u" * 2000}, POINT, {"text": "the sample"}]
    assert call["system"] == [{"text": "s" * 3000}]


@pytest.mark.parametrize("shared", [0, 3])
def test_a_shared_head_that_says_nothing_ends_the_cache_at_the_system(shared: int) -> None:
    call = body(replace(LONG, system="s" * 5000, user="   x", shared=shared))
    assert call["system"] == [{"text": "s" * 5000}, POINT]
    assert call["messages"][0]["content"] == [{"text": "   x"}]


@pytest.mark.parametrize("user", ["u" * 2000, "u" * 2000 + "\n "])
def test_no_block_is_blank(user: str) -> None:
    assert body(replace(LONG, user=user))["messages"][0]["content"] == [{"text": user}, POINT]


@pytest.mark.parametrize(
    "request_",
    [
        replace(LONG, shared=100),
        replace(LONG, shared=-1),
        replace(LONG, model="bedrock:us.anthropic.claude-haiku-4-5-20251001-v1:0"),
        replace(LONG, model="bedrock:openai.gpt-oss-120b-1:0"),
        replace(LONG, model="bedrock:arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3"),
    ],
)
def test_no_cache_point_where_none_can_help(request_: Request) -> None:
    assert "cachePoint" not in json.dumps(body(request_))
    assert not used_for(request_, Learned("m", ("text",)), cache=True).cache


def test_no_cache_point_where_the_rubric_or_the_model_wants_none() -> None:
    assert "cachePoint" not in json.dumps(body(LONG, cache=False))
    assert "cachePoint" not in json.dumps(body(LONG, replace(TEXT, cache=False)))


def test_a_profiles_arn_may_name_the_model() -> None:
    model = "bedrock:arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-6"
    assert "cachePoint" in json.dumps(body(replace(LONG, model=model)))


texts = st.text(st.characters(exclude_categories=[]), min_size=1, max_size=40).map(lambda text: text * 100)


@given(texts, texts, st.integers(0, 5000))
def test_the_model_sees_the_same_text_however_it_is_cut(system: str, user: str, shared: int) -> None:
    request = replace(LONG, system=system, user=user, shared=shared)
    call = body(request)
    for blocks, text in ((call.get("system", []), system), (call["messages"][0]["content"], user)):
        sent = "".join(block.get("text", "") for block in blocks)
        assert sent == text.encode("utf-8", "replace").decode() or (not text.strip() and not blocks)
        assert len(blocks) == 1 or all(block["text"].strip() for block in blocks if "text" in block)
    json.dumps(call, ensure_ascii=False).encode()


def test_only_what_is_sent_counts_as_used() -> None:
    learned = Learned("m", ("schema", "tool", "text"))
    assert used_for(REQUEST, learned, cache=True) == Accepted("schema", cache=False)
    assert used_for(LONG, learned, cache=True) == Accepted("schema")
    assert used_for(LONG, learned, cache=False) == Accepted("schema", cache=False)
    asked = replace(LONG, temperature=None, json=False)
    assert used_for(asked, learned, cache=True) == Accepted("text", temperature=False)


def test_a_reply_with_all_that_it_says_of_itself() -> None:
    reasoning = {"reasoningContent": {"reasoningText": {"text": "hm"}}}
    redacted = {"reasoningContent": {"redactedContent": b"x"}}
    response = answer(
        reasoning,
        redacted,
        {"text": '{"quality":'},
        {"text": ' "pass"}'},
        cacheReadInputTokens=7,
        cacheWriteInputTokens=5,
    )
    assert read_converse(response, "schema", 1.5) == Reply(
        '{"quality": "pass"}',
        input_tokens=12,
        output_tokens=3,
        seconds=1.5,
        reasoning="hm",
        stop_reason="end_turn",
        structure="schema",
        service_seconds=0.25,
        cache_read_tokens=7,
        cache_write_tokens=5,
    )


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        ("end_turn", "end"),
        ("stop_sequence", "end"),
        ("something_new", "end"),
        ("max_tokens", "max_tokens"),
        ("model_context_window_exceeded", "max_tokens"),
        ("guardrail_intervened", "filtered"),
        ("content_filtered", "filtered"),
        ("refusal", "refused"),
        ("MAX_TOKENS", "max_tokens"),
        ("model_length", "max_tokens"),
        ("SAFETY", "filtered"),
    ],
)
def test_stop_reasons(stop: str, expected: str) -> None:
    reply = read_converse(answer({"text": "x"}, stop=stop))
    assert (reply.stop, reply.stop_reason) == (expected, stop)


def tool_use(name: str = SCHEMA_NAME, input: object = None) -> dict[str, Any]:
    return {"toolUse": {"toolUseId": "1", "name": name, "input": {"quality": "p\u00e4ss"} if input is None else input}}


def test_a_forced_tools_input_is_the_text() -> None:
    reply = read_converse(answer({"text": "I call it."}, tool_use(), stop="tool_use"), "tool")
    assert (reply.text, reply.stop, reply.structure) == ('{"quality": "p\u00e4ss"}', "end", "tool")
    assert read_converse(answer(tool_use(input='{"quality": 1}'))).text == '{"quality": 1}'


def test_text_is_taken_where_a_tool_was_forced() -> None:
    assert read_converse(answer({"text": '{"quality": "pass"}'}), "tool").text == '{"quality": "pass"}'


@pytest.mark.parametrize(
    "response",
    [
        {},
        None,
        [],
        "text",
        7,
        {"output": {}},
        {"output": {"message": None}, "stopReason": "x"},
        {"output": {"message": {"content": None}}, "stopReason": "x"},
        {"output": {"message": {"content": "text"}}, "stopReason": "x"},
        {"output": {"message": {"content": ["text"]}}, "stopReason": "x"},
        {"output": {"message": {"content": [{"text": "x"}]}}},
        {"output": {"message": {"content": [{"text": "x"}]}}, "stopReason": None},
    ],
)
def test_a_response_without_a_message_is_a_fault(response: object) -> None:
    with pytest.raises(CallError, match="malformed") as caught:
        read_converse(response)
    assert (caught.value.retry, caught.value.billed) == (True, None)


@pytest.mark.parametrize(
    "response",
    [
        answer(stop="malformed_model_output"),
        answer(stop="malformed_tool_use"),
        answer({"text": '{"quality": "pass"}'}, stop="ABORT"),
        answer({"text": '{"quality": "pass"}'}, stop="error"),
        answer(tool_use("another")),
        answer({"toolUse": "x"}),
        {"usage": {"inputTokens": 12, "outputTokens": 3}},
    ],
)
def test_unusable_output_is_tried_again_and_was_billed(response: Mapping[str, Any]) -> None:
    with pytest.raises(CallError) as caught:
        read_converse(response)
    error = caught.value
    assert (error.retry, error.billed, error.input_tokens, error.output_tokens) == (True, True, 12, 3)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "output",
                        "message",
                        "content",
                        "stopReason",
                        "usage",
                        "metrics",
                        "text",
                        "toolUse",
                        "name",
                        "input",
                        "reasoningContent",
                        "reasoningText",
                        "inputTokens",
                        "latencyMs",
                    ]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=25,
    )
)
def test_whatever_comes_is_a_reply_or_a_fault(response: object) -> None:
    try:
        assert isinstance(read_converse(response), Reply)
    except CallError as error:
        assert error.retry
