"""The OpenAI backend over real connections to the fake service: every fault has its stage, and no key leaks."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rftj_cli.errors import InputError
from rftj_cli.judges import Options, make_judge
from rftj_cli.judges.curl import Curl
from rftj_cli.judges.openai import ChatDialect, ChatEndpoint, build_chat, read_chat
from rftj_cli.kernel.dialect import Accepted, HttpJudge, learned_of, notes_of
from rftj_cli.kernel.outcome import CallError, Reply, Request
from rftj_cli.kernel.refusals import retry_after
from rftj_cli.kernel.retry import Policy, Retry
from rftj_cli.kernel.rubric import JudgeSettings
from rftj_cli.kernel.structure import answer_schema
from rftj_cli.testing import Answer, Canned, FakeJudgeServer, Faults, Model

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


def judge_at(
    server: FakeJudgeServer, *, base_url: str | None = None, timeout: float = 5.0, workers: int = 2, **settings: Any
) -> HttpJudge:
    endpoint = ChatEndpoint("openai:m", base_url=base_url or server.base_url, api_key=KEY)
    dialect = ChatDialect(endpoint, JudgeSettings("openai:m", **settings))
    return HttpJudge(dialect, Curl(workers, endpoint.url), timeout)


def asked(judge: HttpJudge, request: Request) -> Reply:
    """The reply, where what the model refuses is left out."""
    return Retry(judge, sleep=lambda seconds: None)(request)


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
    assert build_chat(REQUEST, Accepted(logprobs=False)) == {
        "model": "qwen3:8b",
        "messages": [{"role": "system", "content": "You judge."}, {"role": "user", "content": "Is it so?"}],
        "max_tokens": 300,
        "temperature": 0.0,
        "seed": 7,
    }


def test_what_is_not_set_is_not_sent() -> None:
    body = build_chat(
        replace(REQUEST, system="", temperature=None, seed=None),
        Accepted(temperature=False, seed=False, logprobs=False),
    )
    assert set(body) == {"model", "messages", "max_tokens"}
    assert len(body["messages"]) == 1


def test_a_chat_becomes_a_reply() -> None:
    message = {"content": "pass", "reasoning_content": "hm"}
    reply = read_chat(chat(message, usage={"prompt_tokens": 11, "completion_tokens": 2}), REQUEST)
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
        ({"content": "pa"}, "MAX_TOKENS", "pa", "max_tokens"),
        ({"content": "pa"}, "model_length", "pa", "max_tokens"),
        ({"content": "pa"}, "content-filter", "pa", "filtered"),
    ],
)
def test_how_replies_end(message: dict[str, Any], finish: str, text: str, stop: str) -> None:
    reply = read_chat(chat(message, finish), REQUEST)
    assert (reply.text, reply.stop) == (text, stop)


@pytest.mark.parametrize("finish", ["abort", "error", "ERROR"])
def test_a_reply_that_the_service_breaks_off_is_tried_again(finish: str) -> None:
    with pytest.raises(CallError, match=finish) as caught:
        read_chat(chat({"content": '{"quality": "pass"}'}, finish), REQUEST)
    assert caught.value.retry and caught.value.billed


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b"[]", b"null", b'{"choices": []}', b'{"choices": [{}]}', b"[" * 100_000]
)
def test_what_is_no_chat_is_a_fault_worth_another_try(body: bytes) -> None:
    with pytest.raises(CallError, match="malformed") as caught:
        read_chat(body, REQUEST)
    assert (caught.value.stage, caught.value.retry) == ("call", True)


def test_an_error_inside_of_a_200_is_quoted() -> None:
    with pytest.raises(CallError, match="upstream overloaded"):
        read_chat(b'{"error": {"message": "upstream overloaded"}}', REQUEST)


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
        ("400", "call", False, False),
        ("401", "call", False, True),
        ("403", "call", False, True),
        ("404", "call", False, True),
    ],
)
def test_every_fault_has_its_stage(fault: str, stage: str, retry: bool, fatal: bool) -> None:
    found = fault_of([fault])
    assert (found.stage, found.retry, found.fatal) == (stage, retry, fatal)
    assert bool(found.advice) == (not found.retry and found.stage == "call")


def test_waits_that_the_service_asks_for() -> None:
    assert fault_of(["429-after"]).retry_after == 2
    now = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
    assert retry_after({"retry-after": "Mon, 23 Nov 2026 12:00:30 GMT"}, now) == 30
    assert retry_after({"retry-after-ms": "250", "retry-after": "9"}) == 0.25
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None
    assert retry_after({"retry-after": "3600, 1"}) == 1, "a gateway's header next to the service's"
    assert retry_after({"retry-after": "1, soon"}) == 1


def test_an_empty_account_stops_the_run() -> None:
    found = fault_of([error(429, "You exceeded your current quota", code="insufficient_quota")])
    assert (found.fatal, found.retry) == (True, False)


def test_filtered_and_overlong_prompts_stop_only_themselves() -> None:
    filtered = fault_of([error(400, "blocked", code="content_filter")])
    assert (filtered.stage, filtered.fatal, filtered.retry) == ("filtered", False, False)
    too_long = fault_of([error(400, "too long", code="context_length_exceeded")])
    assert (too_long.stage, too_long.fatal, too_long.retry) == ("too_long", False, False)


def test_a_key_that_the_server_quotes_is_hidden() -> None:
    found = fault_of([error(401, f"Incorrect API key provided: {KEY} (or sk-proj-****cdef)")])
    assert "***" in found.reason
    assert "cdef" not in found.reason
    assert KEY not in repr(ChatEndpoint("m", base_url=f"https://u:{KEY}@host/v1", api_key=KEY))


def test_parameters_that_reasoning_models_refuse_are_learned_once() -> None:
    with FakeJudgeServer('{"quality": "pass"}', model=Model(temperature=False, max_tokens=False, seed=False)) as server:
        judge = judge_at(server)
        replies = [asked(judge, REQUEST) for _ in range(3)]
    assert [reply.attempts for reply in replies] == [1, 1, 1], "what was learned is no attempt"
    assert len(server.bodies) == 6
    assert not {"max_tokens", "temperature", "seed"} & set(server.bodies[-1])
    assert server.bodies[-1]["max_completion_tokens"] == 300
    assert any("temperature" in note for note in notes_of(judge))


def test_a_schema_is_asked_for_first() -> None:
    with FakeJudgeServer('{"quality": "pass"}') as server:
        reply = asked(judge_at(server), REQUEST)
    sent = server.bodies[0]["response_format"]
    assert (sent["type"], sent["json_schema"]["strict"]) == ("json_schema", True)
    assert sent["json_schema"]["schema"] == answer_schema(REQUEST)
    assert reply.structure == "schema"


@pytest.mark.parametrize(
    ("model", "user", "structure"),
    [
        (Model(schema=False), "Answer in JSON.", "object"),
        (Model(schema=False), "Is it so?", "text"),
        (Model(schema=False, object=False), "Answer in JSON.", "text"),
    ],
)
def test_the_form_of_json_falls_back_to_what_is_accepted(model: Model, user: str, structure: str) -> None:
    with FakeJudgeServer('{"quality": "pass"}', model=model) as server:
        judge = judge_at(server)
        replies = [asked(judge, replace(REQUEST, user=user)) for _ in range(2)]
    assert [reply.structure for reply in replies] == [structure] * 2
    learned = learned_of(judge)
    assert learned is not None
    again = ChatDialect(judge.dialect.endpoint, JudgeSettings("openai:m"), learned.document())  # type: ignore[attr-defined]
    assert again.learned.now == learned.now, "an earlier command's knowledge is used"


def test_a_form_that_the_rubric_fixes_is_not_left() -> None:
    with FakeJudgeServer(model=Model(schema=False)) as server, pytest.raises(CallError) as caught:
        asked(judge_at(server), replace(REQUEST, structure="schema"))
    assert caught.value.fatal and "judge.structure" in caught.value.advice


def test_a_fixed_tool_is_called() -> None:
    with FakeJudgeServer('{"quality": "pass"}') as server:
        reply = asked(judge_at(server), replace(REQUEST, structure="tool"))
    assert server.bodies[0]["tool_choice"]["function"]["name"] == server.bodies[0]["tools"][0]["function"]["name"]
    assert (reply.text, reply.structure) == ('{"quality": "pass"}', "tool")


def test_a_reply_that_a_regex_reads_has_no_form() -> None:
    with FakeJudgeServer("pass") as server:
        asked(judge_at(server), replace(REQUEST, json=False))
    assert "response_format" not in server.bodies[0]


@pytest.mark.parametrize(
    "message",
    [
        "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
        "response_format value as json_schema is enabled only for api versions 2024-08-01-preview and later",
        "This response_format type is unavailable now",
        "guided decoding: Unsupported JSON schema",
        "failed to parse grammar",
        "Extra inputs are not permitted: response_format",
    ],
)
def test_the_words_in_which_servers_refuse_a_schema(message: str) -> None:
    with FakeJudgeServer('{"quality": "pass"}', faults=Faults(script=[error(400, message)])) as server:
        assert asked(judge_at(server), replace(REQUEST, user="JSON, please")).structure == "object"


def test_a_temperature_out_of_range_is_not_left_out() -> None:
    message = "Invalid 'temperature': must be less than or equal to 2"
    fault = fault_of([error(400, message)])
    assert (fault.retry, fault.adapted) == (False, False)


def test_votes_with_a_seed_are_different_votes() -> None:
    assert [build_chat(replace(REQUEST, vote=vote), Accepted())["seed"] for vote in range(3)] == [7, 8, 9]


def test_log_probabilities_are_kept_beside_the_verdict() -> None:
    tokens = [('{"quality": "', 0.0, {}), ("pass", -0.1, {"fail": -2.4}), ('"}', 0.0, {})]
    reply = Answer('{"quality": "pass"}', logprobs=tokens)
    with FakeJudgeServer(reply) as server:
        got = asked(judge_at(server), replace(REQUEST, logprobs=True))
        plain = asked(judge_at(server), REQUEST)
    assert server.bodies[0]["logprobs"] and server.bodies[0]["top_logprobs"] == 20
    assert got.probabilities is not None and got.probabilities["quality"]["pass"] == pytest.approx(0.909, abs=0.001)
    assert plain.probabilities is None and "logprobs" not in server.bodies[1]


def test_fewer_log_probabilities_are_asked_where_fewer_are_allowed() -> None:
    message = "Invalid 'top_logprobs': integer above maximum value. Expected a value between 0 and 5, top_logprobs must be at most 5"
    with FakeJudgeServer("pass", faults=Faults(script=[error(400, message)])) as server:
        asked(judge_at(server), replace(REQUEST, logprobs=True))
    assert [body["top_logprobs"] for body in server.bodies] == [20, 5]


def test_a_model_without_log_probabilities_is_asked_without() -> None:
    with FakeJudgeServer("pass", model=Model(logprobs=False)) as server:
        judge = judge_at(server)
        assert asked(judge, replace(REQUEST, logprobs=True)).probabilities is None
    assert "logprobs" not in server.bodies[-1]
    assert any("log-probabilities" in note for note in notes_of(judge))


def test_the_service_tier_is_sent() -> None:
    with FakeJudgeServer("pass") as server:
        asked(judge_at(server, tier="flex"), REQUEST)
    assert server.bodies[0]["service_tier"] == "flex"


def test_a_tool_that_does_not_exist_is_worth_another_try() -> None:
    with FakeJudgeServer('{"quality": "pass"}', faults=Faults(script=["foreign-tool", "tool"])) as server:
        reply = asked(judge_at(server), replace(REQUEST, structure="tool"))
    assert (reply.text, reply.attempts) == ('{"quality": "pass"}', 2)
    assert reply.lost_output_tokens > 0


def test_cached_tokens_are_counted_apart() -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 64}}
    reply = read_chat(chat({"content": "pass"}, usage=usage), REQUEST)
    assert (reply.input_tokens, reply.cache_read_tokens) == (36, 64)


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_a_server_that_does_not_come_to_an_end_is_left_at_the_deadline(fault: str) -> None:
    with FakeJudgeServer(faults=Faults(script=[fault] * 9)) as server, pytest.raises(CallError) as caught:
        Retry(judge_at(server, timeout=60), Policy(deadline=0.6))(REQUEST)
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
        judge = Retry(judge_at(server, workers=8), Policy(attempts=20), sleep=lambda seconds: None)
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(judge, [REQUEST] * 200))
    assert {reply.text for reply in replies} == {"pass"}
    assert sum(reply.attempts for reply in replies) == server.requests > 200


def test_connections_are_kept() -> None:
    with FakeJudgeServer("pass") as server:
        judge = judge_at(server, workers=1)
        for _ in range(5):
            judge(REQUEST)
        assert server.counts()["connections"] == 1


def test_openai_itself_needs_a_key() -> None:
    with pytest.raises(InputError) as caught:
        ChatEndpoint("openai:gpt-5-mini")
    text = str(caught.value)
    assert all(way in text for way in ("OPENAI_API_KEY", "http://127.0.0.1:11434/v1", "--replay"))


def test_other_endpoints_need_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeJudgeServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url + "/")
        assert make_judge(JudgeSettings("openai:m"), Options(workers=1))(REQUEST).text


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host", "http://"])
def test_a_base_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="not a URL"):
        ChatEndpoint("m", base_url=url)


def test_a_broken_key_is_not_quoted() -> None:
    with pytest.raises(InputError) as caught:
        ChatEndpoint("m", base_url="http://127.0.0.1:1/v1", api_key=f"{KEY}\nX: y")
    assert KEY not in str(caught.value)


def test_the_loopback_is_never_proxied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with FakeJudgeServer() as server:
        assert judge_at(server)(REQUEST).text


def test_other_hosts_go_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeJudgeServer("via proxy") as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("//", "//user:hidden@"))
        judge = judge_at(proxy, base_url="http://judge.example/v1")
        assert judge(REQUEST).text == "via proxy"
        monkeypatch.setenv("http_proxy", "http://user:hidden@127.0.0.1:9")
        with pytest.raises(CallError, match=r"judge.example through the proxy http://127.0.0.1:9") as caught:
            judge_at(proxy, base_url="http://judge.example/v1")(REQUEST)
        assert "hidden" not in str(caught.value)
        monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:9")
        with pytest.raises(InputError, match="proxy"):
            judge_at(proxy, base_url="http://judge.example/v1")


def test_a_certificate_file_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(InputError, match="SSL_CERT_FILE"):
        Curl(1, "https://judge.example/v1")
