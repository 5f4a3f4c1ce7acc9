"""POSTs over the standard library, for Lambda: connections are kept, and a deadline bounds the whole call.

`http.client` bounds each receive alone, so a service that drips a byte now and then would never time out. Here the
response is read through a stream that knows when the call must end. Nothing is sent twice by itself: whoever calls decides
about another attempt. A connection that was idle for long (Lambda freezes between invocations) is not used again.
"""

from __future__ import annotations

import http.client
import io
import os
import select
import socket
import ssl
import time
from collections import deque
from typing import Any, Final
from urllib.parse import urlsplit

from rftj_cli.kernel.dialect import HttpAnswer, HttpCall
from rftj_cli.kernel.outcome import CallError

LARGEST: Final = 16 << 20  # bytes of a response
CONNECT: Final = 10.0  # seconds
IDLE: Final = 20.0  # seconds after which a kept connection may have been closed without our hearing of it


class _Stream(io.RawIOBase):
    """What a socket receives, until `end` (monotonic seconds)."""

    def __init__(self, sock: socket.socket, end: float) -> None:
        self._sock, self._end = sock, end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)
        return self._sock.recv_into(buffer)


class _Bounded:
    """Stands for a socket where `http.client` wants to read a response."""

    def __init__(self, sock: socket.socket, end: float) -> None:
        self._sock, self._end = sock, end

    def makefile(self, mode: str) -> io.BufferedReader:
        """The stream to read from."""
        return io.BufferedReader(_Stream(self._sock, self._end))


class Http:
    """Carries calls to the host of `url`. Called from many threads; each call has a connection to itself."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port
        self._context = None
        if parts.scheme == "https":
            self._context = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE") or None)
        self._idle: deque[tuple[float, http.client.HTTPConnection]] = deque()

    def post(self, call: HttpCall, seconds: float) -> HttpAnswer:
        """The answer. Raises `CallError` where none comes in time, or none at all."""
        began = time.monotonic()
        end = began + seconds
        try:
            status, headers, body = self._exchange(self._kept() or self._connect(end), call, end)
        except TimeoutError:
            raise CallError("timeout", f"no whole answer in {seconds:.3g} s", retry=True, billed=None) from None
        except ssl.SSLCertVerificationError as error:
            raise CallError("call", f"TLS: {error.verify_message}", fatal=True, advice="check AWS_CA_BUNDLE") from None
        except (OSError, http.client.HTTPException) as error:
            raise _unanswered(error) from None
        return HttpAnswer(status, headers, body, time.monotonic() - began)

    def _kept(self) -> http.client.HTTPConnection | None:
        """A connection that is open still, as far as can be told."""
        while self._idle:
            since, connection = self._idle.pop()
            # The wall clock: a frozen environment's monotonic one may have stood still.
            if time.time() - since < IDLE and not select.select([connection.sock], [], [], 0)[0]:
                return connection
            connection.close()
        return None

    def _connect(self, end: float) -> http.client.HTTPConnection:
        left = max(0.001, min(CONNECT, end - time.monotonic()))
        if self._context is None:
            plain = http.client.HTTPConnection(self._host, self._port, timeout=left)
            plain.connect()
            return plain
        secure = http.client.HTTPSConnection(self._host, self._port, timeout=left, context=self._context)
        secure.connect()
        return secure

    def _exchange(
        self, connection: http.client.HTTPConnection, call: HttpCall, end: float
    ) -> tuple[int, dict[str, str], bytes]:
        whole = False
        try:
            sock = connection.sock
            sock.settimeout(max(0.001, end - time.monotonic()))
            parts = urlsplit(call.url)
            connection.request("POST", parts.path or "/", call.body, dict(call.headers))
            connection.response_class = lambda sock, **kw: http.client.HTTPResponse(_Bounded(sock, end), **kw)  # type: ignore[assignment, arg-type]
            response = connection.getresponse()
            body = response.read(LARGEST + 1)
            if len(body) > LARGEST:
                raise http.client.HTTPException(f"a response of more than {LARGEST >> 20} MB")
            whole = not response.will_close and response.isclosed()
            return response.status, {name.lower(): value for name, value in response.getheaders()}, body
        finally:
            if whole:
                self._idle.append((time.time(), connection))
            else:
                connection.close()


def _unanswered(error: Exception) -> CallError:
    """A connection that failed: nobody knows whether a request that was sent has been billed."""
    sent = not isinstance(error, (ConnectionRefusedError, socket.gaierror))
    said = getattr(error, "strerror", None) or str(error)
    return CallError("call", f"{type(error).__name__}: {said}", retry=True, billed=None if sent else False)
