"""What `rftj score --watch` prints: a round a save. Ids and levels, no text of samples."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from rftj_cli.errors import counted
from rftj_cli.measure.standing import Marked, Standing
from rftj_cli.measure.watch import Mistake, Round, Watch
from rftj_cli.report import console
from rftj_cli.report.blocks import Block, Facts, Grid, Heading
from rftj_cli.report.words import duration, failures_of, flip_in_words, interval, money, number
from rftj_cli.running.selection import Choice, Part

SHOWN = 20


def begin(watch: Watch, part: Part, choice: Choice, *, quiet: bool) -> None:
    """Say what is judged, before the first round."""
    if quiet:
        return
    chosen = "all of the file" if part.selection is None else part.selection.words
    print(f"watching {watch.files[0]}\nsamples: {chosen}", file=sys.stderr)
    if choice != choice.for_watching():
        print("these are the default of --watch: --split and --sample choose others", file=sys.stderr)
    for note in part.notes:
        print(f"note: {note}", file=sys.stderr)


def show(one: Round | Mistake, watch: Watch, *, quiet: bool) -> None:
    """Print what a save brought."""
    if isinstance(one, Mistake):
        print(f"{'error' if one.error.exit_code == 2 else 'cannot tell'}: {one.error}", file=sys.stderr)
    else:
        console.show(list(_blocks(one)))
    if not quiet:
        names = ", ".join(file.name for file in watch.files)
        print(f"waiting until {names} is saved; Ctrl-C ends", file=sys.stderr)
    sys.stderr.flush()


def end(watch: Watch, *, quiet: bool) -> None:
    """Say what the watch came to."""
    if not quiet:
        print(f"\nended after {counted(watch.rounds, 'round')}; all runs are kept", file=sys.stderr)


def _blocks(one: Round) -> Iterator[Block]:
    yield Heading(f"Round {one.number}")
    yield Facts(list(_facts(one)))
    if one.agreement:
        yield Heading("Agreement with the labels")
        yield Grid(["", "right", "now", "before"], [*map(_standing, one.agreement.items())])
    if one.flips:
        more = f" ({SHOWN} of {len(one.flips):,})" if len(one.flips) > SHOWN else ""
        yield Heading(f"Flipped since the last round{more}, before -> after")
        yield Grid(["sample", "", "verdict"], [*map(_flip, one.flips[:SHOWN])], left=3)


def _facts(one: Round) -> Iterator[tuple[str, str]]:
    tally = one.scored.tally
    if one.changed:
        yield "changed", "; ".join(one.changed)
    yield "run", str(one.scored.run.folder)
    judged = one.scored.forecast.samples
    yield "judged", f"{counted(judged, 'sample')}, {failures_of(one.failures)}; {duration(one.seconds)}"
    yield "cost", f"{_cost(one)}; {counted(tally.calls, 'call')}, {counted(tally.reused, 'reply')} reused"
    if one.reward is not None:
        before = "" if one.reward_before is None else f"{number(one.reward_before)} -> "
        yield "reward", f"mean {before}{number(one.reward)}"
    if one.units:
        yield "verdicts", f"{len(one.flips):,} of {one.units:,} flipped{_effects(one)}"
    yield from (("note", note) for note in one.scored.notes)
    notes = {standing.agreement.note: None for standing in one.agreement.values() if standing.agreement.value is None}
    yield from (("note", note) for note in notes if note)


def _effects(one: Round) -> str:
    if not one.agreement:
        return ""
    fixed, broken = (sum(flip.effect == effect for flip in one.flips) for effect in ("fixed", "broken"))
    return f": {fixed:,} fixed, {broken:,} broken against the labels"


def _cost(one: Round) -> str:
    if one.cost is None:
        return "unknown (--prices FILE)"
    return f"{money(one.cost)} this round, {money(one.spent)} in all"


def _standing(named: tuple[str, Standing]) -> list[str]:
    id, one = named
    before = "-" if one.before is None else _share(one.before)
    return [id, f"{one.right:,} of {one.n:,}", _share(one), before]


def _share(one: Standing) -> str:
    return f"{one.right:,} of {one.n:,}" if one.agreement.value is None else interval(one.agreement)


def _flip(one: Marked) -> list[str]:
    return [one.flip.sample, one.effect, flip_in_words(one.flip)]
