"""The transport of the reward function: what it makes of every fault, its deadline, its connections, TLS."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from rftj_cli.kernel.dialect import Accepted, HttpAnswer, HttpCall
from rftj_cli.kernel.http import Http
from rftj_cli.kernel.outcome import CallError
from rftj_cli.testing import Canned, FakeJudgeServer, Faults

BODY = b'{"messages": [{"role": "user", "content": [{"text": "so?"}]}]}'
PATH = "/model/m/converse"


def call(url: str, body: bytes = BODY, path: str = PATH, **headers: str) -> HttpCall:
    return HttpCall(url + path, {"Content-Type": "application/json", **headers}, body, Accepted())


def failed(client: Http, url: str, seconds: float = 5.0, body: bytes = BODY) -> CallError:
    with pytest.raises(CallError) as caught:
        client.post(call(url, body), seconds)
    return caught.value


@contextmanager
def raw(
    *answers: bytes | Callable[[socket.socket], None], family: int = socket.AF_INET
) -> Iterator[tuple[str, list[bytes]]]:
    """A server that answers connection after connection with these bytes, and keeps what it was sent."""
    got: list[bytes] = []
    host = "127.0.0.1" if family == socket.AF_INET else "::1"
    listening = socket.create_server((host, 0), family=family)

    def serve() -> None:
        for answer in answers:
            try:
                peer, _ = listening.accept()
            except OSError:
                return
            with peer:
                head = b""
                while b"\r\n\r\n" not in head and (data := peer.recv(65536)):
                    head += data
                wanted = (
                    int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                    if b"content-length" in head.lower()
                    else 0
                )
                while len(head.partition(b"\r\n\r\n")[2]) < wanted and (data := peer.recv(65536)):
                    head += data
                got.append(head)
                peer.sendall(answer) if isinstance(answer, bytes) else answer(peer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    port = listening.getsockname()[1]
    try:
        yield f"http://{host if family == socket.AF_INET else '[::1]'}:{port}", got
    finally:
        listening.close()
        thread.join(5)


def test_an_answer_with_its_status_and_headers() -> None:
    with FakeJudgeServer("p\u00e4ss", faults=Faults(script=["ok", "429-after", "400"])) as server:
        client = Http(server.url)
        good, slow, bad = (client.post(call(server.url), 5) for _ in range(3))
    assert (good.status, slow.status, bad.status) == (200, 429, 400)
    assert "p\u00e4ss" in json.loads(good.body)["output"]["message"]["content"][0]["text"]
    assert good.headers["content-type"].startswith("application/json")
    assert slow.headers["retry-after"] == "1" and bad.headers["x-amzn-errortype"] == "ValidationException"
    assert 0 < good.seconds < 5


UNANSWERED = {
    "reset": ("call", None),
    "reset-mid": ("call", None),
    "garbage": ("call", None),
    "hang": ("timeout", None),
    "drip": ("timeout", None),
}


@pytest.mark.parametrize("fault", UNANSWERED)
def test_no_whole_answer_is_an_error_that_may_have_been_billed(fault: str) -> None:
    with FakeJudgeServer(faults=Faults(script=[fault], hang=30, drip=0.05)) as server:
        error = failed(Http(server.url), server.url, 0.4)
        assert server.requests == 1
    assert (error.stage, error.billed, error.retry, error.fatal) == (*UNANSWERED[fault], True, False)


@pytest.mark.parametrize("fault", ["truncated", "malformed", "html", "empty", "500"])
def test_an_answer_that_is_whole_is_the_dialects_to_judge(fault: str) -> None:
    with FakeJudgeServer(faults=Faults(script=[fault])) as server:
        assert Http(server.url).post(call(server.url), 5).status in (200, 500)


def test_a_refused_connection_was_not_billed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    error = failed(Http(f"http://127.0.0.1:{port}"), f"http://127.0.0.1:{port}")
    assert (error.stage, error.retry, error.billed) == ("call", True, False)
    assert "refused" in error.reason.lower()


def test_a_host_that_is_not_known_was_not_billed() -> None:
    error = failed(Http("http://no.such.host.invalid"), "http://no.such.host.invalid", 20)
    assert (error.stage, error.retry, error.billed) == ("call", True, False)


def test_no_time_is_no_call() -> None:
    with FakeJudgeServer() as server:
        error = failed(Http(server.url), server.url, 0)
        assert (error.stage, error.billed, server.requests) == ("timeout", False, 0)


def dripping(head: bytes, drop: bytes = b"x") -> Callable[[socket.socket], None]:
    """Sends `head`, then a byte now and then until the other side has had enough."""

    def answer(peer: socket.socket) -> None:
        try:
            peer.sendall(head)
            for _ in range(400):
                peer.sendall(drop)
                time.sleep(0.02)
        except OSError:
            pass

    return answer


@pytest.mark.parametrize(
    "head",
    [b"", b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nX-A: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n",
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n", b"HTTP/1.1 200 OK\r\n\r\n"],
    ids=["nothing", "status", "header", "body", "chunk", "without end"],
)  # fmt: skip
def test_a_drip_ends_at_the_deadline_wherever_it_drips(head: bytes) -> None:
    with raw(dripping(head)) as (url, _):
        error = failed(Http(url), url, 0.3)
    assert error.stage == "timeout" and error.billed is None


def test_a_server_that_does_not_read_ends_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        assert failed(Http(url), url, 0.3, b"x" * (8 << 20)).stage == "timeout"


OK = b"HTTP/1.1 200 OK\r\n"
NAMED = OK + b"x-amzn-RequestId: 1\r\nContent-Length: 2\r\n\r\n{}"  # without an id no connection is kept
ANSWERS = {
    "by length": OK + b"Content-Length: 2\r\n\r\n{}",
    "by length, then closed": OK + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}",
    "until it is closed": OK + b"Connection: close\r\n\r\n{}",
    "in chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
    "in chunks, then closed": OK + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "of HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\n{}",
    "after a 100": b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("form", ANSWERS)
def test_every_form_of_a_body_is_read_whole(form: str) -> None:
    with raw(ANSWERS[form]) as (url, _):
        assert Http(url).post(call(url), 5).body == b"{}"


@pytest.mark.parametrize(
    "answer",
    [OK + b"Content-Length: 9\r\n\r\n{}", OK + b"Connection: close\r\nContent-Length: 9\r\n\r\n{}",
     OK + b"Transfer-Encoding: chunked\r\n\r\n9\r\n{}", OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}", b"", b"hello\r\n\r\n",
     b"HTTP/1.1 abc\r\n\r\n", OK + b"X" * 70_000],
    ids=["short", "short and closed", "chunk", "no chunk", "nothing", "no HTTP", "no status", "long header"],
)  # fmt: skip
def test_what_is_cut_short_or_no_http_is_an_error(answer: bytes) -> None:
    with raw(answer) as (url, got):
        error = failed(Http(url), url)
        assert (error.stage, error.retry, error.billed, len(got)) == ("call", True, None, 1)


def test_a_body_that_is_too_large_is_not_kept() -> None:
    with raw(OK + b"Content-Length: 1001\r\n\r\n" + b"x" * 1001) as (url, _):
        assert "more than" in failed(Http(url, largest=1000), url).reason


def test_a_redirect_is_not_followed() -> None:
    with raw(b"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n") as (url, got):
        assert Http(url).post(call(url), 5).status == 307
    assert len(got) == 1


def test_a_connection_is_used_again_and_each_call_has_one_to_itself() -> None:
    with FakeJudgeServer(latency=0.05) as server:
        client = Http(server.url)
        for _ in range(3):
            client.post(call(server.url), 5)
        assert server.counts()["connections"] == 1
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: client.post(call(server.url), 5), range(64)))
        assert {answer.status for answer in answers} == {200} and server.counts()["connections"] <= 8
        assert server.requests == 67


def test_an_answer_that_was_not_whole_leaves_no_connection_behind() -> None:
    with FakeJudgeServer(faults=Faults(script=["drip", "garbage", "ok"], drip=0.05)) as server:
        client = Http(server.url)
        assert failed(client, server.url, 0.2).stage == "timeout"
        assert failed(client, server.url).stage == "call"
        assert client.post(call(server.url), 5).status == 200
        assert server.counts()["connections"] == 3


def test_a_kept_connection_that_was_closed_meanwhile_is_not_used() -> None:
    with raw(NAMED, ANSWERS["by length"]) as (url, got):
        client = Http(url)
        assert client.post(call(url), 5).body == b"{}"
        time.sleep(0.1)  # the server closes each connection after its answer
        assert client.post(call(url), 5).body == b"{}"
        assert len(got) == 2


def test_a_kept_connection_that_dies_when_it_is_used_is_an_error_and_nothing_is_sent_twice() -> None:
    def closing_later(peer: socket.socket) -> None:
        peer.sendall(NAMED)
        peer.recv(1)  # of the second request

    with raw(closing_later) as (url, got):
        client = Http(url)
        client.post(call(url), 5)
        error = failed(client, url)
        assert (error.stage, error.retry, error.billed, len(got)) == ("call", True, None, 1)


def test_an_old_connection_is_not_used() -> None:
    with FakeJudgeServer() as server:
        client = Http(server.url, idle=0.0)
        client.post(call(server.url), 5)
        client.post(call(server.url), 5)
        assert server.counts()["connections"] == 2


def test_the_request_as_it_is_sent() -> None:
    with raw(ANSWERS["by length"]) as (url, got):
        Http(url).post(call(url, b"\xc3\xbc" * 40_000, "/model/a%3Ab/converse?x=1&y=%20", X_Odd="\u00fc"), 5)
    head, _, body = got[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /model/a%3Ab/converse?x=1&y=%20 HTTP/1.1"
    assert f"Host: {url.removeprefix('http://')}".encode() in lines and b"Content-Length: 80000" in lines
    assert "X_Odd: \u00fc".encode("latin-1") in lines and b"chunked" not in head
    assert body == b"\xc3\xbc" * 40_000


def test_over_ipv6() -> None:
    try:
        with raw(ANSWERS["by length"], family=socket.AF_INET6) as (url, got):
            assert Http(url).post(call(url), 5).body == b"{}"
    except OSError:
        pytest.skip("this machine has no IPv6")
    assert f"Host: {url.removeprefix('http://')}".encode() in got[0]


@pytest.mark.parametrize(
    ("url", "port"), [("https://a.b", 443), ("http://a.b", 80), ("https://[::1]", 443), ("https://[::1]:8443", 8443)]
)
def test_the_port_is_the_urls_or_the_schemes(url: str, port: int) -> None:
    assert Http(url)._port == port


def made(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for `name` that nobody signed, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl command to make a certificate with")
    paths = folder / f"{name}.pem", folder / f"{name}-key.pem"
    asked = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=t"
    kind = "IP" if name[0].isdigit() else "DNS"
    command = [
        *asked.split(),
        "-addext",
        f"subjectAltName={kind}:{name}",
        "-out",
        str(paths[0]),
        "-keyout",
        str(paths[1]),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"openssl makes no certificate: {done.stderr[-200:]}")
    return paths


def test_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = made(tmp_path, "127.0.0.1")
    faults = Faults(script=["ok", "ok", "drip", "garbage", "ok", "ok"], drip=0.05)
    with FakeJudgeServer("pass", tls=pair, faults=faults) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(pair[0]))
        client = Http(server.url)
        assert [client.post(call(server.url), 5).status for _ in range(2)] == [200, 200]
        assert server.counts()["connections"] == 1
        assert failed(client, server.url, 0.3).stage == "timeout"
        assert failed(client, server.url).stage == "call"
        answer: HttpAnswer = client.post(call(server.url, b'{"messages": [], "x": "' + b"y" * 300_000 + b'"}'), 5)
        assert answer.status in (200, 400)


@pytest.mark.parametrize("name", ["127.0.0.1", "other.example"])
def test_a_certificate_that_is_not_trusted_ends_it_before_anything_is_sent(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = made(tmp_path, name)
    if name != "127.0.0.1":  # trusted, and for another host
        monkeypatch.setenv("AWS_CA_BUNDLE", str(pair[0]))
    with FakeJudgeServer(tls=pair) as server:
        error = failed(Http(server.url), server.url)
        assert server.requests == 0
    assert (error.stage, error.fatal, error.retry, error.billed) == ("call", True, False, False)
    assert "AWS_CA_BUNDLE" in error.advice


def test_tls_with_a_server_that_speaks_none_was_not_billed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet() -> None:
            with listening.accept()[0] as peer:
                peer.sendall(b"220 this is a mail server\r\n" * 10)
                peer.recv(9999)

        thread = threading.Thread(target=greet)
        thread.start()
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        error = failed(Http(url), url)
        thread.join()
    assert (error.stage, error.retry, error.billed) == ("call", True, False)


def test_a_handshake_that_never_ends_ends_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        error = failed(Http(url), url, 0.3)
    assert (error.stage, error.billed) == ("timeout", False)


def test_a_canned_page_of_a_proxy_arrives_as_it_is() -> None:
    with FakeJudgeServer(faults=Faults(script=[Canned(502, "<html>", {"Content-Type": "text/html"})])) as server:
        assert Http(server.url).post(call(server.url), 5).body == b"<html>"
