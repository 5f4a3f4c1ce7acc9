"""The judge behind a reward function: asked from many threads, answered once for equal requests, for as long as a training run.

    ask(request) --known?--> the same future   --else--> budget -> a worker: gate, attempts, retries -> Reply | CallError

The retry policy, the limiter and the breaker are those of `rftj score`. What ends there a run ends here the calls that
wait: a judge that comes back is asked again by the next batch.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Final

from rftj_cli.errors import CannotTell
from rftj_cli.files.prices import Price
from rftj_cli.kernel.outcome import CallError, Judge, Reply, Request
from rftj_cli.kernel.retry import Gate, Policy, Retry, longest_attempt
from rftj_cli.running.budget import Budget
from rftj_cli.running.doubts import ENOUGH
from rftj_cli.running.live import Endpoint, is_service
from rftj_cli.running.pool import Stopped, Turnstile
from rftj_cli.running.tokens import Meter
from rftj_cli.running.traffic import Traffic

PATIENCE: Final = 60.0  # seconds without any answer after which the calls that wait are given up
Answer = Reply | CallError


@dataclass(frozen=True, slots=True)
class _Line:
    """A connection's state: how to call, and what has been learned of the service's limits since the last outage."""

    retry: Retry
    first: Retry
    traffic: Traffic | None
    stop: threading.Event
    alone: threading.Lock = field(default_factory=threading.Lock)
    failed: set[str] = field(default_factory=set)  # requests that failed before the service has answered at all
    refused: set[str] = field(default_factory=set)  # requests that were refused since the last reply

    def answer(self, request: Request) -> Answer:
        """Make one call. Until the service has answered at all calls go alone: where nobody is there, a few find out."""
        traffic = self.traffic
        if traffic is None or traffic.answered:
            return self._made(self.retry, request)
        with self.alone:
            if not traffic.answered:
                answer = self._made(self.first, request)
                if isinstance(answer, CallError) and answer.retry:
                    self.failed.add(request.key)
                    if len(self.failed) >= ENOUGH:
                        self.stop.set()
                return answer
        return self._made(self.retry, request)

    def unusable(self, request: Request, answer: Answer) -> bool:
        """Whether every further call must be refused as this one was: several in a row were, or none was ever answered."""
        if isinstance(answer, Reply):
            self.refused.clear()
            return False
        if answer.retry or (answer.stage != "call" and not answer.fatal):
            return False
        self.refused.add(request.key)
        answered = self.traffic is not None and self.traffic.answered
        if answer.fatal:
            return not answered or len(self.refused) >= ENOUGH
        return not answered and len(self.refused) >= ENOUGH

    def _made(self, retry: Retry, request: Request) -> Answer:
        try:
            if self.stop.is_set():
                raise Stopped
            return retry(request)
        except CallError as error:
            return error
        except Stopped:
            over = None if self.traffic is None else self.traffic.over
            return CallError("call", f"the judge does not answer{'' if over is None else f': {over}'}", retry=True)


class Caller:
    """Carries the calls of a reward function; safe in many threads. It connects when the first call is needed.

    `timeout` is seconds for one call; the first may take as long as the endpoint's own. `remember` is how many replies are
    kept for equal requests: in GRPO the answers of one group are often the same.
    """

    def __init__(
        self, endpoint: Endpoint, timeout: float, price: Price | None, max_cost: float | None, remember: int
    ) -> None:
        self._endpoint, self._timeout, self._remember = endpoint, timeout, remember
        self._meter = Meter()
        self.budget = Budget(price, max_cost, self._meter)
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Future[Answer]] = OrderedDict()
        self._workers: ThreadPoolExecutor | None = None
        self._judge: Judge | None = None
        self._line: _Line | None = None

    def ask(self, request: Request) -> tuple[Future[Answer], bool]:
        """The answer to come, and whether a call was made for it. `CannotTell` comes out of the future: see `_call`."""
        with self._lock:
            known = self._known.get(request.key)
            if known is not None:
                self._known.move_to_end(request.key)
                return known, False
            if self._workers is None:  # threads are kept, and with them their connections
                self._workers = ThreadPoolExecutor(self._endpoint.workers, thread_name_prefix="rftj-reward")
            line = self._ready()
            future = self._workers.submit(self._call, line, request)
            self._known[request.key] = future
        future.add_done_callback(lambda done: self._forget(request.key, done))
        return future, True

    def close(self) -> None:
        """Let the workers end after the calls in flight."""
        with self._lock:
            workers, self._workers, self._line, self._judge = self._workers, None, None, None
        if workers is not None:
            workers.shutdown(wait=False, cancel_futures=True)

    def _ready(self) -> _Line:
        """The line in use, or a new one where an outage has ended it. Held by the lock."""
        if self._judge is None:
            self._judge = self._endpoint.connect({})
        if self._line is None or self._line.stop.is_set():
            self._line = self._open(self._judge)
        return self._line

    def _open(self, judge: Judge) -> _Line:
        timeout, stop = self._timeout, threading.Event()
        if not is_service(self._endpoint.settings):
            alone = Retry(judge, Policy(deadline=timeout))
            return _Line(alone, alone, None, stop)
        traffic = Traffic(patience=max(PATIENCE, timeout), stop=stop)
        policy = Policy(deadline=timeout, gated=True, longest=lambda: longest_attempt(timeout, traffic.round_trip))

        def sleep(seconds: float) -> None:
            if stop.wait(seconds):
                raise Stopped

        gate: Gate = Turnstile(traffic, self._meter, stop)
        first = replace(policy, deadline=self._endpoint.timeout)
        return _Line(Retry(judge, policy, gate, sleep), Retry(judge, first, gate, sleep), traffic, stop)

    def _call(self, line: _Line, request: Request) -> Answer:
        """One call. Raises `CannotTell` where the ceiling is reached, and where no further call can succeed either."""
        if not self.budget.reserve_or_wait(request):
            raise CannotTell(f"max_cost of ${self.budget.ceiling:g} reached: ${self.budget.spent:.4g} are spent")
        answer = line.answer(request)
        self.budget.settle(request, answer)
        unusable = line.unusable(request, answer)
        if isinstance(answer, Reply):
            self._meter.told(request, answer)
        if isinstance(answer, CallError) and unusable:
            line.stop.set()
            raise CannotTell(f"the judge cannot be used: {answer.reason}\n  {answer.advice}".rstrip())
        return answer

    def _forget(self, key: str, done: Future[Answer]) -> None:
        """What failed is asked again the next time; of the rest the oldest go."""
        failed = done.cancelled() or done.exception() is not None or not isinstance(done.result(), Reply)
        with self._lock:
            if failed and self._known.get(key) is done:
                del self._known[key]
            while len(self._known) > self._remember and next(iter(self._known.values())).done():
                self._known.popitem(last=False)
