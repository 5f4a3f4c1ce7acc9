"""One sample through the instrument: checks, calls, verdict, reward. `rftj score` and the Lambda both run this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rftj_cli.kernel.asks import Ask, BadItems, asks, rubric_for
from rftj_cli.kernel.checks import CheckResult, run_check
from rftj_cli.kernel.conclude import conclude
from rftj_cli.kernel.outcome import CallError, Failure, Outcome, Reply, Reward, Verdict
from rftj_cli.kernel.reward import reward_of
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.kernel.sample import Sample


@dataclass(frozen=True, slots=True)
class Task:
    """A sample made ready: its rubric, check results and calls. `settled` is the outcome where no call is needed."""

    rubric: Rubric
    sample: Sample
    checks: tuple[CheckResult, ...]
    asks: tuple[Ask, ...]
    settled: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A sample with what became of it."""

    outcome: Outcome
    reward: Reward
    checks: tuple[CheckResult, ...]


def prepare(rubric: Rubric, sample: Sample) -> Task:
    """Run the checks and render the calls. Raises `InputError` where the sample lacks what the rubric needs."""
    own = rubric_for(rubric, sample)
    response = str(sample.fields.get("response"))
    results = tuple(run_check(check, response, sample.fields.get("reference")) for check in own.checks)
    for check, result in zip(own.checks, results, strict=True):
        if check.essential and not result.passed:
            reason = f"essential check {check.id} failed: {result.why}"
            return Task(own, sample, results, (), Failure("skipped", reason))
    try:
        calls = asks(own, sample)
    except BadItems as error:
        return Task(own, sample, results, (), Failure("skipped", str(error)))
    if own.items is not None and own.items.empty == "error" and all(ask.item is None for ask in calls):
        return Task(own, sample, results, (), Failure("skipped", "the response holds no items (items.empty: error)"))
    return Task(own, sample, results, calls, None if calls else Verdict((), ()))


def finish(task: Task, answered: Sequence[tuple[Ask, Reply | CallError]]) -> Judged:
    """The outcome and reward that the replies give; pure."""
    outcome = task.settled or conclude(task.rubric, task.sample, answered)
    return Judged(outcome, reward_of(task.rubric, outcome, task.checks), task.checks)
