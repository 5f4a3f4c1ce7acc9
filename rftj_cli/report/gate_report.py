"""A gate's decision for people and for CI: no text of samples."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from rftj_cli.gate import GateResult, Ruling
from rftj_cli.report.blocks import Block, Facts, Grid, Heading, Lines, to_markdown
from rftj_cli.report.documents import show_json
from rftj_cli.report.words import number


def show(result: GateResult, *, json: bool, markdown: bool) -> None:
    """Print the decision in the wanted form."""
    if json:
        show_json(result)
        return
    blocks = list(_blocks(result))
    if markdown:
        sys.stdout.write(to_markdown(blocks))
        return
    from rftj_cli.report import console

    console.show(blocks)


def _blocks(result: GateResult) -> Iterator[Block]:
    run = result.run
    yield Facts(
        [
            ("gate", result.decision + _meaning(result)),
            ("run", str(run.get("folder") or run.get("table"))),
            ("judge", str(run["model"])),
            ("truth", f"{result.truth}, {result.split}, seed {result.seed}"),
        ]
    )
    rows = [
        [
            one.decision,
            one.criterion,
            f"{one.estimate} {'at least' if one.kind == 'min' else 'at most'} {one.limit:g}",
            number(one.value, 3),
            "" if one.low is None or one.high is None else f"[{number(one.low, 3)}, {number(one.high, 3)}]",
            f"{one.n:,}",
            _more(one),
        ]
        for one in result.rulings
    ]
    yield Heading("Rules")
    yield Grid(["", "", "rule", "value", "95%", "n", "still needed"], rows, left=3)
    notes = [
        f"{one.criterion} {one.estimate}: {one.note}" for one in result.rulings if one.decision != "PASS" and one.note
    ]
    if notes or result.warnings:
        yield Heading("Notes")
        yield Lines([*notes, *result.warnings])


def _meaning(result: GateResult) -> str:
    if result.decision != "UNDECIDED":
        return ""
    return ": the labels are too few to tell" + (" (only a warning by these rules)" if result.exit_code == 0 else "")


def _more(one: Ruling) -> str:
    if one.decision != "UNDECIDED":
        return ""
    return "cannot be said" if one.needed is None else f"about {max(1, one.needed - one.n):,} {one.unit}"
