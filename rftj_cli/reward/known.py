"""The regression set: answers known to be good or bad, and the rewards that they must get.

{"id": ..., "prompt": ..., "response": ..., "min_reward": 0.8}        one row a line, a sample with bounds
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rftj_cli.errors import InputError
from rftj_cli.files.rows import Table
from rftj_cli.files.runs import Run, siblings
from rftj_cli.files.store import Store
from rftj_cli.kernel.evaluate import prepare
from rftj_cli.kernel.events import event_row
from rftj_cli.kernel.numbers import read_number
from rftj_cli.kernel.recorded import recorded_line
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.kernel.sample import read_sample

BOUNDS: Final = ("min_reward", "max_reward")


@dataclass(frozen=True, slots=True)
class Known:
    """One answer with the bounds of its reward. `lines` are its recorded replies, None where one is missing."""

    id: str
    row: Mapping[str, Any]
    low: float
    high: float
    lines: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Verified:
    """What one of them got. `found` None: it was not judged."""

    id: str
    low: float
    high: float
    found: float | None

    @property
    def holds(self) -> bool:
        """Whether its reward lies within its bounds."""
        return self.found is not None and self.low <= self.found <= self.high


def read_known(path: Path, run: Run, rubric: Rubric) -> list[Known]:
    """The rows of a regression set, with replies from the run or from runs beside it. Raises `InputError` naming the row."""
    stores = [run.store()] + [
        Store(one / "store.sqlite", write=False) for one in siblings(run.folder, rubric.judge.model)
    ]
    try:
        found = []
        for number, data in Table(path, "regression set", {}):
            try:
                found.append(_known(data, rubric, stores))
            except InputError as error:
                raise error.located(file=path, row=number) from None
        return found
    finally:
        for store in stores:
            store.close()


def _known(data: Mapping[str, Any], rubric: Rubric, stores: Sequence[Store]) -> Known:
    low, high = (
        _bound(data, name, end) for name, end in zip(BOUNDS, (rubric.reward.low, rubric.reward.high), strict=True)
    )
    if all(data.get(name) is None for name in BOUNDS):
        raise InputError("no bound of the reward", key="min_reward", expected="`min_reward`, `max_reward` or both")
    if low > high:
        raise InputError("min_reward lies above max_reward", key="min_reward", found=low, expected=f"at most {high:g}")
    sample = read_sample({key: value for key, value in data.items() if key not in BOUNDS}, rubric.kind)
    lines: list[str] | None = []
    for ask in prepare(rubric, sample).asks:
        reply = next((one for store in stores if (one := store.reply(ask.request.key)) is not None), None)
        lines = None if reply is None or lines is None else [*lines, recorded_line(ask.request.key, reply)]
    return Known(sample.id, event_row(sample), low, high, None if lines is None else tuple(lines))


def _bound(data: Mapping[str, Any], name: str, end: float) -> float:
    given = data.get(name)
    number = read_number(given) if isinstance(given, str) else given
    value = end if given is None or given == "" else number
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        raise InputError("not a number", key=name, found=given, expected="a reward")
    return value
