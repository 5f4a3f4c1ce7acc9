"""From a verdict and the checks to one number in the range."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import LEVELS, rubric, sample

from rftj_cli.kernel.checks import CheckResult
from rftj_cli.kernel.evaluate import finish, prepare
from rftj_cli.kernel.outcome import Failure, Rating, Reward, Verdict
from rftj_cli.kernel.reward import reward_of
from rftj_cli.kernel.rubric import Rubric


def two(first: dict[str, Any] | None = None, second: dict[str, Any] | None = None, **changes: Any) -> Rubric:
    """A rubric of `quality` (pass_fail) and `depth` (1 to 5)."""
    return rubric(
        criteria=[
            {"id": "quality", "question": "Q", **(first or {})},
            {"id": "depth", "question": "Q", "scale": {"min": 1, "max": 5}, **(second or {})},
        ],
        **changes,
    )


def verdict(**values: float | list[float]) -> Verdict:
    ratings = []
    for criterion, given_ in values.items():
        items = given_ if isinstance(given_, list) else [given_]
        for index, value in enumerate(items):
            ratings.append(Rating(criterion, str(index) if isinstance(given_, list) else None, "", value))
    return Verdict(tuple(ratings), ())


def value(rubric: Rubric, checks: tuple[bool, ...] = (), **values: float | list[float]) -> float | None:
    results = [CheckResult(check.id, passed) for check, passed in zip(rubric.checks, checks, strict=True)]
    return reward_of(rubric, verdict(**values), results).value


def test_the_reward_is_the_weighted_mean_of_the_shares() -> None:
    assert value(two({"weight": 2}), quality=1, depth=2) == pytest.approx((2 * 1 + 0.25) / 3)


def test_the_range_is_scaled_to() -> None:
    assert value(two(reward={"range": [-1, 3]}), quality=1, depth=3) == pytest.approx(-1 + 4 * 0.75)


def test_a_pitfall_counts_against_and_the_range_stays_attainable() -> None:
    made = two({"weight": -1}, {"weight": 3})
    assert value(made, quality=0, depth=5) == 1
    assert value(made, quality=1, depth=1) == 0
    assert value(made, quality=1, depth=5) == pytest.approx(3 / 4)


def test_pitfalls_alone_give_the_top_where_none_is_met() -> None:
    made = two({"weight": -1}, {"weight": -1})
    assert (value(made, quality=0, depth=1), value(made, quality=1, depth=5)) == (1, 0)


def test_a_failed_essential_gives_the_bottom() -> None:
    made = two({"essential": True}, reward={"range": [-1, 1]})
    assert value(made, quality=0, depth=5) == -1
    assert value(made, quality=1, depth=1) == 0


def test_all_pass_is_all_or_nothing() -> None:
    made = two(reward={"combine": "all_pass", "range": [0, 5]})
    assert (value(made, quality=1, depth=5), value(made, quality=1, depth=4)) == (5, 0)


def test_minimum_is_the_worst_share() -> None:
    assert value(two(reward={"combine": "minimum"}), quality=1, depth=2) == 0.25


def test_a_weight_of_0_takes_no_part() -> None:
    for combine in ("weighted_mean", "all_pass", "minimum"):
        assert value(two(None, {"weight": 0}, reward={"combine": combine}), quality=1, depth=1) == 1


def test_checks_count_as_0_or_1_with_their_weight() -> None:
    made = two(None, {"weight": 0}, checks=[{"id": "short", "type": "max_words", "max": 3, "weight": 3}])
    assert (value(made, (True,), quality=0, depth=1), value(made, (False,), quality=1, depth=1)) == (0.75, 0.25)


def test_a_rubric_of_gates_alone_gives_the_top_where_all_hold() -> None:
    gates = rubric(criteria=None, checks=[{"id": "short", "type": "max_words", "max": 3, "essential": True}])
    assert finish(prepare(gates, sample()), ()).reward.value == 1
    assert finish(prepare(gates, sample(response="far too many words")), ()).reward.value == 0


@pytest.mark.parametrize(
    ("stage", "on_failure", "expected"),
    [
        ("throttled", {}, None),
        ("unparsed", {}, None),
        ("throttled", {"service": "error", "content": 0}, None),
        ("truncated", {"service": "error", "content": 0}, 0),
        ("skipped", {"content": 0.5}, 0.5),
        ("timeout", {"service": 0.25}, 0.25),
        ("too_long", {"service": 0.25, "content": 0}, 0),
    ],
)
def test_a_failure_is_rewarded_only_as_the_rubric_says(
    stage: Any, on_failure: dict[str, Any], expected: float | None
) -> None:
    reward = reward_of(rubric(reward={"on_failure": on_failure}), Failure(stage, "why"), [])
    assert reward.value == expected
    assert stage in reward.note


def test_a_failed_essential_check_goes_before_a_failure() -> None:
    made = rubric(checks=[{"id": "c", "type": "json_valid", "essential": True}])
    assert reward_of(made, Failure("throttled", "why"), [CheckResult("c", False)]).value == 0


def items(**changes: Any) -> Rubric:
    return rubric(
        criteria=[
            {"id": "quality", "question": "Q", "on": "item", "scale": LEVELS, "weight": changes.pop("weight", 1)}
        ],
        items={"path": "$", **changes},
        prompt={"user": "{{ item }}"},
    )


@pytest.mark.parametrize(
    ("settings", "values", "expected"),
    [
        ({}, [1, 2, 3], 0.5),
        ({"combine": "minimum"}, [2, 3], 0.5),
        ({"empty": "pass"}, [], 1.0),
        ({"empty": "fail"}, [], 0.0),
        ({"combine": "minimum", "weight": -1}, [1, 2], 0.5),  # a pitfall's worst item is its highest
        ({"empty": "pass", "weight": -1}, [], 1.0),
        ({"empty": "fail", "weight": -1}, [], 0.0),
    ],
)
def test_items_are_combined_and_none_counts_as_the_rubric_says(
    settings: dict[str, Any], values: list[float], expected: float
) -> None:
    assert value(items(**settings), quality=values) == pytest.approx(expected)


weights = st.floats(-1e9, 1e9).filter(bool) | st.integers(-3, 3).filter(bool)
bounds = st.floats(-1e6, 1e6)


@st.composite
def rewards(draw: st.DrawFn) -> tuple[Rubric, list[float]]:
    count = draw(st.integers(1, 4))
    low, high = sorted(draw(st.tuples(bounds, bounds).filter(lambda pair: pair[0] != pair[1])))
    combine = draw(st.sampled_from(["weighted_mean", "all_pass", "minimum"]))
    criteria = [
        {"id": f"c{i}", "question": "Q", "scale": {"min": 1, "max": 11}, "weight": draw(weights)} for i in range(count)
    ]
    made = rubric(criteria=criteria, reward={"range": [low, high], "combine": combine})
    return made, [draw(st.floats(1, 11)) for _ in range(count)]


def reward(made: Rubric, values: list[float]) -> float:
    given_ = {f"c{i}": value for i, value in enumerate(values)}
    found: Reward = reward_of(made, verdict(**given_), [])
    assert found.value is not None
    return found.value


@given(rewards())
def test_a_reward_is_always_in_its_range(case: tuple[Rubric, list[float]]) -> None:
    made, values = case
    assert made.reward.low <= reward(made, values) <= made.reward.high


@given(rewards())
def test_the_best_and_the_worst_are_exactly_the_ends_of_the_range(case: tuple[Rubric, list[float]]) -> None:
    made, _ = case
    best = [11.0 if criterion.weight > 0 else 1.0 for criterion in made.criteria]
    worst = [12.0 - value for value in best]
    assert (reward(made, worst), reward(made, best)) == (made.reward.low, made.reward.high)


@given(rewards(), st.integers(0, 3), st.floats(1, 11))
def test_a_reward_never_falls_where_one_answer_gets_better(
    case: tuple[Rubric, list[float]], which: int, other: float
) -> None:
    made, values = case
    which %= len(values)
    low, high = sorted((values[which], other))
    if made.criteria[which].weight < 0:
        low, high = high, low
    worse, better = ([*values[:which], v, *values[which + 1 :]] for v in (low, high))
    assert reward(made, worse) <= reward(made, better)


@pytest.mark.parametrize("weights", [(0.1, 0.2, 0.3), (0.1, 0.2, 0.3, 0.4), (0.7, 0.1, 0.2, 0.6)])
@pytest.mark.parametrize("reach", [[0, 1], [-1, 1], [0, 7]])
def test_rewards_never_differ_by_rounding_alone(weights: tuple[float, ...], reach: list[float]) -> None:
    """.1 + .2 of the weights and .3 of them are one reward, for every set of criteria that pass."""
    made = rubric(
        criteria=[{"id": f"c{i}", "question": "Q", "weight": w} for i, w in enumerate(weights)], reward={"range": reach}
    )
    found = [value(made, **{f"c{i}": u for i, u in enumerate(us)}) for us in product((0.0, 1.0), repeat=len(weights))]
    assert len({round(one, 9) for one in found if one is not None}) == len(set(found))
