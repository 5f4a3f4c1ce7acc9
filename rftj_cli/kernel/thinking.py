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
_LINE: Final = 2000  # characters of a line that are looked at on either side of a tag


class NoAnswer(Exception):
    """The reply ends where its thinking does, or before; the message says how."""


def after_thinking(text: str, tags: Sequence[str], own: Sequence[str]) -> str:
    """What follows the last closing tag, whether or not the reply itself opened it; the whole text without any tag.

    A tag that is only mentioned does not count: in quotation marks of its own; an opening tag inside a line; a closing tag
    inside a line where nothing was opened or the sample's texts (`own`) hold such a tag. Raises `NoAnswer` where a block is never closed and
    where nothing follows the last one.
    """
    found = list(_pattern(tuple(tags)).finditer(text)) if tags and "<" in text else []
    if not found:
        return text
    foreign = {match.group(1, 2) for one in own for match in _pattern(tuple(tags)).finditer(one.casefold())}
    end, opened = 0, ""
    for tag in found:
        slash, name = tag.group(1), tag.group(2).casefold()
        if _mentioned(text, tag, bool(opened), (slash, name) in foreign):
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


def _mentioned(text: str, tag: re.Match[str], opened: bool, foreign: bool) -> bool:
    before, after = text[max(0, tag.start() - _LINE) : tag.start()], text[tag.end() : tag.end() + _LINE]
    if before[-1:] in _MARKS and after[:1] in _MARKS and before and after:
        return True
    first, last = before.rpartition("\n")[2].strip(), after.partition("\n")[0].strip()
    if not tag.group(1):
        return bool(first) and re.search(r"(?:\}|</\w+>)$", first) is None  # behind a block or an object it opens one
    if opened and (not foreign or (last.startswith("{") and text.rstrip().endswith("}") and first.endswith("}"))):
        return False
    return bool(last) and (foreign or bool(first))
