"""Who carries the calls of a run: one loop for services over HTTP, threads for all other judges, nobody else for one worker.

    submit(request, done) --Policy.steps--> gate --> attempt --> ... --> done(Reply | CallError)

All three follow the one retry policy and pass the one gate. A stop lets attempts in flight finish; calls that wait at the
gate or between two attempts are dropped without an outcome, so that the next command asks for them again.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Protocol

from rftj_cli.kernel.dialect import Carrier, HttpJudge
from rftj_cli.kernel.outcome import CallError, Judge, Reply, Request
from rftj_cli.kernel.retry import Gate, Open, Policy, Retry
from rftj_cli.running.loop import TURN, Done, Loop
from rftj_cli.running.tokens import Meter
from rftj_cli.running.traffic import Ticket, Traffic, tokens_of


class Stopped(Exception):
    """The run ends while a call waits: the call has no outcome."""


class Pool(Protocol):
    """Carries calls. `submit` waits while all workers are busy; `turn` lets things happen for up to some seconds."""

    @property
    def active(self) -> int: ...

    def submit(self, request: Request, done: Done) -> None: ...

    def turn(self, seconds: float = TURN) -> None: ...

    def close(self) -> None: ...


def make_pool(
    judge: Judge,
    policy: Policy,
    traffic: Traffic | None,
    meter: Meter,
    *,
    workers: int,
    stop: threading.Event,
    first: float = 0.0,
) -> Pool:
    """The pool that suits a judge. Without `traffic` nothing holds its calls back; `first`: see `Loop`."""
    if traffic is not None and isinstance(judge, HttpJudge) and isinstance(judge.transport, Carrier):
        return Loop(judge.dialect, judge.transport, policy, traffic, meter, workers=workers, stop=stop, first=first)
    gate: Gate = Open() if traffic is None else Turnstile(traffic, meter, stop)

    def sleep(seconds: float) -> None:
        if stop.wait(seconds):
            raise Stopped

    retry = Retry(judge, policy, gate, sleep)
    if workers == 1:
        return Inline(retry)
    return Threads(retry, workers=workers, stop=stop, beat=(lambda: None) if traffic is None else traffic.beat)


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
            while not isinstance(ticket := self._traffic.admit(tokens), Ticket):
                if self._stop.wait(min(ticket, TURN)):
                    raise Stopped
        self._local.ticket = ticket

    def told(self, request: Request, answer: Reply | CallError) -> None:
        """Hand the ticket back."""
        self._traffic.told(self._local.ticket, answer)


class Inline:
    """One call at a time, in the calling thread."""

    active = 0

    def __init__(self, retry: Retry) -> None:
        self._retry = retry

    def submit(self, request: Request, done: Done) -> None:
        """Make the call."""
        answer = _called(self._retry, request)
        if answer is not None:
            done(answer)

    def turn(self, seconds: float = TURN) -> None:
        """Nothing goes on by itself."""

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

    def __init__(self, retry: Retry, *, workers: int, stop: threading.Event, beat: Callable[[], None]) -> None:
        self._retry, self._stop, self._beat = retry, stop, beat
        self._queue: queue.SimpleQueue[tuple[Request, Done] | None] = queue.SimpleQueue()
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

    def submit(self, request: Request, done: Done) -> None:
        """Hand a call to a free thread."""
        while not self._free.acquire(timeout=TURN):
            self._beat()
            self._raise()
            if self._stop.is_set():
                return
        with self._changed:
            self._busy += 1
        self._queue.put((request, done))

    def turn(self, seconds: float = TURN) -> None:
        """Wait until a call is done."""
        self._beat()
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
            request, done = work
            try:
                answer = None if self._stop.is_set() else _called(self._retry, request)
                if answer is not None:
                    done(answer)
            except BaseException as error:  # noqa: BLE001 - a bug in a backend must stop the run, not hang it
                self._error = error
            finally:
                self._free.release()
                with self._changed:
                    self._busy -= 1
                    self._changed.notify_all()
