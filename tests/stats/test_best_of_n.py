"""Best of n without sampling, beside every subset by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rftj_cli.stats.best_of_n import best_of_n


def brute(truth: list[float], score: list[float], n: int) -> float:
    """Mean truth of the best of all subsets of n, ties of the score shared."""
    found = []
    for chosen in combinations(range(len(truth)), n):
        top = max(score[i] for i in chosen)
        best = [truth[i] for i in chosen if score[i] == top]
        found.append(sum(best) / len(best))
    return sum(found) / len(found)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=2, max_size=7))
def test_it_is_the_mean_over_all_subsets(rows: list[tuple[int, int]]) -> None:
    truth, score = ([float(row[i]) for row in rows] for i in range(2))
    found = best_of_n([0] * len(rows), truth, score, most=len(rows))
    assert found is not None
    for step in found.steps:
        assert step.truth.value == pytest.approx(brute(truth, score, step.n))
        assert step.score.value == pytest.approx(brute(score, score, step.n))
        assert step.regret.value >= -1e-9  # type: ignore[operator]


def test_best_of_one_is_the_mean_and_best_of_all_the_maximum() -> None:
    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(30), 16)
    truth, score = rng.normal(size=480), rng.normal(size=480)
    found = best_of_n(group, truth, score)
    assert found is not None and len(found.steps) == 16
    assert found.steps[0].truth.value == pytest.approx(truth.mean())
    assert found.steps[-1].score.value == pytest.approx(score.reshape(30, 16).max(1).mean())
    assert found.steps[1].kl == pytest.approx(np.log(2) - 0.5)
    assert found.steps[0].gain.value == 0


def test_a_judge_that_is_gamed_has_a_peak_and_a_fall() -> None:
    """The score rewards an answer's length, the truth only its middle: optimising on goes down."""
    rng = np.random.default_rng(2)
    length = rng.random((300, 32))
    truth = 1 - (length - 0.75) ** 2 * 4
    found = best_of_n(np.repeat(np.arange(300), 32), truth.ravel(), length.ravel())
    assert found is not None
    assert 2 <= found.peak <= 6 and found.falling and found.fall.high < 0  # type: ignore[operator]
    honest = best_of_n(np.repeat(np.arange(300), 32), truth.ravel(), truth.ravel())
    assert honest is not None and honest.peak == 32 and not honest.falling


def test_the_same_groups_stand_at_every_n() -> None:
    group = [0] * 4 + [1] * 2 + [2] * 4
    found = best_of_n(group, np.arange(10.0), np.arange(10.0), most=3)
    assert found is not None and (found.groups, found.left_out) == (2, 1)
    assert best_of_n([0, 1], [0, 1], [0, 1]) is None
    with pytest.raises(ValueError, match="no group has 9 answers; the largest has 4"):
        best_of_n(group, np.arange(10.0), np.arange(10.0), most=9)
