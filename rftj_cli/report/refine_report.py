"""A `Refinement` for people: what was kept, what every edit did, the new words, and what the held-out samples say."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace

from rftj_cli.errors import counted
from rftj_cli.refine.values import Refinement, Step
from rftj_cli.report import console
from rftj_cli.report.blocks import Block, Difference, Entries, Facts, Grid, Heading, Lines, to_markdown
from rftj_cli.report.change_report import stretches
from rftj_cli.report.diff_report import answer_in_words, bare, without_text
from rftj_cli.report.documents import show_json
from rftj_cli.report.words import cut, interval, look_in_words, money, number
from rftj_cli.stats.estimate import percent

FATES = {"kept": "kept", "rejected": "did not hold up", "refused": "refused", "not_judged": "not judged"}
LONGEST = 160


def told(step: Step) -> None:
    """One line about a step, while the search goes on."""
    about = "" if step.target is None else f" for {step.target.criterion}, {step.target.direction}"
    print(f"edit {step.number}{about}: {FATES[step.fate]}: {cut(step.why, LONGEST)}", file=sys.stderr)


def silent(step: Step) -> None:
    """Tells nothing."""


def show(found: Refinement, *, json: bool, markdown: bool, text: bool | None) -> None:
    """Print a refinement in the wanted form. Without `text` no reasons and texts of samples are shown.

    None shows text except where CI keeps logs that others read (the environment variable CI is set).
    """
    text = "CI" not in os.environ if text is None else text
    if json:
        show_json(found if text else _without_text(found))
    elif markdown:
        sys.stdout.write(to_markdown(list(_blocks(found))))
    else:
        console.show(list(_blocks(found)))


def _without_text(found: Refinement) -> Refinement:
    steps = [
        replace(
            one,
            against=None if one.against is None else bare(one.against),
            target=None if one.target is None else replace(one.target, terms=()),
        )
        for one in found.steps
    ]
    return replace(found, steps=steps, held_out=None if found.held_out is None else without_text(found.held_out))


def _blocks(found: Refinement) -> Iterator[Block]:
    yield Facts(list(_about(found)))
    if found.steps:
        yield Heading(f"Edits, tried on {counted(found.samples, 'sample')} of dev")
        yield Entries([(_headline(step), list(_lines(step))) for step in found.steps])
    if found.kept:
        yield Heading("The new words; a model wrote them: read them before they are used")
        yield Difference(stretches(found.prompt, whole=False))
    if len(found.pareto) > 1:
        yield Heading("No candidate beats all others on every cluster of errors: accuracy now")
        names = list(found.pareto[0].right)
        yield Grid(["", *names], [[one.name, *(number(one.right[name]) for name in names)] for one in found.pareto])
    yield Heading("Held-out verdict: the new rubric against the old, on samples that no edit was made on")
    yield Facts(list(_held_out(found)))
    if found.warnings:
        yield Lines(found.warnings)


def _about(found: Refinement) -> Iterator[tuple[str, str]]:
    yield "rubric", found.rubric
    yield "written", found.written or "nothing"
    yield "search", f"{found.search}, proposer {found.proposer}, seed {found.seed}; stopped: {found.stopped}"
    spent = found.spent
    reused = f", {spent.proposals_reused:,} from before" if spent.proposals_reused else ""
    tokens = f"{spent.proposer_tokens[0]:,} + {spent.proposer_tokens[1]:,} tokens"
    yield (
        "spent",
        (
            f"{counted(spent.proposals, 'proposal')}{reused} ({tokens}, {money(spent.proposer_cost)}), "
            f"{counted(spent.judge_calls, 'judge call')} ({money(spent.judge_cost)})"
        ),
    )


def _headline(step: Step) -> str:
    part = "" if step.edit is None else f" of {step.edit.part}"
    return f"{step.number}{part}: {FATES[step.fate]}"


def _lines(step: Step) -> Iterator[str]:
    if step.edit is not None and step.edit.why:
        yield f"why: {cut(step.edit.why, LONGEST)}"
    if step.target is not None:
        cluster = f"{counted(len(step.target.units), 'error')} on {step.target.criterion}, {step.target.direction}"
        yield f"for {cluster}: {step.mended} of them right now" if step.against is not None else f"for {cluster}"
    if step.against is not None:
        counts = ", ".join(f"{one.id} {one.fixed} and {one.broken}" for one in step.against.criteria.values())
        yield f"fixed and broken: {counts}; {step.words:+,} words"
    yield cut(step.why, LONGEST)


def _held_out(found: Refinement) -> Iterator[tuple[str, str]]:
    if found.held_out is None:
        yield "verdict", f"none: {found.held_out_note}"
        return
    for one in found.held_out.candidates:
        yield "verdict", "cannot be told: no labels" if one.answer is None else answer_in_words(one.answer)
        for each in one.criteria.values():
            if each.numbers:
                pair = each.numbers[each.decides]
                yield (
                    each.id,
                    f"{interval(pair.before)} -> {interval(pair.after)}, {each.fixed} fixed, {each.broken} broken",
                )
    for look in found.held_out.looks[-1:]:
        yield "look", look_in_words(look, found.held_out.level)
    yield "on", f"{counted(found.held_out.samples, 'sample')} of test, {percent(found.held_out.level)} intervals"
    if found.held_out_note:
        yield "note", found.held_out_note
