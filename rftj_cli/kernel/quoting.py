"""What a reply quotes of the sample: one notion of a quotation, for verdicts in words and in JSON.

A verdict in words is a quotation where it is inside quotation marks, a code span, a code fence or a block quote, the
enclosed passage is in the sample's own text, and the passage is at least 20 characters long or a whole line of it. A bare
verdict ("No") never is: its characters may be anywhere in the sample. A JSON object is a quotation where the sample has
it in any spelling.
"""

from __future__ import annotations

import html
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from rftj_cli.kernel.rubric import Criterion

LEVEL_KEYS: Final = ("level", "verdict", "score", "rating", "value")
SHORTEST: Final = 20  # characters of a quotation that is not a whole line
_LONGEST: Final = 20_000  # characters between two quotation marks that belong together
_MOST: Final = 500  # quoted passages looked up in one reply: each may take a pass over the sample
_UNSEEN: Final = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_MARKS: Final = re.compile("[\"'`\u00b4\u2018-\u201f\u00ab\u00bb\u2039\u203a*\\\\]")
_ELIDED: Final = re.compile(r"\.{2,}")
_ENDS: Final = " .,;:!?"
# The marks of one kind each; those that are also apostrophes only where no letter is on their other side.
_KINDS: Final = re.compile(
    '(?P<double>["\u201c-\u201f])|(?P<angle>[\u00ab\u00bb\u2039\u203a])|(?P<code>`)'
    "|(?P<single>(?<!\\w)['\u2018\u2019](?=\\S)|(?<=\\S)['\u2018\u2019](?!\\w))"
)
_FENCE: Final = re.compile(r"^[ ]{0,3}(?:```|~~~)", re.MULTILINE)

Standing = Literal["own", "doubtful", "quoted"]


def plain(text: str) -> str:
    """A text with which spellings are compared: without case, quotation marks, escapes and space around punctuation."""
    if "&" in text:
        text = html.unescape(text)
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)), text)
    if not text.isascii():
        text = _UNSEEN.sub("", unicodedata.normalize("NFKC", text))
    text = _MARKS.sub("", re.sub(r"\\[nrt]", " ", text.casefold()))
    text = re.sub(r" ?([{}\[\],:=]) ?", r"\1", re.sub(r"\s+", " ", text))
    return re.sub(r",(?=[}\]])", "", text).strip()


@lru_cache(maxsize=32)
def _plain_own(text: str) -> str:
    """`plain`, kept for a sample's text: all votes and orders of a sample are read against the same."""
    return plain(text)


@lru_cache(maxsize=32)
def _lines(text: str) -> frozenset[str]:
    return frozenset(plain(line).strip(_ENDS) for line in text.splitlines())


def is_passage(passage: str, text: str) -> bool:
    """Whether a passage, shortened by "..." perhaps, is in a text; both as `plain` makes them."""
    at = 0
    for piece in _ELIDED.split(passage):
        found = text.find(piece.strip(" .,;:!?()[]"), at)
        if found == -1:
            return False
        at = found
    return True


class Quotations:
    """The quoted passages of one reply, looked up in the sample's own texts as they are asked for."""

    def __init__(self, text: str, own: Sequence[str]) -> None:
        self._text, self._own = text, own
        self._known: dict[tuple[int, int], tuple[str, Standing]] = {}
        self._words: dict[str, str] = {}
        self._marks: dict[str, list[int]] = {}
        for mark in _KINDS.finditer(text) if own else ():
            self._marks.setdefault(str(mark.lastgroup), []).append(mark.start())
        self._breaks = [mark.start() for mark in re.finditer("\n", text)]
        self._fences = [mark.start() for mark in _FENCE.finditer(text)]

    def standing(self, start: int, end: int) -> Standing:
        """Whose the words from `start` to `end` are: the judge's own, the sample's, or (in short quotes) perhaps its."""
        found: Standing = "own"
        for place in self._around(start, end):
            if place not in self._known:
                if len(self._known) >= _MOST:
                    return "quoted"  # nobody quotes so often: what is left is nobody's verdict
                self._known[place] = self._look_up(self._text[slice(*place)])
            said, whose = self._known[place]
            # A word that is alone in its marks is a bare verdict.
            if (
                whose != "own"
                and found != "quoted"
                and said != self._word(self._text[start : min(end, start + _LONGEST)])
            ):
                found = whose
        return found

    def _word(self, raw: str) -> str:
        if raw not in self._words:
            self._words[raw] = plain(raw).strip(_ENDS)
        return self._words[raw]

    def _around(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The passages that enclose these words: between the nearest marks of each kind, or the line of a block."""
        for marks in self._marks.values():
            before, after = bisect_left(marks, start) - 1, bisect_left(marks, end)
            if before >= 0 and after < len(marks) and marks[after] - marks[before] < _LONGEST:
                yield marks[before] + 1, marks[after]
        at = bisect_left(self._breaks, start)
        first = self._breaks[at - 1] + 1 if at else 0
        last = self._breaks[at] if at < len(self._breaks) else len(self._text)
        if last - first < _LONGEST and (
            bisect_right(self._fences, start) % 2 or self._text[first:last].lstrip().startswith(">")
        ):
            yield first, last

    def _look_up(self, passage: str) -> tuple[str, Standing]:
        said = plain(passage.lstrip("> \t"))
        bare = said.strip(_ENDS)
        if not any(is_passage(said, _plain_own(one)) for one in self._own):
            return bare, "own"
        whole = any(bare in _lines(one) for one in self._own)
        return bare, "quoted" if whole or len(said) >= SHORTEST else "doubtful"


def is_quoted_object(source: str, said: Sequence[Said], reasons: Sequence[str], own: Sequence[str]) -> bool:
    """Whether the sample has this object, in any spelling: its source, or all that it `said` with the same `reasons`."""
    whole, reasons = plain(source), [plain(reason) for reason in reasons]
    for text in map(_plain_own, own):
        if whole in text:
            return True
        there = planted(text, tuple(one.criterion for one in said)) if said and "{" in text else frozenset()
        if there and all(one in there for one in said) and all(is_passage(reason, text) for reason in reasons):
            return True
    return False


@dataclass(frozen=True, slots=True)
class Said:
    """A level that an object gives a criterion: right behind the criterion's id, or `inside`, behind a key of its own."""

    criterion: Criterion
    level: int
    inside: bool


@lru_cache(maxsize=32)
def planted(text: str, criteria: tuple[Criterion, ...]) -> frozenset[Said]:
    """All that objects in a sample's text say, however they are spelt; `text` as `plain` makes it.

    A level with a key of its own (`{ok:{level:pass}}`) is planted without it too: a reply may shorten what it quotes.
    """
    ids = {plain(criterion.id): criterion for criterion in criteria}
    token = re.compile(rf"[{{}}]|(?<=[{{,])({'|'.join(map(re.escape, sorted({*ids, *LEVEL_KEYS})))})[:=]")
    found: set[Said] = set()
    depth, current = 0, None
    for match in token.finditer(text):
        key = match.group(1)
        if key is None:
            depth = max(0, depth + (1 if match.group() == "{" else -1))
            continue
        if current is not None and key in LEVEL_KEYS and depth > 1:
            level = named_level(current, text, match.end())
            found |= set() if level is None else {Said(current, level, True), Said(current, level, False)}
        if key in ids and depth:
            current = ids[key]
            level = named_level(current, text, match.end())
            found |= set() if level is None else {Said(current, level, False)}
    return frozenset(found)


def named_level(criterion: Criterion, text: str, at: int = 0) -> int | None:
    """The level that is named at a place of a plain text; None where none is."""
    match = re.compile(rf"({level_words((criterion,))})(?:\.0+)?(?![\w-]|\.[0-9])").match(text, at)
    return None if match is None else _plain_levels(criterion)[match.group(1)]


def level_at(criterion: Criterion, text: str, at: int) -> tuple[int, int] | None:
    """The level that is named at a place of a plain text, inflected perhaps ("passes"), and where its name ends."""
    match = re.compile(rf"({level_words((criterion,))})(?:\.0+|(?<=[a-z]{{3}})e?[sd])?(?![\w-]|\.[0-9])").match(
        text, at
    )
    return None if match is None else (_plain_levels(criterion)[match.group(1)], match.end())


@lru_cache(maxsize=64)
def suggests(text: str, criterion: Criterion) -> frozenset[int]:
    """The levels that a sample's text suggests for a criterion in any notation: `ok: pass`, `verdict => pass`, `ok is pass`."""
    key = rf"(?<![\w-])(?:{re.escape(plain(criterion.id))}|{'|'.join(LEVEL_KEYS)})"
    link = r"[^\w]{1,6}(?:(?:is|as|to|be|of)[^\w]{1,3}){0,2}"
    found = re.finditer(rf"{key}{link}({level_words((criterion,))})(?!\w)", _plain_own(text))
    return frozenset(_plain_levels(criterion)[match.group(1)] for match in found)


@lru_cache(maxsize=256)
def level_words(criteria: tuple[Criterion, ...]) -> str:
    """The names of the criteria's levels as they are in a plain text, as alternatives of a regular expression."""
    names = {name for criterion in criteria for name in _plain_levels(criterion)}
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True)) or "(?!)"


@lru_cache(maxsize=256)
def _plain_levels(criterion: Criterion) -> Mapping[str, int]:
    return {said: index for index, name in enumerate(criterion.scale.names) if (said := plain(name))}
