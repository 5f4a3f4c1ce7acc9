"""What `rftj calibrate --recalibrate` prints: the map, what it gained, and where it stands now."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rftj_cli.measure.recalibrate import Recalibration
from rftj_cli.report.blocks import Block, Facts, Grid, Heading, Lines, to_markdown
from rftj_cli.report.documents import show_json
from rftj_cli.report.words import interval, look_in_words, number

ROWS = (
    ("mse", "mean squared error"),
    ("bias", "bias"),
    ("ccc", "concordance (ccc)"),
    ("pair_accuracy", "pair accuracy"),
)


def show(found: Recalibration, *, json: bool, markdown: bool) -> None:
    """Print a recalibration in the wanted form."""
    if json:
        show_json(found)
        return
    blocks = _blocks(found)
    if markdown:
        sys.stdout.write(to_markdown(blocks))
        return
    from rftj_cli.report import console

    console.show(blocks)


def _blocks(found: Recalibration) -> Sequence[Block]:
    look = look_in_words(found.look, found.level)
    n = {name: estimates["mse_gain"].n for name, estimates in (("dev", found.dev), ("test", found.test))}
    rows = [
        [words, *(_of(found.dev, name)), *(_of(found.test, name))]
        for name, words in ROWS
        if f"{name}_before" in found.test
    ]
    heads = ["", "dev before", "after (cross-fitted)", "test before", "after"]
    return [
        Facts(
            [
                ("run", found.run),
                ("learned", f"on {n['dev']:,} samples of dev, {found.method}, seed {found.seed}"),
                ("tested", f"on {n['test']:,} samples of test; {look}"),
            ]
        ),
        Heading("Reward beside that of the labels"),
        Grid(heads, rows, instead=(_half(heads, rows, 1), _half(heads, rows, 3))),
        Heading("The map"),
        Grid(["reward"] + [number(x) for x, _ in found.map], [["becomes"] + [number(y) for _, y in found.map]],
             instead=(Grid(["reward", "becomes"], [[number(x), number(y)] for x, y in found.map], left=0),)),
        Heading("Finding"),
        Lines(list(found.sentences)),
        Facts([("written", found.written or "nothing")]),
    ]  # fmt: skip


def _of(estimates: object, name: str) -> list[str]:
    assert isinstance(estimates, dict)
    return [
        interval(estimates[f"{name}_{when}"], 3) if f"{name}_{when}" in estimates else "-"
        for when in ("before", "after")
    ]


def _half(heads: Sequence[str], rows: Sequence[Sequence[str]], at: int) -> Grid:
    return Grid([heads[0], *heads[at : at + 2]], [[row[0], *row[at : at + 2]] for row in rows])
