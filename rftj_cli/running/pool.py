"""Who carries the calls of a run: one loop for services over HTTP, threads for other judges, this thread for one at a time.

    submit(request, done) --Policy.steps--> gate --> attempt --> ... --> done(Reply | CallError)

All three follow the one retry policy and pass the one gate. A stop lets attempts in flight finish; calls that wait at the
gate or between two attempts are dropped without an outcome, so that the next command asks for them again.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from rftj_cli.kernel.dialect import Carrier, HttpJudge
from rftj_cli.kernel.outcome import CallError, Judge, Reply, Request
from rftj_cli.kernel.retry import Open, Retry
from rftj_cli.running.loop import TURN, Done, Loop, Rounds, idle
from rftj_cli.running.tokens import Meter
from rftj_cli.running.traffic import Ticket, Traffic, tokens_of


class Stopped(Exception):
    """The run ends while a call waits: the call has no outcome."""


class Pool(Protocol):
    """Carries calls. `submit` waits while all workers are busy; `turn` lets things happen for up to some seconds.

    `idle` is called whenever it waits, from the thread that submits. `again` is a call's second turn, `probe` one attempt
    for which the breaker is no obstacle.
    """

    idle: Callable[[], None]

    @property
    def active(self) -> int: ...

    def submit(self, request: Request, done: Done, *, again: bool = False) -> None: ...

    def probe(self, request: Request, done: Done) -> bool: ...

    def turn(self, seconds: float = TURN) -> None: ...

    def close(self) -> None: ...


def make_pool(
    judge: Judge,
    rounds: Rounds,
    traffic: Traffic | None,
    meter: Meter,
    *,
    workers: int,
    stop: threading.Event,
) -> Pool:
    """The pool that suits a judge. Without `traffic` nothing holds its calls back."""
    if traffic is not None and isinstance(judge, HttpJudge) and isinstance(judge.transport, Carrier):
        return Loop(judge.dialect, judge.transport, rounds, traffic, meter, workers=workers, stop=stop)

    def sleep(seconds: float) -> None:
        if stop.wait(seconds):
            raise Stopped

    if traffic is None:
        retry = Retry(judge, rounds.early, Open(), sleep)
        return Inline(retry) if workers == 1 else Threads(Turns(retry, retry, None), workers=workers, stop=stop)
    gate = Turnstile(traffic, meter, stop)
    early, late = Retry(judge, rounds.early, gate, sleep), Retry(judge, rounds.late, gate, sleep)
    probe = replace(late, policy=replace(rounds.late, attempts=1))
    return Threads(Turns(early, late, probe), workers=workers, stop=stop, beat=traffic.beat)


@dataclass(frozen=True, slots=True)
class Turns:
    """A judge with its patience: in a call's first turn, in its second, and for a probe (None: there is no breaker)."""

    early: Retry
    late: Retry
    probe: Retry | None


class Turnstile:
    """The gate of a run for calling threads: one at a time waits for its turn, the others stand behind it."""

    def __init__(self, traffic: Traffic, meter: Meter, stop: threading.Event) -> None:
        self._traffic, self._meter, self._stop = traffic, meter, stop
        self._turn = threading.Lock()
        self._local = threading.local()

    def enter(self, request: Request) -> None:
        """Wait for a ticket. Raises `Stopped` where the run ends first."""
        tokens = tokens_of(request, self._traffic, self._meter)
        with self._turn:
            while not isinstance(ticket := self._traffic.admit(tokens, request.key), Ticket):
                if self._stop.wait(min(ticket, TURN)):
                    raise Stopped
        self._local.ticket = ticket

    def admit(self, request: Request) -> Ticket | None:
        """A ticket for a probe, if one may go now."""
        ticket = self._traffic.admit(tokens_of(request, self._traffic, self._meter), probe=True)
        return ticket if isinstance(ticket, Ticket) else None

    def told(self, request: Request, answer: Reply | CallError) -> None:
        """Hand the ticket back."""
        self.hand_back(self._local.ticket, answer)

    def hand_back(self, ticket: Ticket, answer: Reply | CallError) -> None:
        """How the attempt with this ticket went."""
        self._traffic.told(ticket, answer)


class _LetIn:
    """The gate of a probe that has its ticket already."""

    def __init__(self, gate: Turnstile, ticket: Ticket) -> None:
        self._gate, self._ticket = gate, ticket

    def enter(self, request: Request) -> None:
        """It is in."""

    def told(self, request: Request, answer: Reply | CallError) -> None:
        """Hand the ticket back."""
        self._gate.hand_back(self._ticket, answer)


class Inline:
    """One call at a time, in the calling thread."""

    active = 0

    def __init__(self, retry: Retry) -> None:
        self._retry = retry
        self.idle: Callable[[], None] = idle

    def submit(self, request: Request, done: Done, *, again: bool = False) -> None:
        """Make the call."""
        answer = _called(self._retry, request)
        if answer is not None:
            done(answer)

    def probe(self, request: Request, done: Done) -> bool:
        """There is no breaker."""
        return False

    def turn(self, seconds: float = TURN) -> None:
        """Nothing goes on by itself."""
        self.idle()

    def close(self) -> None:
        """Nothing is open."""


def _called(retry: Retry, request: Request) -> Reply | CallError | None:
    try:
        return retry(request)
    except CallError as error:
        return error
    except Stopped:
        return None


class Threads:
    """As many calls at a time as there are workers, each in a thread of its own."""

    def __init__(
        self, turns: Turns, *, workers: int, stop: threading.Event, beat: Callable[[], None] = lambda: None
    ) -> None:
        self._turns, self._stop, self._beat = turns, stop, beat
        self.idle: Callable[[], None] = idle
        self._queue: queue.SimpleQueue[tuple[Request, Done, Retry] | None] = queue.SimpleQueue()
        self._free = threading.Semaphore(workers)
        self._workers, self._busy = workers, 0
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        self._threads = [threading.Thread(target=self._work, name=f"rftj-{i}", daemon=True) for i in range(workers)]
        for thread in self._threads:
            thread.start()

    @property
    def active(self) -> int:
        """Calls that were submitted and are not done."""
        return self._busy

    def submit(self, request: Request, done: Done, *, again: bool = False) -> None:
        """Hand a call to a free thread."""
        while not self._free.acquire(timeout=TURN):
            self._beat()
            self._raise()
            self.idle()
            if self._stop.is_set():
                return
        with self._changed:
            self._busy += 1
        self._queue.put((request, done, self._turns.late if again else self._turns.early))

    def probe(self, request: Request, done: Done) -> bool:
        """One attempt in a thread of its own; False where it must wait."""
        retry = self._turns.probe
        if retry is None or not isinstance(gate := retry.gate, Turnstile) or (ticket := gate.admit(request)) is None:
            return False
        with self._changed:
            self._busy += 1
        once = replace(retry, gate=_LetIn(gate, ticket))
        threading.Thread(target=self._make, args=(request, done, once), name="rftj-probe", daemon=True).start()
        return True

    def turn(self, seconds: float = TURN) -> None:
        """Wait until a call is done."""
        self._beat()
        self.idle()
        with self._changed:
            if self._busy:
                self._changed.wait(seconds)
        self._raise()

    def close(self) -> None:
        """Let idle threads end. One that is in a call ends with it, or with the process."""
        for _ in self._threads:
            self._queue.put(None)

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _work(self) -> None:
        while (work := self._queue.get()) is not None:
            try:
                self._make(*work)
            finally:
                self._free.release()

    def _make(self, request: Request, done: Done, retry: Retry) -> None:
        try:
            answer = None if self._stop.is_set() else _called(retry, request)
            if answer is not None:
                done(answer)
        except BaseException as error:  # noqa: BLE001 - a bug in a backend must stop the run, not hang it
            self._error = error
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()
