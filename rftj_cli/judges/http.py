"""One URL over pooled connections: proxies, certificates, and a deadline that also a dripping server cannot pass."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from rftj_cli.errors import InputError
from rftj_cli.kernel.outcome import CallError

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

CONNECT: Final = 10.0  # seconds
LARGEST: Final = 64 * 1024 * 1024  # bytes: more than any completion, and less than what would fill the memory


class Connection:
    """POSTs to one URL from up to `workers` threads over as many kept connections."""

    def __init__(self, url: str, headers: Mapping[str, str], workers: int) -> None:
        self._url, self._headers = url, dict(headers)
        parts = urlsplit(url)
        host = parts.hostname or ""
        self._where = f"{host}:{parts.port}" if parts.port else host  # never the user and password of a URL
        self.shown = f"{parts.scheme}://{self._where}{parts.path}"
        self._pool = _pool(parts.scheme, host, max(1, workers))

    def __repr__(self) -> str:
        return f"Connection({self.shown!r})"

    def post(self, body: bytes, seconds: float) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers (by lower-case name) and body. Raises `CallError` after `seconds`, or where nothing answers."""
        import urllib3
        from urllib3.exceptions import HTTPError

        end = time.monotonic() + seconds
        timeout = urllib3.Timeout(connect=min(CONNECT, seconds), read=seconds)
        options: dict[str, Any] = {"retries": False, "redirect": False, "preload_content": False, "timeout": timeout}
        response: BaseHTTPResponse | None = None
        try:
            response = self._pool.request("POST", self._url, body=body, headers=self._headers, **options)
            content = _read(response, end)
            headers = {name.lower(): value for name, value in response.headers.items()}
            response.release_conn()
        except (HTTPError, OSError, _Late) as error:
            if response is not None:
                response.close()
            raise _failure(error, self._where, seconds) from None
        return response.status, headers, content


class _Late(Exception):
    """The deadline passed while the body came in."""


def _failure(error: Exception, where: str, seconds: float) -> CallError:
    from urllib3.exceptions import NewConnectionError, TimeoutError

    # A refused connection is a kind of timeout to urllib3.
    late = isinstance(error, _Late | TimeoutError) and not isinstance(error, NewConnectionError)
    if late:
        return CallError("timeout", f"{where} did not answer in {seconds:.3g} s", retry=True)
    fatal = "CERTIFICATE_VERIFY" in str(error)
    advice = "check SSL_CERT_FILE or REQUESTS_CA_BUNDLE" if fatal else ""
    # urllib3's texts name the URL, which may hold a password: the kind of the fault has to do.
    return CallError("call", f"no answer from {where}: {_kind(error)}", retry=not fatal, fatal=fatal, advice=advice)


def _read(response: BaseHTTPResponse, end: float) -> bytes:
    """The body. A read timeout is per receive, so a drip would never meet it: the clock is read between receives."""
    chunks: list[bytes] = []
    size = 0
    while True:
        left = end - time.monotonic()
        if left <= 0:
            raise _Late
        _limit(response, left)
        chunk = response.read1(65536)
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)
        size += len(chunk)
        if size > LARGEST:
            raise OSError("the body is too long")


def _limit(response: Any, seconds: float) -> None:
    # No public way leads to the socket of a response; without it a receive lasts as long as the first one might have.
    reader = getattr(getattr(getattr(response, "_fp", None), "fp", None), "raw", None)
    socket = getattr(reader, "_sock", None)
    if socket is not None:
        socket.settimeout(seconds)


def _kind(error: BaseException) -> str:
    name = type(error).__name__
    text = str(error)
    for word in ("Connection refused", "Connection reset", "Name or service not known", "IncompleteRead"):
        if word in text:
            return word
    return "proxy error" if name == "ProxyError" else name


def _pool(scheme: str, host: str, workers: int) -> PoolManager:
    import urllib3

    options: dict[str, Any] = {"maxsize": workers, "block": True}
    certificates = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
    if scheme == "https" and certificates:
        if not os.path.exists(certificates):
            raise InputError("no such file", key="REQUESTS_CA_BUNDLE or SSL_CERT_FILE", found=certificates)
        options["ca_cert_dir" if os.path.isdir(certificates) else "ca_certs"] = certificates
    proxies = getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    if not proxy or _loopback(host) or proxy_bypass(host):
        return urllib3.PoolManager(**options)
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    parts = urlsplit(proxy)
    if parts.scheme not in ("http", "https"):
        raise InputError("this kind of proxy cannot be used", key=f"{scheme}_proxy", found=f"{parts.scheme}://...")
    if parts.username:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        options["proxy_headers"] = urllib3.make_headers(proxy_basic_auth=login)
    return urllib3.ProxyManager(proxy, **options)


def _loopback(host: str) -> bool:
    return host == "localhost" or host == "::1" or host.startswith("127.")
