"""What the fake model accepts, and what requests must look like."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asking import bedrock, chat, converse, text_of
from botocore.exceptions import ClientError

from rftj_cli.testing import Answer, FakeJudgeServer, Model
from rftj_cli.testing.strict import converse_operation

JSON = '{"quality": "pass"}'
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"quality": {"type": "string", "enum": ["fail", "pass"]}},
    "required": ["quality"],
    "additionalProperties": False,
}


def text_format(schema: Any) -> dict[str, Any]:
    structure = {"jsonSchema": {"name": "verdict", "schema": schema if isinstance(schema, str) else json.dumps(schema)}}
    return {"textFormat": {"type": "json_schema", "structure": structure}}


def converse_tool(schema: Any = SCHEMA, choice: Any = None, **more: Any) -> dict[str, Any]:
    tool = {"toolSpec": {"name": "verdict", "inputSchema": {"json": schema}, **more}}
    return {"tools": [tool], **({"toolChoice": choice} if choice else {})}


def chat_tool(schema: Any = SCHEMA, **more: Any) -> list[dict[str, Any]]:
    return [{"type": "function", "function": {"name": "verdict", "parameters": schema, **more}}]


def response_format(schema: Any = SCHEMA, strict: bool = True) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "verdict", "schema": schema, "strict": strict}}


CACHED = [{"text": "Judge."}, {"cachePoint": {"type": "default"}}]
GUIDED = {"system": CACHED}


@pytest.mark.parametrize(
    ("model", "sent", "says"),
    [
        (Model(temperature=False), {"inferenceConfig": {"temperature": 0.0}}, "`temperature` is deprecated"),
        (Model(schema=False), {"outputConfig": text_format(SCHEMA)}, "does not support outputConfig.textFormat"),
        (Model(tools=False), {"toolConfig": converse_tool()}, "doesn't support tool use"),
        (Model(cache=False), GUIDED, "did not allow prompt caching"),
        (Model(seed=False), {"additionalModelRequestFields": {"seed": 1}}, "doesn't support the seed field"),
        (Model(refuses=["topP"]), {"inferenceConfig": {"topP": 0.5}}, "doesn't support the topP field"),
    ],
)
def test_bedrock_refuses_what_the_model_does_not_take(model: Model, sent: dict[str, Any], says: str) -> None:
    with FakeJudgeServer(JSON, model=model) as server:
        with pytest.raises(ClientError, match=says) as caught:
            converse(bedrock(server), **sent)
        assert text_of(converse(bedrock(server))) == JSON
        server.model = Model()
        assert converse(bedrock(server), **sent)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert (server.billed.replies, server.counts()["refused"]) == (2, 1)


@pytest.mark.parametrize(
    ("model", "sent", "param"),
    [
        (Model(temperature=False), {"temperature": 0.0}, "temperature"),
        (Model(schema=False), {"response_format": response_format()}, "response_format"),
        (Model(object=False), {"response_format": {"type": "json_object"}}, "response_format"),
        (Model(tools=False), {"tools": chat_tool()}, "tools"),
        (Model(logprobs=False), {"logprobs": True}, "logprobs"),
        (Model(seed=False), {"seed": 7}, "seed"),
        (Model(max_tokens=False), {"max_tokens": 9}, "max_tokens"),
        (Model(refuses=["top_p"]), {"top_p": 0.5}, "top_p"),
    ],
)
def test_openai_refuses_what_the_model_does_not_take(model: Model, sent: dict[str, Any], param: str) -> None:
    with FakeJudgeServer(JSON, model=model) as server:
        found = chat(server, **sent)
        assert chat(server, max_completion_tokens=9).status == 200
        server.model = Model()
        assert chat(server, **sent).status == 200
    assert (found.status, found.error["type"]) == (400, "invalid_request_error")
    assert (found.error["param"], found.error["code"]) == (param, "unsupported_parameter")
    assert ("Use 'max_completion_tokens' instead." in found.error["message"]) == (param == "max_tokens")


@pytest.mark.parametrize("choice", [{"tool": {"name": "verdict"}}, {"any": {}}])
def test_a_forced_tool_gets_the_json_at_bedrock(choice: dict[str, Any]) -> None:
    with FakeJudgeServer(JSON) as server:
        response = converse(bedrock(server), toolConfig=converse_tool(choice=choice))
        free = converse(bedrock(server), toolConfig=converse_tool(choice={"auto": {}}))
        server.rule = "no JSON"
        prose = converse(bedrock(server), toolConfig=converse_tool(choice=choice))
    (block,) = response["output"]["message"]["content"]
    assert (block["toolUse"]["name"], block["toolUse"]["input"]) == ("verdict", {"quality": "pass"})
    assert response["stopReason"] == "tool_use"
    assert (text_of(free), free["stopReason"]) == (JSON, "end_turn")
    assert text_of(prose) == "no JSON"


@pytest.mark.parametrize("choice", [{"type": "function", "function": {"name": "verdict"}}, "required"])
def test_a_forced_tool_gets_the_json_at_openai(choice: Any) -> None:
    with FakeJudgeServer(JSON) as server:
        forced = chat(server, tools=chat_tool(), tool_choice=choice).choice
        free = chat(server, tools=chat_tool(), tool_choice="auto").choice
    (call,) = forced["message"]["tool_calls"]
    assert (call["function"], forced["finish_reason"]) == ({"name": "verdict", "arguments": JSON}, "tool_calls")
    assert free["message"]["content"] == JSON


def test_log_probabilities_are_sent_to_those_who_ask() -> None:
    answer = Answer("pass", logprobs=[("pass", -0.1, {"pass": -0.1, "fail": -2.5, "x": -9.0})])
    with FakeJudgeServer(answer) as server:
        (token,) = chat(server, logprobs=True, top_logprobs=2).choice["logprobs"]["content"]
        assert "logprobs" not in chat(server).choice
    assert (token["token"], token["logprob"], bytes(token["bytes"])) == ("pass", -0.1, b"pass")
    assert [(one["token"], one["logprob"]) for one in token["top_logprobs"]] == [("pass", -0.1), ("fail", -2.5)]


BOUNDED = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"type": "object", "properties": {}}, "additionalProperties"),
        (BOUNDED, "minimum"),
        ({"type": "array", "items": {"type": "string", "maxLength": 9}}, "maxLength"),
        ({"anyOf": [{"type": "string", "minLength": 1}]}, "minLength"),
        ({"$defs": {"n": {"type": "number", "multipleOf": 2}}, "type": "string"}, "multipleOf"),
        ({"type": "number", "maximum": 2}, "maximum"),
    ],
)
def test_schemas_that_bedrock_cannot_hold_a_model_to_are_refused(schema: dict[str, Any], says: str) -> None:
    with FakeJudgeServer(JSON) as server:
        client = bedrock(server)
        with pytest.raises(ClientError, match=says):
            converse(client, outputConfig=text_format(schema))
        with pytest.raises(ClientError, match=says):
            converse(client, toolConfig=converse_tool(schema, strict=True))
        assert converse(client, toolConfig=converse_tool(schema))
        assert chat(server, response_format=response_format(schema)).error["code"] == "invalid_json_schema"
        assert chat(server, tools=chat_tool(schema, strict=True)).status == 400
        assert chat(server, response_format=response_format(schema, strict=False)).status == 200


def test_a_schema_that_is_no_json_is_refused() -> None:
    with FakeJudgeServer(JSON) as server, pytest.raises(ClientError, match="not valid JSON"):
        converse(bedrock(server), outputConfig=text_format("{"))


def test_openai_wants_every_property_required() -> None:
    optional = {**SCHEMA, "required": []}
    with FakeJudgeServer(JSON) as server:
        found = chat(server, response_format=response_format(optional))
        assert "Missing 'quality'" in found.error["message"]
        assert converse(bedrock(server), outputConfig=text_format(optional))


def raw(server: FakeJudgeServer, body: dict[str, Any]) -> Any:
    from asking import connected, got

    connection = connected(server)
    try:
        return got(connection, "POST", "/model/m%3A0/converse", body)
    finally:
        connection.close()


USER = [{"role": "user", "content": [{"text": "so?"}]}]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "messages"),
        ({"messages": USER, "temperature": 0}, "temperature"),
        ({"messages": "so?"}, "messages"),
        ({"messages": USER, "inferenceConfig": {"max_tokens": 3}}, "max_tokens"),
        ({"messages": USER, "inferenceConfig": {"maxTokens": 0}}, "maxTokens"),
        ({"messages": USER, "inferenceConfig": {"temperature": 2}}, "inferenceConfig.temperature"),
        ({"messages": [{"role": "judge", "content": [{"text": "so?"}]}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": [{"text": " "}]}]}, "messages.0.content.0 is blank"),
        ({"messages": USER, "toolConfig": {"tools": []}}, "toolConfig.tools"),
    ],
)
def test_a_body_that_converse_does_not_know_is_refused_by_name(body: dict[str, Any], says: str) -> None:
    with FakeJudgeServer(JSON) as server:
        found = raw(server, body)
        assert (found.status, found.headers["x-amzn-errortype"]) == (400, "ValidationException")
        assert says in found.document["message"]
    assert (server.requests, server.billed.replies) == (1, 0)


def test_without_strictness_odd_bodies_are_let_in() -> None:
    with FakeJudgeServer(JSON, strict=False) as server:
        assert raw(server, {"messages": USER, "temperature": 0}).status == 200
        assert raw(server, {"messages": "so?"}).status == 400
        assert chat(server, messages=[]).status == 200
        server.strict = True
        assert chat(server, messages=[]).error["param"] == "messages"


def unknown(value: Any, shape: Any, at: str = "response") -> list[str]:
    """Members of a response that are not in botocore's shape of it."""
    if shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        extra = [f"{at}.{name}" for name in value if name not in shape.members]
        absent = [f"{at}.{name} is missing" for name in shape.required_members if name not in value]
        known = [(inner, shape.members[name], f"{at}.{name}") for name, inner in value.items() if name in shape.members]
        return [*extra, *absent, *(fault for one in known for fault in unknown(*one))]
    if shape.type_name == "list":
        return [fault for inner in value for fault in unknown(inner, shape.member, at)]
    return []


@pytest.mark.parametrize(
    "answer",
    [
        Answer("text"),
        Answer("text", "max_tokens", "first this"),
        Answer(JSON, tool=True),
        Answer("no JSON", "filtered", tool="verdict"),
    ],
)
def test_every_response_has_the_shape_that_botocore_describes(answer: Answer) -> None:
    with FakeJudgeServer(answer) as server:
        assert unknown(raw(server, {"messages": USER}).document, converse_operation().output_shape) == []
        assert converse(bedrock(server))["ResponseMetadata"]["RequestId"] == "fake-1"
