"""A value of the wrong type anywhere in a service's response is a failure, never a text: `None` is no verdict."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from making import rubric

from rftj_cli.judges.openai import ChatDialect, ChatEndpoint
from rftj_cli.kernel.bedrock import failure
from rftj_cli.kernel.converse import ConverseDialect
from rftj_cli.kernel.dialect import Accepted, HttpAnswer, HttpCall
from rftj_cli.kernel.outcome import CallError, Reply, Request
from rftj_cli.kernel.parse import Unparsed, parse_reply
from rftj_cli.kernel.retry import checked
from rftj_cli.kernel.rubric import JudgeSettings
from rftj_cli.kernel.structure import SCHEMA_NAME

# Levels that are spelled as Python or JSON spells what is not a text.
NAMES = ("None", "null", "true", "false", "nan", "0", "1", "[]", "{}", "inf", "-1.5", "pass")
CRITERIA = rubric(criteria=[{"id": "q", "question": "Q", "scale": list(NAMES)}]).criteria
BAD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1.5, math.nan, math.inf, -math.inf, 10**400, -(10**400), "", [], {}, [None], ["pass"],
    [{"text": "pass"}], {"text": "pass"}, {"q": "pass"}, {"text": None}, [[]], [1, 2],
)  # fmt: skip
REQUEST = Request("openai:m", "s", "u", 0.0, 300, 7, answers={"q": NAMES}, reason="none", json=True, logprobs=True)
VERDICT = '{"q": "pass"}'
TOKENS = [("{", -0.1), ('"q', -0.1), ('": "', -0.1), ("pass", -0.2), ('"}', -0.1)]


def token(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode())}


CHAT = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 0, "model": "m",
    "choices": [{
        "index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": VERDICT, "refusal": None, "reasoning_content": "so", "tool_calls": None},
        "logprobs": {"content": [{**token(*one), "top_logprobs": [token("fail", -3.0)]} for one in TOKENS]},
    }],
    "usage": {"prompt_tokens": 9, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 2}},
}  # fmt: skip
CALLED = {"id": "c", "type": "function", "function": {"name": SCHEMA_NAME, "arguments": VERDICT}}
CONVERSE = {
    "output": {"message": {"role": "assistant", "content": [
        {"reasoningContent": {"reasoningText": {"text": "so", "signature": "s"}}}, {"text": VERDICT},
    ]}},
    "stopReason": "end_turn", "metrics": {"latencyMs": 12},
    "usage": {"inputTokens": 9, "outputTokens": 5, "cacheReadInputTokens": 1, "cacheWriteInputTokens": 1},
}  # fmt: skip


def with_message(**message: Any) -> dict[str, Any]:
    found: Any = copy.deepcopy(CHAT)
    found["choices"][0]["message"].update(message)
    return dict(found)


def with_blocks(*blocks: Any, stop: str = "end_turn") -> dict[str, Any]:
    return {**CONVERSE, "output": {"message": {"role": "assistant", "content": list(blocks)}}, "stopReason": stop}


USE = {"toolUse": {"toolUseId": "t", "name": SCHEMA_NAME, "input": {"q": "pass"}}}
RESPONSES = {
    "chat": CHAT,
    "chat-parts": with_message(content=[{"type": "text", "text": VERDICT[:5]}, {"type": "text", "text": VERDICT[5:]}]),
    "chat-tool": with_message(content=None, tool_calls=[CALLED]),
    "chat-refusal": with_message(content=None, refusal="I will not."),
    "converse": CONVERSE,
    "converse-blocks": with_blocks({"text": VERDICT[:5]}, {"text": VERDICT[5:]}),
    "converse-tool": with_blocks({"text": "I call it."}, USE, stop="tool_use"),
}


class Access:
    """Stands for `bedrock.Access`: nothing is sent."""

    model, url = "m", "http://localhost/model/m/converse"

    def headers(self, url: str, body: bytes) -> dict[str, str]:
        return {}


CALL = HttpCall("http://localhost", {}, b"", Accepted())
CHATS = ChatDialect(ChatEndpoint("openai:m", base_url="http://localhost/v1", api_key="k"), JudgeSettings("openai:m"))
BEDROCK = ConverseDialect(Access(), JudgeSettings("bedrock:m"))


def dialect_of(name: str) -> ChatDialect | ConverseDialect:
    return CHATS if name.startswith("chat") else BEDROCK


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value, inner ones and leaves."""
    if path:
        yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*path, key))


def with_value(response: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(response)
    at = changed
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return changed


def read(name: str, response: Any, status: int = 200) -> Reply | CallError:
    """What becomes of a response: the reply as it would be stored, or the failed attempt."""
    body = json.dumps(response).replace(str(10**400), "1" + 400 * "0").encode()
    try:
        return checked(dialect_of(name).read(REQUEST, CALL, HttpAnswer(status, {}, body)))
    except CallError as error:
        return error


def texts(value: Any) -> Iterator[str]:
    """All texts of a response, in their order."""
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts(inner)


def is_made_of(text: str, response: Any) -> bool:
    """Whether a text is one of a response's own texts, or several of them joined."""
    for one in texts(response):
        text = text.removeprefix(one)
    return not text


def verdict(reply: Reply) -> str | None:
    """The level that the arguments of a tool would be read as."""
    try:
        return NAMES[parse_reply(reply.text, CRITERIA, None, ()).answers["q"].level]
    except Unparsed:
        return None


@pytest.mark.parametrize("name", RESPONSES)
def test_a_wrong_type_is_no_text(name: str) -> None:
    """At every place of a valid response; what is not read may be anything."""
    right = read(name, RESPONSES[name])
    assert isinstance(right, Reply)
    for path in places(RESPONSES[name]):
        for value in BAD:
            found = read(name, with_value(RESPONSES[name], path, value))
            where = f"{path} = {value!r}"[:200]
            if isinstance(found, CallError):
                assert found.retry and not found.fatal and found.stage == "call", where
                continue
            if found.text[:1] == "{" and isinstance(value, dict):  # the judge's own answer, as the arguments of a tool
                assert verdict(found) in ("pass", None), where
            elif "input" in path:
                named = isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool))
                named = named and value in ("", 0, 1, -1.5)  # a number names the level that is called by it
                assert verdict(found) in ("pass", f"{value}" if named else None, None), where
            else:
                made = is_made_of(found.text, with_value(RESPONSES[name], path, value))
                assert made or found.text == right.text, where
            assert found.input_tokens < 10**15 and found.output_tokens < 10**15, where
            assert found.stop_reason in (right.stop_reason, "stop", ""), where
            odds = (found.probabilities or {}).get("q", {})
            assert all(0 <= share <= 1 for share in odds.values()), where


@pytest.mark.parametrize("block", [
    [{"text": None}], [{"text": 1}], [{"text": True}], [{"text": ["pass"]}], [{"text": {"text": "pass"}}], [{}], [],
    [{"text": None}, {"text": None}], [{"toolUse": None}], [{"text": math.nan}],
])  # fmt: skip
def test_an_empty_block_is_no_verdict(block: list[Any]) -> None:
    found = read("converse", with_blocks(*block))
    assert isinstance(found, CallError) and found.retry and found.stage == "call"
    found = read("chat", with_message(content=block or None))
    assert isinstance(found, CallError) and found.retry and found.stage == "call"


@pytest.mark.parametrize("value", BAD, ids=str)
@pytest.mark.parametrize("write", [
    lambda bad: {"message": bad, "__type": bad}, lambda bad: {"error": bad}, lambda bad: {"error": {"message": bad, "code": bad}},
    lambda bad: {"detail": bad}, lambda bad: {"detail": [{"msg": bad, "loc": bad}]}, lambda bad: {"code": bad, "Message": bad},
    lambda bad: bad,
])  # fmt: skip
def test_an_error_of_another_shape_is_an_error_without_words(write: Callable[[Any], Any], value: Any) -> None:
    for name in ("chat", "converse"):
        for status in (400, 500):
            found = read(name, write(value), status)
            assert isinstance(found, CallError)
            assert "None" not in found.reason and "True" not in found.reason and "{'" not in found.reason


def test_a_list_of_faults_is_told_in_its_words() -> None:
    found = read("chat", {"detail": [{"loc": ["body", "n"], "msg": "Input should be a number"}, {"msg": None}]}, 400)
    assert isinstance(found, CallError) and found.reason == "HTTP 400: Input should be a number"


@pytest.mark.parametrize("value", [None, 1, True, [], {}, ["x"]])
def test_boto3_reads_errors_as_they_are(value: Any) -> None:
    from botocore.exceptions import ClientError

    said: Any = {
        "Error": {"Code": value, "Message": value},
        "ResponseMetadata": {"HTTPStatusCode": 400, "HTTPHeaders": {}},
    }
    assert failure(ClientError(said, "Converse")).reason == "HTTP 400"
