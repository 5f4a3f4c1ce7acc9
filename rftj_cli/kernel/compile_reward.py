"""The `reward` section of a rubric: range, how parts combine, what failures get, and a learned map of the score."""

from __future__ import annotations

from rftj_cli.errors import InputError
from rftj_cli.kernel.fields import LARGEST, Fields
from rftj_cli.kernel.rubric import RewardSettings


def read_reward(root: Fields) -> RewardSettings:
    """The `reward` section of a rubric."""
    fields = Fields(root.raw("reward", {}), "reward")
    bounds = fields.rows("range", [0, 1])
    if len(bounds) != 2 or not all(isinstance(b, (int, float)) and not isinstance(b, bool) for b in bounds):
        raise InputError("a range is two numbers", key="reward.range", found=bounds, expected="[low, high]")
    if not (bounds[0] < bounds[1] and abs(bounds[0]) <= LARGEST and abs(bounds[1]) <= LARGEST):
        raise InputError("the range is empty or not finite", key="reward.range", found=bounds, expected="low < high")
    low, high = float(bounds[0]), float(bounds[1])
    failure = Fields(fields.raw("on_failure", {}), "reward.on_failure")
    reward = RewardSettings(
        low=low,
        high=high,
        combine=fields.choice("combine", ("weighted_mean", "all_pass", "minimum"), "weighted_mean"),
        on_service_failure=_on_failure(failure, "service", low, high),
        on_content_failure=_on_failure(failure, "content", low, high),
        map=_map(fields, low, high),
    )
    failure.done()
    fields.done()
    return reward


def _on_failure(fields: Fields, name: str, low: float, high: float) -> float | None:
    if fields.raw(name, "error") == "error":
        return None
    return float(fields.number(name, low=low, high=high))


def _map(fields: Fields, low: float, high: float) -> tuple[tuple[float, float], ...]:
    """Knots [reward before, reward after]: before rising, after never falling, both inside the range."""
    knots = fields.rows("map", [])
    for index, knot in enumerate(knots):
        at = f"reward.map[{index}]"
        if not isinstance(knot, list) or len(knot) != 2 or not all(_is_number(one) for one in knot):
            raise InputError("a knot is two numbers", key=at, found=knot, expected="[before, after]")
        if not all(low <= one <= high for one in knot):
            raise InputError("outside the range of the reward", key=at, found=knot, expected=f"{low:g} to {high:g}")
        if index and not (knots[index - 1][0] < knot[0] and knots[index - 1][1] <= knot[1]):
            expected = "the first numbers rising, the second never falling"
            raise InputError("the map is not monotone", key=at, found=knot, expected=expected)
    return tuple((float(x), float(y)) for x, y in knots)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
