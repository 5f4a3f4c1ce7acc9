"""Reading a verdict out of a reply, strictly: what is ambiguous is a failure, never a guess.

- The whole reply is one JSON object: read. JSON inside prose or a code fence: read and marked as repaired.
- Thinking blocks are no answer: the verdict is read from what follows them (`thinking.py`).
- Several objects must say the same, and so must whatever looks like a verdict after the last (`second_thoughts.py`).
- With `parse.regex`: its matches; two different verdicts are a failure. `parse.take` says which one counts.
- What the reply quotes of the sample is not the judge's (`quoting.py`); where it says something else than the
  verdict, which of the two is the quotation is a guess.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from rftj_cli.errors import listed
from rftj_cli.kernel.quoting import LEVEL_KEYS, Quotations, Said, is_quoted_object, suggests
from rftj_cli.kernel.rubric import Criterion, Parse
from rftj_cli.kernel.second_thoughts import another_word, last_word
from rftj_cli.kernel.thinking import NoAnswer, after_thinking

_OVERALL = ("reason", "evidence", "reasoning", "explanation", "justification", "rationale")
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
    parse = parse or Parse()
    whole = None if parse.regex is not None else _whole(text)
    if whole is None and not _names_a_tag(parse):
        try:
            text = after_thinking(text, parse.thinking, own)
        except NoAnswer as error:
            raise Unparsed(str(error)) from None
    if parse.regex is not None:
        level = _by_regex(text, criteria[0], parse, parse.regex, own)
        return Parsed({criteria[0].id: Answer(level, text.strip())}, False)
    whole = whole or _whole(text)
    if whole is not None:
        return Parsed(_answers(whole, criteria), False)
    return Parsed(_embedded(text.strip(), criteria, parse.take, own), True)


def _names_a_tag(parse: Parse) -> bool:
    """Whether the regex itself looks for a thinking tag: then it is shown the whole reply."""
    return parse.regex is not None and any(
        re.search(rf"<.{{0,3}}{tag}\b", parse.regex, re.IGNORECASE) for tag in parse.thinking
    )


def _whole(text: str) -> dict[str, object] | None:
    """The one JSON object that the text is; None where it is anything else."""
    try:
        whole = _load(text.strip())
    except (ValueError, RecursionError):
        return None
    return whole if isinstance(whole, dict) else None


def _by_regex(text: str, criterion: Criterion, parse: Parse, regex: str, own: tuple[str, ...]) -> int:
    """The level that counts among the matches: the first or last of the judge's own, or the only one there is."""
    quotations, whole = Quotations(text, own), text.strip(" \n\t\"'`\u201c\u201d")
    matches: Iterator[re.Match[str]] = _pattern(regex).finditer(text)
    mine: list[int] = []
    doubtful: list[int] = []  # in short quotation marks, and in the sample: the judge's where nothing else is
    passed: set[int] = set()  # what quotations say
    for match in reversed(list(matches)) if parse.take == "last" else matches:
        word = (match.group(1) if match.re.groups else match.group()) or ""
        level = _level(word, criterion, parse)
        if level in mine:
            continue
        alone = match.group().strip() == whole
        standing = "own" if alone else quotations.standing(*match.span(1 if word and match.re.groups else 0))
        if standing == "own" and level is None:
            raise Unparsed(f"{criterion.id}: {word!r} is not a level ({listed(criterion.scale.names)})")
        if level is None:
            continue
        if standing == "own":
            mine.append(level)
            if parse.take is not None:
                break
        else:
            passed.add(level)
            doubtful += [level] if standing == "doubtful" else []
    return _taken(mine, doubtful, passed, criterion, parse.take)


def _taken(mine: list[int], doubtful: list[int], passed: set[int], criterion: Criterion, take: str | None) -> int:
    if not mine and doubtful:
        raise Unparsed(f"{criterion.id}: the only verdict is in quotation marks, and in the sample")
    if not mine:
        raise Unparsed("no verdict in the reply: the regex matches nowhere outside quotations")
    if len({*mine}) > 1:
        names = [criterion.scale.names[level] for level in dict.fromkeys(mine)]
        raise Unparsed(f"different verdicts in one reply: {listed(names)}")
    if passed - {*mine}:
        raise Unparsed(f"{criterion.id}: {_QUOTED}")
    return mine[0]


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


def _embedded(
    text: str, criteria: tuple[Criterion, ...], take: Literal["first", "last"] | None, own: tuple[str, ...]
) -> Mapping[str, Answer]:
    said: list[Mapping[str, Answer] | Unparsed] = []
    quoted: list[dict[str, object]] = []
    begin = rest = 0
    for start, end, value in objects(text):
        if is_quoted_object(text[start:end], _levels(value, criteria), _reasons(value, criteria), own):
            quoted.append(value)
        elif any(criterion.id in value for criterion in criteria):  # not an object about something else
            said.append(_tried(value, criteria))
            begin, rest = start, end
            if take == "first":
                break
    if not said:
        raise Unparsed("the only verdict in the reply is a quotation of the sample" if quoted else "no JSON verdict")
    answers = _one_of(said, take)
    for value in quoted:
        _refuse_other(value, answers, criteria)
    levels = {criterion: answers[criterion.id].level for criterion in criteria}
    if any(answers[one.id].level in suggests(text_, one) for one in criteria for text_ in own):
        _refuse_mention(text, begin, rest, levels)
    if take != "first" and (other := another_word(text[rest:], levels)):
        raise Unparsed(f"after its verdict the reply seems to give another: {other!r}")
    return answers


def _refuse_mention(text: str, begin: int, end: int, levels: Mapping[Criterion, int]) -> None:
    """Raise where an object that says what the sample suggests may be no more than a mention of it.

    The judge has said another verdict before, or its sentence goes on behind the object.
    """
    if other := last_word(text[:begin], levels):
        raise Unparsed(f"{_QUOTED}: {other!r}")
    if re.match(r"[^\S\n]*[^\w\n`]{0,3}[^\S\n]*\w", text[end:]):
        raise Unparsed("the only verdict in the reply is in a sentence about the sample, which suggests it")


def _tried(value: Mapping[str, object], criteria: tuple[Criterion, ...]) -> Mapping[str, Answer] | Unparsed:
    try:
        return _answers(value, criteria)
    except Unparsed as error:
        return error


def _one_of(said: Sequence[Mapping[str, Answer] | Unparsed], take: str | None) -> Mapping[str, Answer]:
    """The answers that count. Without `take` all objects must be readable and say the same."""
    last = said[-1]
    for one in [last] if take is not None else said:
        if isinstance(one, Unparsed):
            raise one
        if not isinstance(last, Unparsed) and {k: a.level for k, a in one.items()} != {
            k: a.level for k, a in last.items()
        }:
            raise Unparsed("different verdicts in one reply")
    assert not isinstance(last, Unparsed)
    return last


def _levels(value: Mapping[str, object], criteria: tuple[Criterion, ...]) -> list[Said]:
    """What an object says of the criteria that it names, as far as it can be read."""
    found = []
    for criterion in criteria:
        raw = value.get(criterion.id)
        try:
            found += (
                [] if raw is None else [Said(criterion, _answer(raw, criterion, "").level, isinstance(raw, Mapping))]
            )
        except Unparsed:
            continue
    return found


def _reasons(value: Mapping[str, object], criteria: tuple[Criterion, ...]) -> list[str]:
    """The reasons in an object, its own and those of each criterion."""
    parts = [value, *(part for criterion in criteria if isinstance(part := value.get(criterion.id), Mapping))]
    return [str(part[key]) for part in parts for key in _OVERALL if isinstance(part.get(key), str)]


def _refuse_other(value: Mapping[str, object], answers: Mapping[str, Answer], criteria: tuple[Criterion, ...]) -> None:
    """Raise where a quoted object is a verdict, and not the one that was read."""
    for criterion in criteria:
        try:
            said = _answer(value[criterion.id], criterion, "") if criterion.id in value else None
        except Unparsed:
            continue  # no verdict
        if said is not None and said.level != answers[criterion.id].level:
            raise Unparsed(f"{criterion.id}: {_QUOTED}")


def objects(text: str) -> Iterator[tuple[int, int, dict[str, object]]]:
    """The outermost JSON objects in a text, with where they begin and end."""
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
            yield position, end, value
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
