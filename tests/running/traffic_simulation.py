"""A service with a quota, and the calls of a run, on a clock of their own: what a limiter makes of it."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field
from typing import Any

from rftj_cli.kernel.outcome import CallError, Reply
from rftj_cli.running.traffic import Ticket, Traffic

TOKENS = 500.0


@dataclass
class Simulation:
    """`quota` requests a second with a bucket of `burst` seconds (or a fixed `window` of seconds), replies after `latency`.

    Refusals come after `refusal` seconds, faults at the rate `faults` after `latency`; a share `noise` is refused whatever
    the rate, and everything during the `spells` (from, to). A refusal asks to wait for `retry_after` seconds, and its call
    does. A reply reports `usage` tokens (0: none). `run` gives the seconds taken, `served` the times of the replies.
    """

    quota: float = 1e9
    burst: float = 1.0
    latency: float = 0.2
    refusal: float = 0.01
    workers: int = 64
    calls: int = 2000
    faults: float = 0.0
    window: float | None = None
    noise: float = 0.0
    spells: tuple[tuple[float, float], ...] = ()
    retry_after: float | None = None
    usage: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    now: float = 0.0
    refused: int = 0
    served: list[float] = field(default_factory=list)
    _level: float = 0.0
    _last: float = 0.0
    _window: tuple[float, float] = (0.0, 0.0)

    def run(self) -> float:
        self.traffic = Traffic(clock=lambda: self.now, **self.settings)
        self._level = self.quota * self.burst
        draw = random.Random(1)
        events: list[tuple[float, int, Ticket, Reply | CallError]] = []
        waiting, done, number = self.calls, 0, 0
        pausing: list[float] = []
        while done < self.calls and self.traffic.over is None:
            while pausing and pausing[0] <= self.now:
                heapq.heappop(pausing)
                waiting += 1
            again = pausing[0] if pausing else float("inf")
            while waiting and len(events) < self.workers and len(events) + len(pausing) < 4 * self.workers:
                ticket = self.traffic.admit(TOKENS)
                if not isinstance(ticket, Ticket):
                    again = min(again, self.now + max(ticket, 1e-4))
                    break
                waiting -= 1
                answer = self._serve(draw)
                slow = isinstance(answer, Reply) or answer.stage != "throttled"
                heapq.heappush(events, (self.now + (self.latency if slow else self.refusal), number, ticket, answer))
                number += 1
            self.now = min(events[0][0] if events else float("inf"), again)
            while events and events[0][0] <= self.now:
                _, _, ticket, answer = heapq.heappop(events)
                self.traffic.told(ticket, answer)
                if isinstance(answer, Reply):
                    done += 1
                    self.served.append(self.now)
                elif answer.retry_after is not None:
                    heapq.heappush(pausing, self.now + answer.retry_after)
                else:
                    waiting += 1
        return self.now

    def _serve(self, draw: random.Random) -> Reply | CallError:
        if self.window is not None:
            start, served = self._window
            if self.now - start >= self.window:
                start, served = self.now // self.window * self.window, 0.0
            self._window = (start, served + 1)
            full = served >= self.quota * self.window
        else:
            self._level = min(self.quota * self.burst, self._level + (self.now - self._last) * self.quota)
            self._last = self.now
            full = self._level < 1
            self._level -= not full
        full = full or any(start <= self.now < end for start, end in self.spells)
        if full or draw.random() < self.noise:
            self.refused += 1
            return CallError("throttled", "too many requests", retry=True, retry_after=self.retry_after)
        if draw.random() < self.faults:
            return CallError("call", "HTTP 500", retry=True)
        return Reply("pass", input_tokens=self.usage)

    @property
    def wasted(self) -> float:
        """Share of the requests that were refused."""
        return self.refused / self.traffic.sent
