"""What `rftj plan` prints: labels needed, and what was drawn."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from rftj_cli.errors import counted
from rftj_cli.measure.next_labels import Draw
from rftj_cli.measure.plan import Goal, Plan
from rftj_cli.report.blocks import Block, Facts, Grid, Heading, Lines, to_markdown
from rftj_cli.report.documents import show_json
from rftj_cli.report.words import interval, number

ENOUGH = "each number is enough in about 4 of 5 collections of labels: in the others the value comes out less clear"


def show(plan: Plan, *, json: bool, markdown: bool) -> None:
    """Print a plan in the wanted form."""
    if json:
        show_json(plan)
        return
    blocks = list(_blocks(plan))
    if markdown:
        sys.stdout.write(to_markdown(blocks))
        return
    from rftj_cli.report import console

    console.show(blocks)


def _blocks(plan: Plan) -> Iterator[Block]:
    if plan.run is None:
        yield Heading("Labels needed, if the assumptions hold (independent samples, pass and fail, 95% intervals)")
        yield Grid(
            ["", "wish", "labels", ""], [[g.about, g.wish, _needed(g), g.unit] for g in plan.goals], left=2, tail=1
        )
        yield Lines([
            ENOUGH, "answers of one group tell less than as many strangers: with a run, rftj plan RUN counts that in"
        ])  # fmt: skip
        return
    yield Facts([("run", plan.run)])
    if plan.goals:
        yield Heading("Labels needed in all, if the values stay where they are")
        rows = [
            [g.about, g.wish, "-" if g.now is None else interval(g.now), _has(g), _needed(g), _clusters(g), g.unit]
            for g in plan.goals
        ]
        yield Grid(["", "wish", "now", "have", "need", "clusters", ""], rows, left=2, tail=1)
        notes = [f"{g.about}: {g.wish}: {g.note}" for g in plan.goals if g.note and g.needed is None]
        if any(g.needed_clusters for g in plan.goals):
            notes.insert(
                0,
                "clusters: in all; more samples of those there are tell little, so what is needed comes from new ones",
            )
        if any(g.needed is not None and g.note != "shown" for g in plan.goals):
            notes.insert(0, ENOUGH)
        if notes:
            yield Lines(notes)
    else:
        yield Lines(["there are no labels yet: rftj plan without a run gives budgets from assumptions"])
    if plan.draw is not None:
        yield from _draw(plan.draw, plan.then or "")


def _has(goal: Goal) -> str:
    return "-" if goal.now is None else f"{goal.now.n:,}"


def _clusters(goal: Goal) -> str:
    return "" if goal.needed_clusters is None or goal.note == "shown" else f"{goal.needed_clusters:,}"


def _needed(goal: Goal) -> str:
    if goal.note == "shown":
        return "shown"
    return "-" if goal.needed is None else f"{goal.needed:,}"


def _draw(draw: Draw, then: str) -> Iterator[Block]:
    chosen = sum(one.chosen for one in draw.strata)
    yield Heading(f"{counted(chosen, 'sample')} to label next, by verdict of the judge and spread over groups")
    rows = [
        [one.name, f"{one.samples:,}", f"{one.labelled:,}", f"{one.chosen:,}", number(one.weight)]
        for one in draw.strata
    ]
    yield Grid([f"verdict ({', '.join(draw.criteria)})", "samples", "labelled", "chosen", "weight"], rows)
    yield Facts(
        [
            (
                "written",
                f"{draw.written}: {counted(draw.labels, 'label')} and {counted(draw.blank, 'row')} to fill in, seed {draw.seed}",
            ),
            ("then", f"{then}   # every estimate uses the weights"),
        ]
    )
