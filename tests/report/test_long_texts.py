"""Texts of many lines: laid out as short ones are, in time that grows with their length."""

from __future__ import annotations

import pytest
from making import growth

from rftj_cli.report.blocks import Block, Entries, Facts
from rftj_cli.report.console import show

MANY_LINES = 200

LINES = ["word " * 40, "", "x" * 300, "判断" * 80, "short", "tab\tand \x1b[31mred"] * MANY_LINES


def blocks(lines: list[str]) -> tuple[Block, Block]:
    return (
        Facts([("model", "m"), ("user", "\n".join(lines))]),
        Entries([("head " * 40, lines), ("none", []), ("last", ["x"])]),
    )


@pytest.mark.parametrize("which", [0, 1], ids=["facts", "entries"])
def test_a_long_text_looks_as_a_short_one(which: int, capsys: pytest.CaptureFixture[str]) -> None:
    show([blocks(LINES[:MANY_LINES])[which]])
    short = capsys.readouterr().out.splitlines()
    show([blocks(LINES)[which]])
    long = capsys.readouterr().out.splitlines()
    tail = 2 * which  # the two last headlines, and a line of text
    assert long[: len(short) - tail - which] == short[: len(short) - tail - which] and len(long) > 5 * len(short)
    assert long[len(long) - tail :] == short[len(short) - tail :]


def test_the_time_of_a_long_text_grows_with_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """A prompt of 99,000 lines took 67 CPU seconds, with the square of its lines."""
    block = {size: [Facts([("user", "\n".join(["0123456789"] * size))])] for size in (5_000, 40_000)}
    assert growth(lambda: show(block[5_000]), lambda: show(block[40_000])) < 24  # 8 times the lines
    capsys.readouterr()
