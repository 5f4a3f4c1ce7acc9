"""A run as events with the rewards they were given, and its replies as a file: what the bundle is held against.

run --recorded--> Recorded(measured, lines of replies, left out)      function + Recorded --compare--> Parity
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from rftj_cli.errors import InputError
from rftj_cli.files.runs import Run
from rftj_cli.files.store import Store
from rftj_cli.kernel.asks import Ask
from rftj_cli.kernel.evaluate import Task, finish, prepare
from rftj_cli.kernel.events import event_row
from rftj_cli.kernel.outcome import CallError, Reply
from rftj_cli.kernel.recorded import recorded_line
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.kernel.sample import Sample
from rftj_cli.reward.conformance import failure, scores_of
from rftj_cli.reward.local.outcome import Invocation

SHOWN: Final = 20  # samples that are named
NO_REPLY: Final = "the run holds no reply to one of its calls (votes that were saved, or a run of another rftj)"
TWICE: Final = "the run has two different replies to the very same request"
NO_REWARD: Final = "neither the run nor the function gives it a reward"


class Function(Protocol):
    """A reward function that can be called: the zip on this machine, or the one in AWS."""

    def invoke(self, event: object) -> Invocation:
        """What one event brings."""
        ...


@dataclass(frozen=True, slots=True)
class Measured:
    """One sample of a run: the row that a trainer would send, and the reward that the run gave."""

    id: str
    row: Mapping[str, Any]
    reward: float
    calls: int


@dataclass(slots=True)
class Recorded:
    """The samples of a run that can be compared, the lines of their replies, how long each took, and why others cannot be."""

    measured: list[Measured] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Difference:
    """A sample whose reward from the function is another one than the run's."""

    id: str
    measured: float
    found: object


@dataclass(frozen=True, slots=True)
class Parity:
    """Rewards of the function beside those of the run: equal to the last bit, or not. `different` names the first."""

    compared: int
    equal: int
    different: tuple[Difference, ...]
    left_out: Mapping[str, int]
    errors: tuple[str, ...] = ()


def recorded(run: Run, rubric: Rubric) -> Recorded:
    """What of a run can be compared with a function of this rubric.

    A sample that the run gives no reward (`on_failure: error`) is compared with what the rubric makes of its replies.
    """
    found, known, store = Recorded(), dict[str, Reply | CallError](), run.store()
    try:
        for row, outcome in store.outcomes():
            task, answers, why = _answers(store, rubric, row.sample, known)
            reward = outcome.reward.value
            if reward is None and task is not None:
                reward = finish(task, answers).reward.value
            if reward is None and not why:
                why = NO_REWARD
            if why or reward is None:
                found.left_out[why] += 1
                continue
            for ask, answer in answers:
                if ask.request.key not in known:
                    known[ask.request.key] = answer
                    found.lines.append(recorded_line(ask.request.key, answer))
                if isinstance(answer, Reply) and answer.seconds:
                    found.seconds.append(answer.seconds)
            calls = len({ask.request.key for ask, _ in answers})
            found.measured.append(Measured(row.sample.id, event_row(row.sample), reward, calls))
    finally:
        store.close()
    return found


def _answers(
    store: Store, rubric: Rubric, sample: Sample, known: Mapping[str, Reply | CallError]
) -> tuple[Task | None, list[tuple[Ask, Reply | CallError]], str]:
    """Every call of a sample with its answer; or why they cannot all be replayed."""
    try:
        task = prepare(rubric, sample)
    except InputError as error:
        return None, [], f"the rubric cannot be asked about it ({error.key})"
    answers: list[tuple[Ask, Reply | CallError]] = []
    for ask in task.asks:
        key = ask.request.key
        answer = store.answer(sample.id, key)
        if answer is None:
            return None, [], NO_REPLY
        if key in known and _said(known[key]) != _said(answer):
            return None, [], TWICE
        answers.append((ask, answer))
    return task, answers, ""


def _said(answer: Reply | CallError) -> tuple[object, ...]:
    """What of an answer a verdict hangs on: the same words may have taken another time, and other tokens."""
    if isinstance(answer, CallError):
        return answer.stage, answer.reason
    return answer.text, answer.stop, answer.probabilities


def batches(measured: Sequence[Measured], size: int) -> Iterator[Sequence[Measured]]:
    """The samples in invocations of so many rows."""
    for start in range(0, len(measured), size):
        yield measured[start : start + size]


def compare(function: Function, found: Recorded, size: int) -> Parity:
    """Send every sample, and compare the rewards to the last bit."""
    equal, different, errors = 0, list[Difference](), list[str]()
    for batch in batches(found.measured, size):
        invocation = function.invoke([one.row for one in batch])
        if invocation.error is not None:
            errors.append(failure(invocation.error))
        scores = scores_of(invocation.payload) if invocation.error is None else []
        for index, one in enumerate(batch):
            score = scores[index] if index < len(scores) else None
            same = isinstance(score, (int, float)) and not isinstance(score, bool) and score == one.reward
            equal += same
            if not same:
                different.append(Difference(one.id, one.reward, score))
    return Parity(len(found.measured), equal, tuple(different[:SHOWN]), dict(found.left_out), tuple(errors[:SHOWN]))
