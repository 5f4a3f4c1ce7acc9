"""Whose fault is it that a call failed: its sample's, or the service's? Failed calls wait here until that is known.

    fault (500, empty, hanging) --first time--> aside: tried again at the end of the run --fails again--+
    refusal (a 4xx of unknown wording) ----------------------------------------------------------------+--> held
    held --a call that was sent later is answered--> a failure of the sample
         --the service is out of order-------------> faults are put aside once more, refusals end the run

A refusal that says itself that it is about the prompt (`filtered`, `too_long`) never comes here.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from rftj_cli.kernel.outcome import CallError
from rftj_cli.running.traffic import SCOUTS

ENOUGH: Final = 3  # samples in a row whose calls are refused: now it must be found out whether every call is
PATIENCE: Final = 0.1  # seconds beyond two round trips for which an answer to another call is waited for
Call = TypeVar("Call")


@dataclass(frozen=True, slots=True)
class _Held(Generic[Call]):
    call: Call
    sample: str
    error: CallError
    at: float


class Doubts(Generic[Call]):
    """Failed calls of a run. Without a `service` only what is fatal is in doubt. Safe in many threads; times are seconds."""

    def __init__(self, *, service: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._service, self._clock = service, clock
        self._lock = threading.Lock()
        self._held: list[_Held[Call]] = []
        self._failed: dict[str, CallError] = {}  # samples that failed since the last reply
        self.aside: deque[tuple[Call, CallError]] = deque()
        self.answered = False  # whether any call has been

    def __len__(self) -> int:
        return len(self._held)

    def keep(self, call: Call, sample: str, error: CallError, *, again: bool) -> bool:
        """Take a failed call in, in its second turn if `again`; False where it is plainly a failure of its sample."""
        refusal = not error.retry
        if not (self._service or error.fatal) or (refusal and not error.fatal and error.stage != "call"):
            return False
        with self._lock:
            self._failed.setdefault(sample, error)
            if refusal or again:
                self._held.append(_Held(call, sample, error, self._clock()))
            else:
                self.aside.append((call, error))
        return True

    def heard(self, seconds: float) -> list[tuple[Call, CallError]]:
        """A reply came that took so long. Gives the calls that have failed before it was sent: their samples' own faults."""
        with self._lock:
            sent, self.answered = self._clock() - seconds, True
            self._failed.clear()
            shown = [one for one in self._held if one.at <= sent]
            self._held = [one for one in self._held if one.at > sent]
        return [(one.call, one.error) for one in shown]

    def outage(self) -> None:
        """The service is out of order: what failed meanwhile is tried once more when it is back."""
        with self._lock:
            self.aside.extend((one.call, one.error) for one in self._held if one.error.retry)
            self._held = [one for one in self._held if not one.error.retry]

    def pressing(self, round_trip: float, *, waiting: bool) -> bool:
        """Whether it must be found out now; not while calls are on their way (`waiting`) that may soon tell."""
        with self._lock:
            if not self.answered and self._condemned():
                return True
            refused = [one for one in self._held if not one.error.retry]
            if len({one.sample for one in refused}) < ENOUGH:
                return False
            return not waiting or self._clock() - refused[0].at > 2 * round_trip + PATIENCE

    def _condemned(self) -> bool:
        return sum(error.fatal for error in self._failed.values()) >= ENOUGH or len(self._failed) >= SCOUTS

    @property
    def worst(self) -> CallError:
        """The error to report where no call is answered: one that concerns every call, else a refusal, else a fault."""
        with self._lock:
            errors = [one.error for one in self._held] or [error for _, error in self.aside]
        return max(errors, key=lambda error: (error.fatal, not error.retry))
