"""Pauses of the machine: a laptop that sleeps, a virtual machine or a process that is stopped for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

LEAST: Final = 10.0  # seconds: a shorter pause is what a loaded machine does


class Pauses:
    """Notices pauses; `last` is when the clock noticed the last one.

    In a sleep the wall clock goes on and a monotonic clock may stand. In a stopped process both go on: only who calls
    `beat` several times a second, as a loop does, can tell that from a call that takes long.
    """

    def __init__(self, clock: Callable[[], float], wall: Callable[[], float] = time.time) -> None:
        self._clock, self._wall = clock, wall
        self._drift = wall() - clock()
        self._beat: float | None = None
        self.last = float("-inf")

    def beat(self) -> bool:
        """A turn of a loop; whether a pause came before it."""
        paused = self.noticed()
        self._beat = self._clock()
        return paused

    def noticed(self) -> bool:
        """Whether there was a pause since the last call of either method."""
        now = self._clock()
        drift, stood = self._wall() - now, self._beat is not None and now - self._beat > LEAST
        paused = stood or abs(drift - self._drift) > LEAST
        self._drift = drift
        if paused:
            self.last, self._beat = now, None if self._beat is None else now
        return paused
