"""HTTP/1.1 as far as clients of a judge's service speak it: bytes to requests, responses to bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_LONGEST_HEAD: Final = 65536  # bytes
_PHRASES: Final[Mapping[int, str]] = {status.value: status.phrase for status in HTTPStatus}


class Malformed(ValueError):
    """Bytes that are no HTTP."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One request. Header names are lower-case, `target` is as it was sent; `last`: the client wants no other answer."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    last: bool = False

    @property
    def path(self) -> str:
        """The path, still percent-encoded; a proxy's client sends a whole URL."""
        return self.target.partition("?")[0] if self.target[:1] == "/" else urlsplit(self.target).path


class Parser:
    """Takes bytes as they come, and gives whole requests in their order."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._head: Incoming | None = None
        self._length: int | None = 0  # bytes of the body; None: chunked
        self._chunks = bytearray()
        self.expects_continue = False

    def feed(self, data: bytes | memoryview) -> None:
        """Takes what has arrived."""
        self._buffer += data

    @property
    def held(self) -> int:
        """Bytes that are waiting."""
        return len(self._buffer)

    def next(self) -> Incoming | None:
        """The next request, or None until more has arrived. Raises `Malformed`."""
        if self._head is None and not self._read_head():
            return None
        body = self._chunked() if self._length is None else self._counted(self._length)
        if body is None or self._head is None:
            return None
        head, self._head, self.expects_continue = self._head, None, False
        return Incoming(head.method, head.target, head.headers, body, head.last)

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _LONGEST_HEAD:
                raise Malformed("the head is too long")
            return False
        first, *lines = self._buffer[:end].decode("latin-1").lstrip("\r\n").split("\r\n")
        del self._buffer[: end + 4]
        try:
            method, target, version = first.split(" ")
            pairs = (line.split(":", 1) for line in lines)
            headers = {name.lower(): value.strip() for name, value in pairs}
            chunked = headers.get("transfer-encoding", "").lower() == "chunked"
            self._length = None if chunked else int(headers.get("content-length") or 0)
        except ValueError:
            raise Malformed("no HTTP request") from None
        if not version.startswith("HTTP/1.") or (self._length or 0) < 0:
            raise Malformed("no HTTP/1.1 request")
        asked = headers.get("connection", "").lower()
        last = asked == "close" or (version == "HTTP/1.0" and asked != "keep-alive")
        self._head = Incoming(method, target, headers, last=last)
        self.expects_continue = headers.get("expect", "").lower() == "100-continue"
        return True

    def _counted(self, length: int) -> bytes | None:
        if len(self._buffer) < length:
            return None
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        return body

    def _chunked(self) -> bytes | None:
        while (end := self._buffer.find(b"\r\n")) >= 0:
            try:
                size = int(self._buffer[:end].partition(b";")[0], 16)
            except ValueError:
                raise Malformed("no chunk") from None
            if size == 0:
                return self._trailers(end)
            if size < 0:
                raise Malformed("no chunk")
            if len(self._buffer) < end + size + 4:
                return None
            self._chunks += self._buffer[end + 2 : end + 2 + size]
            del self._buffer[: end + size + 4]
        return None

    def _trailers(self, start: int) -> bytes | None:
        """The body once the empty line after the last chunk is there; trailers before it are dropped."""
        if self._buffer.startswith(b"\r\n", start + 2):
            end = start + 2
        elif (end := self._buffer.find(b"\r\n\r\n", start)) >= 0:
            end += 2
        else:
            return None
        del self._buffer[: end + 2]
        body, self._chunks = bytes(self._chunks), bytearray()
        return body


def response_head(status: int, length: int, headers: Mapping[str, str], close: bool) -> bytes:
    """Status line and headers of a response with `length` bytes of body."""
    lines = [f"HTTP/1.1 {status} {_PHRASES.get(status, 'Unknown')}"]
    if not any(name.lower() == "content-type" for name in headers):
        lines.append("Content-Type: application/json")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if close:
        lines.append("Connection: close")
    return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode("latin-1")
