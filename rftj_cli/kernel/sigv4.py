"""AWS Signature Version 4 of a POST of JSON, with the standard library alone.

The same bytes as `botocore.auth.SigV4Auth`, which the tests hold it to; faster, since the key that is derived from the
secret key holds for a day and what hangs on the URL alone never changes.
"""

from __future__ import annotations

import hmac
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Final
from urllib.parse import quote, urlsplit

CONTENT_TYPE: Final = "application/json"
_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_PORTS: Final = {"http": 80, "https": 443}


class Signer:
    """Signs with one set of credentials for one region. `token` is the session token of temporary credentials."""

    def __init__(
        self, access_key: str, secret_key: str, token: str | None, region: str, service: str = "bedrock"
    ) -> None:
        self._access_key, self._secret_key = access_key, secret_key
        self._token = " ".join((token or "").split())
        self._region, self._service = region, service
        self._signed = "content-type;host;x-amz-date" + (";x-amz-security-token" if self._token else "")
        self._key: tuple[str, bytes] = ("", b"")

    def __repr__(self) -> str:
        return f"Signer(region={self._region!r}, service={self._service!r})"

    def headers(self, url: str, body: bytes, now: datetime) -> dict[str, str]:
        """The headers to send with the body. `now` is in UTC; a URL with a query cannot be signed.

        The host is signed and not among them: whoever sends the request derives it from the URL.
        """
        path, host = _canonical(url)
        moment = f"{now:%Y%m%dT%H%M%SZ}"
        day = moment[:8]
        token = f"x-amz-security-token:{self._token}\n" if self._token else ""
        request = (
            f"POST\n{path}\n\ncontent-type:{CONTENT_TYPE}\nhost:{host}\nx-amz-date:{moment}\n{token}\n"
            f"{self._signed}\n{sha256(body).hexdigest()}"
        )
        scope = f"{day}/{self._region}/{self._service}/aws4_request"
        text = f"{_ALGORITHM}\n{moment}\n{scope}\n{sha256(request.encode()).hexdigest()}"
        signature = hmac.digest(self._key_of(day), text.encode(), "sha256").hex()
        found = {
            "Content-Type": CONTENT_TYPE,
            "X-Amz-Date": moment,
            "Authorization": f"{_ALGORITHM} Credential={self._access_key}/{scope}, SignedHeaders={self._signed}, "
            f"Signature={signature}",
        }
        if self._token:
            found["X-Amz-Security-Token"] = self._token
        return found

    def _key_of(self, day: str) -> bytes:
        known, key = self._key
        if known != day:
            key = f"AWS4{self._secret_key}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key = (day, key)  # one assignment: another thread sees both or neither
        return key


@lru_cache(maxsize=64)
def _canonical(url: str) -> tuple[str, str]:
    """The path as it is signed (encoded a second time, without empty and dot segments) and the host."""
    parts = urlsplit(url)
    if parts.query:
        raise ValueError("a URL with a query cannot be signed")
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    if parts.port is not None and parts.port != _PORTS.get(parts.scheme):
        host = f"{host}:{parts.port}"
    return quote(_plain(parts.path), safe="/~"), host


def _plain(path: str) -> str:
    found: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del found[-1:]
        elif segment not in ("", "."):
            found.append(segment)
    return "/" + "/".join(found) + ("/" if path.endswith("/") and found else "")
