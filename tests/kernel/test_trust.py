"""Answers that nobody asked for: no transport takes one for the next request's."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from rftj_cli.judges import Options, make_judge
from rftj_cli.judges.curl import Curl
from rftj_cli.kernel.dialect import Accepted, HttpAnswer, HttpCall, HttpJudge
from rftj_cli.kernel.http import Http
from rftj_cli.kernel.outcome import CallError, Judge, Reply, Request
from rftj_cli.kernel.retry import Policy, Retry
from rftj_cli.kernel.rubric import JudgeSettings
from rftj_cli.kernel.trust import HEADER, Trust
from rftj_cli.running.loop import Rounds
from rftj_cli.running.pool import make_pool
from rftj_cli.running.tokens import Meter
from rftj_cli.running.traffic import Traffic
from rftj_cli.testing import FakeJudgeServer, Faults

TRANSPORTS = ("openai", "bedrock", "boto3", "lambda")
Post = Callable[[HttpCall, float], HttpAnswer]


def request(number: int) -> Request:
    return Request("m", "s", f"number {number}.", 0.0, 300, 7, answers={"q": ("a", "b")}, reason="none", json=True)


def rule(body: dict[str, Any]) -> str:
    found = re.search(r"number (\d+)\.", json.dumps(body["messages"][-1]))
    assert found is not None
    return json.dumps({"q": found[1]})


def judge_of(transport: str, server: FakeJudgeServer, patch: pytest.MonkeyPatch) -> Judge:
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "AKIA0123456789ABCDEF"), ("AWS_SECRET_ACCESS_KEY", "x" * 40), ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", server.url), ("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_CONFIG_FILE", "none"),
    ):  # fmt: skip
        patch.setenv(name, value)
    settings = JudgeSettings("openai:m" if transport == "openai" else "bedrock:amazon.nova-lite-v1:0")
    options = Options(8, server.base_url, timeout=20.0, transport="boto3" if transport == "boto3" else "auto")
    judge = make_judge(settings, options)
    if transport == "lambda":
        assert isinstance(judge, HttpJudge)
        return HttpJudge(judge.dialect, Http(server.url), 20.0)
    return judge


def answers_of(judge: Judge, calls: int) -> dict[int, Reply | CallError]:
    """What a run gets for its calls, eight at a time."""
    found: dict[int, Reply | CallError] = {}
    pool = make_pool(judge, Rounds.same(Policy(gated=True)), Traffic(), Meter(), workers=8, stop=threading.Event())
    for number in range(calls):
        pool.submit(request(number), lambda answer, number=number: found.__setitem__(number, answer))  # type: ignore[misc]
    while pool.active:
        pool.turn()
    pool.close()
    return found


def wrong(found: dict[int, Reply | CallError]) -> list[int]:
    return [n for n, one in found.items() if not isinstance(one, Reply) or json.loads(one.text) != {"q": str(n)}]


@pytest.mark.parametrize("echo", [False, True])
@pytest.mark.parametrize("kind", ["twice", "excess"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_no_answer_is_taken_for_another(transport: str, kind: str, echo: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """5% of the answers come twice, the second time within 20 ms."""
    calls = 200
    with FakeJudgeServer(rule, latency=0.003, faults=Faults(rate=0.05, kinds=(kind,), stale=0.02), echo=echo) as server:
        found = answers_of(judge_of(transport, server, monkeypatch), calls)
        assert len(found) == calls and wrong(found) == []
        assert server.requests <= calls + 8 + 2, "those in flight at the first sign are asked again, and no others"


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_healthy_service_is_asked_once_and_its_connections_are_kept(
    transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeJudgeServer(rule, latency=0.003) as server:
        assert wrong(answers_of(judge_of(transport, server, monkeypatch), 100)) == []
        assert server.requests == 100 and server.counts()["connections"] <= 9


@pytest.mark.parametrize("transport", ["openai", "lambda"])
def test_after_a_fault_a_new_connection_is_used(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeJudgeServer(rule, faults=Faults(script=["ok", "500", "ok", "429", "ok", "ok"])) as server:
        judge = Retry(judge_of(transport, server, monkeypatch), sleep=lambda seconds: None)
        for number in range(4):
            assert json.loads(judge(request(number)).text) == {"q": str(number)}
        assert server.requests == 6 and server.counts()["connections"] == 3


@contextmanager
def raw(answer: Callable[[int, bytes], bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that writes what `answer` says to a request's number and head; its URL, and the requests of each connection."""
    got: list[bytes] = []

    def serve(peer: socket.socket) -> None:
        with peer, suppress(OSError):
            read = b""
            while more := peer.recv(65536):
                read += more
                if read.endswith(b"{}"):
                    got.append(read)
                    read = b""
                    peer.sendall(answer(len(got), got[-1]))

    def accept() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(peer,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", got


def whole(body: bytes, *headers: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", *headers, f"Content-Length: {len(body)}", "", ""]).encode() + body


def posts(url: str) -> tuple[Post, Post]:
    return Curl(1, url).post, Http(url).post


def call(url: str) -> HttpCall:
    return HttpCall(f"{url}/v1", {}, b"{}", Accepted())


@pytest.mark.parametrize("line", [
    b"garbage\r\n\r\n", b"<html>no HTTP</html>", b"HTTP/0.9 xyz\r\n\r\n", b"HTTP/1.1 000 No\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 abc No\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 20 No\r\nContent-Length: 0\r\n\r\n", b"\x00\xff\x00\xff\r\n\r\n",
    b"HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 999 No\r\nContent-Length: 0\r\n\r\n", b"\r\n\r\n", b"SSH-2.0-x\r\n",
])  # fmt: skip
def test_an_answer_that_is_not_http_is_worth_another_attempt(line: bytes) -> None:
    for index in (0, 1):
        with raw(lambda number, head, line=line: line) as (url, got):  # type: ignore[misc]
            with pytest.raises(CallError) as caught:
                posts(url)[index](call(url), 3.0)
            error = caught.value
            assert error.retry and not error.fatal and error.billed is None and error.stage in ("call", "timeout"), (
                error
            )
            until = time.monotonic() + 60
            while not got and time.monotonic() < until:  # a busy machine: the other thread has its turn later
                time.sleep(0.01)
            assert len(got) == 1


def test_a_service_whose_answers_cannot_be_told_apart_gets_new_connections_and_no_second_call() -> None:
    for headers in ((), ("x-odd: 1",)):
        for index in (0, 1):
            with raw(lambda number, head, headers=headers: whole(b"{}", *headers)) as (url, got):  # type: ignore[misc]
                post = posts(url)[index]
                assert [post(call(url), 5).body for _ in range(5)] == [b"{}"] * 5
                assert len(got) == 5


def test_a_duration_that_a_gateway_repeats_from_its_cache_is_no_sign() -> None:
    def answer(number: int, head: bytes) -> bytes:
        return whole(b'{"metrics": {"latencyMs": 90000}}', f"x-amzn-RequestId: {number}")

    for index in (0, 1):
        with raw(answer) as (url, got):
            post = posts(url)[index]
            assert [post(call(url), 5).status for _ in range(6)] == [200] * 6
            assert len(got) == 6, "the first connection was new, so that the sign was void from then on"


class Told:
    """Trust, asked about answers that are made up here."""

    def __init__(self) -> None:
        self.trust = Trust()

    def __call__(self, id: str, body: str, *, fresh: bool = False, seconds: float = 1.0, **headers: str) -> bool:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.trust.doubt(id, HttpAnswer(200, named, body.encode(), seconds), fresh=fresh) is None


def test_an_answer_with_another_requests_id_is_refused_where_ids_are_echoed() -> None:
    told = Told()
    first, second, third = (told.trust.next_id() for _ in range(3))
    assert told(first, "{}", fresh=True, x_request_id=first)
    assert not told(second, "{}", x_request_id=first), "its predecessor's"
    assert told.trust.careful and not told.trust.keeps
    assert not told(third, f'{{"id": "chatcmpl-{second}"}}', fresh=True), "a service that echoes does so everywhere"
    assert told(third, f'{{"id": "chatcmpl-{third}"}}', fresh=True)


def test_an_answer_faster_than_its_service_says_is_refused() -> None:
    told = Told()
    assert told("a", '{"metrics": {"latencyMs": 800}}', fresh=True, seconds=0.81)
    assert told("b", '{"metrics": {"latencyMs": 800}}', seconds=0.7951), "clocks are rounded"
    assert not told("c", '{"metrics": {"latencyMs": 800}}', seconds=0.2)
    told = Told()
    assert not told("a", "{}", seconds=0.2, openai_processing_ms="900")


def test_what_was_asked_on_kept_connections_before_the_first_sign_is_asked_again() -> None:
    told = Told()
    assert told("a", '{"id": "1"}', fresh=True) and told("b", '{"id": "2"}') and told.trust.keeps
    told.trust.unsolicited()
    assert not told("c", '{"id": "3"}') and told("d", '{"id": "4"}', fresh=True)


def test_ids_are_uuids_and_differ() -> None:
    trust = Trust()
    ids = [trust.next_id() for _ in range(1000)]
    assert len({*ids}) == 1000 and HEADER == "X-Request-Id"
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", one) for one in ids)


def test_many_threads_share_one_transport() -> None:
    with (
        FakeJudgeServer(rule, faults=Faults(rate=0.1, kinds=("twice",), stale=0.01)) as server,
        ThreadPoolExecutor(8) as pool,
    ):
        curl = Curl(8, server.url)
        body = json.dumps({"messages": [{"role": "user", "content": "number 1."}]}).encode()
        sent = HttpCall(f"{server.base_url}/chat/completions", {"Content-Type": "application/json"}, body, Accepted())

        def one(_: int) -> int:
            try:
                return curl.post(sent, 5).status
            except CallError as error:
                return -1 if error.retry else 0

        assert {*pool.map(one, range(100))} <= {200, -1}
