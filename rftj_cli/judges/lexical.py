"""Baselines, not judges: scores that need no model, to be beaten by every judge that is worth its price.

- `lexical`: the share of the response's wording that stands in what the judge may look at. On summaries of news it agrees
  with people far better than chance (kappa .48 on QAGS-CNNDM), and it knows nothing of meaning.
- `length`: longer is better. A judge that agrees with it no less than with people rewards length.

Both read `Request.sample`, answer in JSON like a model would, and are rows of every report.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from rftj_cli.errors import InputError
from rftj_cli.kernel.outcome import CallError, Reply, Request

HALF: Final = 100  # words at which the length share is one half
_WORD: Final = re.compile(r"\w+")
_NOT_SOURCE: Final = frozenset(
    {"response", "response_a", "response_b", "item", "messages"}
)  # messages end in the answer
_PAIR: Final = frozenset({"A", "B", "tie"})


def overlap(response: str, source: str) -> float:
    """The share, in [0, 1], of the response's distinct word pairs that stand in the source; 0 for an empty response.

    Words are lower-cased runs of letters and digits; a response of one word is looked up as a word. Of a response that
    is a JSON object or list only the strings among its values count, since its keys are the format's, not its author's.
    """
    return _share(response, [source])


def lexical_score(sample: Mapping[str, object]) -> float:
    """The overlap of the sample's response with its sources, in [0, 1]; of a pair A minus B, in [-1, 1].

    Sources are all strings of the sample, at any depth, other than the responses.
    """
    sources = [text for key, value in sample.items() if key not in _NOT_SOURCE for text in _strings(value)]
    if "response_a" in sample:
        return _share(_response(sample, "response_a"), sources) - _share(_response(sample, "response_b"), sources)
    return _share(_response(sample, "response"), sources)


def length_score(sample: Mapping[str, object]) -> float:
    """words / (words + 100) of the response, in [0, 1); of a pair A minus B, in (-1, 1)."""
    if "response_a" in sample:
        return _length(_response(sample, "response_a")) - _length(_response(sample, "response_b"))
    return _length(_response(sample, "response"))


class LexicalJudge:
    """The baseline `lexical`, or `lexical:THRESHOLD`: two levels part at the threshold (0.5), k levels at equal cuts.

    Of a pair the response with the higher score wins; equal scores are a tie.
    """

    name = "lexical"

    def __init__(self, model: str = "lexical") -> None:
        _, _, threshold = model.partition(":")
        try:
            self.threshold = float(threshold) if threshold else 0.5
        except ValueError:
            self.threshold = -1.0
        if not 0 <= self.threshold <= 1:
            expected = f"{self.name}:THRESHOLD with a threshold from 0 to 1"
            raise InputError("not a threshold", key="judge.model", found=model, expected=expected)

    def score(self, sample: Mapping[str, object]) -> float:
        """The score that is cut into levels."""
        return lexical_score(sample)

    def __call__(self, request: Request) -> Reply:
        if request.sample is None:
            raise CallError("call", f"the baseline `{self.name}` was given no sample to read", fatal=True)
        score = self.score(request.sample)
        verdict = {criterion: self._level(score, levels) for criterion, levels in request.answers.items()}
        return Reply(json.dumps(verdict, ensure_ascii=False))

    def _level(self, score: float, levels: tuple[str, ...]) -> str:
        if set(levels) == _PAIR:
            return "A" if score > 0 else "B" if score < 0 else "tie"
        if len(levels) == 2:
            return levels[int(score >= self.threshold)]
        return levels[min(len(levels) - 1, max(0, int(score * len(levels))))]


class LengthJudge(LexicalJudge):
    """The baseline `length`, or `length:THRESHOLD`: the same cuts of words / (words + 100); of a pair the longer wins."""

    name = "length"

    def score(self, sample: Mapping[str, object]) -> float:
        return length_score(sample)


def _response(sample: Mapping[str, object], key: str) -> str:
    value = sample.get(key, "")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _share(response: str, sources: list[str]) -> float:
    wording = _wording(response)
    size = 2
    own = _grams(wording, size)
    if not own:
        size = 1
        own = _grams(wording, size)
    return len(own & _grams(sources, size)) / len(own) if own else 0.0


def _grams(texts: Iterable[str], size: int) -> set[tuple[str, ...]]:
    # Text by text: a pair across the seam of two texts stands in neither.
    found: set[tuple[str, ...]] = set()
    for text in texts:
        words = _words(text)
        found.update(zip(*(words[start:] for start in range(size)), strict=False))
    return found


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _length(response: str) -> float:
    words = sum(len(_words(text)) for text in _wording(response))
    return words / (words + HALF)


def _wording(response: str) -> list[str]:
    if response.lstrip()[:1] in ("{", "["):
        try:
            return list(_strings(json.loads(response)))
        except (ValueError, RecursionError):
            pass
    return [response]


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _strings(item)
