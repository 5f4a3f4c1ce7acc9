"""A rubric as a Python function for any trainer: rows in, rewards out, by the same kernel as `rftj score` and the Lambda.

rows --read--> samples --prepare (checks, prompts)--> calls, all at once --finish (verdict, reward)--> Results, in order

A row that cannot be judged is its own failure: its value is None, and its neighbours are judged all the same.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Final, Literal, Self

from rftj_cli.errors import InputError
from rftj_cli.files.prices import price_of
from rftj_cli.files.rubrics import load_rubric
from rftj_cli.kernel.answering import spent
from rftj_cli.kernel.asks import Ask
from rftj_cli.kernel.evaluate import Judged, Task, finish, prepare
from rftj_cli.kernel.outcome import CallError, Failure, Outcome, Reply, Stage
from rftj_cli.kernel.reward import refuse_without_reward
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.kernel.sample import Sample, read_sample
from rftj_cli.reward.calling import Caller
from rftj_cli.running.calling import FIRST_TIMEOUT
from rftj_cli.running.live import Endpoint, default_workers

TIMEOUT: Final = 60.0  # seconds for one call with its retries; the first may take as long as in `rftj score`
REMEMBERED: Final = 10_000  # replies kept for equal requests
OnFailure = Literal["rubric", "none"]
_NOT_JUDGED: Final = ("label", "labels", "split", "group", "cluster")  # of a samples file; they change no reward


@dataclass(frozen=True, slots=True)
class Result:
    """What one row came to.

    value:   the reward, or None where there is none: see `failure` and `note`
    parts:   u in [0, 1] of each criterion and check that was judged
    outcome: the kernel's verdict or failure; None for a row that is no sample
    failure: the stage at which judging failed, `malformed` for such a row; None for a verdict
    essential: the id of the failed essential criterion or check that settled the reward: that is an answer, no failure
    calls, attempts, input_tokens, output_tokens: what this row asked of the judge; a reply that was there already counts as none
    """

    value: float | None
    parts: Mapping[str, float] = field(default_factory=dict)
    outcome: Outcome | None = None
    failure: Stage | Literal["malformed"] | None = None
    essential: str | None = None
    note: str = ""
    sample: Sample | None = None
    seconds: float = 0.0
    calls: int = 0
    attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def failed(self) -> bool:
        """Whether the judge or the row failed; where the response holds no items to judge (`skipped`), neither did."""
        return self.failure not in (None, "skipped")


@dataclass(frozen=True, slots=True)
class Settings:
    """How a reward function asks its judge; none of it changes a verdict."""

    workers: int | None = None
    timeout: float | None = None
    on_failure: OnFailure = "rubric"
    base_url: str | None = None
    region: str | None = None
    max_cost: float | None = None
    prices: Path | None = None
    remember: int = REMEMBERED


def reward_function(
    rubric: Path | str | Rubric,
    *,
    set: Sequence[str] = (),
    workers: int | None = None,
    timeout: float | None = None,
    on_failure: OnFailure = "rubric",
    base_url: str | None = None,
    region: str | None = None,
    max_cost: float | None = None,
    prices: Path | None = None,
    remember: int = REMEMBERED,
) -> RewardFunction:
    """The reward function of a rubric, or of its file with `key.path=value` overrides in `set`.

    workers:    calls at the same time (default: 64 on Bedrock, 16 elsewhere, 1 for a judge in this process)
    timeout:    seconds for one call with its retries (default: 60, and 300 for the first)
    on_failure: `rubric` gives a failure what the rubric's `reward.on_failure` says, `none` gives it no value
    max_cost:   US dollars after which the function raises `CannotTell`
    remember:   replies kept for equal requests

    Raises `InputError` for a rubric that cannot be a reward, or a judge that is not set up. Nothing is called before the
    first row.
    """
    loaded = rubric if isinstance(rubric, Rubric) else load_rubric(Path(rubric), tuple(set))
    if isinstance(rubric, Rubric) and set:
        raise InputError("overrides need the rubric's file", key="set", found=list(set))
    settings = Settings(workers, timeout, on_failure, base_url, region, max_cost, prices, remember)
    return RewardFunction(loaded, settings)


class RewardFunction:
    """Call it with rows, as a samples file or a training event has them; `Result`s come back in their order.

    Safe in many threads. `counts` says what became of all rows so far: `verdict`, or the stage of the failure. It can be
    pickled; the copy has connections and counts of its own.
    """

    def __init__(self, rubric: Rubric, settings: Settings = Settings()) -> None:
        _refuse(rubric, settings)
        self.rubric, self.settings = rubric, settings
        workers = settings.workers or default_workers(rubric.judge)
        first = settings.timeout or FIRST_TIMEOUT
        endpoint = Endpoint(rubric.judge, workers, settings.base_url, settings.region, first)
        price = price_of(rubric.judge.model, settings.prices, rubric.judge.tier)
        if settings.max_cost is not None and price is None:
            hint = "give a price file as `prices`"
            raise InputError("max_cost needs the price of the model, and it is unknown", key="max_cost", hint=hint)
        self._caller = Caller(endpoint, settings.timeout or TIMEOUT, price, settings.max_cost, settings.remember)
        self._lock, self.counts = Lock(), Counter[str]()

    def __reduce__(self) -> tuple[Any, ...]:
        return RewardFunction, (self.rubric, self.settings)

    def __call__(self, rows: Iterable[Mapping[str, Any]]) -> list[Result]:
        """The results of the rows, in their order.

        Raises `CannotTell` where no further call can succeed: refused credentials, an unknown model, `max_cost` reached.
        """
        try:
            jobs = [self._begin(row) for row in rows]
            results = [job if isinstance(job, Result) else self._end(job) for job in jobs]
        except KeyboardInterrupt:  # nobody waits for the calls that are still in the queue
            self.close()
            raise
        with self._lock:
            self.counts.update(result.failure or "verdict" for result in results)
        return results

    @property
    def spent(self) -> float | None:
        """US dollars that the calls so far cost; None where the model's price is unknown."""
        return self._caller.budget.spent

    def close(self) -> None:
        """Close the connections. The next call opens new ones."""
        self._caller.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self, row: Mapping[str, Any]) -> _Job | Result:
        began = time.monotonic()
        sample: Sample | None = None
        try:
            sample = read_row(row)
            task = prepare(self.rubric, sample)
        except (InputError, TypeError, ValueError, RecursionError) as error:
            return Result(None, failure="malformed", note=str(error), sample=sample)
        # A judge that is not set up is no fault of the row, and not caught.
        job = _Job(task, began, [(ask, *self._caller.ask(ask.request)) for ask in task.asks])
        for _, future, _ in job.asked:
            future.add_done_callback(lambda _: job.ends.append(time.monotonic()))
        return job

    def _end(self, job: _Job) -> Result:
        answered = [(ask, future.result()) for ask, future, _ in job.asked]
        judged = finish(job.task, answered)
        own = [answer for (_, answer), (_, _, made) in zip(answered, job.asked, strict=True) if made]
        # Its own time: results are collected in order, and a quick row may stand behind a slow one.
        ended = max(job.ends) if len(job.ends) == len(job.asked) > 0 else time.monotonic()
        return _result(job.task.sample, judged, own, ended - job.began, self.settings.on_failure)


@dataclass(frozen=True, slots=True)
class _Job:
    """A row on its way: its calls, each with its answer to come and whether it was made for this row; when they ended."""

    task: Task
    began: float
    asked: Sequence[tuple[Ask, Future[Reply | CallError], bool]]
    ends: list[float] = field(default_factory=list)


def read_row(row: Mapping[str, Any]) -> Sample:
    """A row as the sample that it is. What an event brings under `metadata` counts as if it stood in the row itself.

    Labels, splits and groups are left out: no reward depends on them. Raises `InputError` for what is no sample.
    """
    if not isinstance(row, Mapping):
        raise InputError("not a row", found=row, expected="a mapping with a prompt and a response")
    fields = {str(key): value for key, value in row.items()}
    for name in _NOT_JUDGED:
        fields.pop(name, None)
    if isinstance(criteria := fields.get("criteria"), list):  # tables of data sets fill up what a row does not say
        fields["criteria"] = [_said(one) for one in criteria]
    return read_sample(fields, "rubric")


def _said(criterion: object) -> object:
    if not isinstance(criterion, Mapping):
        return criterion
    return {key: value for key, value in criterion.items() if value is not None}


def _refuse(rubric: Rubric, settings: Settings) -> None:
    refuse_without_reward(rubric)
    if settings.on_failure not in ("rubric", "none"):
        raise InputError("unknown rule", key="on_failure", found=settings.on_failure, expected="rubric or none")
    if settings.workers is not None and settings.workers < 1:
        raise InputError("bad number", key="workers", found=settings.workers, expected="1 or more")
    if settings.timeout is not None and not (math.isfinite(settings.timeout) and settings.timeout > 0):
        raise InputError("bad number", key="timeout", found=settings.timeout, expected="seconds above 0")
    if settings.max_cost is not None and math.isnan(settings.max_cost):
        raise InputError("not a number", key="max_cost", found=settings.max_cost, expected="US dollars")


def _result(
    sample: Sample, judged: Judged, own: Sequence[Reply | CallError], seconds: float, on_failure: OnFailure
) -> Result:
    outcome, reward = judged.outcome, judged.reward
    essential = next((part.id for part in reward.parts if part.essential and part.u == 0), None)
    failure = outcome.stage if isinstance(outcome, Failure) and essential is None else None
    given = None if failure is not None and on_failure == "none" else reward.value
    return Result(
        value=given,
        parts={part.id: part.u for part in reward.parts if part.u is not None},
        outcome=outcome,
        failure=failure,
        essential=essential,
        note=outcome.reason if isinstance(outcome, Failure) else reward.note,
        sample=sample,
        seconds=seconds,
        **spent(own),
    )
