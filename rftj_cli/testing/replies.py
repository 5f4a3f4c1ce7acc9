"""What the fake model says: an answer, the rules that give one, and how a fault spoils it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from rftj_cli.errors import InputError
from rftj_cli.testing.problems import Canned

Stop = Literal["end", "max_tokens", "filtered", "refused"]
Logprob = tuple[str, float, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply of the model.

    `reasoning` comes before the text, in a part of its own. `tool`: True answers through the tool that the request
    offers, a name through that tool. `logprobs` holds (token, logprob, {alternative: logprob}) for each token of the
    text; they are sent to OpenAI clients who ask for them.
    """

    text: str
    stop: Stop = "end"
    reasoning: str = ""
    tool: bool | str = False
    logprobs: Sequence[Logprob] = ()


Rule = Callable[[dict[str, Any]], str | Answer]
Said = str | Answer | Rule

FOREIGN_TOOL: Final = "nobody_offered_this"
_SPOILERS: Final[Mapping[str, Callable[[Answer], Answer]]] = {
    "empty": lambda answer: replace(answer, text=""),
    "whitespace": lambda answer: replace(answer, text=" \n\t\n "),
    "filtered": lambda answer: Answer("The answer was blocked by a content filter.", "filtered"),
    "refusal": lambda answer: Answer("I cannot help with that.", "refused"),
    "max_tokens": lambda answer: replace(answer, text=answer.text[: len(answer.text) // 2], stop="max_tokens"),
    "reasoning": lambda answer: replace(answer, reasoning=answer.reasoning or "Let me weigh both sides first."),
    "tool": lambda answer: replace(answer, tool=True),
    "foreign-tool": lambda answer: replace(answer, tool=FOREIGN_TOOL),
}


def spoilt(said: str | Answer, fault: str | Canned) -> Answer:
    """What was said as an answer, as the fault leaves it."""
    answer = Answer(said) if isinstance(said, str) else said
    spoiler = _SPOILERS.get(fault) if isinstance(fault, str) else None
    return answer if spoiler is None else spoiler(answer)


def arguments_of(text: str) -> dict[str, Any] | None:
    """The JSON object that a text is, or None."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


@dataclass(frozen=True, slots=True)
class Ask:
    """What a request asks for, in either service's language.

    `text` is the prompt that is counted, `marks` its beginnings up to each cache point, `shared` what stands before them
    uncounted (the tools). `tool` is the tool that must be
    called and `tools` are those on offer. `logprobs` is the number of alternatives asked for, or None.
    """

    model: str
    text: str
    marks: Sequence[str] = ()
    shared: str = ""
    max_tokens: int = 0
    tool: str | None = None
    tools: Sequence[str] = ()
    logprobs: int | None = None
    guarded: bool = False

    def called(self, answer: Answer) -> str | None:
        """The tool through which an answer goes out, or None for text."""
        if isinstance(answer.tool, str):
            return answer.tool
        if answer.tool:
            return self.tool or (self.tools[0] if self.tools else "answer")
        return self.tool if self.tool and arguments_of(answer.text) is not None else None


class Matched:
    """A rule from a file: the first entry whose `match` occurs in the last message gives the reply, else `otherwise`."""

    def __init__(self, entries: Iterable[tuple[str, str]], otherwise: str) -> None:
        self._entries, self._otherwise = tuple(entries), otherwise

    @classmethod
    def read(cls, path: Path, otherwise: str) -> Matched:
        """From JSON Lines of {"match": text, "reply": text}. Raises `InputError` for a line that is none."""
        entries = []
        for row, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                entry = json.loads(line) if line.strip() else None
                entries += [] if entry is None else [(str(entry["match"]), str(entry["reply"]))]
            except (ValueError, TypeError, KeyError):
                raise InputError("not an entry", file=path, row=row, expected='{"match": ..., "reply": ...}') from None
        return cls(entries, otherwise)

    def __call__(self, body: dict[str, Any]) -> str:
        content = body["messages"][-1].get("content") or ""
        parts = [content] if isinstance(content, str) else [str(part.get("text", "")) for part in content]
        asked = "\n".join(parts)
        return next((reply for match, reply in self._entries if match in asked), self._otherwise)
