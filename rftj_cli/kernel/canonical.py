"""Canonical JSON and the hashes made of it: the same content gives the same bytes on every machine.

And JSON of whatever came in, for logs and answers: it is always written, and always readable.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping

_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def canonical(value: object) -> str:
    """JSON with sorted keys, no spaces and no NaN; whole floats are written as integers, so 1 and 1.0 are one value."""
    return _ENCODER.encode(_plain(value))


def digest(value: object) -> str:
    """SHA-256 of the canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical(value).encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: object) -> object:
    if type(value) is str:  # by far the most
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, (dict, Mapping)):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)  # dates and other YAML or Parquet scalars


def json_line(value: object) -> str:
    """One line of JSON that every reader takes: ASCII, no NaN, nothing too deep to be read."""
    return json.dumps(finite(value), default=str, allow_nan=False) + "\n"


def finite(value: object, depth: int = 64) -> object:
    """The same data with null for numbers that JSON does not have, and for what lies deeper than `depth` levels."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, (dict, Mapping)):
        return {finite(str(key)): finite(item, depth - 1) for key, item in value.items()} if depth else None
    if isinstance(value, (list, tuple)):
        return [finite(item, depth - 1) for item in value] if depth else None
    return value
