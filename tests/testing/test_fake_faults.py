"""Every fault on both protocols, as real clients meet it."""

from __future__ import annotations

import http.client
import time
from typing import Any

import pytest
from asking import bedrock, chat, connected, converse, got, text_of
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError
from botocore.parsers import ResponseParserError

from rftj_cli.errors import InputError
from rftj_cli.testing import Answer, Canned, FakeJudgeServer, Faults
from rftj_cli.testing.faults import AT_THE_CONNECTION, BROKEN, NAMES, SPOILT
from rftj_cli.testing.replies import FOREIGN_TOOL

JSON = '{"quality": "pass"}'
STATUSES = {
    "429": (429, "ThrottlingException", "rate_limit_exceeded"),
    "429-after": (429, "ThrottlingException", "rate_limit_exceeded"),
    "429-ms": (429, "ThrottlingException", "rate_limit_exceeded"),
    "not-ready": (429, "ModelNotReadyException", "model_not_ready"),
    "500": (500, "InternalServerException", "server_error"),
    "503": (503, "ServiceUnavailableException", "service_unavailable"),
    "408": (408, "ModelTimeoutException", "request_timeout"),
    "424": (424, "ModelErrorException", "failed_dependency"),
    "400": (400, "ValidationException", "invalid_request"),
    "401": (401, "UnrecognizedClientException", "invalid_api_key"),
    "403": (403, "AccessDeniedException", "permission_denied"),
    "404": (404, "ResourceNotFoundException", "model_not_found"),
    "unknown-parameter": (400, "ValidationException", "unknown_parameter"),
    "temperature": (400, "ValidationException", "unsupported_value"),
    "too-long": (400, "ValidationException", "context_length_exceeded"),
    "blocked": (400, "ValidationException", "invalid_prompt"),
}


def failing(*script: str | Canned, **settings: Any) -> FakeJudgeServer:
    return FakeJudgeServer(JSON, faults=Faults(script=script, **settings))


def test_every_fault_is_tested_here() -> None:
    assert set(NAMES) == {"ok", "expired", *STATUSES, *AT_THE_CONNECTION, *BROKEN, *SPOILT}


def test_a_marked_request_fails_however_often_it_is_sent() -> None:
    faults = Faults(script=["500"], marked={"say": "400"})
    assert [faults.of(number, b"please say it") for number in range(2)] == ["400", "400"]
    assert [faults.of(number, b"please") for number in range(2)] == ["500", "ok"]


@pytest.mark.parametrize("fault", STATUSES)
def test_statuses_have_each_services_own_code(fault: str) -> None:
    status, bedrock_code, openai_code = STATUSES[fault]
    with failing(fault, fault) as server:
        with pytest.raises(ClientError) as caught:
            converse(bedrock(server))
        found = chat(server)
    response = caught.value.response
    assert (response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]) == (status, bedrock_code)
    assert (found.status, found.error["code"]) == (status, openai_code)
    assert response["Error"]["Message"] and found.error["message"] and found.error["type"]
    assert server.billed.replies == 0


def test_expired_credentials_are_a_403_at_bedrock_and_a_401_at_openai() -> None:
    with failing("expired", "expired") as server:
        with pytest.raises(ClientError, match="security token included in the request is expired") as caught:
            converse(bedrock(server))
        assert (chat(server).status, chat(server).status) == (401, 200)
    assert caught.value.response["Error"]["Code"] == "ExpiredTokenException"


def test_waits_are_asked_for_in_each_services_headers() -> None:
    with failing("429-after", "429-ms", "429-after", "429-ms", "429", retry_after=2.5) as server:
        waits = []
        for _ in range(2):
            with pytest.raises(ClientError) as caught:
                converse(bedrock(server))
            waits.append(caught.value.response["ResponseMetadata"]["HTTPHeaders"])
        seconds, milliseconds, none = chat(server), chat(server), chat(server)
    assert waits[0]["retry-after"] == seconds.headers["retry-after"] == "2.5"
    assert waits[1]["x-amz-retry-after"] == milliseconds.headers["retry-after-ms"] == "2500"
    assert not {"retry-after", "retry-after-ms"} & set(none.headers)


def test_a_canned_response_is_sent_as_it_is() -> None:
    with failing(Canned(418, "tea", {"X-Pot": "1", "Content-Type": "text/plain"})) as server:
        found = chat(server)
    assert (found.status, found.body, found.headers["x-pot"]) == (418, b"tea", "1")
    assert found.headers["content-type"] == "text/plain"
    assert server.counts()["faults"] == {"418": 1}


@pytest.mark.parametrize("fault", ["reset", "reset-mid", "garbage", "truncated", "malformed", "html"])
def test_broken_replies_are_no_replies(fault: str) -> None:
    with failing(fault, fault) as server:
        try:
            response = converse(bedrock(server))
        except (BotoCoreError, ClientError, ResponseParserError, UnicodeDecodeError):
            response = {}
        assert "output" not in response
        try:
            found = chat(server)
        except (OSError, http.client.HTTPException):
            broken = True
        else:
            assert found.status == 200
            broken = False
            assert fault == "malformed" or not found.body.startswith(b"{") or found.body[-1:] != b"}"
        assert broken == (fault in ("reset", "reset-mid", "garbage"))
        assert chat(server).status == 200
    generated = 1 if fault in ("reset", "html") else 3
    assert server.billed.replies == generated, "what the model has written is billed, whatever became of it"


def test_a_reset_in_the_middle_comes_after_the_head() -> None:
    with failing("reset-mid") as server:
        connection = connected(server)
        connection.request("POST", "/v1/chat/completions", '{"messages": [{"role": "user", "content": ""}]}')
        response = connection.getresponse()
        assert response.status == 200
        with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
            response.read()
        connection.close()


def test_a_refusing_service_comes_back_on_the_same_port() -> None:
    with failing("refused", down=0.3) as server:
        idle = connected(server)
        assert got(idle, "GET", "/v1/models").status == 200
        with pytest.raises((OSError, http.client.HTTPException)):
            chat(server)
        began = time.monotonic()
        with pytest.raises(ConnectionRefusedError):
            chat(server)
        with pytest.raises((OSError, http.client.HTTPException)):
            got(idle, "GET", "/v1/models")
        while time.monotonic() < began + 60:
            try:
                assert chat(server).status == 200
                break
            except ConnectionRefusedError:
                time.sleep(0.02)
    assert server.requests == 2
    assert server.billed.replies == 1


def test_an_outage_takes_replies_under_way_along() -> None:
    with FakeJudgeServer(latency=0.2) as server:
        connection = connected(server)
        connection.request("POST", "/v1/chat/completions", '{"messages": [{"role": "user", "content": ""}]}')
        while not server.requests:
            time.sleep(0.005)
        server.outage(0.05)
        with pytest.raises(ConnectionRefusedError):
            chat(server)
        server.outage(0.05)
        with pytest.raises((OSError, http.client.HTTPException)):
            connection.getresponse()
        connection.close()
        time.sleep(0.3)
        assert chat(server).status == 200
    assert server.billed.replies == 1


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_a_service_that_does_not_come_to_an_end_is_billed_all_the_same(fault: str) -> None:
    with failing(fault, fault) as server:
        with pytest.raises(ReadTimeoutError):
            converse(bedrock(server, timeout=0.15))
        if fault == "hang":
            with pytest.raises(TimeoutError):
                chat(server, timeout=0.1)
        else:  # each byte starts the clock of http.client anew
            server.faults = Faults(script=["ok", "drip"], drip=0.0001)
            assert chat(server).choice["message"]["content"] == JSON
        time.sleep(0.05)
    assert server.billed.replies == 2


def test_after_hanging_the_reply_comes() -> None:
    with failing("hang", hang=0.1) as server:
        began = time.monotonic()
        assert chat(server).choice["message"]["content"] == JSON
        assert time.monotonic() - began >= 0.1


@pytest.mark.parametrize(
    ("fault", "text", "stop", "finish"),
    [
        ("empty", "", "end_turn", "stop"),
        ("whitespace", " \n\t\n ", "end_turn", "stop"),
        ("filtered", "The answer was blocked by a content filter.", "content_filtered", "content_filter"),
        ("max_tokens", JSON[: len(JSON) // 2], "max_tokens", "length"),
        ("reasoning", JSON, "end_turn", "stop"),
    ],
)
def test_spoilt_texts(fault: str, text: str, stop: str, finish: str) -> None:
    with failing(fault, fault) as server:
        response, choice = converse(bedrock(server)), chat(server).choice
    assert (text_of(response), response["stopReason"]) == (text, stop)
    assert (choice["message"]["content"], choice["finish_reason"]) == (text, finish)
    blocks = response["output"]["message"]["content"]
    if fault == "reasoning":
        assert list(blocks[0]) == ["reasoningContent"]
        assert blocks[0]["reasoningContent"]["reasoningText"]["text"] == choice["message"]["reasoning_content"]
    assert server.billed.replies == 2


def test_a_guardrail_has_its_own_stop_reason() -> None:
    guardrail = {"guardrailIdentifier": "abc", "guardrailVersion": "1"}
    with failing("filtered") as server:
        assert converse(bedrock(server), guardrailConfig=guardrail)["stopReason"] == "guardrail_intervened"


def test_a_refusal_is_said_in_each_services_way() -> None:
    with failing("refusal", "refusal") as server:
        response, choice = converse(bedrock(server)), chat(server).choice
    assert (response["stopReason"], text_of(response)) == ("refusal", "I cannot help with that.")
    assert (choice["message"]["content"], choice["message"]["refusal"]) == (None, "I cannot help with that.")


@pytest.mark.parametrize(("fault", "name"), [("tool", "answer"), ("foreign-tool", FOREIGN_TOOL)])
def test_tool_calls_that_nobody_asked_for(fault: str, name: str) -> None:
    with failing(fault, fault) as server:
        response, choice = converse(bedrock(server)), chat(server).choice
    (block,) = response["output"]["message"]["content"]
    assert (block["toolUse"]["name"], block["toolUse"]["input"]) == (name, {"quality": "pass"})
    assert (response["stopReason"], choice["finish_reason"]) == ("tool_use", "tool_calls")
    (call,) = choice["message"]["tool_calls"]
    assert call["function"] == {"name": name, "arguments": JSON}


def test_an_answer_keeps_its_reasoning_and_its_own_end() -> None:
    with FakeJudgeServer(Answer("no", "refused", "hm")) as server:
        response, choice = converse(bedrock(server)), chat(server).choice
    assert response["stopReason"] == "refusal"
    assert [next(iter(block)) for block in response["output"]["message"]["content"]] == ["reasoningContent", "text"]
    assert choice["message"]["refusal"] == "no"


def test_faults_are_drawn_by_seed_and_number() -> None:
    faults, same = (Faults(rate=0.25, seed=3) for _ in range(2))
    drawn = [faults.of(number) for number in range(2000)]
    assert drawn == [same.of(number) for number in range(2000)]
    assert 0.2 < sum(fault != "ok" for fault in drawn) / 2000 < 0.3


def test_an_unknown_fault_is_refused() -> None:
    with pytest.raises(InputError, match="reset"):
        Faults(script=["rest"])
