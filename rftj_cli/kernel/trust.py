"""Whether an answer belongs to its request: on a kept connection it may be an earlier request's, come late or twice.

HTTP/1.1 has no numbers by which answers are told apart. One that nobody asked for is taken for the next request's, and from
then on every answer of the connection is the one before. Signs of it: bytes before a request is sent; an answer that was
received before; one whose service says that it took longer than the call did; one that names another request's id.

Connections are kept only with a service that gives each answer an id of its own, and until the first sign. Where a new
connection, on which nothing can be late, shows such a duration or id, it is no sign (a gateway repeats what it has cached), and
does not count again.
"""

from __future__ import annotations

import json
import os
import re
import select
import socket
import threading
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from itertools import count
from typing import Final, Literal

from rftj_cli.kernel.dialect import HttpAnswer
from rftj_cli.kernel.outcome import CallError

HEADER: Final = "X-Request-Id"
REMEMBERED: Final = 4096  # answers
_IDS: Final = ("x-amzn-requestid", "x-request-id", "request-id")  # of the service's own making, where it has any
_BODY_ID: Final = re.compile(rb'\s*\{[^{\[]{0,200}?"id"\s*:\s*"([^"]{1,200})"')
_LATENCY: Final = re.compile(rb'"latencyMs"\s*:\s*(\d{1,9})\b')
_GOODBYE: Final = 64  # bytes
_MARGIN: Final = 0.005  # seconds, and a hundredth: clocks are rounded
Sign = Literal["bytes", "repeated", "duration", "id"]
_SAID: Final[Mapping[Sign, str]] = {
    "bytes": "the service has sent an answer that nobody asked for",
    "repeated": "it was received before",
    "duration": "the service says that it took longer than the call",
    "id": "it names another request",
}


class Trust:
    """What one transport knows of its service. Used from many threads; `careful`: no connection is ever used again."""

    def __init__(self) -> None:
        self.careful = False
        self._cause: Sign | None = None
        self._first: bytes | None = None  # the first answer's id
        self._differ = False
        self._void: set[Sign] = set()
        self._echoes = False
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._lock = threading.Lock()
        # A UUID whose first half is this process's: some gateways take nothing else.
        self._prefix = f"{uuid.uuid4()}"[:24]
        self._mine = re.compile(rf"{self._prefix}[0-9a-f]{{12}}".encode())
        self._numbers = count()

    @property
    def keeps(self) -> bool:
        """Whether a connection may be used again: a stranger's answer on it would be noticed."""
        return self._first is not None and not self.careful

    def next_id(self) -> str:
        """An id for one attempt, to be sent as `HEADER`."""
        return f"{self._prefix}{next(self._numbers):012x}"

    def unsolicited(self) -> None:
        """Bytes came on a connection that nobody has asked anything on."""
        self._alarm("bytes")

    def doubt(self, id: str, answer: HttpAnswer, *, fresh: bool) -> CallError | None:
        """The error for an answer that is not, or not surely, the one to attempt `id`; None for one that is trusted.

        `fresh`: nothing else was asked on its connection before.
        """
        if not is_success(answer.status):
            return None
        with self._lock:
            sign = self._sign(id, answer, fresh)
        if sign is not None:
            self._alarm(sign)
        elif self.careful and not fresh:  # asked before the alarm, of a service that is not to be trusted with it
            sign = self._cause
        if sign is None:
            return None
        return CallError(
            "call", f"an answer that may belong to another request: {_SAID[sign]}", retry=True, billed=None
        )

    def _alarm(self, sign: Sign) -> None:
        if not self.careful:
            self.careful, self._cause = True, sign

    def _sign(self, id: str, answer: HttpAnswer, fresh: bool) -> Sign | None:
        headers, body = answer.headers, answer.body
        signs: list[Sign] = []
        named = set(self._mine.findall(" ".join(headers.values()).encode("latin-1", "replace") + body[:200]))
        self._echoes = self._echoes or id.encode() in named
        if named and id.encode() not in named:
            signs.append("id")
        if self._was_seen(headers, body, id):
            if not fresh:
                return "repeated"
            self._alarm("repeated")  # a service whose answers cannot be told apart
        if (reported := _reported(headers, body)) is not None and reported > 1.01 * answer.seconds + _MARGIN:
            signs.append("duration")
        for sign in signs:
            if sign == "id" and self._echoes:
                return sign  # a service that names the right request otherwise
            if fresh:
                self._void.add(sign)
                self.careful = self.careful and self._cause != sign
            elif sign not in self._void:
                return sign
        return None

    def _was_seen(self, headers: Mapping[str, str], body: bytes, id: str) -> bool:
        """Whether an answer was received before; False where it has no id of its own."""
        named = next((headers[name] for name in _IDS if headers.get(name) not in (None, "", id)), None)
        found = _BODY_ID.match(body) if named is None else None
        if named is None and found is None:
            return False
        mark = found[1] if found is not None else str(named).encode("latin-1", "replace")
        key = hash(body if found is not None else mark)  # an id in a body may be one of a thousand
        if key in self._seen:
            return True
        self._differ = self._differ or mark != (self._first or mark)
        if mark == self._first and not self._differ:
            self._alarm("repeated")  # one id for all answers tells none apart
        self._first = self._first or mark
        self._seen[key] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return False


def _reported(headers: Mapping[str, str], body: bytes) -> float | None:
    """How long the service says that it has worked, in seconds."""
    said = headers.get("openai-processing-ms", "")
    if said.isdecimal() and len(said) < 10:
        return int(said) / 1000
    found = _LATENCY.search(body)
    return None if found is None else int(found[1]) / 1000


def read_by_boto3(response: object, seconds: float) -> HttpAnswer:
    """What tells an answer from others, as it was before boto3 read it."""
    found = response if isinstance(response, Mapping) else {}
    meta, metrics = found.get("ResponseMetadata"), found.get("metrics")
    headers = meta.get("HTTPHeaders") if isinstance(meta, Mapping) else None
    latency = metrics.get("latencyMs") if isinstance(metrics, Mapping) else None
    body = json.dumps({"latencyMs": latency}) if isinstance(latency, int) else ""
    return HttpAnswer(200, headers if isinstance(headers, Mapping) else {}, body.encode(), seconds)


def is_success(status: int) -> bool:
    """Whether a connection may be kept after an answer: not after a fault, which may be said twice as well."""
    return 200 <= status < 300


def is_silent(fd: int, port: int, trust: Trust) -> bool:
    """Whether nothing waits on the idle connection from local `port`. An answer that does is told to `trust`."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    if not poll.poll(0):
        return True
    try:
        with socket.socket(fileno=os.dup(fd)) as sock:
            if sock.getsockname()[1] != port:
                return True  # another connection has its number now
            head = sock.recv(12, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except OSError:
        return False
    # A TLS record of data (0x17) may also be a goodbye, which is short. 408 is how some servers part without TLS.
    if int.from_bytes(head[3:5]) > _GOODBYE if head[:1] == b"\x17" else head[:5] == b"HTTP/" and head[9:12] != b"408":
        trust.unsolicited()
    return False
