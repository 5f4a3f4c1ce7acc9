"""How sure a judge was: the probability of each level, from the log-probabilities of the verdict's tokens.

A level is often more than one token, and two levels may begin alike. At each token of the level that was written, an
alternative stands for the one level that it can still become; the path that was written keeps the rest:

    "qua|lity|":| "|pa|ss|"        P(pass) = P(pa) P(ss|pa) P("|pass), P(fail) = P(fail instead of pa) + ...

Alternatives that several levels share are left out, and so is what the service did not list; what is known is then
scaled to 1. Nothing is said where less than half is known.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from rftj_cli.kernel.outcome import Request
from rftj_cli.kernel.quoting import LEVEL_KEYS
from rftj_cli.kernel.thinking import TAGS, NoAnswer, after_thinking

KNOWN: Final = 0.5  # of the probability: less is too little to speak of
_SPACE: Final = " \t\r\n"
_End = Literal["quote", "number", "word"]


@dataclass(frozen=True, slots=True)
class _Token:
    """One token: its bytes, its probability, and what else might have stood there."""

    text: bytes
    probability: float
    others: tuple[tuple[bytes, float], ...]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a level stands in the text, in bytes, and what ends it there."""

    start: int
    end: _End


def probabilities(
    content: Sequence[Mapping[str, Any]], text: str, request: Request
) -> dict[str, dict[str, float]] | None:
    """The probability of each level of each criterion, as far as they are known; None where none are.

    `content` is `choices[0].logprobs.content`: entries of `token`, `logprob`, `bytes` and `top_logprobs`. Each
    criterion's probabilities sum to 1.
    """
    try:
        tokens = [_token(entry) for entry in content]
        start = b"".join(token.text for token in tokens).find(text.encode())
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None  # what is not of the right type says nothing
    if start < 0:
        return None
    found: dict[str, dict[str, float]] = {}
    for criterion, place in _places(text, request).items():
        levels = {name: _spelled(name, place.end) for name in request.answers[criterion]}
        odds = _weigh(tokens, start + place.start, levels, place.end)
        if odds is not None:
            found[criterion] = odds
    return found or None


def _token(entry: Mapping[str, Any]) -> _Token:
    text = _bytes(entry)
    others = [(_bytes(other), _probability(other)) for other in entry.get("top_logprobs") or ()]
    return _Token(text, _probability(entry), tuple(other for other in others if other[0] != text))


def _bytes(entry: Mapping[str, Any]) -> bytes:
    given, token = entry.get("bytes"), entry["token"]
    if isinstance(given, list) and given:
        return bytes(given)
    if not isinstance(token, str):
        raise TypeError("a token without a text")
    return token.encode()


def _probability(entry: Mapping[str, Any]) -> float:
    value = entry["logprob"]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        raise TypeError("a log-probability that is no number")
    return math.exp(max(-1e4, min(0.0, value)))


def _spelled(name: str, end: _End) -> bytes:
    return (json.dumps(name, ensure_ascii=False)[1:-1] if end == "quote" else name).encode("utf-8", "replace")


def _places(text: str, request: Request) -> dict[str, _Place]:
    """Where each criterion's level stands."""
    if not request.json:
        return _only_word(text, request)
    found: dict[str, _Place] = {}
    for criterion, at in _answers(text, request).items():
        if text[at] == "{":
            at = next((value for key, value in _members(text, at) if key in LEVEL_KEYS), -1)
        if at >= 0:
            quoted = text[at] == '"'
            found[criterion] = _Place(len(text[: at + quoted].encode()), "quote" if quoted else "number")
    return found


def _only_word(text: str, request: Request) -> dict[str, _Place]:
    """The level of a reply that is no JSON: known only where a single level is named a single time."""
    (criterion, names), *more = request.answers.items()
    named = [name for name in names for _ in range(text.count(name))]
    if more or len(named) != 1:
        return {}
    return {criterion: _Place(len(text[: text.index(named[0])].encode()), "word")}


def _answers(text: str, request: Request) -> dict[str, int]:
    """Criterion -> where its answer begins, in the first object behind the thinking that answers any."""
    try:
        at = text.find("{", len(text) - len(after_thinking(text, TAGS, ())))
    except NoAnswer:
        return {}
    while at >= 0:
        try:
            found = {key: value for key, value in _members(text, at) if key in request.answers}
        except (ValueError, IndexError, StopIteration, RecursionError):
            found = {}
        if found:
            return found
        at = text.find("{", at + 1)
    return {}


def _members(text: str, at: int) -> Iterator[tuple[str, int]]:
    """(key, where its value begins) of the JSON object at `at`. Raises `ValueError` or `IndexError` where it is none."""
    decoder = json.JSONDecoder()
    at = _skip(text, at + 1)
    while text[at] != "}":
        if text[at] != '"':
            raise ValueError("no key")
        key, at = decoder.raw_decode(text, at)
        at = _skip(text, at)
        if text[at] != ":":
            raise ValueError("no colon")
        at = _skip(text, at + 1)
        yield key, at
        at = _skip(text, decoder.raw_decode(text, at)[1])
        if text[at] == ",":
            at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at


def _weigh(tokens: Sequence[_Token], start: int, levels: Mapping[str, bytes], end: _End) -> dict[str, float] | None:
    mass = dict.fromkeys(levels, 0.0)
    path, written, position = 1.0, b"", 0
    for token in tokens:
        begins, position = position, position + len(token.text)
        if position <= start:
            continue
        head = token.text[: max(0, start - begins)]  # a quote, say, that shares the token with the level
        for text, probability in token.others:
            if text.startswith(head):
                _give(mass, levels, end, written + text[len(head) :], path * probability)
        written += token.text[len(head) :]
        path *= token.probability
        left = _possible(levels, end, written)
        if len(left) <= 1:
            for name in left:
                mass[name] += path
            break
    known = math.fsum(mass.values())
    return {name: value / known for name, value in mass.items()} if known >= KNOWN else None


def _give(mass: dict[str, float], levels: Mapping[str, bytes], end: _End, written: bytes, probability: float) -> None:
    possible = _possible(levels, end, written)
    if len(possible) == 1:
        mass[possible[0]] += probability


def _possible(levels: Mapping[str, bytes], end: _End, written: bytes) -> list[str]:
    """The levels that a text may still become."""
    return [name for name, level in levels.items() if _fits(level, end, written)]


def _fits(level: bytes, end: _End, written: bytes) -> bool:
    if len(written) <= len(level):
        return level.startswith(written)
    after = written[len(level) : len(level) + 1]
    if not written.startswith(level):
        return False
    if end == "quote":
        return after == b'"'
    return not (after.isdigit() or after == b".") if end == "number" else not after.isalnum()
