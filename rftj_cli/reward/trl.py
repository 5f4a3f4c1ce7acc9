"""A rubric as a reward function of TRL's GRPOTrainer. Importing this needs neither torch nor TRL.

prompts, completions, columns --> rows --reward_function--> results --> floats and None for TRL, metrics, log lines

What has no reward is None: TRL (since 1.6) then gives the completion no advantage. A constant in its place would be one:
it stands above or below the mean of its group, and the trainer would follow it.
"""

from __future__ import annotations

import math
import uuid
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from rftj_cli.errors import CannotTell, InputError
from rftj_cli.files.lines import append_rows
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.reward.function import Result, RewardFunction, reward_function
from rftj_cli.reward.logline import log_line

WINDOW: Final = 200  # completions over which failures are counted
FEWEST: Final = 20  # completions that count as seen at least: one failure in the first batch is no outage
NONE_SINCE: Final = (1, 6)  # the first version of TRL in which None is no reward; before, the sum over functions was 0
_TRAINERS: Final = ("trainer_state", "log_extra", "log_metric", "environments", "completion_ids")
_OURS: Final = ("prompt", "messages", "response", "completion")  # a column of that name is not what was generated


def grpo_reward(
    rubric: Path | str | Rubric,
    *,
    columns: Mapping[str, str] | None = None,
    max_failures: float = 0.1,
    log: Path | str | None = None,
    **settings: Any,
) -> GrpoReward:
    """A callable for `GRPOTrainer(reward_funcs=...)`, named like the rubric.

    columns:      field of a sample -> column of the data set that it comes from, as `{"reference": "solution"}`
    max_failures: share of the last 200 completions that may fail; beyond it the function raises `CannotTell`, and
                  training stops. What checks settle does not count
    log:          a file to which every result is added, for `rftj reward watch`
    settings:     those of `reward_function`
    """
    if not (isinstance(max_failures, (int, float)) and 0 <= max_failures <= 1):
        raise InputError("bad share", key="max_failures", found=max_failures, expected="a number from 0 to 1")
    function = reward_function(rubric, **settings)
    return GrpoReward(function, dict(columns or {}), max_failures, None if log is None else Path(log))


class GrpoReward:
    """What TRL calls: `reward(prompts=..., completions=..., **columns)` gives a float or None for each completion.

    `function` is the plain reward function; its `counts` say what became of all completions.
    """

    def __init__(
        self, function: RewardFunction, columns: dict[str, str], max_failures: float, log: Path | None
    ) -> None:
        self.function, self.columns, self.max_failures, self.log = function, columns, max_failures, log
        self.__name__ = self.__qualname__ = function.rubric.name
        self._recent: deque[bool] = deque(maxlen=WINDOW)

    def __reduce__(self) -> tuple[Any, ...]:
        return GrpoReward, (self.function, self.columns, self.max_failures, self.log)

    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **given: Any) -> list[float | None]:
        """The rewards of the completions. Raises `CannotTell` where too many fail, or no further call can succeed."""
        missing = [column for column in self.columns.values() if column not in given]
        if missing:
            expected = ", ".join(sorted(set(given) - set(_TRAINERS))) or "a data set with more than `prompt`"
            raise InputError("the data set has no such column", key="columns", found=missing[0], expected=expected)
        results = self.function(_rows(prompts, completions, given, self.columns))
        self._write(results, given.get("trainer_state"))
        self._report(results, given.get("log_metric"), given.get("log_extra"))
        self._refuse_failures(results)
        if any(result.value is None for result in results):
            _warn_of_old_trl()
        return [result.value for result in results]

    def _write(self, results: Sequence[Result], state: object) -> None:
        if self.log is None:
            return
        request, step = uuid.uuid4().hex, getattr(state, "global_step", None)
        append_rows(self.log, [log_line(self.function.rubric, one, request=request, step=step) for one in results])

    def _report(
        self,
        results: Sequence[Result],
        log_metric: Callable[[str, float], None] | None,
        log_extra: Callable[[str, list[Any]], None] | None,
    ) -> None:
        """The parts and failures beside the reward, in versions of TRL that ask for them."""
        name = self.__name__
        ids = sorted({id for result in results for id in result.parts})
        if log_metric is not None and results:
            for id in ids:
                shares = [result.parts[id] for result in results if id in result.parts]
                log_metric(f"{name}/{id}", math.fsum(shares) / len(shares))
            log_metric(f"{name}/failures", sum(result.failed for result in results) / len(results))
        if log_extra is not None:
            for id in ids:
                log_extra(f"{name}/{id}", [result.parts.get(id) for result in results])
            log_extra(f"{name}/failure", [result.failure for result in results])

    def _refuse_failures(self, results: Sequence[Result]) -> None:
        self._recent.extend(result.failed for result in results)
        failed, seen = sum(self._recent), len(self._recent)
        if failed <= self.max_failures * max(seen, FEWEST):
            return
        last = next((result for result in reversed(results) if result.failed), None)
        raise CannotTell(
            f"{failed} of the last {seen} completions could not be judged, more than max_failures {self.max_failures:g}"
            + ("" if last is None else f"\n  the last: {last.failure}: {last.note}")
        )


def _rows(
    prompts: Sequence[Any], completions: Sequence[Any], given: Mapping[str, Any], columns: Mapping[str, str]
) -> list[dict[str, Any]]:
    """One row a completion: the columns of the data set, and what was asked and answered."""
    count = len(prompts)
    fields = {
        name: values
        for name, values in given.items()
        if name not in _TRAINERS and name not in _OURS and isinstance(values, (list, tuple)) and len(values) == count
    }
    for field, column in columns.items():
        fields[field] = given[column]
    rows = []
    for index, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
        own = {name: values[index] for name, values in fields.items() if name not in _OURS}
        rows.append({**own, **_asked(prompt, completion)})
    return rows


def _asked(prompt: Any, completion: Any) -> dict[str, Any]:
    """Prompt and response of plain text, or the messages of a conversation."""
    if isinstance(completion, str) and isinstance(prompt, str):
        return {"prompt": prompt, "response": completion}
    if isinstance(completion, str):
        return {"messages": _turns(prompt), "response": completion}
    return {"messages": [*_turns(prompt), *_turns(completion)]}


def _turns(messages: Any) -> list[Any]:
    """The messages of a conversation; one that only calls a tool has no content."""
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    if not isinstance(messages, (list, tuple)):
        return [messages]
    return [
        {**message, "content": ""} if isinstance(message, Mapping) and message.get("content") is None else message
        for message in messages
    ]


def _warn_of_old_trl() -> None:
    """Say once that this TRL makes a reward of None."""
    try:
        installed = version("trl")
    except PackageNotFoundError:
        return
    numbers = [int(part) for part in installed.split(".")[:2] if part.isdigit()]
    if numbers < list(NONE_SINCE):
        wanted = ".".join(str(number) for number in NONE_SINCE)
        warnings.warn(
            f"TRL {installed} counts a completion without a reward as 0, which is an advantage; TRL {wanted} leaves it out",
            RuntimeWarning,
            stacklevel=2,
        )
