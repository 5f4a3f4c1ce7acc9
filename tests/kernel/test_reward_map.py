"""The learned map of a reward: where it applies, its arithmetic, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import judged, rubric, sample

from rftj_cli.errors import InputError
from rftj_cli.kernel.outcome import CallError
from rftj_cli.kernel.reward import reward_of
from rftj_cli.kernel.rubric import Rubric

MAP = [[0.0, 0.1], [0.5, 0.2], [1.0, 0.9]]
LEVELS = ["vague", "usable", "ready"]


def leveled(**reward: object) -> Rubric:
    return rubric(criteria=[{"id": "quality", "question": "?", "scale": LEVELS}], reward=reward)


def reward(made: Rubric, reply: str | CallError) -> float | None:
    return reward_of(made, judged(made, sample(), [reply]), []).value


@pytest.mark.parametrize(("level", "value"), [("vague", 0.1), ("usable", 0.2), ("ready", 0.9)])
def test_the_reward_goes_through_the_map(level: str, value: float) -> None:
    assert reward(leveled(map=MAP), f'{{"quality": "{level}"}}') == value


def test_between_knots_it_is_a_straight_line_and_beyond_them_constant() -> None:
    made = leveled(map=[[0.25, 0.2], [0.75, 0.6]])
    assert [reward(made, f'{{"quality": "{level}"}}') for level in LEVELS] == [0.2, pytest.approx(0.4), 0.6]


def test_a_failed_essential_is_mapped_and_a_failure_is_not() -> None:
    made = rubric(
        criteria=[{"id": "quality", "question": "?", "essential": True}],
        reward={"map": [[0.0, 0.3], [1.0, 0.8]], "on_failure": {"content": 0.05, "service": 0.07}},
    )
    assert reward(made, '{"quality": "fail"}') == 0.3
    assert reward(made, "no verdict here") == 0.05
    assert reward(made, CallError("call", "gone")) == 0.07


@given(
    st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=1, max_size=9, unique_by=lambda k: k[0])
)
def test_a_map_never_turns_two_rewards_around_and_stays_in_range(knots: list[tuple[int, int]]) -> None:
    xs, ys = sorted(x for x, _ in knots), sorted(y for _, y in knots)
    made = leveled(map=[[x / 1000, y / 1000] for x, y in zip(xs, ys, strict=True)])
    values = [reward(made, f'{{"quality": "{level}"}}') for level in LEVELS]
    assert values == sorted(values) and all(0 <= v <= 1 for v in values)  # type: ignore[type-var,operator]


def test_the_map_is_part_of_the_reward_and_not_of_the_judge() -> None:
    plain, mapped = leveled(), leveled(map=MAP)
    assert plain.judge_fingerprint == mapped.judge_fingerprint
    assert plain.reward_fingerprint != mapped.reward_fingerprint
    assert "map" not in str(plain.reward_content)


@pytest.mark.parametrize(
    ("knots", "key", "words"),
    [
        ([[0, 0.5], [0, 0.6]], "reward.map[1]", "not monotone"),
        ([[0, 0.5], [1, 0.4]], "reward.map[1]", "not monotone"),
        ([[0, 0.5], [2, 0.6]], "reward.map[1]", "outside the range"),
        ([[0, "x"]], "reward.map[0]", "two numbers"),
        ([0.1], "reward.map[0]", "two numbers"),
        ([[True, 1]], "reward.map[0]", "two numbers"),
    ],
)
def test_a_map_that_is_none_is_refused(knots: object, key: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        leveled(map=knots)
    assert caught.value.key == key


def test_an_unknown_sampling_is_refused() -> None:
    with pytest.raises(InputError, match="unknown value"):
        rubric(labels={"sampling": "rnadom"})
