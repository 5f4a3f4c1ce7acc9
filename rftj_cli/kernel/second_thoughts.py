"""Whether a judge says something else after its verdict: an object that cannot be read, "verdict: fail", "No: fail."

    'My verdict is fail.' --another_word--> "verdict is fail"        'As I said, it is a pass.' --> None

Only what looks like an attempt at a verdict counts: prose that happens to hold the name of a level does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from rftj_cli.kernel.quoting import LEVEL_KEYS, level_words, named_level, plain
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
_SENTENCE: Final = re.compile(r"[.!?;](?=\s|$)|\n")
_SHORT: Final = 120  # characters of a sentence that says nothing but a level


def another_word(text: str, levels: Mapping[Criterion, int]) -> str | None:
    """The first attempt at a verdict in `text` that does not say the same as `levels`; None where there is none.

    `text` is what follows the verdict in the reply.
    """
    return (_by_key(text, levels) or _by_sentence(text, levels)) if text.strip() else None


def _by_key(raw: str, levels: Mapping[Criterion, int]) -> str | None:
    """An attempt that names what it answers: a criterion, or a verdict."""
    text = plain(raw.replace("\n", " \0 "))  # ends of lines are ends of what is said
    brace, open_ = text.find("{"), -1  # where an object began, and where one that has said no level yet
    for match in _keys(tuple(levels)).finditer(text):
        asked, at, firm = match.group("id"), match.end(), match.group("colon") is not None
        if match.group("other") and not firm and match.group("verb") is None:
            continue  # "answer B", "score sheet"
        criteria = [c for c in levels if asked is None or _spaced(c.id) == _spaced(asked)]
        said = {level == levels[c] for c in criteria if (level := named_level(c, text, at)) is not None}
        if True in said:
            open_ = -1
        elif said:
            return _shown(text, match.start())
        elif firm and text.startswith("{", at):
            open_ = match.start() if open_ == -1 else open_
        elif firm and (match.group("other") is None or -1 < brace < at) and _LONE.match(text, at):
            return _shown(text, match.start())
    return None if open_ == -1 else _shown(text, open_)


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
    alone, denied = _sentences(tuple(levels))
    for sentence in _SENTENCE.split(text):
        if len(sentence) > _SHORT:
            continue
        said = " ".join(re.findall(r"[^\s,:=>|#]+", plain(sentence).strip("[](){} .!?-")))
        for pattern, denies in ((alone, False), (denied, True)):
            match = pattern.search(said)
            if match and denies == any(named_level(c, match.group(1)) == level for c, level in levels.items()):
                return said
    return None


@lru_cache(maxsize=64)
def _sentences(criteria: tuple[Criterion, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    names = level_words(criteria)
    alone = rf"^(?:(?:{_FILLERS}) )*({names})(?:\.0+)?(?:/[0-9]+| out of [0-9]+)?$"
    return re.compile(alone), re.compile(rf"\b(?:not|never|cannot|\w{{2,5}}nt) (?:(?:be|a|an) )?({names})$")
