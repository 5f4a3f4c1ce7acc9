"""What the environment says of the way to a service: its proxies, and the certificates to trust."""

from __future__ import annotations

import os
from typing import Final
from urllib.parse import SplitResult, unquote
from urllib.request import getproxies, proxy_bypass

import pycurl

from rftj_cli.errors import InputError
from rftj_cli.kernel.secrets import keep_url, read_url

_CERTIFICATES: Final = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


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
