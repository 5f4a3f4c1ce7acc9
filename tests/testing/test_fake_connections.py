"""HTTP, TLS and who may ask."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asking import KEYS, bedrock, chat, connected, converse, got, text_of
from botocore.exceptions import ClientError

from rftj_cli.testing import FakeJudgeServer
from rftj_cli.testing.http import Malformed, Parser

BODY = b'{"messages": [{"role": "user", "content": "so?"}]}'
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
REQUEST = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY


def exchanged(server: FakeJudgeServer, *parts: bytes, until: int = 1) -> bytes:
    """What comes back for bytes sent in these parts, up to the given number of replies."""
    with socket.create_connection(("127.0.0.1", server.engine.port), timeout=5) as peer:
        for part in parts:
            peer.sendall(part)
            time.sleep(0.005)
        received = b""
        while received.count(b'"usage"') < until and (more := peer.recv(65536)):
            received += more
    return received


def test_connections_are_kept() -> None:
    with FakeJudgeServer("pass") as server:
        connection = connected(server)
        for _ in range(5):
            body = {"messages": [{"role": "user", "content": "so?"}]}
            assert got(connection, "POST", "/gateway/v1/chat/completions?x=1", body).status == 200
        assert server.counts()["connections"] == server.counts()["open"] == 1
        connection.close()


def test_pipelined_requests_are_answered_in_their_order() -> None:
    many = 200
    replies = iter(range(many))
    with FakeJudgeServer(lambda body: f"[{next(replies)}]", latency=0.0001) as server:
        received = exchanged(server, REQUEST * many, until=many)
    places = [received.index(b'"[%d]"' % number) for number in range(many)]
    assert places == sorted(places)


def test_requests_may_come_byte_by_byte_and_in_chunks() -> None:
    chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    chunked += b"".join(
        b"%x;x=y\r\n%s\r\n" % (len(BODY[at : at + 9]), BODY[at : at + 9]) for at in range(0, len(BODY), 9)
    )
    for end in (b"0\r\n\r\n", b"0\r\nTrailer: 1\r\n\r\n"):
        parser, found = Parser(), []
        for byte in (chunked + end) * 2 + REQUEST:
            parser.feed(bytes([byte]))
            if (incoming := parser.next()) is not None:
                found.append(incoming.body)
        assert found == [BODY] * 3
        assert parser.held == 0


def test_a_client_that_waits_for_a_go_ahead_gets_one() -> None:
    with FakeJudgeServer("pass") as server:
        received = exchanged(server, HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY), BODY)
    assert received.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("ending", [b"HTTP/1.0\r\n", b"HTTP/1.1\r\nConnection: close\r\n"])
def test_a_client_that_wants_no_more_is_let_go(ending: bytes) -> None:
    request = REQUEST.replace(b"HTTP/1.1\r\n", ending, 1)
    with FakeJudgeServer("pass") as server:
        received = exchanged(server, request, until=2)
    assert received.count(b'"usage"') == 1
    assert b"Connection: close\r\n" in received


@pytest.mark.parametrize("sent", [b"hello\r\n\r\n", b"POST / HTTP/2\r\n\r\n", HEAD + b"Content-Length: -1\r\n\r\n"])
def test_what_is_no_http_is_a_400(sent: bytes) -> None:
    with FakeJudgeServer() as server:
        assert exchanged(server, sent).startswith(b"HTTP/1.1 400 ")
        assert chat(server).status == 200
    assert server.requests == 1


def test_a_head_without_end_is_refused() -> None:
    parser = Parser()
    parser.feed(b"x" * 70_000)
    with pytest.raises(Malformed):
        parser.next()


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_a_400(body: bytes) -> None:
    with FakeJudgeServer() as server:
        connection = connected(server)
        assert got(connection, "POST", "/v1/chat/completions", body).status == 400
        connection.close()
    assert server.requests == 0


def test_five_hundred_and_twelve_connections_wait_side_by_side() -> None:
    async def one(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        found = b""
        for _ in range(2):
            writer.write(REQUEST)
            found += await reader.readuntil(b'"usage"')
        writer.close()
        return found

    async def all_of_them(port: int) -> list[bytes]:
        return await asyncio.gather(*(one(port) for _ in range(512)))

    with FakeJudgeServer("pass", latency=0.2) as server:
        found = asyncio.run(all_of_them(server.engine.port))
    assert all(one.count(b"200 OK") == 2 for one in found)
    assert (server.requests, server.billed.replies) == (1024, 1024)


def test_an_end_with_requests_under_way_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    with FakeJudgeServer(lambda body: time.sleep(0.3) or "late") as server:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                chat(server, timeout=0.02)
    time.sleep(0.35)
    assert capfd.readouterr().err == ""
    with pytest.raises(ConnectionRefusedError):
        chat(server)


def test_only_the_right_key_is_let_in() -> None:
    with FakeJudgeServer(api_key="sk-right") as server:
        assert [chat(server, key=key).status for key in ("", "sk-wrong", "sk-right")] == [401, 401, 200]
        connection = connected(server)
        assert got(connection, "GET", "/v1/models").status == 401
        body = {"messages": [{"role": "user", "content": [{"text": "so?"}]}]}
        statuses = [
            got(connection, "POST", "/model/m/converse", body, Authorization=f"Bearer {key}").status
            for key in ("sk-wrong", "sk-right")
        ]
        assert statuses == [403, 200]
        connection.close()
    assert server.billed.replies == 2


@pytest.mark.parametrize("right", [KEYS, (*KEYS, "session/token==")])
def test_only_the_right_signature_is_let_in(right: tuple[str, ...]) -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
    wrong = {
        "InvalidSignatureException": (right[0], "x" * 20, *right[2:]),
        "UnrecognizedClientException": ("AKIAOTHER", *right[1:]),
    }
    with FakeJudgeServer("pass", credentials=right, profiles={arn: ["us-east-1"]}) as server:
        assert text_of(converse(bedrock(server, right), "naïve – so?", model=arn)) == "pass"
        assert bedrock(server, right, service="bedrock").get_inference_profile(inferenceProfileIdentifier=arn)["models"]
        for code, keys in wrong.items():
            with pytest.raises(ClientError) as caught:
                converse(bedrock(server, keys))
            assert caught.value.response["Error"]["Code"] == code
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
        connection = connected(server)
        unsigned = got(connection, "POST", "/model/m/converse", {"messages": []})
        connection.close()
        assert (unsigned.status, unsigned.headers["x-amzn-errortype"]) == (403, "MissingAuthenticationTokenException")
    assert server.billed.replies == 1


def test_a_body_that_was_changed_on_the_way_has_a_wrong_signature() -> None:
    with FakeJudgeServer(credentials=KEYS) as server:
        client, changed = bedrock(server), []

        def change(request: Any, **more: Any) -> None:
            changed.append(request.body)
            request.body = request.body.replace(b"so?", b"no?")

        client.meta.events.register("before-send.bedrock-runtime.Converse", change)
        with pytest.raises(ClientError, match="signature"):
            converse(client)
    assert changed and b"so?" in changed[0]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl command to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    paths = folder / "cert.pem", folder / "key.pem"
    made = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
    command = [*made.split(), "-addext", "subjectAltName=IP:127.0.0.1", "-out", str(paths[0]), "-keyout", str(paths[1])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"openssl makes no certificate: {done.stderr[-200:]}")
    yield paths


def test_over_tls(certificate: tuple[Path, Path]) -> None:
    trusted = str(certificate[0])
    with FakeJudgeServer("pass", tls=certificate, credentials=KEYS, api_key="sk-right") as server:
        assert server.url.startswith("https://")
        connection = connected(server, trusted=trusted)
        body = {"messages": [{"role": "user", "content": "so?"}]}
        for _ in range(2):
            assert got(connection, "POST", "/v1/chat/completions", body, Authorization="Bearer sk-right").status == 200
        assert server.counts()["connections"] == 1
        connection.close()
        assert text_of(converse(bedrock(server, verify=trusted))) == "pass"
