"""One line of a log to the reward results in it, whatever carries them.

{"schema": "rftj.reward-log/1", ...}                                as the handler prints it
2026-11-25T02:00:00Z [stream] {"schema": ...}                       `aws logs tail`, exports to S3
{"timestamp": ..., "message": "{...}" or {...}}                     Lambda's JSON log format
{"events": [{"message": "{...}"}]}, on one line or on many          `aws logs filter-log-events`, Insights, Firehose
2026-11-25 02:00:00,"{""schema"": ...}"                             a CSV of Logs Insights
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec

SCHEMA: Final = "rftj.reward-log/1"
MARK: Final = b"rftj.reward-log/"
DEEPEST, LARGEST = 8, 1e12
FIRST_YEAR, LAST_YEAR = 2000, 2200
STAGES: Final = ("throttled", "timeout", "call", "too_long", "filtered", "refused", "truncated", "unparsed", "skipped")
OUTCOMES: Final = ("verdict", "failure", "malformed")
_NOISE = re.compile(rb"^(?:\S+\s+){0,3}?(START|END|REPORT|INIT_START) ")
_HASH = re.compile(r"[0-9a-f]{64}\Z")


class Entry(msgspec.Struct, gc=False):
    """One line of the reward log, as its schema has it."""

    schema: str
    at: datetime
    aggregate_reward_score: float | None
    outcome: Literal["verdict", "failure", "malformed"]
    prompt_sha256: str = ""
    response_sha256: str = ""
    id: msgspec.Raw = msgspec.Raw(b"null")
    failure: str | None = None
    essential: str | None = None
    parts: dict[str, float | None] | None = None
    pitfalls: tuple[str, ...] = ()
    latency_ms: float | None = None
    calls: float | None = None
    attempts: float | None = None
    input_tokens: float | None = None
    output_tokens: float | None = None
    judge_fingerprint: str | None = None
    reward_fingerprint: str | None = None
    response_words: float | None = None


class BadLine(Exception):
    """A line that names the schema and is no result of it; says why."""


_DECODER = msgspec.json.Decoder(Entry)


def texts(line: bytes) -> list[bytes]:
    """The JSON texts of the results that a line carries; none for a line of another kind."""
    if MARK not in line:
        return []
    text = line.strip()
    return [text] if text.startswith(b'{"schema"') else _carried(text)


def noise(line: bytes) -> str:
    """What kind of line it is that holds no result."""
    found = _NOISE.match(line)
    if found:
        return found.group(1).decode()
    return (
        "blank" if not line.strip() else "JSON" if line.lstrip().startswith((b"{", b"[", b'"', b"}", b"]")) else "other"
    )


def entry_of(text: bytes) -> Entry:
    """The result in a JSON text, its numbers checked. Raises `BadLine`."""
    try:
        entry = _DECODER.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadLine(_why(text, error)) from None
    fault = _fault(entry)
    if fault is not None:
        raise BadLine(fault)
    return entry


def seconds(at: datetime) -> float:
    """Seconds since 1970; a time without a zone is in UTC."""
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def values_in(text: str) -> Iterator[Any]:
    """The JSON values that stand one after another in a text, until one is broken."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        rest = len(text) - len(text[at:].lstrip()) if text[at].isspace() else at
        try:
            value, at = decoder.raw_decode(text, rest)
        except (ValueError, RecursionError):
            return
        yield value


def results_in(value: Any, depth: int = 0) -> Iterator[bytes]:
    """The JSON texts of all results in a decoded value: in objects, in lists, in strings that hold JSON."""
    if depth > DEEPEST:
        return
    if isinstance(value, str):
        if MARK.decode() in value:
            for line in value.encode("utf-8", "replace").split(b"\n"):  # an invocation may print all its lines at once
                yield from texts(line)
    elif isinstance(value, dict) and str(value.get("schema", "")).encode("utf-8", "replace").startswith(MARK):
        yield json.dumps(value).encode()
    elif isinstance(value, (dict, list)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from results_in(one, depth + 1)


def _carried(text: bytes) -> list[bytes]:
    """Out of a carrier. A text that cannot be opened is given back as it is, to be called bad."""
    line = text.decode("utf-8", "replace")
    for attempt in (line, f"{{{line.rstrip(',')}}}" if line.startswith('"') else None):
        if attempt is not None:
            try:
                return list(results_in(json.loads(attempt))) or [text]
            except (ValueError, RecursionError):
                continue
    if '""schema""' in line:
        try:
            return [found for row in csv.reader([line]) for cell in row for found in results_in(cell)] or [text]
        except csv.Error:
            return [text]
    brace = line.find("{")
    inner = next(values_in(line[brace:]), None) if brace >= 0 else None
    return list(results_in(inner)) or [text]


def _fault(entry: Entry) -> str | None:
    if entry.schema != SCHEMA:
        return f"schema {entry.schema[:40]!r}, expected {SCHEMA}"
    nameless = entry.outcome == "malformed" and not entry.prompt_sha256 and not entry.response_sha256
    if not nameless and not (_HASH.match(entry.prompt_sha256) and _HASH.match(entry.response_sha256)):
        return "prompt_sha256 or response_sha256 is no SHA-256"
    if not FIRST_YEAR <= entry.at.year < LAST_YEAR:
        return "at is no time of a training run"
    if entry.aggregate_reward_score is None:
        if entry.outcome == "verdict":
            return "a verdict without aggregate_reward_score"
    elif abs(entry.aggregate_reward_score) > LARGEST:
        return "aggregate_reward_score is too large"
    if entry.parts and any(u is not None and not -1e-9 <= u <= 1 + 1e-9 for u in entry.parts.values()):
        return "parts hold a number outside [0, 1]"
    counts = (
        entry.latency_ms,
        entry.calls,
        entry.attempts,
        entry.input_tokens,
        entry.output_tokens,
        entry.response_words,
    )
    return None if all(one is None or 0 <= one <= LARGEST for one in counts) else "a negative or too large count"


def _why(text: bytes, error: Exception) -> str:
    """The fault in words; Python writes NaN, which is no JSON."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return "not JSON, or cut off"
    if isinstance(value, dict):
        lost = [key for key, one in value.items() if isinstance(one, float) and not math.isfinite(one)]
        if lost:
            return f"{lost[0][:40]} is not a finite number"
    return str(error)
