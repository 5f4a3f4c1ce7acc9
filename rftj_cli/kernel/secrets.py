"""The secrets in use, and the one function that takes them out of whatever is shown, stored or logged.

    key, credentials, logins of URLs and proxies --keep, keep_url--> known      text --redacted--> text with *** for each

Whoever reads a credential keeps it here first. Words that nobody would guess to be secret (`EMPTY`, `test`) are not kept:
servers without keys are called with such ones, and a verdict may consist of them.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit, urlunsplit

from rftj_cli.errors import InputError

MARK: Final = "***"
_PLACEHOLDERS: Final = frozenset(
    ["anything", "lm-studio", "no-key", "no-key-required", "not-needed", "notneeded", "placeholder", "required",
     "sk-no-key-required"]
)  # fmt: skip
_LEAST_MIXED, _LEAST_WORD, _LEAST_NUMBER = 6, 8, 12  # characters: shorter ones would be found in ordinary text
_CREDENTIAL: Final = re.compile(
    r"(API_?KEY|AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|SECURITY_TOKEN|BEARER_TOKEN_\w+)"
    r"|AWS_CONTAINER_AUTHORIZATION_TOKEN)$"
)
_ADDRESS: Final = re.compile(r"(PROXY|URL|HOST|ENDPOINT\w*)$|AWS_ENDPOINT_URL", re.IGNORECASE)
_SECRET_NAME: Final = re.compile(r"key|token|secret|sig|auth|pass|pwd|code|credential|access", re.IGNORECASE)
_LOGIN: Final = re.compile(r"(\w[\w+.-]{0,20}://)[^\s/@\"'<>]{1,400}@")
_QUERY: Final = re.compile(r"(\w://[^\s?\"'<>]+)\?[^\s\"'<>]+")
_HARMLESS: Final = re.compile(r"(\w+://)?(localhost|[\w-]+(\.[\w-]+)+)(:\d{1,5})?(/[\w./-]*)?", re.ASCII)

_known: tuple[str, ...] = ()  # every form of every secret, the longest first


def forget() -> None:
    """Know of no secret: a command begins."""
    global _known
    _known = ()


def keep(*secrets: str | None) -> None:
    """Take note of secrets, in the forms in which they may come back: as they are, percent-encoded, or escaped as JSON."""
    global _known
    found = {form for one in secrets if one and _is_secret(one) for form in _forms(one)}
    if not found.issubset(_known):
        _known = tuple(sorted({*_known, *found}, key=len, reverse=True))


def keep_url(url: str) -> None:
    """Take note of a URL's login and of the secrets in its query. The URL may be malformed."""
    rest = url.partition("://")[2] or url
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" not in authority and "@" in rest and not re.fullmatch(r"[^:]*(:\d+)?", authority):
        authority = rest  # a password with a slash in it, which has to be written %2F
    login, at, host = authority.rpartition("@")
    if at:
        user, colon, password = login.partition(":")
        pair = f"{unquote(user)}:{unquote(password)}"
        keep(password if colon else user, pair, base64.b64encode(pair.encode()).decode().rstrip("="))
    elif not re.fullmatch(r"(\[.*|[^:]*(:\d*)?)", host):
        keep(host.partition(":")[2])  # what stands for a port may be a password that lacks its host
    named = parse_qsl(rest.partition("?")[2].partition("#")[0])
    keep(*(value for name, value in named if _SECRET_NAME.search(name) or len(value) >= 20))


def keep_given(arguments: Iterable[str], environment: Mapping[str, str]) -> None:
    """Take note of what a command was given: the credentials of its environment, and the logins of all URLs."""
    keep(*(value.strip() for name, value in environment.items() if _CREDENTIAL.search(name)))
    addresses = [value for name, value in environment.items() if _ADDRESS.search(name)]
    for one in (*addresses, *arguments):
        if "://" in one or re.match(r"[^\s@]+:[^\s@]+@", one):
            keep_url(one)


def redacted(text: str) -> str:
    """The text with *** for every secret in use."""
    for secret in _known:
        if secret in text:
            text = text.replace(secret, MARK)
    return text


def redacted_error(text: str) -> str:
    """The same for an error, in which every URL loses its login and its query."""
    text = redacted(text)
    return _QUERY.sub(rf"\1?{MARK}", _LOGIN.sub(rf"\1{MARK}@", text)) if "://" in text else text


def shown_url(url: str) -> str:
    """A URL without its login, query and fragment, to be shown and stored; "" for one that is malformed."""
    try:
        parts = urlsplit(url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    except ValueError:
        return ""


def read_url(url: str, key: str, expected: str = "http(s)://HOST:PORT/...") -> SplitResult:
    """The parts of an http(s) URL. Raises `InputError`, which quotes a mere host and path alone."""
    keep_url(url)
    parts, problem = None, ""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        problem = "its port is not a number up to 65535, or a bracket is not closed"
    else:
        if parts.scheme not in ("http", "https"):
            problem = "it does not begin with http:// or https://"
        elif not parts.hostname or port == 0 or parts.netloc.endswith(":"):
            problem = "it names no host, or no port after the colon"
        elif parts.netloc.count("@") > 1 or not url.isascii() or not url.isprintable() or " " in url:
            problem = "it holds characters that have to be percent-encoded"
    if parts is None or problem:
        found = url if _HARMLESS.fullmatch(url) else None
        raise InputError(f"not a URL: {problem}", key=key, found=found, expected=expected)
    return parts


def _is_secret(text: str) -> bool:
    if text.casefold() in _PLACEHOLDERS:
        return False
    return len(text) >= (_LEAST_NUMBER if text.isdecimal() else _LEAST_WORD if text.isalpha() else _LEAST_MIXED)


def _forms(secret: str) -> set[str]:
    plain = unquote(secret)
    escaped = {json.dumps(one)[1:-1] for one in (secret, plain)} | {repr(one)[1:-1] for one in (secret, plain)}
    return {secret, plain, quote(plain, safe=""), quote(plain), *escaped}
