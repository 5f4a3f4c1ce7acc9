"""What `rftj show` prints: one sample from its prompt to its reward, or a list of samples with a line each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from shlex import quote

from rftj_cli.errors import counted
from rftj_cli.kernel.outcome import Ballot, Failure, Rating, Verdict
from rftj_cli.measure.listing import Listed, Listing
from rftj_cli.measure.shown import Answer, Prompt, Shown, without_text
from rftj_cli.report.blocks import Block, Entries, Facts, Grid, Heading, Lines
from rftj_cli.report.copied import advise
from rftj_cli.report.documents import show_json
from rftj_cli.report.words import cut, duration, flip_in_words, money, number

RESPONSES = ("response", "response_a", "response_b")
ONE_LINE = 76  # characters: 80 columns less the indent


def show(shown: Shown, *, json: bool, text: bool | None) -> None:
    """Print everything about a sample. None shows text except where the environment variable CI is set."""
    text = "CI" not in os.environ if text is None else text
    shown = shown if text else without_text(shown)
    if json:
        show_json(shown)
        return
    from rftj_cli.report import console

    console.show(list(_blocks(shown, text)))


def show_list(listing: Listing, options: str, *, json: bool, text: bool | None, quiet: bool) -> None:
    """Print a list of samples; `options` say which labels were read."""
    text = "CI" not in os.environ if text is None else text
    listing = listing if text else replace(listing, samples=tuple(map(_bare, listing.samples)))
    if json:
        show_json(listing)
        return
    from rftj_cli.report import console

    console.show(list(_list(listing)))
    typable = [one.sample for one in listing.samples if one.sample.isprintable()]
    if typable and not quiet:
        id, like_an_option = quote(typable[0]), typable[0].startswith("-")
        rest = f"{options} -- {id}" if like_an_option else f" {id}{options}"
        advise("next", f"rftj show {quote(listing.run)}{rest}")


def _bare(one: Listed) -> Listed:
    return replace(one, text="", levels=tuple(replace(level, reason="") for level in one.levels))


def _list(listing: Listing) -> Iterator[Block]:
    shown, found = len(listing.samples), listing.found
    first = f", the first {shown:,}" if shown < found else ""
    skipped = f", {listing.skipped:,} skipped" if listing.skipped else ""
    yield Facts(
        [
            ("run", f"{listing.run}: {listing.judged:,} judged, {counted(listing.failed, 'failure')}{skipped}"),
            (
                "list",
                f"{listing.wanted or 'all'}: {counted(found, 'sample')}{first}{' (--limit 0: all)' if first else ''}",
            ),
        ]
    )
    if listing.samples:
        flipped = any(one.flips for one in listing.samples)
        yield Heading("Samples, verdict there -> here" if flipped else "Samples")
        yield Entries(
            [(f"{one.sample}  {_what(one)}", [cut(one.text, ONE_LINE)] if one.text else []) for one in listing.samples],
            True,
        )


def _what(one: Listed) -> str:
    if one.flips:
        return "; ".join(flip_in_words(flip) for flip in one.flips)
    if one.differences:
        pairs = (f"{_named(each.criterion, each.item)} {each.label} -> {each.judge}" for each in one.differences)
        return f"label -> judge: {'; '.join(pairs)}"
    return one.stage or _levels(one.levels) or "a verdict without criteria"


def _named(criterion: str, item: str | None) -> str:
    return criterion if item is None else f"{criterion} ({item})"


def _levels(levels: Sequence[Rating | Ballot]) -> str:
    named = ((_named(one.criterion, one.item), one.level or f"({getattr(one, 'stage', None)})") for one in levels)
    return ", ".join(f"{name} {level}" for name, level in named)


def _blocks(shown: Shown, text: bool) -> Iterator[Block]:
    yield Facts(list(_about(shown)))
    if shown.prompts and text:
        for place, prompt in enumerate(shown.prompts, 1):
            yield Heading(_title(prompt, place, len(shown.prompts)))
            yield Entries(list(_prompt(prompt)), verbatim=True)
    if not shown.prompts and shown.fields:
        yield Heading("What was to be judged")
        texts = [(name, [str(shown.fields[name])]) for name in RESPONSES if name in shown.fields]
        yield Entries(texts, verbatim=True)
    if shown.replies:
        yield Heading("Replies, as they came")
        yield Entries([(_call(one, len(shown.prompts)), _said(one, text)) for one in shown.replies], verbatim=True)
    if isinstance(shown.outcome, Verdict) and shown.outcome.ratings:
        yield Heading("Verdict")
        yield Grid(
            ["", "level", "value", "votes that agree", "reason"],
            [
                [_named(one.criterion, one.item), one.level, f"{one.value:g}", number(one.unanimous), one.reason]
                for one in shown.outcome.ratings
            ],
            left=2,
            tail=1,
        )
    yield from _rest(shown)


def _rest(shown: Shown) -> Iterator[Block]:
    if shown.checks:
        yield Heading("Checks")
        yield Facts([(one.id, "passed" if one.passed else f"failed: {one.why}") for one in shown.checks])
    if shown.labels:
        yield Heading(f"Labels (truth: {shown.truth})")
        yield Grid(
            ["", "truth", "raters", "reason"],
            [
                [
                    _named(one.criterion, one.item),
                    one.truth or "undecided",
                    ", ".join(
                        f"{rater}: {'cannot tell' if said is None else said}" for rater, said in one.raters.items()
                    ),
                    one.reason,
                ]
                for one in shown.labels
            ],
            left=4,
        )
    if shown.reward is not None and shown.reward.parts:
        yield Heading("Reward: its parts")
        yield Grid(
            ["", "u (0 to 1)", "weight", ""],
            [
                [one.id, number(one.u), f"{one.weight:g}", "essential" if one.essential else ""]
                for one in shown.reward.parts
            ],
            tail=1,
        )
    if shown.notes:
        yield Heading("Notes")
        yield Lines(shown.notes)


def _about(shown: Shown) -> Iterator[tuple[str, str]]:
    yield "sample", shown.sample
    yield "run", shown.run
    yield "judge", shown.model
    yield "place", f"group {shown.group}, cluster {shown.cluster}, split {shown.split}"
    if isinstance(shown.outcome, Failure):
        kind = "skipped: no judge was asked" if shown.outcome.stage == "skipped" else f"failure: {shown.outcome.stage}"
        yield "outcome", kind + (f"; {shown.outcome.reason}" if shown.outcome.reason else "")
    elif shown.outcome is not None:
        yield "outcome", f"verdict: {_levels(shown.outcome.ratings) or 'no criteria'}"
    if shown.reward is not None:
        note = f" ({shown.reward.note})" if shown.reward.note else ""
        yield "reward", f"{'none' if shown.reward.value is None else number(shown.reward.value, 3)}{note}"


def _title(prompt: Prompt, place: int, count: int) -> str:
    if count == 1:
        return "Prompt, as it was sent"
    item = "" if prompt.item is None else f", item {prompt.item}"
    swapped = ", A and B swapped" if prompt.order == "swapped" else ""
    return f"Prompt {place} of {count}, as it was sent: {', '.join(prompt.criteria)}{item}{swapped}"


def _prompt(prompt: Prompt) -> Iterator[tuple[str, Sequence[str]]]:
    if prompt.system:
        yield "system", [prompt.system]
    yield from ((role, [said]) for role, said in prompt.turns)
    yield "user", [prompt.user or "(this judge reads the sample, not a prompt)"]


def _call(one: Answer, prompts: int) -> str:
    to = f"prompt {one.prompt + 1}, " if one.prompt is not None and prompts > 1 else ""
    head = f"{to}vote {one.vote + 1}"
    paid = "reused" if one.reused else money(one.cost)
    if one.stage is not None:
        return f"{head}: no reply ({one.stage}), {paid}"
    stop = one.stop if one.stop_reason in ("", one.stop) else f"{one.stop} ({one.stop_reason})"
    tokens = f"{one.input_tokens:,} tokens in, {one.output_tokens:,} out" if one.output_tokens else "no usage told"
    took = f"{duration(one.seconds)}, " if one.seconds else ""
    return f"{head}: stop {stop}, {tokens}, {took}{paid}"


def _said(one: Answer, text: bool) -> list[str]:
    lines = [f"reasoning: {one.reasoning}"] if one.reasoning else []
    lines += [said] if (said := one.text or one.reason or "") else (["(empty)"] if text else [])
    return [*lines, f"-> {_levels(one.ballots)}"] if one.ballots else lines
