"""What a judge says after it has thought: thinking blocks in the text of a reply are no answer.

"<think>maybe fail</think> pass" --after_thinking--> " pass"
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

TAGS: Final = ("think", "thinking", "reasoning")
_MARKS: Final = "\"'`\u201c\u201d\u2018\u2019\u00ab\u00bb"
_BACK: Final = 2000  # characters of a line that are searched for the beginning of a quotation


class NoAnswer(Exception):
    """The reply ends where its thinking does, or before; the message says how."""


def after_thinking(text: str, tags: Sequence[str], own: Sequence[str]) -> str:
    """What follows the last closing tag, whether or not the reply itself opened it; the whole text without any tag.

    A tag that is only mentioned does not count: in quotation marks of its own, or where one of the sample's texts
    (`own`) holds such a tag, inside a line or a quoted passage. Raises `NoAnswer` where a block is never closed and
    where nothing follows the last one.
    """
    found = list(_pattern(tuple(tags)).finditer(text)) if tags and "<" in text else []
    if not found:
        return text
    foreign = {match.group(1, 2) for one in own for match in _pattern(tuple(tags)).finditer(one.casefold())}
    end, opened = 0, ""
    for tag in found:
        slash, name = tag.group(1), tag.group(2).casefold()
        if _mentioned(text, tag, (slash, name) in foreign):
            continue
        if slash and opened in ("", name):
            end, opened = tag.end(), ""
        elif not slash:
            opened = opened or name  # inside of a block another tag opens nothing
    if opened:
        raise NoAnswer(f"the reply ends while the judge still thinks: <{opened}> is never closed")
    if end and not text[end:].strip():
        raise NoAnswer("nothing follows the judge's thinking")
    return text[end:]


@lru_cache(maxsize=16)
def _pattern(tags: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"<(/?)({'|'.join(map(re.escape, tags))})(?:\s[^<>]*)?>", re.IGNORECASE)


def _mentioned(text: str, tag: re.Match[str], foreign: bool) -> bool:
    before, after = text[max(0, tag.start() - _BACK) : tag.start()], text[tag.end() : tag.end() + 1]
    if before[-1:] in _MARKS and after in _MARKS and before and after:
        return True
    line = before.rpartition("\n")[2]
    return foreign and (line.count('"') % 2 == 1 if tag.group(1) else bool(line.strip()))
