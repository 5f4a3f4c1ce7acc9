"""Reports on a terminal: colours only there, sample text never read as markup or as an escape sequence."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.segment import Segment, Segments
from rich.table import Table
from rich.text import Text

from rftj_cli.report.blocks import MARKS, Block, Difference, Entries, Facts, Grid, Heading, Lines
from rftj_cli.report.words import plain

PLAIN_WIDTH = 100
GAP, INDENT, LONGEST_WORD = 2, 4, 30
MANY_LINES = 200  # in one text: rich, which takes time with their square, does not lay out more


def show(blocks: Sequence[Block]) -> None:
    """Print blocks to standard output."""
    console = _console()
    with console.capture() as capture:
        for block in blocks:
            if isinstance(block, (Facts, Entries)) and _is_long(block):
                console.print(Segments([Segment(_by_hand(block, console) + "\n")]), crop=False, end="")
            else:
                console.print(_renderable(block, console.width))
    text = capture.get()
    sys.stdout.write(text if console.is_terminal else "".join(f"{line.rstrip()}\n" for line in text.splitlines()))
    sys.stdout.flush()


def _console() -> Console:
    """Not on a terminal: no colour, and a fixed width unless COLUMNS says otherwise."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PLAIN_WIDTH
    return Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False)


def _renderable(block: Block, width: int) -> RenderableType:
    if isinstance(block, Heading):
        return Text(f"\n{plain(block.text)}", style="bold")
    if isinstance(block, Lines):
        return _hanging([("", line) for line in block.lines], bullet=True)
    if isinstance(block, Facts):
        return _hanging(block.rows)
    if isinstance(block, Entries):
        return _entries([(name, "\n".join(lines)) for name, lines in block.rows])
    if isinstance(block, Difference):
        return _difference(block)
    widths = _widths(block, width)
    if widths is not None:
        return _grid(block, widths)
    return Group(*(_renderable(one, width) for one in block.instead)) if block.instead else _records(block)


def _is_long(block: Facts | Entries) -> bool:
    return any((text if isinstance(text, str) else "\n".join(text)).count("\n") > MANY_LINES for _, text in block.rows)


def _by_hand(block: Facts | Entries, console: Console) -> str:
    """What `_hanging` and `_entries` lay out, in time that grows with the text."""
    names = [plain(name) for name, _ in block.rows]
    indent = INDENT if isinstance(block, Entries) else max(map(cell_len, names)) + GAP
    lines: list[str] = []
    for name, (_, given) in zip(names, block.rows, strict=True):
        shown = plain(given if isinstance(given, str) else "\n".join(given))
        text = _folded(shown, console, console.width - indent) if shown or isinstance(block, Facts) else []
        head = _folded(name, console, console.width) if isinstance(block, Entries) else []
        lead = "" if head else name + " " * (indent - cell_len(name))
        lines += [
            *head,
            *((lead or " " * indent) + line if not n else " " * indent + line for n, line in enumerate(text)),
        ]
    return "\n".join(lines)


def _folded(text: str, console: Console, width: int) -> list[str]:
    """The lines of a text, those that are too wide wrapped."""
    lines: list[str] = []
    for line in text.split("\n"):
        fits = cell_len(line) <= width
        lines += [line] if fits else [one.plain for one in Text(line).wrap(console, width, overflow="fold")]
    return lines


def _hanging(rows: Sequence[tuple[str, str]], *, bullet: bool = False) -> RenderableType:
    """`name  text`, long text wrapping under itself."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in rows:
        table.add_row(Text("-" if bullet else plain(name)), Text(plain(text)))
    return table


def _entries(rows: Sequence[tuple[str, str]]) -> RenderableType:
    """A headline, and its text indented under it."""
    parts: list[RenderableType] = []
    for name, text in rows:
        parts.append(Text(plain(name), overflow="fold"))
        if text:
            parts.append(Padding(Text(plain(text), overflow="fold"), (0, 0, 0, INDENT)))
    return Group(*parts)


def _difference(block: Difference) -> RenderableType:
    """Gone and new words in git's marks, so that they are told apart without colours too."""
    text = Text(overflow="fold")
    for one in block.stretches:
        before, after = MARKS.get(one.what, ("", ""))
        style = {"gone": "red", "new": "green", "left_out": "dim"}.get(one.what, "")
        text.append(f"{before}{plain(one.text)}{after}", style=style)
    return Padding(text, (0, 0, 0, INDENT))


def _widths(block: Grid, width: int) -> list[int] | None:
    """The width of each column: figures whole, words wrapped between words; None where that does not fit."""
    columns = [[name, *cells] for name, *cells in zip(block.headers, *block.rows, strict=True)]
    want = [max(cell_len(line) for cell in cells for line in cell.split("\n")) for cells in columns]
    least = [
        min(LONGEST_WORD, max((cell_len(word) for cell in cells for word in cell.split()), default=0))
        if block.is_word(index)
        else want[index]
        for index, cells in enumerate(columns)
    ]
    spare = width - GAP * (len(columns) - 1) - sum(least)
    if spare < 0 or not block.rows:
        return None
    for index in sorted(range(len(columns)), key=lambda one: want[one] - least[one]):
        more = min(spare, want[index] - least[index])
        least[index] += more
        spare -= more
    return least


def _grid(block: Grid, widths: Sequence[int]) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim", show_header=any(block.headers))
    for index, (name, width) in enumerate(zip(block.headers, widths, strict=True)):
        word = block.is_word(index)
        table.add_column(
            Text(plain(name)), justify="left" if word else "right", no_wrap=not word, overflow="fold", width=width
        )
    for index, row in enumerate(block.rows):
        table.add_row(*(Text(plain(cell)) for cell in row), style="bold" if index in block.strong else "")
    return table


def _records(block: Grid) -> RenderableType:
    """A table that is too wide for this terminal: each row as a headline with a line for each further column."""
    parts: list[RenderableType] = []
    for row in block.rows:
        parts.append(Text(plain("  ".join(cell for cell in row[: block.left] if cell)), overflow="fold"))
        named = [(" ".join(name.split()), cell) for name, cell in zip(block.headers, row, strict=True)][block.left :]
        parts.append(Padding(_hanging([pair for pair in named if pair[1]]), (0, 0, 0, INDENT)))
    return Group(*parts)
