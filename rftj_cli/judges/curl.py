"""HTTP by libcurl: one call in the calling thread, or hundreds at once from one loop.

    start(call, done) --> libcurl's multi handle, told of ready sockets by a selector --> done(HttpAnswer | CallError)

The deadline is libcurl's own and covers the whole transfer, a drip included. What libcurl would send a second time by
itself, when a kept connection dies before the answer, is refused: whoever calls decides about another attempt.
"""

from __future__ import annotations

import selectors
import threading
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import pycurl

from rftj_cli.judges.surroundings import certificates, proxy_for
from rftj_cli.kernel.dialect import HttpAnswer, HttpCall, combined
from rftj_cli.kernel.outcome import CallError
from rftj_cli.kernel.trust import HEADER, Trust, is_silent, is_success

CONNECT: Final = 10.0  # seconds
LARGEST: Final = 64 * 1024 * 1024  # bytes: more than any completion, and less than what would fill the memory
_BAD_CERTIFICATE: Final = frozenset({pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_SSL_CACERT_BADFILE})
_UNSENT: Final = frozenset({pycurl.E_COULDNT_CONNECT, pycurl.E_COULDNT_RESOLVE_HOST, pycurl.E_COULDNT_RESOLVE_PROXY})
_FATAL: Final = frozenset({pycurl.E_URL_MALFORMAT, pycurl.E_UNSUPPORTED_PROTOCOL})
_KINDS: Final = {
    pycurl.E_COULDNT_CONNECT: "connection refused",
    pycurl.E_COULDNT_RESOLVE_HOST: "the host's name is not known",
    pycurl.E_COULDNT_RESOLVE_PROXY: "the proxy's name is not known",
    pycurl.E_RECV_ERROR: "connection reset",
    pycurl.E_SEND_ERROR: "connection reset",
    pycurl.E_GOT_NOTHING: "connection closed without an answer",
    pycurl.E_ABORTED_BY_CALLBACK: "connection closed without an answer",
    pycurl.E_PARTIAL_FILE: "the body was cut short",
    pycurl.E_WRITE_ERROR: "the body is too long",
    pycurl.E_FTP_WEIRD_SERVER_REPLY: "an answer that is not HTTP",
    pycurl.E_SSL_CONNECT_ERROR: "no TLS connection",
}
_GIVEN_UP: Final = -2  # in place of a socket: the connection is not used again
Done = Callable[[HttpAnswer | CallError], None]


class _Transfer:
    """An easy handle with its buffers: one call at a time, many one after the other."""

    def __init__(self, handle: Any, trust: Trust, kept: dict[int, int]) -> None:
        self.handle, self._trust, self._kept = handle, trust, kept
        self.where, self.seconds, self.sent = "", 0.0, False
        self.withheld = self._fresh = False
        self._id = ""
        self.done: Done | None = None
        self._call: HttpCall | None = None
        handle.setopt(pycurl.PREREQFUNCTION, self._before_sending)
        handle.setopt(pycurl.HEADERFUNCTION, self._header)
        handle.setopt(pycurl.WRITEFUNCTION, self._write)

    def begin(self, call: HttpCall, seconds: float, proxy: tuple[str, str], done: Done | None = None) -> None:
        """Make ready for a call. What is as it was in the last one is not set again."""
        handle, trust, last = self.handle, self._trust, self._call
        self._id, self.withheld = trust.next_id(), False
        self._set_fresh(not trust.keeps)
        self._call, self.seconds, self.done, self.sent = call, seconds, done, False
        self._headers, self._body, self._size = list[bytes](), list[bytes](), 0
        if last is None or last.url != call.url:
            parts = urlsplit(call.url)
            self.where = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
            if proxy[0]:
                self.where += f" through the proxy {proxy[0]}"
            handle.setopt(pycurl.URL, call.url)
            handle.setopt(pycurl.PROXY, proxy[0])
            if proxy[1]:
                handle.setopt(pycurl.PROXYUSERPWD, proxy[1])
        if last is None or last.headers is not call.headers:
            self._lines = [*(f"{name}: {value}" for name, value in call.headers.items()), "Expect:"]
        handle.setopt(pycurl.HTTPHEADER, [*self._lines, f"{HEADER}: {self._id}"])
        handle.setopt(pycurl.POSTFIELDS, call.body)
        handle.setopt(pycurl.TIMEOUT_MS, max(1, int(seconds * 1000)))

    def answer(self) -> HttpAnswer | CallError:
        """What came back; the error where it is no answer to this call."""
        asked = self.handle.getinfo
        status, body = asked(pycurl.RESPONSE_CODE), b"".join(self._body)
        self._kept[asked(pycurl.LOCAL_PORT)] = asked(pycurl.ACTIVESOCKET) if is_success(status) else _GIVEN_UP
        if not 200 <= status <= 599:
            return _unanswered(self, "an answer that is not HTTP")
        answer = HttpAnswer(status, _headers(b"".join(self._headers)), body, asked(pycurl.TOTAL_TIME))
        return self._trust.doubt(self._id, answer, fresh=bool(asked(pycurl.NUM_CONNECTS))) or answer

    def afresh(self) -> None:
        """Make ready for the same call on a new connection: nothing has been sent yet."""
        self.withheld = False
        self._set_fresh(True)

    def _set_fresh(self, fresh: bool) -> None:
        if fresh != self._fresh:
            self._fresh = fresh
            self.handle.setopt(pycurl.FRESH_CONNECT, int(fresh))

    def _before_sending(self, to: str, of: str, port: int, own: int) -> int:
        # libcurl asks before it sends; the second time it would repeat a request that may have been served.
        again, kept = self.sent, self._kept.pop(own, None)
        if kept is not None and not self._fresh:
            self.withheld = kept == _GIVEN_UP or (kept >= 0 and not is_silent(kept, own, self._trust))
            if self.withheld:
                return int(pycurl.PREREQFUNC_ABORT)
        self.sent = True
        return int(pycurl.PREREQFUNC_ABORT if again else pycurl.PREREQFUNC_OK)

    def _header(self, line: bytes) -> None:
        self._headers.append(line)

    def _write(self, data: bytes) -> int | None:
        self._size += len(data)
        if self._size > LARGEST:
            return -1
        self._body.append(data)
        return None


class Curl:
    """A transport. `workers` is how many connections are kept; certificates and proxies are as the environment says.

    Raises `InputError` where a certificate file is missing, or the proxy for `url` cannot be used.
    """

    def __init__(self, workers: int = 1, url: str = "") -> None:
        self._workers = max(1, workers)
        self._certificates = certificates()
        self._proxies: dict[str, tuple[str, str]] = {}
        self._proxy(url)  # what is wrong with it is said before anything is called
        self._local = threading.local()
        self._multi: Any = None
        self._selector = selectors.DefaultSelector()
        self._watched: set[int] = set()
        self._spare: list[_Transfer] = []
        self._active: dict[Any, _Transfer] = {}
        self._timer: float | None = None
        self._trust = Trust()
        self._kept: dict[int, int] = {}  # local port -> socket, of connections that have been used

    @property
    def in_flight(self) -> int:
        """How many calls were started and are not done."""
        return len(self._active)

    def post(self, call: HttpCall, seconds: float) -> HttpAnswer:
        """One call in this thread. Raises `CallError` after `seconds`, or where no answer comes."""
        transfer: _Transfer = getattr(self._local, "transfer", None) or self._new()
        self._local.transfer = transfer
        transfer.begin(call, seconds, self._proxy(call.url))
        while True:
            try:
                transfer.handle.perform()
                break
            except pycurl.error as error:
                if not transfer.withheld:
                    raise _failure(transfer, error.args[0]) from None
                transfer.afresh()
        answer = transfer.answer()
        if isinstance(answer, CallError):
            raise answer
        return answer

    def start(self, call: HttpCall, seconds: float, done: Done) -> None:
        """Begin a call; `done` is called from `poll`, once. At most `workers` may be in flight."""
        if self._multi is None:
            self._multi = self._opened()
        transfer = self._spare.pop() if self._spare else self._new()
        transfer.begin(call, seconds, self._proxy(call.url), done)
        self._add(transfer)

    def poll(self, seconds: float) -> None:
        """Wait for up to `seconds` until something happens, and finish what is done."""
        if self._multi is None or not self._active:
            time.sleep(seconds)
            return
        left = seconds if self._timer is None else max(0.0, min(seconds, self._timer - time.monotonic()))
        ready = self._selector.select(left)
        for key, events in ready:
            mask = (pycurl.CSELECT_IN if events & selectors.EVENT_READ else 0) | (
                pycurl.CSELECT_OUT if events & selectors.EVENT_WRITE else 0
            )
            self._multi.socket_action(key.fd, mask)
        if self._timer is not None and time.monotonic() >= self._timer:
            self._timer = None
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        self._finish()

    def _finish(self) -> None:
        more = 1
        while more:
            more, good, bad = self._multi.info_read()
            for handle in good:
                answer = self._active[handle].answer()  # its socket is known as long as it is in the multi handle
                self._tell(self._take(handle), answer)
            for handle, code, _ in bad:
                transfer = self._take(handle)
                if transfer.withheld:
                    transfer.afresh()
                    self._add(transfer)
                else:
                    self._tell(transfer, _failure(transfer, code))

    def _add(self, transfer: _Transfer) -> None:
        self._active[transfer.handle] = transfer
        self._multi.add_handle(transfer.handle)

    def _take(self, handle: Any) -> _Transfer:
        self._multi.remove_handle(handle)
        return self._active.pop(handle)

    def _tell(self, transfer: _Transfer, answer: HttpAnswer | CallError) -> None:
        self._spare.append(transfer)
        assert transfer.done is not None
        transfer.done(answer)

    def close(self) -> None:
        """Give up what is in flight and close all connections."""
        for handle in list(self._active):
            self._take(handle)
        if self._multi is not None:
            self._multi.close()
        self._selector.close()

    def _opened(self) -> Any:
        multi = pycurl.CurlMulti()
        multi.setopt(pycurl.M_MAXCONNECTS, self._workers)
        multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        multi.setopt(pycurl.M_TIMERFUNCTION, self._remind)
        return multi

    def _watch(self, event: int, socket: int, multi: object, data: object) -> None:
        known = socket in self._watched
        if event == pycurl.POLL_REMOVE:
            if known:
                self._watched.remove(socket)
                self._selector.unregister(socket)
            return
        self._watched.add(socket)
        events = (selectors.EVENT_READ if event & pycurl.POLL_IN else 0) | (
            selectors.EVENT_WRITE if event & pycurl.POLL_OUT else 0
        )
        (self._selector.modify if known else self._selector.register)(socket, events)

    def _remind(self, milliseconds: int) -> None:
        self._timer = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000

    def _new(self) -> _Transfer:
        handle = pycurl.Curl()
        handle.setopt(pycurl.POST, 1)
        handle.setopt(pycurl.NOSIGNAL, 1)
        handle.setopt(pycurl.NOPROGRESS, 1)
        handle.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        handle.setopt(pycurl.UPLOAD_BUFFERSIZE, 16384)  # 64 kB by default, for each of hundreds of handles
        handle.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        handle.setopt(pycurl.ACCEPT_ENCODING, "")
        handle.setopt(pycurl.CONNECTTIMEOUT_MS, int(CONNECT * 1000))
        if self._certificates is not None:
            option, path = self._certificates
            handle.setopt(option, path)
        return _Transfer(handle, self._trust, self._kept)

    def _proxy(self, url: str) -> tuple[str, str]:
        if url not in self._proxies:
            self._proxies[url] = proxy_for(urlsplit(url))
        return self._proxies[url]


def _headers(raw: bytes) -> dict[str, str]:
    """The headers of the last response: those of a proxy's CONNECT or of a 100 stand before them."""
    last = raw.rstrip().rpartition(b"\r\n\r\n")[2]
    lines = last.decode("latin-1").split("\r\n")[1:]
    return combined((name, value) for name, _, value in (line.partition(":") for line in lines))


def _failure(transfer: _Transfer, code: int) -> CallError:
    where = transfer.where
    if code == pycurl.E_OPERATION_TIMEDOUT:
        sent = None if transfer.sent else False
        return CallError("timeout", f"{where} did not answer in {transfer.seconds:.3g} s", retry=True, billed=sent)
    if code in _BAD_CERTIFICATE:
        advice = "check SSL_CERT_FILE, REQUESTS_CA_BUNDLE or AWS_CA_BUNDLE"
        return CallError("call", f"{where} has no certificate that is trusted", fatal=True, advice=advice)
    if (refused := transfer.handle.getinfo(pycurl.HTTP_CONNECTCODE)) >= 400:
        fatal, advice = refused == 407, "check the user and password of the proxy"
        return CallError("call", f"{where} refuses CONNECT ({refused})", retry=not fatal, fatal=fatal, advice=advice)
    # libcurl's own texts may name the URL, which may hold a password: the kind of the fault has to do.
    fatal = code in _FATAL and not transfer.sent  # libcurl also calls an answer that is no HTTP an unsupported protocol
    kind = "an answer that is not HTTP" if code in _FATAL and transfer.sent else f"libcurl error {code}"
    return _unanswered(transfer, _KINDS.get(code, kind), fatal=fatal, unsent=code in _UNSENT)


def _unanswered(transfer: _Transfer, kind: str, *, fatal: bool = False, unsent: bool = False) -> CallError:
    billed = False if unsent or not transfer.sent else None
    return CallError("call", f"no answer from {transfer.where}: {kind}", retry=not fatal, fatal=fatal, billed=billed)
