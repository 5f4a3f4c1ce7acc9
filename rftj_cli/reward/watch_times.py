"""Durations and points in time as people write them: `10m`, `2h`, `2026-11-25T02:00:00Z`."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from rftj_cli.errors import InputError

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])\Z")


def duration(text: str | None, key: str) -> float | None:
    """Seconds of `30s`, `10m`, `2h`, `1d`, `1w`; None for None."""
    if text is None:
        return None
    found = _DURATION.match(text.strip())
    if not found or not 0.001 <= float(found.group(1)) * UNITS[found.group(2)] < 1e10:
        raise InputError("not a duration", key=key, found=text, expected="a number with s, m, h, d or w: 30s, 10m, 2h")
    return float(found.group(1)) * UNITS[found.group(2)]


def moment(text: str | None, key: str, now: float) -> float | None:
    """Seconds since 1970 of an ISO 8601 time (UTC where it names no zone), or of so long ago; None for None."""
    if text is None:
        return None
    if _DURATION.match(text.strip()):
        return now - (duration(text, key) or 0.0)
    try:
        at = datetime.fromisoformat(text.strip())
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise InputError(
            "not a time", key=key, found=text, expected="how long ago (2h, 30m, 1d) or ISO 8601 (2026-11-25T02:00:00Z)"
        ) from None
