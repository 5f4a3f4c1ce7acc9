"""Connections without threads: one event loop serves them all, in a thread of its own or in the caller's.

bytes --Connection--> Incoming --handle--> Connection.answer(Canned), at once or from a timer
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from rftj_cli.testing.http import CONTINUE, Incoming, Malformed, Parser, response_head
from rftj_cli.testing.problems import Canned

Handle = Callable[[Incoming, "Connection"], None]
BACKLOG: Final = 4096  # connections that may wait to be accepted
_MOST_HELD: Final = 1 << 20  # bytes of further requests taken in while one is being answered
_BIND_TRIES: Final = 100


class Connection(asyncio.BufferedProtocol):
    """One client. Requests are handled one after another, so that pipelined ones are answered in their order."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._parser = engine, Parser()
        self._transport: asyncio.Transport
        self._busy = self._last = False
        self.gone = self.killed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._engine.connections.add(self)
        self._engine.accepted += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self._engine.connections.discard(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        # One for all connections: asyncio's own new one for each read costs a quarter of a request.
        return self._engine.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._parser.feed(self._engine.buffer[:nbytes])
        if not self._busy:
            self._advance()
        elif self._parser.held > _MOST_HELD:
            self._transport.pause_reading()

    def _advance(self) -> None:
        try:
            incoming = self._parser.next()
        except Malformed as error:
            self._last = True
            self.answer(Canned(400, str(error), {"Content-Type": "text/plain"}))
            return
        if incoming is not None:
            self._busy, self._last = True, incoming.last
            self._engine.handle(incoming, self)
        elif self._parser.expects_continue:
            self._parser.expects_continue = False
            self._transport.write(CONTINUE)

    def answer(self, response: Canned, *, close: bool = False) -> None:
        """Writes a whole response, and turns to the next request."""
        body = response.body.encode("utf-8", "replace")
        self.begin(response.status, len(body), response.headers, body, close=close)
        self.end(close=close)

    def begin(
        self, status: int, length: int, headers: Mapping[str, str], body: bytes = b"", *, close: bool = False
    ) -> None:
        """Writes the head of a response that announces `length` bytes, and as much of the body as is given."""
        if not self.gone:
            self._transport.write(response_head(status, length, headers, close or self._last) + body)

    def write(self, body: bytes) -> None:
        """Writes more of a body that was begun."""
        if not self.gone:
            self._transport.write(body)

    def end(self, *, close: bool = False) -> None:
        """The response is written: the next request, or goodbye."""
        self._busy = False
        if close or self._last:
            self.close()
        elif self._parser.held:
            # Not at once: a thousand pipelined requests would be a thousand frames deep.
            self.later(0, self._resume)

    def _resume(self) -> None:
        if not self.gone:
            self._transport.resume_reading()
            if not self._busy:
                self._advance()

    def close(self) -> None:
        """Ends the connection once everything is written."""
        self._transport.close()

    def reset(self) -> None:
        """Ends the connection with a reset: what is not yet sent is lost."""
        self.killed = True
        if not self.gone:
            # Lingering for 0 s makes the close a reset.
            with suppress(OSError):  # closed this moment
                peer = self._transport.get_extra_info("socket")
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()

    def later(self, seconds: float, act: Callable[..., None], *arguments: Any) -> None:
        """Calls `act` after a time, whether or not the client is still there."""
        self._engine.loop.call_later(seconds, act, *arguments)


class Engine:
    """Listens on 127.0.0.1 from the start; serves between `start` and `stop`, or in `run`."""

    def __init__(self, handle: Handle, port: int = 0, tls: tuple[str, str] | None = None) -> None:
        self.handle = handle
        self.connections: set[Connection] = set()
        self.accepted = 0
        self.buffer = memoryview(bytearray(1 << 18))
        self._context = None if tls is None else _context(*tls)
        self._socket = _bound(port, 1)
        self._socket.listen(BACKLOG)
        self.port: int = self._socket.getsockname()[1]
        self.loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._opening: asyncio.Task[None] | None = None
        self._up: asyncio.TimerHandle | None = None
        self._owner: int | None = None
        self._thread: threading.Thread | None = None

    @property
    def secure(self) -> bool:
        """Whether clients speak TLS."""
        return self._context is not None

    def start(self) -> None:
        """Serves in a background thread."""
        running = threading.Event()
        self._come_up()
        self.post(running.set)
        self._thread = threading.Thread(target=self.run, name="fake-judge", daemon=True)
        self._thread.start()
        running.wait()

    def run(self) -> None:
        """Serves in this thread until `stop`, or until an exception such as KeyboardInterrupt comes in."""
        self._owner = threading.get_ident()
        if self._opening is None:
            self._come_up()
        try:
            self.loop.run_forever()
        finally:
            self._drop()
            self.loop.run_until_complete(asyncio.sleep(0))  # the aborted transports' last callbacks
            self.loop.close()

    def stop(self) -> None:
        """Ends `start` or `run`; every connection is closed."""
        self.post(self.loop.stop)
        if self._thread is not None:
            self._thread.join()

    def post(self, act: Callable[..., None], *arguments: Any) -> None:
        """Has the loop call `act` soon, from any thread; after `stop` nothing happens."""
        try:
            self.loop.call_soon_threadsafe(act, *arguments)
        except RuntimeError:  # closed
            return

    def outage(self, seconds: float) -> None:
        """From now on connections are closed and refused, for a time. Returns when it has begun."""
        if self._owner in (None, threading.get_ident()):
            self._go_down(seconds)
            return
        begun = threading.Event()
        self.post(self._go_down, seconds)
        self.post(begun.set)
        begun.wait(5)

    async def _listen(self) -> None:
        # In two steps: nothing comes between the server's start and our knowing it.
        self._server = await self.loop.create_server(
            lambda: Connection(self), sock=self._socket, backlog=BACKLOG, ssl=self._context, start_serving=False
        )
        await self._server.start_serving()

    def _go_down(self, seconds: float) -> None:
        self._drop()
        if self._up is not None:
            self._up.cancel()
        # Bound but not listening: connections are refused, and no other process can take the port meanwhile.
        self._socket = _bound(self.port, _BIND_TRIES)
        self._up = self.loop.call_later(seconds, self._come_up)

    def _come_up(self) -> None:
        self._up = None
        self._opening = self.loop.create_task(self._listen())

    def _drop(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
        if self._server is not None:
            self._server.close()
            self._server = None
        self._socket.close()
        for connection in list(self.connections):
            connection.reset()


def _context(certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


def _bound(port: int, tries: int) -> socket.socket:
    """A socket on the port. The loop's listener may need a moment to let go of it."""
    for _ in range(tries):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            listener.close()
            if error.errno != errno.EADDRINUSE or not port:
                raise
            time.sleep(0.01)
        else:
            return listener
    raise OSError(errno.EADDRINUSE, f"port {port} is in use")
