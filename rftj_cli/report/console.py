"""Reports on a terminal: colours only there, sample text never read as markup or as an escape sequence."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.segment import Segment, Segments
from rich.style import Style
from rich.table import Table
from rich.text import Text

from rftj_cli.report.blocks import MARKS, Block, Difference, Entries, Facts, Grid, Heading, Lines
from rftj_cli.report.copied import NOTE, QUOTED, continued, is_command
from rftj_cli.report.words import plain

PLAIN_WIDTH = 100
GAP, INDENT, LONGEST_WORD = 2, 4, 30
DIM = Style(dim=True)
GLUE = "\ue000"  # between the words of a short command inside a sentence, while it is folded
RULER = Console(width=PLAIN_WIDTH)  # folding asks for a console, and takes only its cell widths


def show(blocks: Sequence[Block]) -> None:
    """Print blocks to standard output."""
    console = _console()
    with console.capture() as capture:
        for block in blocks:
            console.print(_renderable(block, console.width), crop=False)
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
        return Group(*(_bullet(plain(line), width) for line in block.lines))
    if isinstance(block, Facts):
        return _hanging(block.rows, width)
    if isinstance(block, Entries):
        return _entries(
            [(name, "\n".join(lines)) for name, lines in block.rows], width, _lines if block.verbatim else _folded
        )
    if isinstance(block, Difference):
        return _difference(block)
    widths = _widths(block, width)
    if widths is not None:
        return _grid(block, widths)
    if block.instead:
        return Group(*(_renderable(one, width) for one in block.instead))
    return _records(block, width)


def _bullet(line: str, width: int) -> RenderableType:
    """`- text`; a command stands as it is typed, under what is said of it."""
    command, note, said = line.partition(NOTE)
    if not is_command(line):
        return _stacked(_folded(line, width - GAP), "- ", GAP)
    about = [f"# {one}" for one in _folded(said, width - 2 * GAP)] if note else []
    return _stacked([*about, *continued(command, width - GAP)], "  ", GAP)


def _hanging(rows: Sequence[tuple[str, str]], width: int, indent: int = 0) -> RenderableType:
    """`name  text`, long text wrapping under itself."""
    names = [plain(name) for name, _ in rows]
    space = max((cell_len(name) for name in names), default=0) + GAP
    room = max(1, width - indent - space)
    return Group(
        *(
            _stacked(_folded(plain(text), room), name + " " * (space - cell_len(name)), space, indent)
            for name, (_, text) in zip(names, rows, strict=True)
        )
    )


def _stacked(lines: Sequence[str], head: str, space: int, indent: int = 0) -> RenderableType:
    """Lines that are folded already, the first after `head`, the others under it."""
    parts: list[Segment] = []  # not one Text: what rich takes for it grows with the square of its lines
    for index, line in enumerate(lines or [""]):
        lead = Segment(head, DIM) if index == 0 else Segment(" " * space)
        parts += [Segment(" " * indent), lead, Segment(f"{line}\n")]
    return Segments(parts)


def _folded(text: str, width: int) -> list[str]:
    """Text in lines of at most `width`; a command goes on after a backslash, and an ARN is never broken."""
    return [folded for line in text.split("\n") for folded in _folded_line(line, max(1, width))]


def _folded_line(line: str, width: int) -> list[str]:
    if is_command(line):
        command, note, said = line.partition(NOTE)
        return [*(_words(f"# {said}", width) if note else ()), *continued(command, width)]
    kept = QUOTED.sub(lambda match: match.group().replace(" ", GLUE), line)
    folded, waiting = list[str](), list[str]()
    for word in kept.split(" "):
        command = word.replace(GLUE, " ").rstrip(".,;:")
        if cell_len(word) <= width or not (GLUE in word or "arn:" in word):
            waiting.append(word)
            continue
        folded += _words(" ".join(waiting), width) if waiting else []
        folded += continued(command.strip("`"), width) if GLUE in word else [word]
        waiting = []
    return folded + (_words(" ".join(waiting), width) if waiting or not folded else [])


def _words(text: str, width: int) -> list[str]:
    if "\t" not in text and cell_len(text) <= width:
        return [text.rstrip().replace(GLUE, " ")]
    lines = Text(text).wrap(RULER, width, overflow="fold")
    return [line.plain.rstrip().replace(GLUE, " ") for line in lines] or [""]


def _lines(text: str, width: int) -> list[str]:
    return [folded for line in text.split("\n") for folded in _words(line, max(1, width))]


def _entries(rows: Sequence[tuple[str, str]], width: int, fold: Callable[[str, int], list[str]]) -> RenderableType:
    """A headline, and its text indented under it."""
    parts: list[RenderableType] = []
    for name, text in rows:
        parts.append(Text(plain(name), overflow="fold"))
        if text:
            parts.append(_stacked(fold(plain(text), width - INDENT), " " * INDENT, INDENT))
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


def _records(block: Grid, width: int) -> RenderableType:
    """A table that is too wide for this terminal: each row as a headline with a line for each further column."""
    parts: list[RenderableType] = []
    for row in block.rows:
        parts.append(Text(plain("  ".join(cell for cell in row[: block.left] if cell)), overflow="fold"))
        named = [(" ".join(name.split()), cell) for name, cell in zip(block.headers, row, strict=True)][block.left :]
        parts.append(_hanging([pair for pair in named if pair[1]], width, INDENT))
    return Group(*parts)
