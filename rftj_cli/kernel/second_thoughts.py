"""Whether a judge says something else after its verdict: an object that cannot be read, "verdict: fail", "No: fail."

    'My verdict is fail.' --another_word--> "verdict is fail"        'As I said, it is a pass.' --> None

Only what looks like an attempt at a verdict counts: prose that happens to hold the name of a level does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from rftj_cli.kernel.quoting import LEVEL_KEYS, level_at, level_words, named_level, plain
from rftj_cli.kernel.rubric import Criterion

# Behind the first, any word is a verdict if a colon is between; behind the others, only the name of a level is.
_VERDICTS: Final = "verdict|judge?ment|decision|rating|grade|final(?: (?:answer|score|level|value|result|label))?"
_OTHERS: Final = "|".join((*LEVEL_KEYS, "answer", "result", "label", "conclusion", "winner", "preference", "choice"))
_LINKS: Final = (
    r"(?P<colon>[:=][ \0]*| ?(?:-{1,2}>|=>|\u2192) ?| [\u2013\u2014-] )|"
    r"(?P<verb> (?:(?:is|was|are|of|to|as|should|would|will|must|be|becomes|remains|now|therefore|thus|a|an|the) ){1,4})| "
)
_LONE: Final = re.compile(r"[0-9]|[^\s{}\[\],:=.;!?\0]*(?:[.;!?]+(?:\s|$)| ?(?:\0|$)|[}\],])")
_FILLERS: Final = (
    "no|wait|actually|rather|so|sorry|correction|finally?|it|i|we|is|was|be|an?|the|this|that|should|would|must|to|say|said|"
    "mean|meant|make|on|in|reflection|second|thoughts?|instead|hence|therefore|thus|hmm?|ok|and|but|change|my|mind|now|"
    "overall|sum|short|answer|clearly|call"
)
_SENTENCE: Final = re.compile(r"(?<=[.!?;])(?=\s|$)|\n")
_ITEM: Final = re.compile(r"^[\s>*#-]*\d+[.)](?=\s+\S)", re.MULTILINE)  # the number of a list's item or of a heading
# What may follow a level that is stated: `fail because`, and not `good enough`, `correct to two digits`.
_STATED: Final = re.compile(
    r" ?(?:$|[.,;:!)}\]|(/>\u2013\u2014\0-])| (?:because|since|as|due|for|given|with|but|despite|and|out of)\b"
)
_INDEFINITE: Final = re.compile(r"\b(?:an?|any|another) $")
_SUPPOSED: Final = re.compile(
    r"\b(?:would|could|requires?d?|needs?|needed|reach|get|better|worse|warrants?|considered|had|if|were|unless|means?)\b"
)
_CORRECTION: Final = re.compile(
    r"^(?:but |no,? |hmm,? |on (?:reflection|second thoughts?),? )?(?:actually|correction|wait|revised|changed|scratch that|"
    r"on reflection|on second thoughts?|i (?:change|revise|correct|take)|fail it is|pass it is|verdict changed)\b"
)
_INNER: Final = re.compile(r"\{(?:[^{}:]*?,)??(?:" + "|".join(LEVEL_KEYS) + r")[:=]|\{")
_NEAR: Final = 200  # characters of a sentence on either side of a key
_SHORT: Final = 120  # characters of a sentence that says nothing but a level


def another_word(text: str, levels: Mapping[Criterion, int]) -> str | None:
    """The first attempt at a verdict in `text` that does not say the same as `levels`; None where there is none.

    `text` is what follows the verdict in the reply.
    """
    return (_by_key(text, levels) or _by_sentence(text, levels)) if text.strip() else None


def last_word(text: str, levels: Mapping[Criterion, int]) -> str | None:
    """What `text`, which is before the verdict of a reply, states last of the criteria, where that is another verdict."""
    text, last = _lines(text), None
    for match in _keys(tuple(levels)).finditer(text):
        asked = match.group("id")
        for criterion, level in levels.items():
            at = match.end()
            while text.startswith("{", at) and (inner := _INNER.match(text, at)):
                at = inner.end()
            found = level_at(criterion, text, at) if asked is None or _spaced(criterion.id) == _spaced(asked) else None
            if found is not None and _STATED.match(text, found[1]):
                last = None if found[0] == level else _shown(text, match.start())
    return last


def _lines(raw: str) -> str:
    return plain(_ITEM.sub("", raw).replace("\n", " \0 "))  # ends of lines are ends of what is said


def _by_key(raw: str, levels: Mapping[Criterion, int]) -> str | None:
    """An attempt that names what it answers: a criterion, or a verdict."""
    text = _lines(raw)
    brace, open_ = text.find("{"), -1  # where an object began, and where one that has said no level yet
    for match in _keys(tuple(levels)).finditer(text):
        asked, at, firm = match.group("id"), match.end(), match.group("colon") is not None
        if match.group("other") and not firm and match.group("verb") is None:
            continue  # "answer B", "score sheet"
        criteria = [c for c in levels if asked is None or _spaced(c.id) == _spaced(asked)]
        named = [(c, found) for c in criteria if (found := level_at(c, text, at)) is not None]
        said = {found[0] == levels[c] for c, found in named}
        if said == {False} and not (_STATED.match(text, named[0][1][1]) and _meant(text, match)):
            continue
        if True in said:
            open_ = -1
        elif said:
            return _shown(text, match.start())
        elif firm and text.startswith("{", at):
            open_ = match.start() if open_ == -1 else open_
        elif firm and (match.group("other") is None or -1 < brace < at) and _LONE.match(text, at):
            return _shown(text, match.start())
    return None if open_ == -1 else _shown(text, open_)


def _meant(text: str, key: re.Match[str]) -> bool:
    """Whether a statement is one, and not what another level would take: `a score of 5 would need an example`."""
    before = re.split(r"[.!?\0]", text[max(0, key.start() - _NEAR) : key.start()])[-1]
    sentence = before + re.split(r"[.!?\0]", text[key.start() : key.end() + _NEAR])[0]
    return _SUPPOSED.search(sentence) is None or (
        _INDEFINITE.search(before) is None and "would be" not in sentence and "considered" not in sentence
    )


@lru_cache(maxsize=64)
def _keys(criteria: tuple[Criterion, ...]) -> re.Pattern[str]:
    """A key, and what is between it and the level: a colon, an arrow, or words such as `should be`."""
    ids = "|".join(re.escape(_spaced(c.id)).replace(r"\ ", "[ _-]") for c in criteria)
    return re.compile(rf"(?<![\w-])(?:(?P<id>{ids})|(?:{_VERDICTS})|(?P<other>{_OTHERS}))(?:{_LINKS})")


def _spaced(id: str) -> str:
    return re.sub(r"[ _-]", " ", plain(id))


def _shown(text: str, at: int) -> str:
    return text[at : at + 40].replace("\0", " ").strip()


def _by_sentence(text: str, levels: Mapping[Criterion, int]) -> str | None:
    """A sentence that holds a level and nothing else (`Actually, fail.`), or denies it (`It does not pass.`)."""
    alone, denied, any_level = _sentences(tuple(levels))
    sentences, asked = [one for one in _SENTENCE.split(_ITEM.sub("", text)) if one.strip()], False
    for place, sentence in enumerate(sentences):
        question, asked = asked, sentence.rstrip().endswith("?")
        if len(sentence) > _SHORT:
            continue
        said = " ".join(re.findall(r"[^\s,:=>|#;]+", plain(sentence).strip("[](){} .!?-")))
        for pattern, denies in ((alone, False), (denied, True)):
            match = pattern.search(said)
            if match is None or denies != any(named_level(c, match.group(1)) == level for c, level in levels.items()):
                continue
            bare = match.group() == match.group(1)
            if bare and (question or (len(said) == 1 and said.isalpha() and place < len(sentences) - 1)):
                continue  # the answer to a question of its own; the heading "A"
            return said
        if _CORRECTION.match(plain(sentence).strip(" *-")):
            named = {
                level_at(c, m.group(), 0) and named_level(c, m.group()) == level
                for m in any_level.finditer(said)
                for c, level in levels.items()
            }
            if False in named and True not in named:
                return said
    return None


@lru_cache(maxsize=64)
def _sentences(criteria: tuple[Criterion, ...]) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    names = level_words(criteria)
    alone = rf"^(?:(?:{_FILLERS}) )*({names})(?:\.0+)?(?:/[0-9]+| out of [0-9]+)?$"
    any_level = re.compile(rf"(?<![\w-])(?:{names})(?:(?<=[a-z]{{3}})e?[sd])?(?![\w-]|\.[0-9])")
    return re.compile(alone), re.compile(rf"\b(?:not|never|cannot|\w{{2,5}}nt) (?:(?:be|a|an) )?({names})$"), any_level
