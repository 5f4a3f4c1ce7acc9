"""A run's judging: samples in, outcomes into the store.

    feed (finds recordings) --> pool (calls the judge) --> answers --> votes still open? --> conclude --> writer (SQLite)

Samples are fed one after the other, each with all its calls, and what a sample still needs goes before the next sample:
an interrupted run holds complete samples. In memory are only those in the air, however long the file is.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from rftj_cli.errors import CannotTell
from rftj_cli.files.prices import Price
from rftj_cli.files.store import Store
from rftj_cli.files.store_rows import OutcomeRow, ReplyRow, SampleRow
from rftj_cli.kernel.asks import Ask
from rftj_cli.kernel.evaluate import Judged, Task, finish
from rftj_cli.kernel.outcome import CallError, Reply
from rftj_cli.kernel.votes import needed
from rftj_cli.running.account import Tally
from rftj_cli.running.budget import Budget
from rftj_cli.running.pool import Pool
from rftj_cli.running.recordings import Recordings
from rftj_cli.running.tokens import Meter
from rftj_cli.running.traffic import Traffic
from rftj_cli.running.writer import Writer

KEPT: Final = "what was judged is kept; the same command goes on"


@dataclass(slots=True)
class _Job:
    """A sample on its way: the answers so far, and how many calls are out."""

    task: Task
    answers: list[Reply | CallError | None]
    out: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, slots=True)
class Parts:
    """What an engine works with. `traffic` is None where no service is called; with `adaptive` settled votes are not asked.

    `conclude` says what the answers to a task's calls are worth, `who` is asked, for errors.
    """

    store: Store
    recordings: Sequence[Recordings]
    price: Price | None
    budget: Budget
    tally: Tally
    meter: Meter
    stop: threading.Event
    traffic: Traffic | None = None
    adaptive: bool = False
    conclude: Callable[[Task, Sequence[tuple[Ask, Reply | CallError]]], Judged] = finish
    who: str = "the judge"


class Engine:
    """Runs prepared samples through a judge. Make one a run; `run` may be called once."""

    def __init__(self, parts: Parts, pool: Pool | None) -> None:
        self._parts, self._pool, self._stop = parts, pool, parts.stop
        self._writer = Writer(parts.store, parts.tally.acknowledge, self._fail)
        self._next: deque[tuple[_Job, int]] = deque()  # calls that a started sample turned out to need
        self._error: Exception | None = None
        self._lock = threading.Lock()

    def run(self, tasks: Iterable[tuple[SampleRow, Task]]) -> None:
        """Judge every task. Raises what stopped the run: `CannotTell`, or an error of the store."""
        try:
            for row, task in tasks:
                if self._stop.is_set():
                    break
                self._feed(row, task)
                self._ask_next()
            while self._pool is not None and (self._pool.active or self._next):
                self._ask_next()
                self._pool.turn()
                if self._stop.is_set():
                    self._next.clear()
            if self._pool is not None:
                self._pool.turn(0.0)  # the last call may have ended in a bug
        finally:
            if self._pool is not None:
                self._pool.close()
            self._writer.close()
        traffic = self._parts.traffic
        if self._error is None and traffic is not None and traffic.over is not None:
            raise CannotTell(f"{self._parts.who} does not answer: {traffic.over}\n  {KEPT}")
        if self._error is not None:
            raise self._error

    def _feed(self, row: SampleRow, task: Task) -> None:
        self._writer.put(row)
        job = _Job(task, [self._recorded(task, ask) for ask in task.asks])
        waiting = self._wanted(job)
        if waiting and self._pool is None:
            return self._fail(CannotTell("a recorded reply that was there is gone: run the command again"))
        job.out = len(waiting)
        if not waiting:
            self._finish(job)
            if self._pool is not None:
                self._pool.turn(0.0)  # calls in flight must not wait for a long row of samples that need none
        for index in waiting:
            self._submit(job, index)

    def _recorded(self, task: Task, ask: Ask) -> Reply | CallError | None:
        for one in self._parts.recordings:
            if (found := one.find(task.sample.id, ask)) is not None:
                self._writer.put(self._reply_row(task, ask, found, 0.0, reused=True))
                return found
        return None

    def _wanted(self, job: _Job) -> list[int]:
        """The calls to make. Equal requests of a sample (two items may have the same text) are one call: its reply is what
        the store holds for both, and what a rescore or a deployed function would find."""
        open_ = [index for index, answer in enumerate(job.answers) if answer is None]
        first: dict[str, int] = {}
        for index in needed(job.task, job.answers) if self._parts.adaptive else open_:
            first.setdefault(job.task.asks[index].request.key, index)
        return list(first.values())

    def _ask_next(self) -> None:
        while self._next and not self._stop.is_set():
            self._submit(*self._next.popleft())

    def _submit(self, job: _Job, index: int) -> None:
        request = job.task.asks[index].request
        if self._pool is None:
            return
        traffic = self._parts.traffic
        while traffic is not None and not traffic.answered and self._pool.active:
            self._pool.turn()  # the first call goes alone: it finds out what the model accepts, and whether anybody is there
        if self._stop.is_set():
            return
        while not self._parts.budget.reserve(request):
            if self._parts.budget.exhausted:
                self._stop.set()
            if self._stop.is_set():
                return
            self._pool.turn()  # what is in flight has mostly set aside more than it costs
        self._pool.submit(request, lambda answer: self._answered(job, index, answer))

    def _answered(self, job: _Job, index: int, answer: Reply | CallError) -> None:
        ask = job.task.asks[index]
        cost = self._parts.budget.settle(ask.request, answer)
        if isinstance(answer, Reply):
            self._parts.meter.told(ask.request, answer)
        elif self._stops(answer) or (self._stop.is_set() and answer.retry):
            return  # not an outcome of this sample: it is asked again when the run goes on
        self._writer.put(self._reply_row(job.task, ask, answer, cost))
        with job.lock:
            for other, one in enumerate(job.task.asks):
                if one.request.key == ask.request.key:
                    job.answers[other] = answer
            job.out -= 1
            if job.out:
                return
            more = self._wanted(job) if self._parts.adaptive else []
            job.out = len(more)
        self._next.extend((job, one) for one in more)
        if not more:
            self._finish(job)

    def _stops(self, error: CallError) -> bool:
        """Whether this failure ends the run: no retry can mend it, or nothing comes back at all."""
        traffic = self._parts.traffic
        if error.fatal:
            self._fail(CannotTell(f"{self._parts.who} cannot be used: {error.reason}\n  {error.advice}".rstrip()))
            return True
        if traffic is None or traffic.answered or not error.retry:
            return False
        self._fail(CannotTell(f"{self._parts.who} does not answer: {error.reason}\n  {KEPT}"))
        return True

    def _finish(self, job: _Job) -> None:
        task = job.task
        answered = [(ask, a) for ask, a in zip(task.asks, job.answers, strict=True) if a is not None]
        judged = self._parts.conclude(task, answered)
        self._parts.tally.save(len(task.asks) - len(answered))
        self._writer.put(OutcomeRow(task.sample.id, judged.outcome, judged.reward, judged.checks))

    def _reply_row(
        self, task: Task, ask: Ask, reply: Reply | CallError, cost: float | None, *, reused: bool = False
    ) -> ReplyRow:
        criteria = ",".join(criterion.id for criterion in ask.criteria)
        return ReplyRow(ask.request.key, task.sample.id, ask.item, ask.order, ask.vote, criteria, reply, cost, reused)

    def _fail(self, error: Exception) -> None:
        with self._lock:
            self._error = self._error or error
        self._stop.set()
