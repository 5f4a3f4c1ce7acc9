"""The rules of a gate: what a judge must reach, read from plain data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rftj_cli.errors import InputError
from rftj_cli.kernel.fields import Fields
from rftj_cli.kernel.sample import SPLITS

REWARD = "reward"
EVERY = "*"
On = Literal["low", "value"]


@dataclass(frozen=True, slots=True)
class Limit:
    """One bound on one estimate of one criterion.

    `*`: of every criterion that has the estimate and no limit of its own on it.
    """

    criterion: str
    estimate: str
    kind: Literal["min", "max"]
    limit: float
    on: On


MAX_FAILURES = 0.1  # as in `rftj score`


@dataclass(frozen=True, slots=True)
class Rules:
    """What a judge must reach. The three shares are counted, not estimated: they are facts of the run.

    Failures have a limit (10%) even where the rules name none: agreement on what was left over proves nothing.
    """

    limits: tuple[Limit, ...]
    split: str | None = None
    undecided: Literal["fail", "warn"] = "fail"
    max_failures: float | None = None
    max_flips: float | None = None
    min_coverage: float | None = None


def compile_rules(data: object) -> Rules:
    """Rules from plain data. Raises `InputError` with the key of the first fault."""
    root = Fields(data)
    on: On = root.choice("on", ("low", "value"), "low")
    limits = list(_limits(root, EVERY, on))
    criteria = Fields(root.raw("criteria", {}), "criteria")
    for id in criteria.raw_items():
        fields = Fields(criteria.raw(str(id)), f"criteria.{id}")
        limits += _limits(fields, str(id), fields.choice("on", ("low", "value"), on))
        fields.done()
    if root.has("reward"):
        fields = Fields(root.raw("reward"), "reward")
        limits += _limits(fields, REWARD, fields.choice("on", ("low", "value"), on))
        fields.done()
    root.raw("reward", None)
    rules = Rules(
        limits=tuple(limits),
        split=root.choice("split", SPLITS, None),
        undecided=root.choice("undecided", ("fail", "warn"), "fail"),
        max_failures=root.number("max_failures", None, low=0, high=1),
        max_flips=root.number("max_flips", None, low=0, high=1),
        min_coverage=root.number("min_coverage", None, low=0, high=1),
    )
    root.done()
    if not limits and rules.max_failures is None and rules.max_flips is None and rules.min_coverage is None:
        expected = "min, max, max_failures, max_flips or min_coverage"
        raise InputError("these rules decide nothing", key="min", expected=expected)
    return rules


def _limits(fields: Fields, criterion: str, on: On) -> Iterator[Limit]:
    for kind in ("min", "max"):
        bounds = Fields(fields.raw(kind, {}), fields.path(kind))
        for name in bounds.raw_items():
            # All but these are shares or correlations.
            bounded = str(name) not in ("mae", "bias", "mean_truth", "mean_judge")
            limit = bounds.number(str(name), low=-1 if bounded else -math.inf, high=1 if bounded else math.inf)
            yield Limit(criterion, str(name), kind, limit, on)
