"""A gate's decision for people and for CI: no text of samples."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from rftj_cli.gate import GateResult, Ruling
from rftj_cli.report.blocks import Block, Facts, Grid, Heading, Lines, to_markdown
from rftj_cli.report.documents import show_json
from rftj_cli.report.words import look_in_words, number
from rftj_cli.stats.estimate import LEAST_LABELS, percent
from rftj_cli.stats.exact import EXACT

BOUNDS = (
    "the bounds of shares are exact (Clopper-Pearson), a little wider than those that rftj calibrate prints (Wilson)"
)


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
            *([] if result.look is None else [("look", look_in_words(result.look, result.level))]),
        ]
    )
    rows = [
        [
            one.decision,
            f"{_rule(one)} {'>=' if one.kind == 'min' else '<='} {one.limit:g}",
            number(one.value, 3),
            "" if one.low is None or one.high is None else f"[{number(one.low, 3)}, {number(one.high, 3)}]",
            f"{one.n:,}",
        ]
        for one in result.rulings
    ]
    yield Heading("Rules")
    yield Grid(["", "rule", "value", percent(result.level), "n"], rows, left=2)
    needed = [f"{_rule(one)}: {_more(one)}" for one in result.rulings if one.decision == "UNDECIDED"]
    if needed:
        yield Heading("What would decide")
        yield Lines(needed)
    notes = [f"{_rule(one)}: {one.note}" for one in result.rulings if one.decision == "FAIL" and one.note]
    if any(one.method is not None and one.method.startswith(EXACT) for one in result.rulings):
        notes.insert(0, BOUNDS)
    notes += [text for text in result.warnings if not any(one.note and one.note in text for one in result.rulings)]
    if notes:
        yield Heading("Notes")
        yield Lines(notes)


def _rule(one: Ruling) -> str:
    return f"{one.criterion} {one.estimate}"


def _meaning(result: GateResult) -> str:
    if result.decision != "UNDECIDED":
        return ""
    return ": the labels are too few to tell" + (" (only a warning by these rules)" if result.exit_code == 0 else "")


def _more(one: Ruling) -> str:
    """What would settle a rule: more labels, if the value stays where it is, or what its note says."""
    if one.more is None:
        return one.note or "it cannot be told"
    few = f"{one.note}: " if one.note and one.n < LEAST_LABELS else ""
    return few + one.more
