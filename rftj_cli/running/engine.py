"""A run's judging: samples in, outcomes into the store.

    feed (finds recordings) --> pool (calls the judge) --> answers --> votes still open? --> conclude --> writer (SQLite)

Samples are fed one after the other, each with all its calls, and what a sample still needs goes before the next sample:
an interrupted run holds complete samples. In memory are only those in the air and some that failed, however long the file
is. A call that failed is no outcome yet: `doubts.py` finds out whether its sample is at fault. Until the service has
answered, few samples are tried, from different places of the file.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from rftj_cli.errors import CannotTell
from rftj_cli.files.store_rows import OutcomeRow, ReplyRow, SampleRow
from rftj_cli.kernel.asks import Ask
from rftj_cli.kernel.evaluate import Task
from rftj_cli.kernel.outcome import CallError, Reply
from rftj_cli.kernel.retry import joined, joined_errors
from rftj_cli.kernel.votes import needed
from rftj_cli.running.doubts import ENOUGH, Doubts
from rftj_cli.running.parts import Parts
from rftj_cli.running.pool import Pool
from rftj_cli.running.writer import Writer

KEPT: Final = "what was judged is kept; the same command goes on"
PROBES: Final = 1.0  # seconds between two
MOST_ASIDE: Final = 1000  # calls that may wait for their second turn
Place = tuple["_Job", int]  # a call: its sample on the way, and which of its asks


@dataclass(slots=True)
class _Job:
    """A sample on its way: the answers so far, and how many calls are out."""

    task: Task
    answers: list[Reply | CallError | None]
    out: int = 0
    before: dict[int, CallError] = field(default_factory=dict)  # how the first turns of calls ended that have a second
    lock: threading.Lock = field(default_factory=threading.Lock)


class Engine:
    """Runs prepared samples through a judge. Make one a run; `run` may be called once."""

    def __init__(self, parts: Parts, pool: Pool | None) -> None:
        self._parts, self._pool, self._stop = parts, pool, parts.stop
        self._writer = Writer(parts.store, parts.tally.acknowledge, self._fail)
        self._next: deque[Place] = deque()  # calls that a started sample turned out to need
        self._doubts: Doubts[Place] = Doubts(service=parts.traffic is not None)
        self._good: tuple[Task, Ask] | None = None  # a call that was answered
        self._quiet_until = 0.0
        self._looking = False
        if pool is not None:
            pool.idle = self._look
        self._error: Exception | None = None
        self._lock = threading.Lock()

    def run(self, tasks: Iterable[tuple[SampleRow, Task]]) -> None:
        """Judge every task. Raises what stopped the run: `CannotTell`, or an error of the store."""
        try:
            if self._parts.traffic is not None and self._pool is not None:
                self._good = self._parts.known_good()
                self._parts.traffic.vouched = self._good is not None
            for row, task in self._ordered(tasks):
                self._feed(row, task)
                self._ask_next()
                self._ask_again(MOST_ASIDE)
            if self._pool is not None:
                self._drain(self._pool)
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
        piloting = self._piloting
        if not waiting:
            self._finish(job)
            if self._pool is not None:
                self._pool.turn(0.0)  # calls in flight must not wait for a long row of samples that need none
        for index in waiting:
            if piloting and index != waiting[0]:
                self._next.append((job, index))  # until the service has answered, each call is for another sample
            else:
                self._submit(job, index)

    @property
    def _piloting(self) -> bool:
        return self._pool is not None and self._parts.traffic is not None and not self._parts.traffic.answered

    def _ordered(self, tasks: Iterable[tuple[SampleRow, Task]]) -> Iterator[tuple[SampleRow, Task]]:
        """The tasks in their order; but while no call is answered, after the first those from other places."""
        rest, early, count = iter(tasks), set[str](), 0
        others: Iterator[tuple[SampleRow, Task]] | None = None
        while not self._stop.is_set():
            self._wait_for_room()
            one = None
            if self._piloting and count and self._parts.spread is not None:
                others = self._parts.spread(count) if others is None else others
                if (one := next(others, None)) is not None:
                    early.add(one[1].sample.id)
            if one is None:
                one = next((other for other in rest if other[1].sample.id not in early), None)
                count += 1
            if one is None or self._stop.is_set():
                return
            yield one

    def _wait_for_room(self) -> None:
        """Wait until another sample may be tried: few go before the service has answered, and none while it refuses."""
        pool, traffic = self._pool, self._parts.traffic
        if pool is None or traffic is None:
            return self._look()
        while not self._stop.is_set():
            few = pool.active >= traffic.scouts
            if not few and (self._piloting or len(self._doubts) <= ENOUGH + pool.active // 4):
                return
            pool.turn()

    def _drain(self, pool: Pool) -> None:
        """Wait for the calls in flight, then try again what failed alone, and decide about what failed for good."""
        while pool.active or not self._stop.is_set() and (self._next or self._doubts.aside or self._doubts):
            self._ask_next()
            self._ask_again(0)
            self._looking = True
            pool.turn()
        pool.turn(0.0)  # the last call may have ended in a bug

    def _recorded(self, task: Task, ask: Ask) -> Reply | CallError | None:
        for one in self._parts.recordings:
            if (found := one.find(task.sample.id, ask)) is not None:
                self._writer.put(self._reply_row(task, ask, found, reused=True))
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
        while self._next and not self._piloting and not self._stop.is_set():
            self._submit(*self._next.popleft())

    def _ask_again(self, most: int) -> None:
        """Give calls that failed their second turn until no more than `most` wait for it."""
        while len(self._doubts.aside) > most and not self._piloting and not self._stop.is_set():
            (job, index), error = self._doubts.aside.popleft()
            earlier = job.before.get(index)
            job.before[index] = error if earlier is None else joined_errors(earlier, error)
            self._submit(job, index)

    def _submit(self, job: _Job, index: int) -> None:
        request = job.task.asks[index].request
        if self._pool is None or self._stop.is_set():
            return
        while not self._parts.budget.reserve(request):
            if self._parts.budget.exhausted:
                self._stop.set()
            if self._stop.is_set():
                return
            self._pool.turn()  # what is in flight has mostly set aside more than it costs
        again = index in job.before
        self._pool.submit(request, lambda answer: self._answered(job, index, answer), again=again)

    def _answered(self, job: _Job, index: int, answer: Reply | CallError) -> None:
        ask = job.task.asks[index]
        self._parts.budget.settle(ask.request, answer)
        if isinstance(answer, Reply):
            self._parts.meter.told(ask.request, answer)
            self._heard(job.task, ask, answer)
        elif self._doubts.keep((job, index), job.task.sample.id, answer, again=index in job.before):
            return  # not an outcome of this sample yet; where the run ends first, it is asked again when it goes on
        self._settle(job, index, answer)

    def _settle(self, job: _Job, index: int, answer: Reply | CallError) -> None:
        """The final answer to a call."""
        ask = job.task.asks[index]
        if (before := job.before.get(index)) is not None:
            answer = joined(before, answer)
        self._writer.put(self._reply_row(job.task, ask, answer))
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

    def _heard(self, task: Task, ask: Ask, reply: Reply) -> None:
        """A call was answered: so what failed before it was sent failed by itself."""
        self._good = task, ask
        if self._parts.traffic is not None:
            self._parts.traffic.vouched = True
        for (job, index), error in self._doubts.heard(reply.seconds):
            self._settle(job, index, error)

    def _look(self) -> None:
        """Called whenever the pool waits: is the service there? A call that was answered before finds out."""
        traffic, pool = self._parts.traffic, self._pool
        if pool is None or self._stop.is_set() or time.monotonic() < self._quiet_until:
            return
        ended = self._looking and not pool.active and not self._next_calls()
        round_trip = 0.0 if traffic is None else traffic.round_trip
        pressing = bool(self._doubts or self._doubts.aside) and (
            ended or self._doubts.pressing(round_trip, waiting=pool.active > 0)
        )
        if not pressing and (traffic is None or not traffic.wants_probe):
            return
        if self._good is None or traffic is None:
            return self._give_up(ended=ended)
        task, ask = self._good
        self._quiet_until = float("inf")
        if not pool.probe(ask.request, lambda answer: self._probed(task, ask, answer)):
            self._quiet_until = 0.0

    def _next_calls(self) -> bool:
        return bool(self._next or self._doubts.aside) and not self._piloting

    def _probed(self, task: Task, ask: Ask, answer: Reply | CallError) -> None:
        self._parts.budget.settle(ask.request, answer)
        self._quiet_until = time.monotonic() + PROBES
        if isinstance(answer, Reply):
            self._parts.meter.told(ask.request, answer)
            self._writer.put(self._reply_row(task, ask, answer))
            return self._heard(task, ask, answer)
        traffic = self._parts.traffic
        if not answer.retry or (traffic is not None and not traffic.answered):
            return self._fail(self._unusable(answer))
        self._doubts.outage()

    def _give_up(self, *, ended: bool) -> None:
        """No call is known that is answered. Where some were, in this command, what is left failed by itself."""
        if not self._doubts.answered or not ended:
            return self._fail(self._unusable(self._doubts.worst))
        for (job, index), error in self._doubts.heard(0.0):
            self._settle(job, index, error)

    def _unusable(self, error: CallError) -> CannotTell:
        if error.retry:
            return CannotTell(f"{self._parts.who} does not answer: {error.reason}\n  {KEPT}")
        return CannotTell(f"{self._parts.who} cannot be used: {error.reason}\n  {error.advice}".rstrip())

    def _finish(self, job: _Job) -> None:
        task = job.task
        answered = [(ask, a) for ask, a in zip(task.asks, job.answers, strict=True) if a is not None]
        judged = self._parts.conclude(task, answered)
        self._parts.tally.save(len(task.asks) - len(answered))
        self._writer.put(OutcomeRow(task.sample.id, judged.outcome, judged.reward, judged.checks))

    def _reply_row(self, task: Task, ask: Ask, reply: Reply | CallError, *, reused: bool = False) -> ReplyRow:
        cost = 0.0 if reused else self._parts.budget.cost_of(ask.request, reply)
        criteria = ",".join(criterion.id for criterion in ask.criteria)
        return ReplyRow(ask.request.key, task.sample.id, ask.item, ask.order, ask.vote, criteria, reply, cost, reused)

    def _fail(self, error: Exception) -> None:
        with self._lock:
            self._error = self._error or error
        self._stop.set()
