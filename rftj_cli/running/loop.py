"""Hundreds of calls at a time from one thread: the calls of a run whose judge is a service over HTTP.

submit --> entering --gate--> in flight (the carrier's) --> done
              ^                    |
              +----- paused <------+      as kernel/retry.py's steps say
"""

from __future__ import annotations

import heapq
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from rftj_cli.kernel.dialect import Carrier, Dialect, HttpAnswer, HttpCall
from rftj_cli.kernel.outcome import CallError, Reply, Request
from rftj_cli.kernel.retry import Attempt, Enter, Pause, Policy, Steps, checked
from rftj_cli.running.tokens import Meter
from rftj_cli.running.traffic import Ticket, Traffic, tokens_of

TURN: Final = 0.1  # seconds: the longest wait before a stop is heard
Done = Callable[[Reply | CallError], None]


@dataclass(slots=True)
class _Flight:
    """One call on its way through the loop."""

    request: Request
    tokens: float
    steps: Steps
    done: Done
    seconds: float = 0.0
    call: HttpCall | None = None
    ticket: Ticket | None = None


@dataclass(order=True, slots=True)
class _Paused:
    until: float
    number: int
    flight: _Flight = field(compare=False)


class Loop:
    """Hundreds of calls at a time from the calling thread alone: what waits costs nothing.

    `first` is the least deadline in seconds of calls begun before the service has answered at all.
    """

    def __init__(
        self,
        dialect: Dialect,
        carrier: Carrier,
        policy: Policy,
        traffic: Traffic,
        meter: Meter,
        *,
        workers: int,
        stop: threading.Event,
        first: float = 0.0,
    ) -> None:
        self._dialect, self._carrier = dialect, carrier
        self._policy, self._traffic, self._meter = policy, traffic, meter
        self._first = replace(policy, deadline=max(policy.deadline, first))
        self._workers, self._stop = workers, stop
        self._entering: deque[_Flight] = deque()
        self._paused: list[_Paused] = []
        self._count = self._number = 0

    @property
    def active(self) -> int:
        """Calls that were submitted and are not done."""
        return self._count

    def submit(self, request: Request, done: Done) -> None:
        """Begin a call, as soon as fewer than `workers` are active."""
        while self._count >= self._workers:
            self.turn()
        if self._stop.is_set():
            return
        self._count += 1
        policy = self._policy if self._traffic.answered else self._first
        self._go_on(_Flight(request, tokens_of(request, self._traffic, self._meter), policy.steps(), done), None)
        self.turn(0.0)

    def turn(self, seconds: float = TURN) -> None:
        """Let in who may enter, wake who has paused long enough, and hear what comes back."""
        self._traffic.beat()
        if self._stop.is_set():
            self._drop_waiting()
        wait = min(self._let_in(), seconds)
        now = time.monotonic()
        while self._paused and self._paused[0].until <= now:
            self._go_on(heapq.heappop(self._paused).flight, None)
        if self._paused:
            wait = min(wait, self._paused[0].until - now)
        if self._carrier.in_flight or wait > 0:
            self._carrier.poll(max(0.0, wait))

    def close(self) -> None:
        """Close the connections; what is still in flight is given up."""
        self._carrier.close()

    def _let_in(self) -> float:
        """Start attempts while the gate is open; the seconds until it may open again."""
        while self._entering:
            ticket = self._traffic.admit(self._entering[0].tokens)
            if not isinstance(ticket, Ticket):
                return ticket
            flight = self._entering.popleft()
            flight.ticket = ticket
            self._go_on(flight, None)
        return TURN

    def _go_on(self, flight: _Flight, answer: Reply | CallError | None) -> None:
        try:
            step = flight.steps.send(answer)
        except StopIteration as end:
            return self._finish(flight, end.value)
        except CallError as error:
            return self._finish(flight, error)
        if isinstance(step, Enter):
            self._entering.append(flight)
        elif isinstance(step, Pause):
            self._number += 1
            heapq.heappush(self._paused, _Paused(time.monotonic() + step.seconds, self._number, flight))
        elif isinstance(step, Attempt):
            self._attempt(flight, step.seconds)

    def _attempt(self, flight: _Flight, seconds: float) -> None:
        try:
            flight.call = self._dialect.write(flight.request)
        except CallError as error:  # such as credentials that cannot be renewed
            return self._back(flight, error)
        self._carrier.start(flight.call, seconds, lambda answer: self._back(flight, answer))

    def _back(self, flight: _Flight, answer: HttpAnswer | CallError) -> None:
        reply: Reply | CallError
        if isinstance(answer, HttpAnswer):
            assert flight.call is not None
            try:
                reply = checked(self._dialect.read(flight.request, flight.call, answer))
            except CallError as error:
                reply = error
        else:
            reply = answer
        assert flight.ticket is not None
        self._traffic.told(flight.ticket, reply)
        self._go_on(flight, reply)

    def _finish(self, flight: _Flight, answer: Reply | CallError) -> None:
        self._count -= 1
        flight.done(answer)

    def _drop_waiting(self) -> None:
        self._count -= len(self._entering) + len(self._paused)
        self._entering.clear()
        self._paused.clear()
