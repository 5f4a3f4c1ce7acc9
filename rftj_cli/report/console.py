"""Reports on a terminal: colours only there, sample text never read as markup or as an escape sequence."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rftj_cli.report.blocks import Block, Facts, Grid, Heading, Lines
from rftj_cli.report.words import plain

PLAIN_WIDTH = 100


def show(blocks: Sequence[Block]) -> None:
    """Print blocks to standard output."""
    console = _console()
    with console.capture() as capture:
        for block in blocks:
            console.print(_renderable(block))
    text = capture.get()
    sys.stdout.write(text if console.is_terminal else "".join(f"{line.rstrip()}\n" for line in text.splitlines()))
    sys.stdout.flush()


def _console() -> Console:
    """Not on a terminal: no colour, and a fixed width unless COLUMNS says otherwise."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PLAIN_WIDTH
    return Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False)


def _renderable(block: Block) -> RenderableType:
    if isinstance(block, Heading):
        return Text(f"\n{plain(block.text)}", style="bold")
    if isinstance(block, Lines):
        return _hanging([("", line) for line in block.lines], bullet=True)
    if isinstance(block, Facts):
        return _hanging(block.rows)
    return _grid(block)


def _hanging(rows: Sequence[tuple[str, str]], *, bullet: bool = False) -> RenderableType:
    """`name  text`, long text wrapping under itself."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in rows:
        table.add_row(Text("-" if bullet else plain(name)), Text(plain(text)))
    return table


def _grid(block: Grid) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", show_header=any(block.headers))
    for index, name in enumerate(block.headers):
        word = index < block.left
        table.add_column(Text(plain(name)), justify="left" if word else "right", no_wrap=not word, overflow="fold")
    for index, row in enumerate(block.rows):
        table.add_row(*(Text(plain(cell)) for cell in row), style="bold" if index in block.strong else "")
    return Padding(table, (0, 0, 0, 0))
