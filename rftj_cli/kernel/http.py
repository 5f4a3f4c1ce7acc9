"""POSTs over the standard library, for Lambda: connections are kept, and a deadline bounds the whole call.

`http.client` bounds each receive alone, so a service that drips a byte now and then would never time out. Here the
response is read through a stream that knows when the call must end. Nothing is sent twice by itself: whoever calls decides
about another attempt. A connection that was idle for long (Lambda freezes between invocations) is not used again.
"""

from __future__ import annotations

import http.client
import io
import os
import socket
import ssl
import time
from collections import deque
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from rftj_cli.kernel.dialect import HttpAnswer, HttpCall, combined
from rftj_cli.kernel.outcome import CallError
from rftj_cli.kernel.trust import HEADER, Trust, is_silent, is_success

LARGEST: Final = 16 << 20  # bytes of a response
PIECE: Final = 16 << 10  # bytes that are sent at once: a TLS record
CONNECT: Final = 10.0  # seconds
IDLE: Final = 20.0  # seconds after which a kept connection may have been closed without our hearing of it


class _Stream(io.RawIOBase):
    """What a socket receives, until `end` (monotonic seconds)."""

    def __init__(self, sock: socket.socket, end: float) -> None:
        # A stream of the socket's own: `http.client` may close the socket before the body has been read.
        self._sock, self._end, self._raw = sock, end, sock.makefile("rb", buffering=0)
        self.over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.over:
            return 0
        self._sock.settimeout(_left(self._end))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Bounded:
    """Stands for a socket where `http.client` wants to read a response. `excess`: more was received than it has read."""

    def __init__(self, sock: socket.socket, end: float) -> None:
        self._stream = _Stream(sock, end)
        self.excess = False

    def makefile(self, mode: str) -> io.BufferedReader:
        """The stream to read from."""
        return _Reader(self._stream, self)


class _Reader(io.BufferedReader):
    """Tells, when it is closed, whether it has received what nobody has read."""

    def __init__(self, stream: _Stream, bounded: _Bounded) -> None:
        super().__init__(stream)
        self._stream, self._bounded = stream, bounded

    def close(self) -> None:
        if not self.closed:
            self._stream.over = True
            self._bounded.excess = bool(self.peek(1))
        super().close()


class Http:
    """Carries calls to the host of `url`. Called from many threads; each call has a connection to itself.

    A connection is used again within `idle` seconds; a response has at most `largest` bytes.
    """

    def __init__(self, url: str, *, idle: float = IDLE, largest: int = LARGEST) -> None:
        self._fresh, self._largest = idle, largest
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        self._context = None
        if parts.scheme == "https":
            self._context = _trusting(os.environ.get("AWS_CA_BUNDLE"))
        self._idle: deque[tuple[float, http.client.HTTPConnection]] = deque()
        self._trust = Trust()

    def post(self, call: HttpCall, seconds: float) -> HttpAnswer:
        """The answer. Raises `CallError` where none comes in time, or none at all."""
        began = time.monotonic()
        end, sent, id = began + seconds, False, self._trust.next_id()
        try:
            kept = self._kept()
            connection = kept or self._connect(end)
            sent = True
            status, headers, body = self._exchange(connection, call, id, end)
        except TimeoutError:
            raise CallError(
                "timeout", f"no whole answer in {seconds:.3g} s", retry=True, billed=None if sent else False
            ) from None
        except ssl.SSLCertVerificationError as error:
            raise CallError("call", f"TLS: {error.verify_message}", fatal=True, advice="check AWS_CA_BUNDLE") from None
        except (OSError, http.client.HTTPException) as error:
            raise _unanswered(error, sent) from None
        answer = HttpAnswer(status, headers, body, time.monotonic() - began)
        if (doubt := self._trust.doubt(id, answer, fresh=kept is None)) is not None:
            raise doubt
        return answer

    def _kept(self) -> http.client.HTTPConnection | None:
        """A connection that is open still, as far as can be told."""
        while True:
            try:
                since, connection = self._idle.pop()
            except IndexError:  # other threads take from it too
                return None
            # The wall clock: a frozen environment's monotonic one may have stood still.
            young = 0 <= time.time() - since < self._fresh and self._trust.keeps
            if young and is_silent(connection.sock.fileno(), connection.sock.getsockname()[1], self._trust):
                return connection
            connection.close()

    def _connect(self, end: float) -> http.client.HTTPConnection:
        """A new connection; address after address and the TLS handshake, all of it before `end`."""
        end = min(end, time.monotonic() + CONNECT)
        kind = http.client.HTTPConnection if self._context is None else http.client.HTTPSConnection
        connection = kind(self._host, self._port)
        sock = _reached(self._host, self._port, end)
        try:
            if self._context is not None:
                sock.settimeout(_left(end))
                sock = self._context.wrap_socket(sock, server_hostname=self._host)
        except BaseException:
            sock.close()
            raise
        connection.sock = sock
        connection.auto_open = 0  # what is closed stays closed: nothing is sent twice
        return connection

    def _exchange(
        self, connection: http.client.HTTPConnection, call: HttpCall, id: str, end: float
    ) -> tuple[int, dict[str, str], bytes]:
        whole = False
        try:
            parts, sock = urlsplit(call.url), connection.sock
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            headers = {**call.headers, HEADER: id, "Content-Length": str(len(call.body))}
            sock.settimeout(_left(end))
            connection.request("POST", target, _pieces(call.body, sock, end), headers)
            bounded = _Bounded(sock, end)
            connection.response_class = lambda sock, **kw: http.client.HTTPResponse(bounded, **kw)  # type: ignore[assignment, arg-type]
            response = connection.getresponse()
            if not 200 <= response.status <= 599:
                raise http.client.BadStatusLine(str(response.status))
            with response:
                body = response.read(self._largest + 1)
                if len(body) > self._largest:
                    raise http.client.HTTPException(f"a response of more than {self._largest >> 20} MB")
                if response.length:  # `read` with a limit says nothing of a body that is shorter than announced
                    raise http.client.IncompleteRead(b"", response.length)
                whole = not response.will_close and response.isclosed() and is_success(response.status)
            if bounded.excess:
                self._trust.unsolicited()
                whole = False
            return response.status, combined(response.getheaders()), body
        finally:
            if whole:
                self._idle.append((time.time(), connection))
            else:
                connection.close()


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _pieces(body: bytes, sock: socket.socket, end: float) -> Iterator[bytes]:
    """The body in pieces, each in the time that is left: over TLS a socket's timeout is for one piece."""
    for start in range(0, len(body), PIECE):
        sock.settimeout(_left(end))
        yield body[start : start + PIECE]
    sock.settimeout(_left(end))


def _reached(host: str, port: int, end: float) -> socket.socket:
    """A socket that is connected to the first address of the host that answers."""
    fault: OSError = socket.gaierror(f"no address of {host}")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(_left(end))
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        except OSError as error:
            sock.close()
            fault = error
    raise fault


def _trusting(bundle: str | None) -> ssl.SSLContext:
    """The certificates to trust: a file or a folder, else the system's."""
    if bundle and os.path.isdir(bundle):
        return ssl.create_default_context(capath=bundle)
    return ssl.create_default_context(cafile=bundle or None)


def _unanswered(error: Exception, sent: bool) -> CallError:
    """A connection that failed: nobody knows whether a request that was sent has been billed."""
    said = getattr(error, "strerror", None) or str(error)
    return CallError("call", f"{type(error).__name__}: {said}", retry=True, billed=None if sent else False)
