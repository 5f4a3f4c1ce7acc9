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
MOST_PAUSED: Final = 4  # calls per worker, those that pause included: a call that was told to wait blocks no other
Done = Callable[[Reply | CallError], None]


def idle() -> None:
    """What a pool does while it waits, unless it is told otherwise."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """How patiently a call is made: `first` before the service has answered at all, `early` in its first turn, `late` in
    its second, at the end of the run.
    """

    first: Policy
    early: Policy
    late: Policy

    @classmethod
    def same(cls, policy: Policy) -> Rounds:
        """One policy throughout."""
        return cls(policy, policy, policy)


@dataclass(slots=True)
class _Flight:
    """One call on its way through the loop. `attempt` counts: an answer to one that was given up is not heard."""

    request: Request
    tokens: float
    steps: Steps
    done: Done
    seconds: float = 0.0
    call: HttpCall | None = None
    ticket: Ticket | None = None
    attempt: int = 0


@dataclass(order=True, slots=True)
class _Paused:
    until: float
    number: int
    flight: _Flight = field(compare=False)


class Loop:
    """Hundreds of calls at a time from the calling thread alone: what waits costs nothing. `idle` is called in every turn."""

    def __init__(
        self,
        dialect: Dialect,
        carrier: Carrier,
        rounds: Rounds,
        traffic: Traffic,
        meter: Meter,
        *,
        workers: int,
        stop: threading.Event,
    ) -> None:
        self._dialect, self._carrier = dialect, carrier
        self._rounds, self._traffic, self._meter = rounds, traffic, meter
        self.idle: Callable[[], None] = idle
        self._early: list[tuple[float, int, _Flight]] = []  # attempts begun before anything was known of their time
        self._workers, self._stop = workers, stop
        self._entering: deque[_Flight] = deque()
        self._paused: list[_Paused] = []
        self._count = self._number = 0

    @property
    def active(self) -> int:
        """Calls that were submitted and are not done."""
        return self._count

    def submit(self, request: Request, done: Done, *, again: bool = False) -> None:
        """Begin a call, as soon as fewer than `workers` are active (those that pause do not count); `again` in its second turn."""
        while self._count - len(self._paused) >= self._workers or self._count >= MOST_PAUSED * self._workers:
            self.turn()
        if self._stop.is_set():
            return
        self._count += 1
        known = self._traffic.answered or self._traffic.vouched
        policy = self._rounds.late if again else self._rounds.early if known else self._rounds.first
        self._go_on(_Flight(request, tokens_of(request, self._traffic, self._meter), policy.steps(), done), None)
        self.turn(0.0)

    def probe(self, request: Request, done: Done) -> bool:
        """One attempt at a request that was answered before, though the breaker is open; False where it must wait."""
        tokens = tokens_of(request, self._traffic, self._meter)
        ticket = self._traffic.admit(tokens, probe=True)
        if not isinstance(ticket, Ticket):
            return False
        self._count += 1
        flight = _Flight(request, tokens, replace(self._rounds.late, attempts=1).steps(), done, ticket=ticket)
        next(flight.steps)  # it is let in already
        self._go_on(flight, None)
        return True

    def turn(self, seconds: float = TURN) -> None:
        """Let in who may enter, wake who has paused long enough, and hear what comes back."""
        self._traffic.beat()
        self.idle()
        if self._stop.is_set():
            self._drop_waiting()
        if self._early and self._traffic.answered:
            self._cut_early()
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
        while self._entering and self._carrier.in_flight < self._workers:
            ticket = self._traffic.admit(self._entering[0].tokens, self._entering[0].request.key)
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
        if not self._traffic.answered:
            self._early.append((time.monotonic(), flight.attempt, flight))
        number = flight.attempt
        self._carrier.start(flight.call, seconds, lambda answer: self._heard(flight, number, answer))

    def _heard(self, flight: _Flight, number: int, answer: HttpAnswer | CallError) -> None:
        if flight.attempt == number:
            flight.attempt += 1
            self._back(flight, answer)

    def _cut_early(self) -> None:
        """Give up attempts that take far longer than others do: when they began, nothing was known of that."""
        now, limit, waiting = time.monotonic(), self._rounds.early.longest(), self._early
        self._early = [one for one in waiting if one[2].attempt == one[1] and now - one[0] <= limit]
        for began, number, flight in waiting:
            if flight.attempt == number and now - began > limit:
                reason = f"no answer in {now - began:.3g} s, where others take {self._traffic.round_trip:.2g} s"
                self._heard(flight, number, CallError("timeout", reason, retry=True, billed=None))

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
