"""A judge's service on this machine, with faults on demand: OpenAI chat completions and Bedrock Converse.

    POST /v1/chat/completions       POST /model/{id}/converse

In a test `with FakeJudgeServer('{"quality": "pass"}') as server:`, then `--base-url server.base_url`, or
AWS_ENDPOINT_URL_BEDROCK_RUNTIME=server.url. As a process of its own `python -m rftj_cli.testing.server --port 0 --reply ...`,
whose first line of output is the URL. Standard library only.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self, cast
from urllib.parse import unquote

from rftj_cli.testing.faults import STATUSES, Canned, Faults

Rule = Callable[[dict[str, Any]], str]
DRIP: Final = 0.2  # seconds between two bytes


class FakeJudgeServer:
    """A service that answers every request with `reply`, a text or a rule from the request's body to a text.

    `latency` in seconds; `faults` say which requests fail and how. With `log`, each request received and each reply
    finished is one JSON line there, flushed at once. `requests` counts what arrived.
    """

    def __init__(
        self,
        reply: str | Rule = '{"quality": "pass"}',
        *,
        latency: float = 0.0,
        faults: Faults | None = None,
        log: Path | str | None = None,
        port: int = 0,
    ) -> None:
        self.rule: Rule = reply if callable(reply) else lambda body: reply
        self.latency, self.faults = latency, faults or Faults()
        self.bodies: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._log: IO[str] | None = None if log is None else Path(log).open("a", encoding="utf-8")  # noqa: SIM115
        self._http = _Server(("127.0.0.1", port), _Handler)
        self._http.fake = self
        self._thread: threading.Thread | None = None
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        """The address, for AWS_ENDPOINT_URL_BEDROCK_RUNTIME."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def base_url(self) -> str:
        """The address of the OpenAI API, for --base-url."""
        return f"{self.url}/v1"

    @property
    def requests(self) -> int:
        return len(self.bodies)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        if self._log is not None:
            self._log.close()

    def serve(self) -> None:
        """Serves until the process ends."""
        self._http.serve_forever()

    def received(self, path: str, body: dict[str, Any]) -> int:
        """Counts and logs a request; its number, from 0."""
        with self._lock:
            number = len(self.bodies)
            self.bodies.append(body)
            self._write({"event": "request", "number": number, "path": path, "body": body})
        return number

    def finished(self, number: int, fault: str | Canned, text: str) -> None:
        """Logs a reply that was written whole."""
        with self._lock:
            name = fault if isinstance(fault, str) else str(fault.status)
            self._write({"event": "reply", "number": number, "fault": name, "text": text})

    def _write(self, entry: dict[str, Any]) -> None:
        if self._log is not None and not self._log.closed:
            self._log.write(json.dumps({**entry, "time": time.time()}, ensure_ascii=False) + "\n")
            self._log.flush()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a hanging request must not hold the test's end
    request_queue_size = 1024
    fake: FakeJudgeServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no event."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # buffered: one packet a reply

    def log_message(self, format: str, *args: object) -> None:
        """Silent: the log is a file of its own."""

    def do_POST(self) -> None:
        fake = cast(_Server, self.server).fake
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(self.path)
        converse = path.startswith("/model/") and path.endswith("/converse")
        if not converse and not path.endswith("/chat/completions"):
            return self._send(404, json.dumps({"error": {"message": f"no such path: {path}"}}))
        body = json.loads(raw)
        number = fake.received(path, body)
        fault = fake.faults.of(number)
        if fake.latency or fault == "hang":
            fake.stopping.wait(fake.faults.hang if fault == "hang" else fake.latency)
        text = fake.rule(body) if fault in ("ok", "hang", "drip", "truncated") else ""
        self._answer(fault, converse, json.dumps(_converse(text) if converse else _chat(text, body)))
        if fault != "reset":
            fake.finished(number, fault, text)

    def _answer(self, fault: str | Canned, converse: bool, content: str) -> None:
        faults = cast(_Server, self.server).fake.faults
        if isinstance(fault, Canned):
            self._send(fault.status, fault.body, fault.headers)
        elif fault in STATUSES:
            status, code = STATUSES[fault]
            headers = {"Retry-After": f"{faults.retry_after:g}"} if fault == "429-after" else {}
            if converse:
                return self._send(status, json.dumps({"message": "as asked"}), {**headers, "x-amzn-ErrorType": code})
            self._send(status, json.dumps({"error": {"message": "as asked", "code": code}}), headers)
        elif fault == "reset":
            # Lingering for 0 s makes the close a reset; the handler's buffers are then written to nobody.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
        elif fault == "truncated":
            self.close_connection = True
            self._send(200, content[: len(content) // 2], {"Connection": "close"})
        elif fault == "html":
            self._send(200, "<html><body>Sign in to the network</body></html>", {"Content-Type": "text/html"})
        elif fault == "malformed":
            self._send(200, "{}")
        elif fault == "drip":
            self._drip(content)
        else:
            self._send(200, content)

    def _send(self, status: int, content: str, headers: Mapping[str, str] | None = None) -> None:
        data = content.encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def _drip(self, content: str) -> None:
        data = content.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        for byte in data:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if cast(_Server, self.server).fake.stopping.wait(DRIP):
                return


def _chat(text: str, body: Mapping[str, Any]) -> dict[str, Any]:
    asked = sum(len(str(message.get("content", ""))) for message in body.get("messages", ()))
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "model": body.get("model", ""),
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": asked // 4, "completion_tokens": len(text) // 4 + 1},
    }


def _converse(text: str) -> dict[str, Any]:
    tokens = {"inputTokens": 10, "outputTokens": len(text) // 4 + 1}
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": text}]}},
        "stopReason": "end_turn",
        "usage": {**tokens, "totalTokens": sum(tokens.values())},
        "metrics": {"latencyMs": 1},
    }
