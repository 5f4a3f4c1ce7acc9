"""How a model is called during a run: how fast and how patiently, by whom, and what the calls have shown of it."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rftj_cli.errors import InputError
from rftj_cli.files.prices import Price
from rftj_cli.kernel.dialect import learned_of
from rftj_cli.kernel.outcome import Judge
from rftj_cli.kernel.retry import Policy, early_attempt, longest_attempt
from rftj_cli.kernel.rubric import JudgeSettings
from rftj_cli.running.live import is_service
from rftj_cli.running.loop import Rounds
from rftj_cli.running.pool import Pool, make_pool
from rftj_cli.running.tokens import Meter
from rftj_cli.running.traffic import Traffic

ATTEMPTS: Final = 3  # in each of two turns
TIMEOUT: Final = 120.0  # seconds for one call
LIFETIME: Final = timedelta(days=1)  # of a limit that was found: quotas change, and so do the hours of a day
FIRST_TIMEOUT: Final = 300.0  # for the first: a service may take minutes to compile a new schema, or to load a model


@dataclass(frozen=True, slots=True)
class Pace:
    """Calls at a time, seconds for one call (None: 120, and 300 for the first), requests and tokens a minute."""

    workers: int
    timeout: float | None = None
    rpm: float | None = None
    tpm: float | None = None

    def refuse_nonsense(self) -> None:
        """Raise `InputError` for what is no number above 0."""
        for key, value in (("--rpm", self.rpm), ("--tpm", self.tpm), ("--timeout", self.timeout)):
            if value is not None and not (math.isfinite(value) and value > 0):
                raise InputError("not a number that can be used", key=key, found=value, expected="a number above 0")


def refuse_unpriced(max_cost: float | None, price: Price | None) -> None:
    """Raise `InputError` for a ceiling that is no number, or that cannot be held since the price is unknown."""
    if max_cost is not None and math.isnan(max_cost):
        raise InputError("not a number", key="--max-cost", found=max_cost, expected="US dollars")
    if max_cost is not None and price is None:
        raise InputError(
            "--max-cost needs the price of the model, and it is unknown", hint="give it with --prices FILE"
        )


@dataclass(frozen=True, slots=True)
class Live:
    """The model of a command that has calls to make."""

    judge: Judge
    traffic: Traffic | None
    meter: Meter
    stop: threading.Event
    pace: Pace

    def pool(self) -> Pool:
        """Who carries its calls."""
        deadline, traffic = self.pace.timeout or TIMEOUT, self.traffic
        rounds = Rounds.same(Policy(deadline=deadline))
        if traffic is not None:
            rounds = _rounds(deadline, FIRST_TIMEOUT if self.pace.timeout is None else deadline, traffic)
        return make_pool(self.judge, rounds, traffic, self.meter, workers=self.pace.workers, stop=self.stop)

    def learned(self) -> dict[str, Any]:
        """What the calls have shown."""
        learned = {"tokens": self.meter.document()}
        if self.traffic is not None:
            learned["rates"] = {**self.traffic.found(), "at": datetime.now(UTC).isoformat(timespec="seconds")}
        accepted = learned_of(self.judge)
        return learned if accepted is None else {**learned, "accepted": accepted.document()}


def rates_of_late(rates: Mapping[str, Any] | None, now: datetime) -> Mapping[str, Any] | None:
    """The limits that an earlier command has found, unless they are older than a day, or nobody knows how old."""
    try:
        found = datetime.fromisoformat((rates or {}).get("at", ""))
    except (TypeError, ValueError):
        return None
    return rates if found.tzinfo is not None and abs(now - found) < LIFETIME else None


def _rounds(deadline: float, first: float, traffic: Traffic) -> Rounds:
    """A call that fails alone gets half of its attempts at once and half at the end of the run; one that hangs, one each."""
    late = Policy(
        attempts=ATTEMPTS,
        deadline=deadline,
        hangs=1,
        gated=True,
        longest=lambda: longest_attempt(deadline, traffic.round_trip),
    )
    early = replace(late, longest=lambda: early_attempt(deadline, traffic.round_trip, traffic.slowest))
    return Rounds(replace(early, attempts=2 * ATTEMPTS, deadline=first), early, late)


def live_of(
    judge: Judge,
    settings: JudgeSettings,
    pace: Pace,
    meter: Meter,
    stop: threading.Event,
    rates: Mapping[str, Any] | None,
) -> Live:
    """A model made ready to be called; `rates` are those that an earlier command has found, a place to begin at."""
    if not is_service(settings):
        return Live(judge, None, meter, stop, pace)
    patience = max(60.0, pace.timeout or FIRST_TIMEOUT)
    traffic = Traffic(
        rpm=pace.rpm, tpm=pace.tpm, patience=patience, known=rates_of_late(rates, datetime.now(UTC)), stop=stop
    )
    return Live(judge, traffic, meter, stop, pace)
