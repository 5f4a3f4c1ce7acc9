"""Reading a verdict out of a reply, strictly: what is ambiguous is a failure, never a guess.

- The whole reply is one JSON object: read. JSON inside prose or a code fence: read and marked as repaired.
- Several objects: they must say the same.
- With a `parse` section: its regex; two different verdicts are a failure unless it says which match counts.
- A passage that stands in the sample's own text is a quotation, not a verdict; where it says something else than the
  verdict, which of the two is the quotation is a guess.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from rftj_cli.errors import listed
from rftj_cli.kernel.rubric import Criterion, Parse

_OVERALL = ("reason", "evidence", "reasoning", "explanation", "justification", "rationale")
LEVEL_KEYS = ("level", "verdict", "score", "rating", "value")
_QUOTED = "different verdicts in one reply, one of them a quotation of the sample"
_DECODER_LIMIT = 500  # objects looked for in one reply: each may take a pass over the rest of it


class Unparsed(Exception):
    """No verdict can be read, and why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A level and a reason for one criterion, as the reply gives them."""

    level: int
    reason: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """All criteria of one reply."""

    answers: Mapping[str, Answer]
    repaired: bool


def parse_reply(text: str, criteria: tuple[Criterion, ...], parse: Parse | None, own: tuple[str, ...]) -> Parsed:
    """The answers in `text`. `own` are the sample's own texts, which may be quoted but do not count.

    Raises `Unparsed` with the reason.
    """
    if parse is not None:
        return Parsed({criteria[0].id: Answer(_by_regex(text, criteria[0], parse, own), text.strip())}, False)
    stripped = text.strip()
    try:
        whole = _load(stripped)
    except (ValueError, RecursionError):
        whole = None
    if isinstance(whole, dict):
        return Parsed(_answers(whole, criteria), False)
    return Parsed(_embedded(stripped, criteria, own), True)


def _by_regex(text: str, criterion: Criterion, parse: Parse, own: tuple[str, ...]) -> int:
    found: list[tuple[int, bool]] = []  # level, and whether it is a quotation
    unknown: list[str] = []
    for match in _pattern(parse.regex).finditer(text):
        quoted = match.group(0).strip() != text.strip() and any(match.group(0) in one for one in own)
        word = match.group(1) if match.re.groups else match.group(0)
        level = _level(word or "", criterion, parse)
        if level is not None:
            found.append((level, quoted))
        elif not quoted:
            unknown.append(word or "")
    if unknown:
        raise Unparsed(f"{criterion.id}: {unknown[0]!r} is not a level ({listed(criterion.scale.names)})")
    return _taken(found, criterion, parse.take)


def _taken(found: list[tuple[int, bool]], criterion: Criterion, take: str | None) -> int:
    """The level that counts among the matches of a regex, in the order of the reply."""
    levels = [level for level, quoted in found if not quoted]
    if not levels:
        raise Unparsed("no verdict in the reply: the regex matches nowhere outside quotations")
    if take is not None:
        place = 0 if take == "first" else -1
        if found[place][0] != levels[place]:
            raise Unparsed(f"{criterion.id}: {_QUOTED}")
        return levels[place]
    if len(set(levels)) > 1:
        names = [criterion.scale.names[level] for level in dict.fromkeys(levels)]
        raise Unparsed(f"different verdicts in one reply: {listed(names)}")
    if any(level != levels[0] for level, _ in found):
        raise Unparsed(f"{criterion.id}: {_QUOTED}")
    return levels[0]


def _level(word: str, criterion: Criterion, parse: Parse) -> int | None:
    return criterion.scale.find(parse.map.get(word.strip().casefold(), word))


@lru_cache(maxsize=64)
def _pattern(regex: str) -> re.Pattern[str]:
    return re.compile(regex)


def _load(text: str) -> object:
    return json.loads(text, object_pairs_hook=_no_duplicates)


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    out: dict[str, object] = {}
    for key, value in pairs:
        if key in out and out[key] != value:
            raise Unparsed(f"the reply answers `{key}` twice, differently")
        out[key] = value
    return out


def _embedded(text: str, criteria: tuple[Criterion, ...], own: tuple[str, ...]) -> Mapping[str, Answer]:
    answers: Mapping[str, Answer] | None = None
    fault: Unparsed | None = None
    quoted: list[dict[str, object]] = []
    squeezed = tuple("".join(one.split()) for one in own)  # once: a reply may hold hundreds of objects
    for source, value in objects(text):
        if _quoted(source, squeezed):
            quoted.append(value)
            continue
        if not any(criterion.id in value for criterion in criteria):
            continue  # an object about something else
        try:
            these = _answers(value, criteria)
        except Unparsed as error:
            fault = error
            continue
        if answers is not None and {k: a.level for k, a in answers.items()} != {k: a.level for k, a in these.items()}:
            raise Unparsed("different verdicts in one reply")
        answers = these
    if fault is not None:
        raise fault
    if answers is None:
        raise Unparsed("the only verdict in the reply is a quotation of the sample" if quoted else "no JSON verdict")
    for value in quoted:
        _refuse_other(value, answers, criteria)
    return answers


def _refuse_other(value: Mapping[str, object], answers: Mapping[str, Answer], criteria: tuple[Criterion, ...]) -> None:
    """Raise where a quoted object is a verdict, and not the one that was read."""
    for criterion in criteria:
        try:
            said = _answer(value[criterion.id], criterion, "") if criterion.id in value else None
        except Unparsed:
            continue  # no verdict
        if said is not None and said.level != answers[criterion.id].level:
            raise Unparsed(f"{criterion.id}: {_QUOTED}")


def _quoted(source: str, squeezed: tuple[str, ...]) -> bool:
    """Whether a passage stands in the sample's own text, white space aside: judges reformat what they quote."""
    passage = "".join(source.split())
    return any(passage in one for one in squeezed)


def objects(text: str) -> Iterator[tuple[str, dict[str, object]]]:
    """The outermost JSON objects in a text, with their source."""
    decoder = json.JSONDecoder(object_pairs_hook=_no_duplicates)
    position, tried = text.find("{"), 0
    while position != -1:
        tried += 1
        if tried > _DECODER_LIMIT:
            raise Unparsed(f"more than {_DECODER_LIMIT} opening braces: too many to find the verdict among")
        try:
            value, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            position = text.find("{", position + 1)
            continue
        if isinstance(value, dict):
            yield text[position:end], value
        position = text.find("{", end)


def _answers(value: Mapping[str, object], criteria: tuple[Criterion, ...]) -> dict[str, Answer]:
    missing = [criterion.id for criterion in criteria if criterion.id not in value]
    if missing:
        raise Unparsed(f"the reply does not answer {listed(missing)}")
    overall = next((value[key] for key in _OVERALL if isinstance(value.get(key), str)), "")
    return {criterion.id: _answer(value[criterion.id], criterion, str(overall)) for criterion in criteria}


def _answer(raw: object, criterion: Criterion, overall: str) -> Answer:
    reason = overall
    if isinstance(raw, Mapping):
        given = [key for key in LEVEL_KEYS if key in raw]
        if not given:
            raise Unparsed(f"{criterion.id}: no level in {sorted(raw)}")
        if len({str(raw[key]) for key in given}) > 1:
            raise Unparsed(f"{criterion.id}: {listed(given)} differ")
        own = next((raw[key] for key in _OVERALL if isinstance(raw.get(key), str)), "")
        reason, raw = str(own) or overall, raw[given[0]]
    level = criterion.scale.find(raw)
    if level is None:
        raise Unparsed(f"{criterion.id}: {raw!r} is not a level ({listed(criterion.scale.names)})")
    return Answer(level, reason)
