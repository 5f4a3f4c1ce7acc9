"""HTTP by libcurl: one call in the calling thread, or hundreds at once from one loop.

    start(call, done) --> libcurl's multi handle, told of ready sockets by a selector --> done(HttpAnswer | CallError)

The deadline is libcurl's own and covers the whole transfer, a drip included. What libcurl would send a second time by
itself, when a kept connection dies before the answer, is refused: whoever calls decides about another attempt.
"""

from __future__ import annotations

import os
import selectors
import threading
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import pycurl

from rftj_cli.errors import InputError
from rftj_cli.kernel.dialect import HttpAnswer, HttpCall
from rftj_cli.kernel.outcome import CallError
from rftj_cli.kernel.secrets import keep_url, read_url

CONNECT: Final = 10.0  # seconds
LARGEST: Final = 64 * 1024 * 1024  # bytes: more than any completion, and less than what would fill the memory
_CERTIFICATES: Final = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
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
    pycurl.E_SSL_CONNECT_ERROR: "no TLS connection",
}
Done = Callable[[HttpAnswer | CallError], None]


class _Transfer:
    """An easy handle with its buffers: one call at a time, many one after the other."""

    def __init__(self, handle: Any) -> None:
        self.handle = handle
        self.where, self.seconds, self.sent = "", 0.0, False
        self.done: Done | None = None
        self._call: HttpCall | None = None
        handle.setopt(pycurl.PREREQFUNCTION, self._before_sending)
        handle.setopt(pycurl.HEADERFUNCTION, self._header)
        handle.setopt(pycurl.WRITEFUNCTION, self._write)

    def begin(self, call: HttpCall, seconds: float, proxy: tuple[str, str], done: Done | None = None) -> None:
        """Make ready for a call. What is as it was in the last one is not set again."""
        handle, last = self.handle, self._call
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
            headers = [f"{name}: {value}" for name, value in call.headers.items()]
            handle.setopt(pycurl.HTTPHEADER, [*headers, "Expect:"])
        handle.setopt(pycurl.POSTFIELDS, call.body)
        handle.setopt(pycurl.TIMEOUT_MS, max(1, int(seconds * 1000)))

    def answer(self) -> HttpAnswer:
        """What came back."""
        status = self.handle.getinfo(pycurl.RESPONSE_CODE)
        seconds = self.handle.getinfo(pycurl.TOTAL_TIME)
        return HttpAnswer(status, _headers(b"".join(self._headers)), b"".join(self._body), seconds)

    def _before_sending(self, *_: object) -> int:
        # libcurl asks before it sends; the second time it would repeat a request that may have been served.
        again, self.sent = self.sent, True
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

    @property
    def in_flight(self) -> int:
        """How many calls were started and are not done."""
        return len(self._active)

    def post(self, call: HttpCall, seconds: float) -> HttpAnswer:
        """One call in this thread. Raises `CallError` after `seconds`, or where no answer comes."""
        transfer: _Transfer = getattr(self._local, "transfer", None) or self._new()
        self._local.transfer = transfer
        transfer.begin(call, seconds, self._proxy(call.url))
        try:
            transfer.handle.perform()
        except pycurl.error as error:
            raise _failure(transfer, error.args[0], error.args[1]) from None
        return transfer.answer()

    def start(self, call: HttpCall, seconds: float, done: Done) -> None:
        """Begin a call; `done` is called from `poll`, once. At most `workers` may be in flight."""
        if self._multi is None:
            self._multi = self._opened()
        transfer = self._spare.pop() if self._spare else self._new()
        transfer.begin(call, seconds, self._proxy(call.url), done)
        self._active[transfer.handle] = transfer
        self._multi.add_handle(transfer.handle)

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
                transfer = self._take(handle)
                self._tell(transfer, transfer.answer())
            for handle, code, text in bad:
                transfer = self._take(handle)
                self._tell(transfer, _failure(transfer, code, text))

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
        return _Transfer(handle)

    def _proxy(self, url: str) -> tuple[str, str]:
        if url not in self._proxies:
            self._proxies[url] = proxy_for(urlsplit(url))
        return self._proxies[url]


def proxy_for(parts: SplitResult) -> tuple[str, str]:
    """(proxy's URL or "", user:password or "") for a URL, from the environment. Raises `InputError` for an unusable one."""
    host = parts.hostname or ""
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or host == "localhost" or host == "::1" or host.startswith("127.") or proxy_bypass(host):
        return "", ""
    key, kind = f"{parts.scheme}_proxy", proxy.partition("://")[0] if "://" in proxy else "http"
    if kind.lower() not in ("http", "https"):
        keep_url(proxy)
        found = f"{kind}://..." if kind.isalnum() else None
        raise InputError("this kind of proxy cannot be used", key=key, found=found, expected="http(s)://HOST:PORT")
    there = read_url(proxy if "://" in proxy else f"http://{proxy}", key, "http(s)://HOST:PORT")
    login = f"{unquote(there.username)}:{unquote(there.password or '')}" if there.username else ""
    return f"{there.scheme}://{there.netloc.rpartition('@')[2]}", login


def certificates() -> tuple[int, str] | None:
    """(option, path) of the certificates to trust: those that the environment names, else certifi's."""
    for name in _CERTIFICATES:
        path = os.environ.get(name)
        if path:
            if not os.path.exists(path):
                raise InputError("no such file", key=name, found=path)
            return (pycurl.CAPATH if os.path.isdir(path) else pycurl.CAINFO), path
    import certifi

    return pycurl.CAINFO, certifi.where()


def _headers(raw: bytes) -> dict[str, str]:
    """The headers of the last response: those of a proxy's CONNECT or of a 100 stand before them."""
    last = raw.rstrip().rpartition(b"\r\n\r\n")[2]
    lines = last.decode("latin-1").split("\r\n")[1:]
    return {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _failure(transfer: _Transfer, code: int, text: str) -> CallError:
    where = transfer.where
    if code == pycurl.E_OPERATION_TIMEDOUT:
        sent = None if transfer.sent else False
        return CallError("timeout", f"{where} did not answer in {transfer.seconds:.3g} s", retry=True, billed=sent)
    if code in _BAD_CERTIFICATE:
        advice = "check SSL_CERT_FILE, REQUESTS_CA_BUNDLE or AWS_CA_BUNDLE"
        return CallError("call", f"{where} has no certificate that is trusted", fatal=True, advice=advice)
    # libcurl's own texts may name the URL, which may hold a password: the kind of the fault has to do.
    kind = _KINDS.get(code, f"libcurl error {code}")
    billed = False if code in _UNSENT or not transfer.sent else None
    return CallError(
        "call", f"no answer from {where}: {kind}", retry=code not in _FATAL, fatal=code in _FATAL, billed=billed
    )
