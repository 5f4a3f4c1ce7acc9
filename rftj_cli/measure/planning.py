"""What the command line of `rftj plan` asks, to a `Plan`."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from shlex import quote

from rftj_cli.errors import InputError, nearest
from rftj_cli.files.typed import typed
from rftj_cli.measure.calibrate import calibrate, joined_of
from rftj_cli.measure.next_labels import Draw, draw_next
from rftj_cli.measure.plan import Assumed, Plan, assumed_plan, run_plan
from rftj_cli.measure.sources import Source, opened
from rftj_cli.measure.trust import refuse_chosen


@dataclass(frozen=True, slots=True)
class Wish:
    """The options, as they were given."""

    run: str | None
    labels: str | None = None
    wide: bool = False
    map: tuple[str, ...] = ()
    map_labels: tuple[str, ...] = ()
    ignore_unknown: bool = False
    truth: str | None = None
    half_width: float = 0.1
    kappa: float | None = None
    pass_rate: float | None = None
    rate: float | None = None
    above: float | None = None
    gain: float | None = None
    discordance: float | None = None
    next: int | None = None
    out: Path | None = None
    criterion: str | None = None
    seed: int = 0


def make_plan(wish: Wish) -> Plan:
    """Budgets, and with `--next` a drawn sample. Raises `InputError` for options that do not belong together."""
    if not 0 < wish.half_width < 1:
        raise InputError("--half-width", found=wish.half_width, expected="a number between 0 and 1")
    if (wish.next is None) != (wish.out is None):
        raise InputError("--next and --out go together", expected="rftj plan RUN --next 50 --out labels.jsonl")
    given = {one.name: value for one in fields(Assumed) if (value := getattr(wish, one.name)) is not None}
    if wish.run is None:
        for name in ("labels", "wide", "map", "map_labels", "ignore_unknown", "truth", "next", "criterion"):
            if getattr(wish, name) not in (None, False, ()):
                raise InputError(f"--{name.replace('_', '-')} needs a run", expected="rftj plan RUN ...")
        return assumed_plan(replace(Assumed(), **given), wish.half_width)
    if given:
        name = next(iter(given)).replace("_", "-")
        raise InputError(f"--{name} is an assumption; with a run its labels are taken", hint="leave out RUN")
    return _from_run(wish)


def _from_run(wish: Wish) -> Plan:
    source = Source(
        run=wish.run, labels=wish.labels, wide=wish.wide, map=wish.map, map_labels=wish.map_labels, truth=wish.truth,
        seed=wish.seed, ignore_unknown=wish.ignore_unknown,
    )  # fmt: skip
    run, question = opened(source)
    question = replace(question, needed=False)
    if wish.next is not None:
        refuse_chosen(run, "a draw of samples to label")
    draw = _draw(wish, *reversed(joined_of(run, question))) if wish.next is not None else None
    plan = run_plan(calibrate(run, question), wish.half_width, draw)
    if draw is None:
        return plan
    options = typed(labels=draw.written, truth=wish.truth, ignore_unknown=wish.ignore_unknown)
    return replace(plan, then=f"rftj calibrate {quote(wish.run or '')}{options}")


def _draw(wish: Wish, joined: object, truths: object) -> Draw:
    from rftj_cli.measure.join import Joined
    from rftj_cli.measure.truth import Truths

    assert isinstance(joined, Joined) and isinstance(truths, Truths) and wish.next is not None and wish.out is not None
    if wish.next < 1:
        raise InputError("--next", found=wish.next, expected="1 or more")
    if wish.criterion is not None and wish.criterion not in joined.units:
        raise InputError(
            "--criterion: the rubric has no such criterion", found=wish.criterion,
            expected="one of " + ", ".join(joined.units), hint=nearest(wish.criterion, joined.units),
        )  # fmt: skip
    return draw_next(joined, truths, wish.next, wish.out, criterion=wish.criterion, seed=wish.seed)
