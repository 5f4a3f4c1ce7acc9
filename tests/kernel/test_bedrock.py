"""Bedrock against the fake service: over our own transport and through a real boto3 client, which must agree."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError
from test_converse import LONG, REQUEST

from rftj_cli.judges.curl import Curl
from rftj_cli.kernel.bedrock import Access, BotoJudge, ConverseDialect, failure
from rftj_cli.kernel.dialect import Accepted, HttpAnswer, HttpCall, HttpJudge, Learned
from rftj_cli.kernel.outcome import CallError, Judge, Reply, Request
from rftj_cli.kernel.refusals import adapted
from rftj_cli.kernel.retry import Policy, Retry
from rftj_cli.kernel.rubric import JudgeSettings
from rftj_cli.testing import Canned, FakeJudgeServer, Faults, Model

KEYS = ("AKIAFAKE", "wJalrXUtnFEMI/K7MDENG", "session-token-of-the-role")
KINDS = ("http", "boto3")


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": KEYS[0],
        "AWS_SECRET_ACCESS_KEY": KEYS[1],
        "AWS_SESSION_TOKEN": KEYS[2],
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Iterator[str]:
    yield str(request.param)


def judge_at(
    server: FakeJudgeServer, monkeypatch: pytest.MonkeyPatch, kind: str, *, timeout: float = 5.0, **settings: Any
) -> Any:
    """A judge that calls the server; it has `learned`, over HTTP in its dialect."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", server.url)
    access = Access(REQUEST.model, timeout=timeout)
    chosen = JudgeSettings(REQUEST.model, **settings)
    if kind == "boto3":
        return BotoJudge(access, chosen, workers=2, timeout=timeout)
    return HttpJudge(ConverseDialect(access, chosen), Curl(2), timeout)


def learned_by(judge: Any) -> Learned:
    learned: Learned = judge.learned if isinstance(judge, BotoJudge) else judge.dialect.learned
    return learned


def retried(judge: Judge, **policy: Any) -> Retry:
    return Retry(judge, Policy(**policy), sleep=lambda seconds: None)


def test_a_reply_and_the_body_that_brought_it(monkeypatch: pytest.MonkeyPatch) -> None:
    replies, bodies = [], []
    for kind in KINDS:
        with FakeJudgeServer('{"quality": "pass"}', credentials=KEYS) as server:
            reply = judge_at(server, monkeypatch, kind, tier="flex")(LONG)
            bodies += server.bodies
        assert reply.seconds > 0
        assert reply.service_seconds is not None
        replies.append(replace(reply, seconds=0.0, service_seconds=None))
    assert replies[0] == replies[1]
    assert (replies[0].text, replies[0].structure) == ('{"quality": "pass"}', "schema")
    assert replies[0].input_tokens + replies[0].cache_write_tokens > 0
    assert bodies[0] == bodies[1]
    assert bodies[0]["serviceTier"] == {"type": "flex"}


ODD = replace(REQUEST, system="\u00fc \ud800", user='\u4f60\u597d \udfff \U0001f600 "quoted" \\ \n')


def test_every_character_arrives(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    with FakeJudgeServer('{"quality": "p\u00e4ss \U0001f600"}', credentials=KEYS) as server:
        assert judge_at(server, monkeypatch, kind)(ODD).text == '{"quality": "p\u00e4ss \U0001f600"}'
        body = server.bodies[0]
    assert body["messages"][0]["content"] == [{"text": ODD.user.replace("\udfff", "?")}]
    assert body["system"] == [{"text": "\u00fc ?"}]


@pytest.mark.parametrize("name", ["reasoning", "tool", "max_tokens", "filtered", "refusal", "empty"])
def test_both_ways_read_the_same_reply(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    replies = []
    for kind in KINDS:
        with FakeJudgeServer('{"quality": "pass"}', faults=Faults(script=[name])) as server:
            request = replace(REQUEST, structure="tool")
            replies.append(replace(judge_at(server, monkeypatch, kind)(request), seconds=0.0, service_seconds=None))
    assert replies[0] == replies[1]


FAULTS = [
    ("429", "throttled", True, False, False),
    ("not-ready", "throttled", True, False, False),
    ("408", "timeout", True, False, None),
    ("424", "call", True, False, None),
    ("500", "call", True, False, None),
    ("503", "call", True, False, None),
    ("400", "call", False, False, False),
    ("401", "call", False, True, False),
    ("403", "call", False, True, False),
    ("expired", "call", False, True, False),
    ("404", "call", False, True, False),
    ("unknown-parameter", "call", False, False, False),
]


@pytest.mark.parametrize(("fault", "stage", "retry", "fatal", "billed"), FAULTS)
def test_every_error_has_its_stage_and_both_ways_say_the_same(
    fault: str, stage: str, retry: bool, fatal: bool, billed: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    reasons = set()
    for kind in KINDS:
        with FakeJudgeServer(faults=Faults(script=[fault])) as server:
            with pytest.raises(CallError) as caught:
                judge_at(server, monkeypatch, kind)(REQUEST)
            assert server.requests == 1, "the SDK must not retry"
        error = caught.value
        assert (error.stage, error.retry, error.fatal, error.billed) == (stage, retry, fatal, billed)
        assert bool(error.advice) == (not error.retry and error.stage == "call")
        assert not any(secret in f"{error} {error.advice}" for secret in KEYS)
        reasons.add(error.reason)
    assert len(reasons) == 1


@pytest.mark.parametrize("fault", ["reset", "reset-mid", "truncated", "garbage", "malformed", "html", "foreign-tool"])
def test_a_broken_answer_is_worth_another_try(fault: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeJudgeServer(faults=Faults(script=[fault])) as server:
        with pytest.raises(CallError) as caught:
            judge_at(server, monkeypatch, kind)(REQUEST)
        assert server.requests <= 1
    assert (caught.value.stage, caught.value.retry, caught.value.fatal) == ("call", True, False)


@pytest.mark.parametrize("name", ["hang", "drip"])
def test_a_call_is_bounded_as_a_whole(name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeJudgeServer(faults=Faults(script=[name], hang=60.0, drip=0.5)) as server:
        judge = judge_at(server, monkeypatch, kind, timeout=0.4)
        with pytest.raises(CallError) as caught:
            judge(REQUEST)
    assert (caught.value.stage, caught.value.retry, caught.value.billed) == ("timeout", True, None)


def test_the_deadline_of_the_whole_call_bounds_the_attempt(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeJudgeServer(faults=Faults(script=["drip"], drip=0.5)) as server:
        judge = judge_at(server, monkeypatch, kind, timeout=30.0)
        with pytest.raises(CallError, match="timeout"):
            retried(judge, deadline=0.3)(REQUEST)


def test_nobody_there_is_worth_another_try(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeJudgeServer() as server:
        judge = judge_at(server, monkeypatch, kind)
    with pytest.raises(CallError) as caught:
        judge(REQUEST)
    assert (caught.value.stage, caught.value.retry, caught.value.billed) == ("call", True, False)


@pytest.mark.parametrize("name", ["429-after", "429-ms"])
def test_both_headers_are_read(name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = Faults(script=[name], retry_after=3)
    with FakeJudgeServer(faults=faults) as server, pytest.raises(CallError) as caught:
        judge_at(server, monkeypatch, kind)(REQUEST)
    assert caught.value.retry_after == 3


def test_broken_replies_are_retried_to_a_good_one(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    script = ["empty", "whitespace", "malformed", "503"]
    with FakeJudgeServer(faults=Faults(script=script)) as server:
        reply = retried(judge_at(server, monkeypatch, kind))(REQUEST)
    assert reply.attempts == 5
    assert reply.lost_output_tokens > 0


def test_a_model_that_takes_little_is_asked_for_what_it_takes(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each refusal costs one request, once; no refusal counts as an attempt."""
    request = replace(LONG, model="bedrock:us.amazon.nova-2-lite-v1:0")
    model = Model(temperature=False, schema=False, tools=False, cache=False)
    with FakeJudgeServer(model=model) as server:
        judge = judge_at(server, monkeypatch, kind)
        reply = retried(judge)(request)
        assert retried(judge)(request).attempts == 1
        assert server.requests == 6
        last = server.bodies[-1]
    assert (reply.structure, reply.attempts) == ("text", 1)
    assert set(last) == {"system", "messages", "inferenceConfig"}
    assert last["inferenceConfig"] == {"maxTokens": 300}
    assert learned_by(judge).now == Accepted("text", temperature=False, cache=False)
    assert any("temperature" in note for note in learned_by(judge).notes)


def test_what_is_known_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Accepted("tool", temperature=False)
    with FakeJudgeServer(model=Model(temperature=False, schema=False)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", server.url)
        access, settings = Access(REQUEST.model), JudgeSettings(REQUEST.model)
        document = {"structure": known.structure, "temperature": False, "unheard": 1}
        assert HttpJudge(ConverseDialect(access, settings, document), Curl(1))(REQUEST).structure == "tool"
        assert BotoJudge(access, settings, workers=1, known=document)(REQUEST).structure == "tool"
        assert server.requests == 2


def test_a_form_that_the_rubric_fixes_is_not_given_up(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeJudgeServer(model=Model(schema=False)) as server, pytest.raises(CallError) as caught:
        judge_at(server, monkeypatch, kind, structure="schema")(replace(REQUEST, structure="schema"))
    assert (caught.value.fatal, caught.value.adapted) == (True, False)
    assert "judge.structure" in caught.value.advice


def test_an_older_botocore_that_knows_no_schema_is_a_model_that_takes_none() -> None:
    said = 'Unknown parameter in input: "outputConfig", must be one of: modelId, messages, system, toolConfig'
    error = failure(ParamValidationError(report=said))
    assert error.fatal
    assert "toolConfig" not in error.reason
    learned = Learned("m", ("schema", "tool", "text"))
    assert adapted(error, REQUEST, Accepted("schema"), learned).adapted
    tier = failure(
        ParamValidationError(report='Unknown parameter in input: "serviceTier", must be one of: outputConfig')
    )
    assert adapted(tier, REQUEST, Accepted("schema"), learned) is tier
    assert "boto3" in tier.advice


def test_many_threads_share_one_judge(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeJudgeServer(model=Model(schema=False, temperature=False), credentials=KEYS) as server:
        judge = judge_at(server, monkeypatch, kind)
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(retried(judge), [replace(REQUEST, vote=vote) for vote in range(40)]))
    assert {reply.structure for reply in replies} == {"tool"}


class Repeater:
    """A transport whose service repeats in its error all that it was sent."""

    def post(self, call: HttpCall, seconds: float) -> HttpAnswer:
        said = " ".join(f"{name}: {value}" for name, value in call.headers.items())
        return HttpAnswer(403, {}, f'{{"message": "no: {said}"}}'.encode())


@pytest.mark.parametrize("key", ["", "bedrock-key-1234"])
def test_no_secret_shows(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", key)
    access = Access(REQUEST.model)
    dialect = ConverseDialect(access, JudgeSettings(REQUEST.model))
    with pytest.raises(CallError) as caught:
        HttpJudge(dialect, Repeater())(REQUEST)
    shown = f"{caught.value} {caught.value.advice} {access!r} {dialect!r} {dialect.write(REQUEST)!r}"
    assert not any(secret in shown for secret in (*KEYS, "bedrock-key-1234"))


def test_what_is_no_answer_of_bedrock_is_told() -> None:
    dialect = ConverseDialect(Access(REQUEST.model), JudgeSettings(REQUEST.model))
    call = dialect.write(REQUEST)
    with pytest.raises(CallError, match=r"HTTP 403: <html>Sign in") as caught:
        dialect.read(REQUEST, call, HttpAnswer(403, {}, b"<html>Sign in</html>"))
    assert caught.value.fatal
    body = b'{"__type": "com.amazon#ThrottlingException", "Message": "slow down"}'
    with pytest.raises(CallError, match="ThrottlingException: slow down"):
        dialect.read(REQUEST, call, HttpAnswer(400, {}, body))


def test_a_canned_reply_of_another_shape_is_a_fault(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    canned = [Canned(200, "[]"), Canned(200, "null"), Canned(200, '"text"')]
    with FakeJudgeServer(faults=Faults(script=canned)) as server:
        judge = judge_at(server, monkeypatch, kind)
        for _ in canned:
            with pytest.raises(CallError) as caught:
                judge(REQUEST)
            assert caught.value.retry


def test_a_judge_is_a_judge(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    with FakeJudgeServer() as server:
        judge: Judge = judge_at(server, monkeypatch, kind)
        reply: Reply = judge(Request("bedrock:m", "", "?", None, 5, None, {}, "none", json=False))
    assert reply.structure == "text"
