"""`score --watch`: the same samples judged again whenever the rubric is saved, each round beside the one before.

save --load--> rubric --score (a run of its own, unchanged requests reused)--> Round: flips, agreement before and now
     \\--a fault--> Mistake, and the wait goes on
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rftj_cli.errors import CannotTell, InputError, RftjError
from rftj_cli.files.rubrics import named_files
from rftj_cli.files.runs import default_folder, read_manifest
from rftj_cli.files.samples import HeldSamples, Placed
from rftj_cli.kernel.asks import names_used
from rftj_cli.kernel.outcome import Failure
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.measure.failing import Given, labels_now, truths_among
from rftj_cli.measure.standing import Marked, Outcomes, Standing, marked, mean_reward, standings
from rftj_cli.running.budget import Budget
from rftj_cli.running.changes import rubric_changes
from rftj_cli.running.flips import compare
from rftj_cli.running.order import Order
from rftj_cli.running.saves import Saves, Stamp, stamp
from rftj_cli.running.score import Scored, Settings
from rftj_cli.running.selection import Part
from rftj_cli.running.signals import ends_on_signals


@dataclass(frozen=True, slots=True)
class Round:
    """One save, judged. `cost` is US dollars of this round and `spent` of all (None: the price is unknown).

    `changed` are keys of the rubric, since the last round that judged; `units` those whose verdicts could flip; rewards
    are means over these samples.
    """

    number: int
    scored: Scored
    changed: tuple[str, ...]
    flips: tuple[Marked, ...]
    units: int
    failures: Mapping[str, int]
    agreement: Mapping[str, Standing]
    reward: float | None
    reward_before: float | None
    cost: float | None
    spent: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Mistake:
    """A save that could not be judged, and why."""

    error: RftjError


@dataclass(frozen=True, slots=True)
class _Before:
    """The last round that judged."""

    rubric: Rubric
    outcomes: Outcomes


class Watch:
    """Iterating judges, waits for a save, judges again, until Ctrl-C. Raises `CannotTell` once the money is spent."""

    def __init__(self, order: Order, part: Part, given: Given) -> None:
        self._order, self._given, self._held = order, given, _Held(part, given)
        self._before: _Before | None = None
        self.rounds, self.spent, self._priced, self._exhausted = 0, 0.0, True, False
        self.files: tuple[Path, ...] = (order.rubric,)

    def __iter__(self) -> Iterator[Round | Mistake]:
        saves = Saves()
        with ends_on_signals() as signals:
            while True:
                files = named_files(self._order.rubric, self._order.overrides)
                self.files = files if len(files) > 1 else tuple(dict.fromkeys((*files, *self.files)))
                saves.mark(self.files)
                one = self._next()
                signals.waiting = True  # also while the round is being printed
                yield one
                if not saves.wait(signals.stop):
                    return
                signals.waiting = False

    def _next(self) -> Round | Mistake:
        try:
            return self._round()
        except (InputError, CannotTell) as error:
            if self._exhausted:
                ceiling = f"--max-cost {self._order.max_cost:g} reached over {self.rounds} rounds"
                raise CannotTell(f"{ceiling}: what was judged is kept") from None
            return Mistake(error)

    def _round(self) -> Round:
        began, before, spent = time.monotonic(), self._before, self.spent
        rubric = self._order.load()
        part, self.rounds = self._held.part(rubric), self.rounds + 1
        scored = self._order.judge(rubric, part, self._settings(rubric))
        now, old = _outcomes(scored, self._held.ids), {} if before is None else before.outcomes
        rows = [row for row, _ in now.values()]
        truths = truths_among(rubric, rows, self._held.labels, self._held.all, self._given)
        pairs = [(row, compare(id, old[id][1].outcome, one.outcome)) for id, (row, one) in now.items() if id in old]
        done = Round(
            number=self.rounds,
            scored=scored,
            changed=() if before is None else rubric_changes(before.rubric, rubric),
            flips=tuple(marked(flip, rubric, row, truths) for row, both in pairs for flip in both.flips),
            units=sum(both.units for _, both in pairs),
            failures=Counter(one.outcome.stage for _, one in now.values() if isinstance(one.outcome, Failure)),
            agreement=standings(rubric, now, old, truths, by_outcome=part.by_outcome),
            reward=mean_reward(now),
            reward_before=mean_reward(old),
            cost=self.spent - spent if self._priced else None,
            spent=self.spent if self._priced else None,
            seconds=time.monotonic() - began,
        )
        self._before = _Before(rubric, now)
        return done

    def _settings(self, rubric: Rubric) -> Settings:
        """How to run a round: in its own folder, with the money that is left."""
        settings = replace(self._order.settings(rubric), folder=_folder(rubric), paid=self._paid)
        if settings.max_cost is not None and self.spent:
            settings = replace(settings, max_cost=max(0.0, settings.max_cost - self.spent))
        return settings

    def _paid(self, budget: Budget) -> None:
        self._exhausted = budget.exhausted
        if budget.spent is None:
            self._priced = False
        else:
            self.spent += budget.spent


class _Held:
    """The chosen samples and their labels in memory, read again when their files change."""

    def __init__(self, part: Part, given: Given) -> None:
        self._part, self._given = part, given
        self._files = (part.samples.path, *([] if given.file is None else [Path(given.file)]))
        self._stamps: list[Stamp] = []
        self.ids: tuple[str, ...] = ()
        self.all: set[str] = set()
        self.labels: list[Placed] = []

    def part(self, rubric: Rubric) -> Part:
        """The samples as they are now."""
        samples = self._part.samples
        if rubric.kind != samples.kind:
            raise InputError(
                "the samples were read for a rubric of another kind", key="kind", found=rubric.kind,
                expected=samples.kind, hint="end the watch and begin again",
            )  # fmt: skip
        stamps = [stamp(file) for file in self._files]
        if stamps != self._stamps:
            rows = tuple(samples)
            self.labels, self.all = labels_now(samples, self._given, names_used(rubric))
            self.ids = tuple(sample.id for _, sample in rows)
            held = HeldSamples(samples.path, samples.kind, samples.columns, samples.only, rows)
            self._part, self._stamps = replace(self._part, samples=held), stamps
        return self._part


def refuse(order: Order, *, json: bool) -> None:
    """Raise `InputError` for options that a watch cannot follow."""
    if order.folder is not None:
        raise InputError("--watch writes a run for each version of the rubric", key="--run", found=str(order.folder),
                         hint="leave out --run: the folders are runs/NAME-<judge>")  # fmt: skip
    if json:
        raise InputError("--watch goes on, and --json prints one document", hint="leave out one of the two")
    if order.max_cost is not None:
        rubric = order.load()
        if math.isnan(order.max_cost) or order.settings(rubric).price is None:
            raise InputError(
                "--max-cost needs the price of the model", key="judge.model", found=rubric.judge.model,
                hint="give it with --prices FILE",
            )  # fmt: skip


def _folder(rubric: Rubric) -> Path:
    """The default folder, unless that holds a run with another reward."""
    folder = default_folder(rubric)
    known = read_manifest(folder)
    if known is None or known.reward_fingerprint == rubric.reward_fingerprint:
        return folder
    return folder.with_name(f"{folder.name}-{rubric.reward_fingerprint[:8]}")


def _outcomes(scored: Scored, ids: Sequence[str]) -> Outcomes:
    store = scored.run.store()
    found = {row.sample.id: (row, one) for row, one in store.outcomes(ids)}
    store.close()
    return found
