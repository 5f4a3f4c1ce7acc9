"""The Runtime API of one execution environment: AWS's four calls over HTTP/1.1, on a port of 127.0.0.1 of its own.

No thread and no server loop: whoever runs an invocation turns it (`requests`), so that requests, logs, memory and the
deadline are watched in one place. A call that was begun is kept until its rest arrives.
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

VERSION: Final = "/2018-06-01/runtime"
MOST_HEAD: Final = 2 << 20  # bytes: the runtime client sends the cause of an error, up to 1 MB, as a header
_RECEIVE: Final = 1 << 18
_REASONS: Final = {200: "OK", 202: "Accepted", 400: "Bad Request", 403: "Forbidden", 404: "Not Found",
                   413: "Payload Too Large"}  # fmt: skip


@dataclass(slots=True, eq=False)
class Connection:
    """A connection of the runtime client, with what of the next request has come."""

    socket: socket.socket
    buffer: bytearray = field(default_factory=bytearray)
    head: Head | None = None
    body: bytearray = field(default_factory=bytearray)
    size: int = 0  # of the body so far; beyond the limit it is counted and not kept
    left: int = 0  # of the body, or of its present chunk
    ended: bool = False  # the last chunk was read


@dataclass(frozen=True, slots=True)
class Head:
    """A request line with its headers, names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]

    @property
    def chunked(self) -> bool:
        """Whether the body says its length piece by piece."""
        return "chunked" in self.headers.get("transfer-encoding", "").lower()


@dataclass(frozen=True, slots=True)
class Request:
    """A whole request; `size` is larger than the body where that was too large to be kept."""

    connection: Connection
    method: str
    path: str
    body: bytes
    size: int


class RuntimeApi:
    """The listening port of one environment, watched by `selector` together with whatever else is registered there."""

    def __init__(self, selector: selectors.BaseSelector, *, most_body: int) -> None:
        self._selector, self._most = selector, most_body
        self._connections: set[Connection] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self._listener.setblocking(False)
        host, self._port = self._listener.getsockname()
        self.address = f"{host}:{self._port}"
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def _accept(self) -> Sequence[Request]:
        with suppress(OSError):
            client, (_, port) = self._listener.accept()
            if not _is_mine(port, self._port):
                client.close()
                return ()
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(client)
            self._connections.add(connection)
            self._selector.register(client, selectors.EVENT_READ, lambda: self._receive(connection))
        return ()

    def _receive(self, connection: Connection) -> Iterator[Request]:
        try:
            data = connection.socket.recv(_RECEIVE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        connection.buffer += data
        try:
            yield from _requests(connection, self._most)
        except (ValueError, UnicodeDecodeError):
            self.answer(connection, 400)
            data = b""
        if not data:
            self._drop(connection)

    def answer(
        self, connection: Connection, status: int, headers: Mapping[str, str] | None = None, body: bytes = b"",
        *, deadline: float | None = None,
    ) -> bool:  # fmt: skip
        """Send an answer in one write; False where the client is gone, or takes it too slowly."""
        lines = [f"HTTP/1.1 {status} {_REASONS[status]}", "Content-Type: application/json"]
        lines += [f"Content-Length: {len(body)}", *(f"{name}: {value}" for name, value in (headers or {}).items())]
        data = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
        try:
            connection.socket.settimeout(5.0 if deadline is None else max(0.001, deadline - time.monotonic()))
            connection.socket.sendall(data)
            connection.socket.setblocking(False)
        except OSError:
            self._drop(connection)
            return False
        return True

    def _drop(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.discard(connection)
            self._selector.unregister(connection.socket)
            connection.socket.close()

    def close(self) -> None:
        """Close the port and every connection."""
        for connection in list(self._connections):
            self._drop(connection)
        with suppress(KeyError, ValueError):
            self._selector.unregister(self._listener)
        self._listener.close()


def _is_mine(theirs: int, ours: int) -> bool:
    """Whether a connection comes from a process of this user, as far as the kernel tells: others may not fetch an event."""
    ends = f":{theirs:04X}", f":{ours:04X}"
    with suppress(OSError, IndexError, ValueError):
        for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]:
            parts = line.split()
            if parts[1].endswith(ends[0]) and parts[2].endswith(ends[1]):
                return int(parts[7]) in (0, os.getuid())
    return True


def _requests(connection: Connection, most: int) -> Iterator[Request]:
    """The requests that are whole by now. Raises `ValueError` for what is no HTTP."""
    while True:
        if connection.head is None and not _begin(connection):
            return
        head = connection.head
        if head is None or not (_chunks(connection, most) if head.chunked else _take(connection, most)):
            return
        body, size = bytes(connection.body), connection.size
        connection.head, connection.body, connection.size, connection.ended = None, bytearray(), 0, False
        yield Request(connection, head.method, head.path, body, size)


def _begin(connection: Connection) -> bool:
    end = connection.buffer.find(b"\r\n\r\n")
    if end < 0:
        if len(connection.buffer) > MOST_HEAD:
            raise ValueError("the head of the request is too long")
        return False
    first, *lines = connection.buffer[:end].decode("latin-1").split("\r\n")
    del connection.buffer[: end + 4]
    method, path, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines)
    head = Head(method, path, {name.strip().lower(): value.strip() for name, _, value in pairs})
    connection.head = head
    connection.left = 0 if head.chunked else int(head.headers.get("content-length") or 0)
    if connection.left < 0:
        raise ValueError("a negative length")
    return True


def _take(connection: Connection, most: int) -> bool:
    """Move what has come from the buffer to the body; whether all of `left` is there."""
    data = connection.buffer[: connection.left]
    del connection.buffer[: len(data)]
    connection.left -= len(data)
    connection.size += len(data)
    if connection.size <= most:
        connection.body += data
    else:
        connection.body.clear()
    return connection.left == 0


def _chunks(connection: Connection, most: int) -> bool:
    """The same for a body in chunks; what follows the last chunk (trailers) is read and passed over."""
    while True:
        if connection.left > 0 and not _take(connection, most):
            return False
        end = connection.buffer.find(b"\r\n")
        if end < 0:
            if len(connection.buffer) > MOST_HEAD:
                raise ValueError("no end of a chunk")
            return False
        line = connection.buffer[:end].decode("latin-1")
        del connection.buffer[: end + 2]
        if connection.ended:
            if not line:
                return True
        elif line:  # an empty line ends the chunk before
            connection.left = int(line.partition(";")[0], 16)
            if connection.left < 0:
                raise ValueError("a negative length")
            connection.ended = connection.left == 0
