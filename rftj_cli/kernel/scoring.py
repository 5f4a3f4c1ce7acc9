"""Many samples at once, within a given time: what Lambda and a trainer's reward function run. The scores are `score`'s.

    samples --prepare--> calls --threads, Retry--> replies --finish--> Scored, in the order of the samples

`rftj score` runs the same `prepare` and `finish` under `running/`, where there is a store and no hurry.
"""

from __future__ import annotations

import os
import threading
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final

from rftj_cli.errors import InputError
from rftj_cli.kernel.evaluate import Judged, Task, finish, prepare
from rftj_cli.kernel.limit import TooLong, at_most
from rftj_cli.kernel.outcome import CallError, Judge, Reply
from rftj_cli.kernel.retry import Policy, Retry, longest_attempt
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.kernel.sample import Sample

Call = Future[tuple[Reply | CallError, float]]
LATE: Final = "no time was left for an answer"
OWN_LEAST, OWN_MOST = 0.5, 5.0  # seconds that the checks and the prompt of one sample may take, or its verdict


@dataclass(frozen=True, slots=True)
class Scored:
    """One sample with its outcome and reward; `replies` are what its requests brought, `seconds` until the last of them.

    `own` are the replies to calls that were made for it: an equal request of a sample before it is not asked again.
    """

    judged: Judged
    replies: tuple[Reply | CallError, ...]
    seconds: float
    own: tuple[Reply | CallError, ...]


class Scorer:
    """A rubric with its judge, ready for use again and again. `workers` calls are made at a time.

    Make one and keep it: connections, what the model was found to accept, and how long it takes are kept with it.
    """

    def __init__(self, rubric: Rubric, judge: Judge | None, *, workers: int = 64, attempts: int = 6) -> None:
        self.rubric, self._judge, self._attempts = rubric, judge, attempts
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="rftj")
        self._usual = 0.0
        self._lock = threading.Lock()

    def score(self, samples: Sequence[Sample], seconds: float) -> list[Scored | InputError]:
        """Every sample's reward after at most so many seconds; an `InputError` for one that the rubric cannot be asked about.

        Equal requests are one call: of two equal answers to a prompt, a judge's noise must make neither the better one.
        """
        began = time.monotonic()
        end = began + seconds
        tasks: list[Task | InputError] = []
        calls: list[list[tuple[Call, bool]]] = []
        made: dict[str, Call] = {}
        for index, sample in enumerate(samples):  # the first calls are on their way while later prompts are made
            tasks.append(task := self._prepared(sample, _share(end, len(samples) - index)))
            calls.append(self._called(task, end, made) if isinstance(task, Task) else [])
        wait(made.values(), timeout=max(0.0, end - time.monotonic()))
        return [
            task if isinstance(task, InputError) else self._finished(task, some, began, _share(end, len(tasks) - index))
            for index, (task, some) in enumerate(zip(tasks, calls, strict=True))
        ]

    def _prepared(self, sample: Sample, seconds: float) -> Task | InputError:
        try:
            with at_most(seconds):
                task = prepare(self.rubric, sample)
        except InputError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a sample may overflow what reads it; the others have their rewards
            return _fault(error)
        if task.asks and self._judge is None:
            return InputError("criteria of its own, and the rubric has no judge", key="criteria")
        return task

    def _called(self, task: Task, end: float, made: dict[str, Call]) -> list[tuple[Call, bool]]:
        """The call of each ask, and whether it is a new one; `made` are those of this invocation, by their requests."""
        found = []
        for index, ask in enumerate(task.asks):
            key = ask.request.key
            new = key not in made
            if new:
                made[key] = self._pool.submit(self._call, task, index, end)
            found.append((made[key], new))
        return found

    def _call(self, task: Task, index: int, end: float) -> tuple[Reply | CallError, float]:
        """One call with its retries. Whatever happens in it is that call's failure, and nobody else's."""
        left = end - time.monotonic()
        if left <= 0:
            return CallError("timeout", LATE, retry=True), time.monotonic()
        policy = Policy(self._attempts, left, longest=lambda: longest_attempt(left, self._usual))
        answer: Reply | CallError
        try:
            assert self._judge is not None, "a task with calls has a judge"
            answer = Retry(self._judge, policy)(task.asks[index].request)
            self._took(answer.seconds)
        except CallError as error:
            answer = error
        except BaseException as error:  # noqa: BLE001 - a bug, or a provider's; SystemExit in a thread ends nothing
            answer = CallError("call", f"a fault in rftj: {type(error).__name__} at {_place(error)}")
        return answer, time.monotonic()

    def _took(self, seconds: float) -> None:
        with self._lock:
            self._usual = seconds if not self._usual else 0.8 * self._usual + 0.2 * seconds

    def _finished(
        self, task: Task, calls: Sequence[tuple[Call, bool]], began: float, seconds: float
    ) -> Scored | InputError:
        answers, last = dict[Call, Reply | CallError](), began
        for call, _ in calls:
            # One that is not done has run out of time; in its thread it ends by itself, at the same deadline.
            late = not call.done() or call.cancelled()
            answer, at = (CallError("timeout", LATE, retry=True), time.monotonic()) if late else call.result()
            call.cancel()
            answers[call] = answer
            last = max(last, at)
        try:
            with at_most(seconds):
                judged = finish(task, [(ask, answers[call]) for ask, (call, _) in zip(task.asks, calls, strict=True)])
        except Exception as error:  # noqa: BLE001 - as above
            return _fault(error)
        own = tuple(answers[call] for call, new in calls if new)
        return Scored(judged, tuple(answers.values()), last - began, own)


def _share(end: float, rows: int) -> float:
    """Seconds for one of so many samples: an equal part of the time left, within bounds."""
    return min(OWN_MOST, max(OWN_LEAST, (end - time.monotonic()) / rows))


def _fault(error: Exception) -> InputError:
    if isinstance(error, TooLong):
        return InputError("it takes too long to check: does a regular expression backtrack on this text?")
    return InputError(f"rftj cannot read it, {type(error).__name__} at {_place(error)}")


def _place(error: BaseException) -> str:
    """Where it was raised: file and line. Its message may quote what is judged."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else "?"
