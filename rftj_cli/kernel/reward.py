"""From an outcome and the checks to one number in the rubric's range.

Each criterion and check gives u in [0, 1]; with w its weight, reward = low + (high - low) * sum(w u) / sum(w). Where
weights are negative (pitfalls) the sum is scaled between its attainable minimum and maximum. A failed essential gives
`low` whatever else holds. Where calibration learned a monotone map, it is applied last.

The share is rounded to 12 digits: .1 + .2 and .3 are one reward, not two that rank (GRPO divides by a group's spread,
and would make of the last bit of a float as much as of a whole criterion).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from rftj_cli.errors import InputError
from rftj_cli.kernel.checks import CheckResult
from rftj_cli.kernel.outcome import SERVICE_STAGES, Failure, Outcome, Part, Reward, Verdict
from rftj_cli.kernel.rubric import Criterion, RewardSettings, Rubric

NO_VALUES = "no criterion has a scale with values"
DIGITS = 12  # of a share, and of a reward in terms of its range: what differs further back is dust of the arithmetic


def refuse_without_reward(rubric: Rubric, file: object = None) -> None:
    """Raise `InputError` for a rubric whose verdicts give no reward: a preference, or labels without values."""
    if rubric.kind == "preference":
        raise InputError(
            "a preference rubric compares two responses and gives no reward to one", file=file, key="kind", found="preference",
            expected="a rubric of kind `rubric`", hint="`rftj calibrate` measures a judge of pairs",
        )  # fmt: skip
    if not rubric.rewards:
        raise InputError(
            f"this rubric gives no reward: {NO_VALUES}", file=file, key="criteria[0].scale.labels", found=list(rubric.criteria[0].scale.names),
            expected="a value for every label: {label: NAME, value: NUMBER}", hint="`rftj calibrate` measures the judge without",
        )  # fmt: skip


def reward_of(rubric: Rubric, outcome: Outcome, checks: Sequence[CheckResult]) -> Reward:
    """The reward of one sample. `checks` are the results of the rubric's checks, in its order."""
    if not rubric.rewards:
        return Reward(None, (), NO_VALUES)
    tested = tuple(
        Part(check.id, float(result.passed), check.weight, check.essential)
        for check, result in zip(rubric.checks, checks, strict=True)
    )
    for part in tested:
        if part.essential and part.u == 0:
            return Reward(_mapped(rubric.reward, rubric.reward.low), tested, f"essential check {part.id} failed")
    if isinstance(outcome, Failure):
        return _of_failure(rubric, outcome, tested)
    parts = tuple(_part(rubric, criterion, outcome) for criterion in rubric.criteria if criterion.scale.valued) + tested
    for part in parts:
        if part.essential and part.u == 0:
            return Reward(_mapped(rubric.reward, rubric.reward.low), parts, f"essential criterion {part.id} failed")
    return Reward(_mapped(rubric.reward, _in_range(rubric.reward, _combine(rubric, parts))), parts)


def _in_range(reward: RewardSettings, share: float) -> float:
    """low + (high - low) * share; rounding never takes it out of the range, and the best is `high` itself."""
    settled = round(share, DIGITS)
    if settled in (0, 1):
        return reward.high if settled else reward.low
    span = reward.high - reward.low
    value = round(reward.low + span * settled, DIGITS - math.floor(math.log10(span)))
    return max(reward.low, min(reward.high, value))


def _mapped(reward: RewardSettings, value: float) -> float:
    """`value` through the learned map: straight lines between the knots, constant beyond them."""
    knots = reward.map
    if not knots:
        return value
    if value <= knots[0][0]:
        return knots[0][1]
    for (x0, y0), (x1, y1) in pairwise(knots):
        if value < x1:
            return min(y1, max(y0, y0 + (y1 - y0) * ((value - x0) / (x1 - x0))))
    return knots[-1][1]


def _of_failure(rubric: Rubric, failure: Failure, tested: tuple[Part, ...]) -> Reward:
    service = failure.stage in SERVICE_STAGES
    value = rubric.reward.on_service_failure if service else rubric.reward.on_content_failure
    kind = "service" if service else "content"
    return Reward(value, tested, f"{failure.stage}: on_failure.{kind} = {'error' if value is None else f'{value:g}'}")


def _part(rubric: Rubric, criterion: Criterion, verdict: Verdict) -> Part:
    """u of one criterion; over items, their mean or worst; without items, as `items.empty` says.

    A pitfall's best u is 0: `empty: pass` then gives 0, and the worst of the items is their highest.
    """
    shares = [criterion.scale.share(rating.value) for rating in verdict.ratings if rating.criterion == criterion.id]
    if not shares and rubric.items is not None:
        u = float((rubric.items.empty == "pass") == (criterion.weight >= 0))
    elif rubric.items is not None and rubric.items.combine == "minimum":
        u = min(shares) if criterion.weight >= 0 else max(shares)
    else:
        u = math.fsum(shares) / len(shares)
    return Part(criterion.id, u, criterion.weight, criterion.essential)


def _combine(rubric: Rubric, parts: Sequence[Part]) -> float:
    weighed = [(part.u or 0.0, part.weight) for part in parts if part.weight != 0]
    good = [u if weight > 0 else 1 - u for u, weight in weighed]
    if rubric.reward.combine == "minimum":
        return min(good, default=1.0)
    if rubric.reward.combine == "all_pass":
        return float(all(u == 1 for u in good))
    if not weighed:
        return 1.0  # only gates, and all of them hold
    total = math.fsum(weight * u for u, weight in weighed)
    lowest = math.fsum(weight for _, weight in weighed if weight < 0)
    highest = math.fsum(weight for _, weight in weighed if weight > 0)
    return (total - lowest) / (highest - lowest)
