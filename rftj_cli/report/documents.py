"""Values to JSON documents: dataclasses become objects, NaN never leaves."""

from __future__ import annotations

import json
import math
from dataclasses import fields, is_dataclass
from typing import Any

from rftj_cli.files.escapes import json_safe


def to_plain(value: Any) -> Any:
    """Plain data of a value. Raises `ValueError` for a number that is not finite: it should have been None."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number that is not finite reached a report")
    return value


def show_json(value: Any) -> None:
    """Print one document to standard output: `schema` first, then the rest. Control and bidi characters are escaped."""
    plain = to_plain(value)
    if "schema" in plain:
        plain = {"schema": plain["schema"], **plain}
    print(json_safe(json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False)))
