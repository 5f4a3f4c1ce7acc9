"""Concurrent judging: a feeder, workers, and one writer that acknowledges after the commit.

    feeder (prepares samples, finds recordings) --queue--> workers (call the judge) --rows--> writer (SQLite)
                                                                                        '--> tally, progress

At most a few samples a worker are in memory, however long the file is. Samples are finished in about the order of the
file. A stop lets calls in flight finish and keeps what they bring.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from rftj_cli.errors import CannotTell
from rftj_cli.files.prices import Price
from rftj_cli.files.store import OutcomeRow, ReplyRow, Row, SampleRow, Store
from rftj_cli.kernel.asks import Ask
from rftj_cli.kernel.evaluate import Task, finish
from rftj_cli.kernel.outcome import SERVICE_STAGES, CallError, Judge, Reply
from rftj_cli.running.account import Tally
from rftj_cli.running.budget import Budget
from rftj_cli.running.recordings import Recordings

BATCH_ROWS = 500
BATCH_SECONDS = 0.25


class Writer:
    """The one thread that writes the store: rows in batches, then their acknowledgements."""

    def __init__(self, store: Store, acknowledge: Callable[[Row], None], failed: Callable[[Exception], None]) -> None:
        self._store, self._acknowledge, self._failed = store, acknowledge, failed
        self._queue: queue.Queue[Row | None] = queue.Queue(maxsize=20 * BATCH_ROWS)
        self._thread = threading.Thread(target=self._run, name="rftj-writer", daemon=True)
        self._thread.start()

    def put(self, row: Row) -> None:
        self._queue.put(row)

    def close(self) -> None:
        """Write what is queued, then end."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        open_ = True
        while open_:
            batch: list[Row] = []
            ends = time.monotonic() + BATCH_SECONDS
            while open_ and len(batch) < BATCH_ROWS:
                try:
                    row = self._queue.get(timeout=max(0.0, ends - time.monotonic()) if batch else None)
                except queue.Empty:
                    break
                if row is None:
                    open_ = False
                else:
                    if not batch:
                        ends = time.monotonic() + BATCH_SECONDS
                    batch.append(row)
            try:
                self._store.write(batch)
            except Exception as error:  # noqa: BLE001 - a full disk must stop the run, not vanish with this thread
                self._failed(error)
                continue
            for row in batch:
                self._acknowledge(row)


@dataclass(slots=True)
class _Job:
    """A sample on its way: which calls are answered, and how many are not yet."""

    task: Task
    answers: list[Reply | CallError | None]
    left: int
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, index: int, reply: Reply | CallError) -> bool:
        """Note one answer; True for the last."""
        with self.lock:
            self.answers[index] = reply
            self.left -= 1
            return self.left == 0


class Engine:
    """Runs prepared samples through a judge. Make one a run; `run` may be called once."""

    def __init__(
        self,
        judge: Judge | None,
        store: Store,
        *,
        workers: int,
        recordings: Sequence[Recordings],
        price: Price | None,
        budget: Budget,
        tally: Tally,
        stop: threading.Event,
    ) -> None:
        self._judge, self._recordings, self._price = judge, recordings, price
        self._budget, self._stop = budget, stop
        self._workers = workers
        self._queue: queue.Queue[tuple[_Job, int] | None] = queue.Queue(maxsize=2 * workers)
        self._writer = Writer(store, tally.acknowledge, self._fail)
        self._error: Exception | None = None
        self._misses = 0  # service failures in a row, over all workers
        self._lock = threading.Lock()

    def run(self, tasks: Iterable[tuple[SampleRow, Task]]) -> None:
        """Judge every task. Raises what stopped the run: `CannotTell`, or an error of the store."""
        threads = [threading.Thread(target=self._work, name=f"rftj-{i}", daemon=True) for i in range(self._workers)]
        if self._judge is not None:
            for thread in threads:
                thread.start()
        try:
            for row, task in tasks:
                if self._stop.is_set():
                    break
                self._feed(row, task)
        finally:
            for thread in threads if self._judge is not None else []:
                self._offer(None)
            for thread in threads if self._judge is not None else []:
                while thread.is_alive():
                    thread.join(timeout=0.1)  # short, so that a second Ctrl-C is heard
            self._writer.close()
        if self._error is not None:
            raise self._error

    def _feed(self, row: SampleRow, task: Task) -> None:
        self._writer.put(row)
        answers: list[Reply | CallError | None] = []
        for ask in task.asks:
            found = next((r for one in self._recordings if (r := one.find(task.sample.id, ask)) is not None), None)
            answers.append(found)
            if found is not None:
                self._writer.put(self._reply_row(task, ask, found, reused=True))
        waiting = [index for index, answer in enumerate(answers) if answer is None]
        if waiting and self._judge is None:
            return self._fail(CannotTell("a recorded reply that was there is gone: run the command again"))
        job = _Job(task, answers, len(waiting))
        if not waiting:
            self._finish(job)
        for index in waiting:
            self._offer((job, index))

    def _offer(self, work: tuple[_Job, int] | None) -> None:
        while True:
            try:
                return self._queue.put(work, timeout=0.1)
            except queue.Full:
                if self._stop.is_set() and work is not None:
                    return None

    def _work(self) -> None:
        while (work := self._queue.get()) is not None:
            job, index = work
            if not self._stop.is_set():
                try:
                    self._call(job, index)
                except Exception as error:  # noqa: BLE001 - a bug in a backend must stop the run, not hang it
                    self._fail(error)

    def _call(self, job: _Job, index: int) -> None:
        ask = job.task.asks[index]
        assert self._judge is not None
        if not self._budget.reserve(ask.request):
            self._stop.set()
            return
        reply: Reply | CallError
        try:
            reply = self._judge(ask.request)
        except CallError as error:
            reply = error
        self._budget.settle(ask.request, reply)
        if isinstance(reply, Reply):
            self._misses = 0
        elif self._stops(reply) or (self._stop.is_set() and reply.retry):
            return  # not an outcome of this sample: it is asked again when the run goes on
        self._writer.put(self._reply_row(job.task, ask, reply, reused=False))
        if job.answer(index, reply):
            self._finish(job)

    def _stops(self, error: CallError) -> bool:
        """Whether this failure ends the run: no retry can mend it, or nothing has come back for a long time."""
        if error.fatal:
            self._fail(CannotTell(f"the judge cannot be used: {error.reason}\n  {error.advice}".rstrip()))
            return True
        with self._lock:
            self._misses = self._misses + 1 if error.stage in SERVICE_STAGES else 0
            silent = self._misses >= max(20, 2 * self._workers)
        if silent and not self._stop.is_set():
            self._fail(
                CannotTell(
                    f"the judge does not answer: {self._misses} calls in a row failed, the last with: {error.reason}"
                    "\n  what was judged is kept; the same command goes on"
                )
            )
        return False

    def _finish(self, job: _Job) -> None:
        task = job.task
        answered = [(ask, a) for ask, a in zip(task.asks, job.answers, strict=True) if a is not None]
        judged = finish(task, answered)
        self._writer.put(OutcomeRow(task.sample.id, judged.outcome, judged.reward, judged.checks))

    def _reply_row(self, task: Task, ask: Ask, reply: Reply | CallError, *, reused: bool) -> ReplyRow:
        cost: float | None = 0.0
        if not reused and isinstance(reply, Reply):
            cost = None if self._price is None else self._price.cost(reply.input_tokens, reply.output_tokens)
        criteria = ",".join(criterion.id for criterion in ask.criteria)
        return ReplyRow(ask.request.key, task.sample.id, ask.item, ask.order, ask.vote, criteria, reply, cost, reused)

    def _fail(self, error: Exception) -> None:
        with self._lock:
            self._error = self._error or error
        self._stop.set()
