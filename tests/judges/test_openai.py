"""The OpenAI backend over real connections to the fake service: every fault has its stage, and no key leaks."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rftj_cli.errors import InputError
from rftj_cli.judges.openai import OpenAIJudge, build_chat, read_chat, retry_after
from rftj_cli.kernel.outcome import CallError, Request
from rftj_cli.kernel.retry import Retry
from rftj_cli.testing import Canned, FakeJudgeServer, Faults

KEY = "sk-proj-0123456789abcdef"
REQUEST = Request(
    model="openai:qwen3:8b",
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
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def judge_at(server: FakeJudgeServer, **settings: Any) -> OpenAIJudge:
    return OpenAIJudge("openai:m", base_url=server.base_url, api_key=KEY, **{"workers": 2, "timeout": 5.0, **settings})


def fault_of(script: list[str | Canned], **settings: Any) -> CallError:
    with FakeJudgeServer(faults=Faults(script=script, retry_after=2)) as server, pytest.raises(CallError) as caught:
        judge_at(server, **settings)(REQUEST)
    assert KEY not in f"{caught.value} {caught.value.advice}"
    return caught.value


def error(status: int, message: str, **more: str) -> Canned:
    return Canned(status, json.dumps({"error": {"message": message, **more}}))


def chat(message: dict[str, Any], finish: str = "stop", **more: Any) -> bytes:
    return json.dumps({"choices": [{"message": message, "finish_reason": finish}], **more}).encode()


def test_a_request_becomes_a_chat() -> None:
    assert build_chat(REQUEST) == {
        "model": "qwen3:8b",
        "messages": [{"role": "system", "content": "You judge."}, {"role": "user", "content": "Is it so?"}],
        "max_tokens": 300,
        "temperature": 0.0,
        "seed": 7,
    }


def test_what_is_not_set_is_not_sent() -> None:
    body = build_chat(replace(REQUEST, system="", temperature=None, seed=None))
    assert set(body) == {"model", "messages", "max_tokens"}
    assert len(body["messages"]) == 1


def test_a_chat_becomes_a_reply() -> None:
    message = {"content": "pass", "reasoning_content": "hm"}
    reply = read_chat(chat(message, usage={"prompt_tokens": 11, "completion_tokens": 2}))
    assert (reply.text, reply.stop, reply.reasoning, reply.input_tokens, reply.output_tokens) == (
        "pass",
        "end",
        "hm",
        11,
        2,
    )


@pytest.mark.parametrize(
    ("message", "finish", "text", "stop"),
    [
        ({"content": "pa"}, "length", "pa", "max_tokens"),
        ({"content": ""}, "content_filter", "", "filtered"),
        ({"content": None, "refusal": "I cannot"}, "stop", "I cannot", "refused"),
        ({"content": [{"type": "text", "text": "pass"}]}, "stop", "pass", "end"),
        ({"content": "pass", "refusal": None}, "eos", "pass", "end"),
    ],
)
def test_how_replies_end(message: dict[str, Any], finish: str, text: str, stop: str) -> None:
    reply = read_chat(chat(message, finish))
    assert (reply.text, reply.stop) == (text, stop)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b"[]", b"null", b'{"choices": []}', b'{"choices": [{}]}', b"[" * 100_000]
)
def test_what_is_no_chat_is_a_fault_worth_another_try(body: bytes) -> None:
    with pytest.raises(CallError, match="malformed") as caught:
        read_chat(body)
    assert (caught.value.stage, caught.value.retry) == ("call", True)


def test_an_error_inside_of_a_200_is_quoted() -> None:
    with pytest.raises(CallError, match="upstream overloaded"):
        read_chat(b'{"error": {"message": "upstream overloaded"}}')


def test_a_reply_over_a_real_connection() -> None:
    with FakeJudgeServer(lambda body: body["messages"][-1]["content"]) as server:
        reply = judge_at(server)(REQUEST)
    assert reply.text == "Is it so?"
    assert server.bodies[0]["model"] == "qwen3:8b"


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
def test_every_fault_has_its_stage(fault: str, stage: str, retry: bool, fatal: bool) -> None:
    found = fault_of([fault])
    assert (found.stage, found.retry, found.fatal) == (stage, retry, fatal)
    assert bool(found.advice) == fatal


def test_waits_that_the_service_asks_for() -> None:
    assert fault_of(["429-after"]).retry_after == 2
    now = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
    assert retry_after({"retry-after": "Mon, 23 Nov 2026 12:00:30 GMT"}, now) == 30
    assert retry_after({"retry-after-ms": "250", "retry-after": "9"}) == 0.25
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None


def test_an_empty_account_stops_the_run() -> None:
    found = fault_of([error(429, "You exceeded your current quota", code="insufficient_quota")])
    assert (found.fatal, found.retry) == (True, False)


def test_filtered_and_overlong_prompts_stop_only_themselves() -> None:
    filtered = fault_of([error(400, "blocked", code="content_filter")])
    assert (filtered.stage, filtered.fatal, filtered.retry) == ("filtered", False, False)
    too_long = fault_of([error(400, "too long", code="context_length_exceeded")])
    assert (too_long.stage, too_long.fatal, too_long.retry) == ("call", False, False)


def test_a_key_that_the_server_quotes_is_hidden() -> None:
    found = fault_of([error(401, f"Incorrect API key provided: {KEY} (or sk-proj-****cdef)")])
    assert "***" in found.reason
    assert "cdef" not in found.reason
    assert KEY not in repr(OpenAIJudge("m", base_url=f"https://u:{KEY}@host/v1", api_key=KEY, workers=1))


def test_parameters_that_reasoning_models_refuse_are_learned_once() -> None:
    script: list[str | Canned] = [
        error(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."),
        "ok",
        error(400, "Unsupported value: 'temperature' does not support 0.0 with this model."),
    ]
    with FakeJudgeServer(faults=Faults(script=script)) as server:
        judge = judge_at(server)
        for _ in range(3):
            judge(REQUEST)
    assert ["max_tokens" in body for body in server.bodies] == [True, False, False, False, False]
    assert ["temperature" in body for body in server.bodies] == [True, True, True, False, False]
    assert "temperature" in judge.notes[0]


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_a_server_that_does_not_come_to_an_end_is_left_at_the_deadline(fault: str) -> None:
    with FakeJudgeServer(faults=Faults(script=[fault] * 9)) as server:
        started = time.monotonic()
        with pytest.raises(CallError) as caught:
            Retry(judge_at(server, timeout=60), deadline=0.6)(REQUEST)
        assert time.monotonic() - started < 1.6
    assert (caught.value.stage, caught.value.retry) == ("timeout", True)


def test_nobody_there_is_worth_another_try() -> None:
    with FakeJudgeServer() as server:
        judge = judge_at(server)
    with pytest.raises(CallError, match="127.0.0.1") as caught:
        judge(REQUEST)
    assert (caught.value.stage, caught.value.retry) == ("call", True)


def test_faults_are_ridden_out() -> None:
    faults = Faults(rate=0.3, kinds=("429", "503", "reset", "malformed", "empty", "html", "truncated"), seed=1)
    with FakeJudgeServer("pass", faults=faults) as server:
        judge = Retry(judge_at(server, workers=8), attempts=20, sleep=lambda seconds: None)
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(judge, [REQUEST] * 200))
    assert {reply.text for reply in replies} == {"pass"}
    assert sum(reply.attempts for reply in replies) == server.requests > 200


def test_connections_are_kept() -> None:
    seen: set[int] = set()

    def rule(body: dict[str, Any]) -> str:
        seen.add(threading.get_ident())  # the fake has a thread for each connection
        return "pass"

    with FakeJudgeServer(rule) as server:
        judge = judge_at(server, workers=1)
        for _ in range(5):
            judge(REQUEST)
    assert len(seen) == 1


def test_openai_itself_needs_a_key() -> None:
    with pytest.raises(InputError) as caught:
        OpenAIJudge("openai:gpt-5-mini", workers=1)
    text = str(caught.value)
    assert all(way in text for way in ("OPENAI_API_KEY", "http://127.0.0.1:11434/v1", "--replay"))


def test_other_endpoints_need_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeJudgeServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url + "/")
        assert OpenAIJudge("openai:m", workers=1)(REQUEST).text


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host", "http://"])
def test_a_base_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="not a URL"):
        OpenAIJudge("m", base_url=url, workers=1)


def test_a_broken_key_is_not_quoted() -> None:
    with pytest.raises(InputError) as caught:
        OpenAIJudge("m", base_url="http://127.0.0.1:1/v1", api_key=f"{KEY}\nX: y", workers=1)
    assert KEY not in str(caught.value)


def test_the_loopback_is_never_proxied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with FakeJudgeServer() as server:
        assert judge_at(server)(REQUEST).text


def test_other_hosts_go_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeJudgeServer("via proxy") as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("//", "//user:hidden@"))
        judge = OpenAIJudge("m", base_url="http://judge.example/v1", api_key=KEY, workers=1, timeout=5)
        assert judge(REQUEST).text == "via proxy"
        monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:9")
        with pytest.raises(InputError, match="proxy"):
            OpenAIJudge("m", base_url="http://judge.example/v1", workers=1)


def test_a_certificate_file_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(InputError, match="SSL_CERT_FILE"):
        OpenAIJudge("m", base_url="https://judge.example/v1", workers=1)
