"""How many tokens a call takes: an estimate before the first reply, corrected by what the service reports.

    text --estimate--> tokens --Meter--> expected usage      reply --Meter.told--> the correction

No tokenizer is asked: each judge has its own, and what decides is what the service bills. Weights for classes of
characters were fitted to two of them, o200k (three parts) and DeepSeek V3 (one part), on prose, contracts, code, JSON,
Markdown, numbers and 17 languages. On o200k they are within a few percent for English texts, within 10% for most others.
"""

from __future__ import annotations

import json
import math
import re
import threading
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from rftj_cli.kernel.outcome import Reply, Request
from rftj_cli.kernel.quoting import LEVEL_KEYS

MESSAGE_TOKENS: Final = 4  # the marks around one message of a chat
PRIMING_TOKENS: Final = 3  # the marks that begin the reply
# A reason of one or two sentences: the recorded replies of a large model to datasets/contract-review average 46 tokens
# (`evidence`, prompt `defined`) and 40 (the remark before the rating, prompt `rating-1-10`). Each of several in one reply
# has less to say: between these and the 24 that gpt-3.5 took to justify a verdict of PandaLM.
REASON_TOKENS: Final = 42
REASON_OF_SEVERAL: Final = 30
# A reply that a regex reads. From a bare verdict (4) over a remark and a rating (45) to a chain of thought (91 and more).
PROSE_TOKENS: Final = 100

# Tokens for each character of a class, in hundredths. What is not named counts in its class of UTF-8 lead bytes.
_ASCII: Final[Mapping[str, int]] = {
    "ceinortsvyplwhagum": 10,  # letters that mostly stand inside words which are one token
    "bdfjkxqz": 48,
    "ACDEGHILMNOPRSTVWY": 14,
    "BFJKQUXZ": 133,
    "0123456789": 167,
    " \t": 39,
    "\r\n": 121,
    '!"&(*+/=>?@\\]^': 126,
    "#%'),-:<[_`|": 84,
    ".;{}~$": 25,
}
_LEADS: Final[tuple[tuple[int, int, int], ...]] = (  # first byte, last byte, hundredths of a token
    (0xC2, 0xCD, 137),  # Latin letters with marks
    (0xCE, 0xCF, 37),  # Greek
    (0xD0, 0xD4, 25),  # Cyrillic
    (0xD5, 0xD7, 42),  # Hebrew
    (0xD8, 0xDF, 30),  # Arabic
    (0xE0, 0xE0, 33),  # Indic scripts, Thai
    (0xE1, 0xE1, 37),
    (0xE2, 0xE2, 44),  # typographic marks
    (0xE3, 0xE3, 70),  # kana
    (0xE4, 0xE9, 72),  # Chinese characters
    (0xEA, 0xED, 64),  # Hangul
    (0xEE, 0xEF, 66),  # full-width forms
    (0xF0, 0xF4, 198),  # emoji
)
# What neighbours take from the sum (runs of blanks or digits are few tokens), or add to it (a name inLikeThis).
_PAIRS: Final[tuple[tuple[bytes, int], ...]] = ((b"  ", -68), (b"nn", -192), (b"..", -155), (b"00", -248), (b"aA", 79))
_MARKS: Final = "#%'),-:<[_`|" + '!"&(*+/=>?@\\]^'


def _weights() -> bytes:
    table = bytearray(256)
    for characters, weight in _ASCII.items():
        for one in characters:
            table[ord(one)] = weight
    for first, last, weight in _LEADS:
        table[first : last + 1] = bytes([weight]) * (last - first + 1)
    return bytes(table)


def _classes() -> bytes:
    table = bytearray(b"x" * 256)
    for code in range(128):
        one = chr(code)
        if one.isalpha():
            table[code] = ord("a" if one.islower() else "A")
        elif one.isdigit():
            table[code] = ord("0")
    for characters, mark in ((" \t", " "), ("\r\n", "n"), (_MARKS, ".")):
        for one in characters:
            table[ord(one)] = ord(mark)
    return bytes(table)


_WEIGHTS: Final = _weights()
_CLASSES: Final = _classes()
_BLOCK: Final = 65520 // max(_WEIGHTS)  # the longest whose sum of weights fits Adler-32


def estimate(text: str) -> int:
    """About how many tokens a text is to a present-day tokenizer. Takes about 8 microseconds a kilobyte."""
    data = text.encode("utf-8", "replace")
    weights, total = memoryview(data.translate(_WEIGHTS)), 0
    for start in range(0, len(data), _BLOCK):
        # The lower half of an Adler-32 that begins at 0 is the sum of the bytes, modulo 65,521.
        total += zlib.adler32(weights[start : start + _BLOCK], 0) & 0xFFFF
    classes = data.translate(_CLASSES)
    for pair, weight in _PAIRS:
        total += weight * classes.count(pair)
    return max(math.ceil(total / 100), 1 if data else 0)


_Answers = tuple[tuple[str, tuple[str, ...]], ...]
_known_estimate = lru_cache(maxsize=512)(estimate)  # a prompt is asked for up to three times in a row


def answer_tokens(request: Request) -> int:
    """The expected tokens of a reply, at most the request's own limit.

    JSON: its skeleton, the names of the levels, and a reason of one or two sentences for each one asked for. Without
    JSON nobody knows: a paragraph. The hidden reasoning of a model that has it is billed as output and not in here;
    only a `Meter` that has seen replies knows it.
    """
    if not request.json:
        return min(PROSE_TOKENS, request.max_tokens)
    answers = tuple((id, tuple(names)) for id, names in request.answers.items())
    asked = None
    if request.structure == "text" and request.reason != "none":  # else the schema says what is answered
        asked = _prose_asked(request.user, answers)
        if asked is None:
            asked = _prose_asked(request.system, answers)
    return min(_json_tokens(answers, request.reason, asked), request.max_tokens)


@lru_cache(maxsize=512)
def _json_tokens(answers: _Answers, reason: str, asked: int | None) -> int:
    flat = reason == "none" or asked is not None
    shape = json.dumps({id: "" if flat else {"reason": "", "level": ""} for id, _ in answers}, ensure_ascii=False)
    levels = sum(sum(map(estimate, names)) / len(names) for _, names in answers if names)
    reasons = 0 if reason == "none" else len(answers) if asked is None else asked
    return round(estimate(shape) + levels + reasons * (REASON_TOKENS if reasons == 1 else REASON_OF_SEVERAL))


_KEY: Final = re.compile(r'"([^"\n]{1,60})"\s*:|([{}])')
_LONGEST_EXAMPLE: Final = 1500  # characters


def _prose_asked(prompt: str, answers: _Answers) -> int | None:
    """How many texts the example of an answer in a prompt has besides the levels; None where there is no example.

    The example is the last JSON object that names the first criterion, as `{"evidence": "...", "clarity": "good"}`.
    """
    named = prompt.rfind(f'"{answers[0][0]}"')
    start = prompt.rfind("{", 0, named) if named >= 0 else -1
    if start < 0:
        return None
    return _keys_besides(prompt[start : start + _LONGEST_EXAMPLE], frozenset(id for id, _ in answers))


@lru_cache(maxsize=512)
def _keys_besides(example: str, ids: frozenset[str]) -> int | None:
    keys, depth = [], 0
    for found in _KEY.finditer(example):
        if found[1] is not None:
            keys.append(found[1])
            continue
        depth += 1 if found[2] == "{" else -1
        if not depth:
            break
    return sum(key not in ids and key not in LEVEL_KEYS for key in keys) if ids <= {*keys} else None


def request_tokens(request: Request) -> tuple[int, int]:
    """The estimated input and output tokens of one call; a tool or schema sent along is not counted."""
    parts = [text for text in (request.system, *(text for _, text in request.turns), request.user) if text]
    prompt = sum(_known_estimate(text) for text in parts)
    return prompt + MESSAGE_TOKENS * len(parts) + PRIMING_TOKENS, answer_tokens(request)


class Meter:
    """Expected usage, corrected by the ratio of reported to estimated tokens, input and output apart.

    The ratios are those of sums, over this meter's replies and those of `known` (what `document` gave another run).
    The first replies count together with five that are as estimated, so that a single one does not swing the rest.
    Safe in many threads.
    """

    PRIOR: Final = 5  # replies
    ENOUGH: Final = 1000  # replies: beyond them one in ten is looked at
    MOST_KNOWN: Final = 200  # replies of other runs: beyond them new ones would hardly count

    def __init__(self, known: Mapping[str, Any] | None = None) -> None:
        self._lock = threading.Lock()
        self._estimated, self._reported = [0.0, 0.0], [0.0, 0.0]
        self._replies = self._seen = 0
        self._known = _read(known or {})
        self._ratios = self._corrected()

    def expected(self, request: Request) -> tuple[int, int]:
        """The expected input (cached or not) and output tokens of one call."""
        given, written = request_tokens(request)
        ratios = self._ratios  # one look: another thread may replace both
        return math.ceil(given * ratios[0]), min(math.ceil(written * ratios[1]), request.max_tokens)

    def prudent(self, request: Request) -> float:
        """The expected tokens of one call for a ceiling: as `expected`, but at once as much as replies took so far."""
        with self._lock:
            own = [max(ratio, self._ratio(side, prior=0)) for side, ratio in enumerate(self._ratios)]
        given, written = request_tokens(request)
        return given * own[0] + min(written * own[1], request.max_tokens)

    def told(self, request: Request, reply: Reply) -> None:
        """Learn from a reply; one without usage teaches nothing."""
        given = reply.input_tokens + reply.cache_read_tokens + reply.cache_write_tokens
        if not given or not reply.output_tokens:
            return
        if self._replies >= self.ENOUGH:
            self._seen += 1
            if self._seen % 10:
                return
        estimated, reported = request_tokens(request), (given, reply.output_tokens)
        with self._lock:
            self._replies += 1
            for side in (0, 1):
                self._estimated[side] += estimated[side]
                self._reported[side] += reported[side]
            self._ratios = self._corrected()

    def document(self) -> dict[str, Any]:
        """What was learned, as plain data: `input_ratio`, `output_ratio` and the `replies` they rest on."""
        with self._lock:
            given, written = (self._ratio(side, prior=0) for side in (0, 1))
            return {"input_ratio": given, "output_ratio": written, "replies": self._known[2] + self._replies}

    def _corrected(self) -> tuple[float, float]:
        return self._ratio(0, self.PRIOR), self._ratio(1, self.PRIOR)

    def _ratio(self, side: int, prior: int) -> float:
        replies, before = self._replies, min(self._known[2], self.MOST_KNOWN)
        own = self._reported[side] / self._estimated[side] if self._estimated[side] else 1.0
        weight = prior + before + replies
        return (prior + before * self._known[side] + replies * own) / weight if weight else 1.0


def _read(known: Mapping[str, Any]) -> tuple[float, float, int]:
    """A document's content; what cannot be from a meter counts for nothing."""
    given, written, replies = (known.get(name) for name in ("input_ratio", "output_ratio", "replies"))
    ratios = [one for one in (given, written) if isinstance(one, (int, float)) and 0.01 <= one <= 1000]
    if len(ratios) < 2 or not isinstance(replies, int) or replies < 0:
        return 1.0, 1.0, 0
    return float(ratios[0]), float(ratios[1]), replies
