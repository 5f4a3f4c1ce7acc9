"""What a report consists of, before it is written for a terminal or as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rftj_cli.report.words import plain


@dataclass(frozen=True, slots=True)
class Heading:
    """A section begins."""

    text: str


@dataclass(frozen=True, slots=True)
class Lines:
    """Sentences, one a line."""

    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class Facts:
    """Names with a sentence each."""

    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table; the first `left` and the last `tail` columns are words, the others figures. `strong` rows stand out.

    A header may have two lines. `instead` are the tables to show where this one is too wide.
    """

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1
    strong: frozenset[int] = frozenset()
    tail: int = 0
    instead: tuple[Grid, ...] = ()

    def is_word(self, index: int) -> bool:
        """Whether a column holds words, which may be wrapped, and no figures."""
        return index < self.left or index >= len(self.headers) - self.tail


@dataclass(frozen=True, slots=True)
class Entries:
    """Headlines, each with lines of text under it. `verbatim` text is what someone wrote: nothing in it is laid out."""

    rows: Sequence[tuple[str, Sequence[str]]]
    verbatim: bool = False


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a compared text: `same` on both sides, `gone` from the first, `new` in the second, or `left_out`."""

    what: str
    text: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Two texts in one, word by word."""

    stretches: Sequence[Stretch]


Block = Heading | Lines | Facts | Grid | Entries | Difference
MARKS = {"gone": ("[-", "-]"), "new": ("{+", "+}")}


def to_markdown(blocks: Sequence[Block]) -> str:
    """GitHub-flavoured Markdown. Text of samples is escaped, so that it can be neither markup nor HTML nor an escape sequence."""
    return "\n\n".join(part for block in blocks if (part := _markdown(block))) + "\n"


def _markdown(block: Block) -> str:
    if isinstance(block, Heading):
        return f"### {_escape(block.text)}"
    if isinstance(block, Lines):
        return "\n".join(f"- {_escape(line)}" for line in block.lines)
    if isinstance(block, Facts):
        return "\n".join(f"- **{_escape(name)}**: {_escape(text)}" for name, text in block.rows)
    if isinstance(block, Entries):
        return "\n".join("<br>".join([f"- **{_escape(name)}**", *map(_escape, lines)]) for name, lines in block.rows)
    if isinstance(block, Difference):
        return "> " + "<br>".join(_stretches(block).split("\n"))
    if not block.rows:
        return ""
    heads = [_escape(name) or " " for name in block.headers]
    rules = ["---" if block.is_word(index) else "---:" for index in range(len(heads))]
    rows = [[_escape(cell) for cell in row] for row in block.rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [heads, rules, *rows])


def _stretches(block: Difference) -> str:
    """Gone words struck out, new ones bold; marks of emphasis stand at words and never span lines."""
    parts = []
    for one in block.stretches:
        mark = {"gone": "~~", "new": "**"}.get(one.what, "")
        for line in one.text.splitlines(keepends=True):
            inner = _escape(line)
            ends = line[: len(line) - len(line.lstrip())], line[len(line.rstrip()) :]
            parts.append(f"{ends[0]}{mark}{inner}{mark}{ends[1]}" if inner else line)
    return "".join(parts)


def _escape(text: str) -> str:
    line = " ".join(plain(text).split())
    line = line.replace("\\", "\\\\").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for mark in "`*_~[]|#!$":
        line = line.replace(mark, f"\\{mark}")
    return line
