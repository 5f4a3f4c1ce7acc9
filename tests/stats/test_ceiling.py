from __future__ import annotations

import numpy as np
import pytest

from rftj_cli.stats.arrays import Ints
from rftj_cli.stats.raters import leave_one_out_ceiling, pairwise_kappa


def crowd(items: int, seed: int, skill: float = 0.8) -> tuple[Ints, Ints]:
    """Four raters and a judge who are right with probability `skill`."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, (items, 1))
    found = np.where(rng.random((items, 5)) < skill, truth, 1 - truth)
    return found[:, :4], found[:, 4]


def test_a_judge_like_the_raters_reaches_the_ceiling() -> None:
    """A judge as good as the raters has a gap around 0, whose interval is narrower than either side's."""
    matrix, judge = crowd(600, 0)
    found = leave_one_out_ceiling(matrix, judge, 2, kind="binary")
    assert found.kappa_gap.low is not None and found.kappa_gap.high is not None
    assert found.kappa_gap.low < 0 < found.kappa_gap.high
    assert found.kappa_gap.value == pytest.approx(found.judge_kappa.value - found.human_kappa.value)  # type: ignore[operator]
    assert found.human_agreement.value == pytest.approx(np.mean([row.human_agreement.value for row in found.raters]))


def test_majority_by_hand() -> None:
    """Items without a strict majority of the others are dropped and counted."""
    matrix = np.array([[0, 0, 1], [1, 1, 1], [0, 1, 1], [0, 0, -1]])
    found = leave_one_out_ceiling(matrix, np.array([0, 1, 1, 0]), 2, kind="nominal")
    first = found.raters[0]
    # The others of rater 0 say: {0, 1} undecided, {1, 1}, {1, 1}, {0}.
    assert (first.items, first.undecided) == (3, 1)
    assert first.human_agreement.value == pytest.approx(2 / 3)
    assert first.judge_agreement.value == 1.0
    assert found.undecided == sum(row.undecided for row in found.raters)


def test_ordinal_takes_the_median() -> None:
    """The middle rating of the others counts; two different middles decide nothing."""
    matrix = np.array([[2, 0, 2, 4], [2, 1, 3, -1], [0, 1, 1, -1]])
    found = leave_one_out_ceiling(matrix, np.array([2, 2, 1]), 5, kind="ordinal").raters[0]
    assert (found.items, found.undecided) == (2, 1)
    assert found.human_agreement.value == pytest.approx(1 / 2)


def test_missing_verdicts_do_not_count() -> None:
    """An item that the judge did not judge is compared for neither side."""
    matrix, judge = crowd(50, 1)
    found = leave_one_out_ceiling(matrix, np.where(np.arange(50) < 20, -1, judge), 2, kind="binary")
    assert all(row.items + row.undecided == 30 for row in found.raters)


def test_nothing_to_compare_is_missing() -> None:
    """A single rater has no others."""
    found = leave_one_out_ceiling(np.array([[0], [1]]), np.array([0, 1]), 2, kind="binary")
    for one in (found.human_agreement, found.judge_kappa, found.kappa_gap):
        assert one.value is None and one.note


def test_clusters_widen_the_gap() -> None:
    """Repeated items in clusters leave the gap's interval as wide as that of the items once."""
    matrix, judge = crowd(150, 2)
    once = leave_one_out_ceiling(matrix, judge, 2, kind="binary")
    cluster = np.repeat(np.arange(150), 3)
    often = leave_one_out_ceiling(np.repeat(matrix, 3, 0), np.repeat(judge, 3), 2, kind="binary", clusters=cluster)
    assert often.kappa_gap.low == pytest.approx(once.kappa_gap.low, abs=5e-3)
    assert often.kappa_gap.low <= once.kappa_gap.low  # type: ignore[operator]
    assert often.raters[0].judge_agreement.low == pytest.approx(once.raters[0].judge_agreement.low, abs=2e-3)


def test_items_that_say_nothing_lend_no_degrees_of_freedom() -> None:
    """492 items of one rating beside 8 of two change nothing, and two clusters stay few."""
    rng = np.random.default_rng(3)
    matrix = np.full((500, 2), -1)
    matrix[:, 0] = rng.integers(0, 2, 500)
    matrix[:8] = np.array([[0, 0], [1, 1], [0, 0], [1, 1], [1, 1], [0, 0], [1, 0], [0, 1]])
    judge = np.where(rng.random(500) < 0.8, matrix[:, 0], 1 - matrix[:, 0])
    cluster = np.arange(500) // 4
    for keys in (None, cluster):
        short = None if keys is None else keys[:8]
        assert pairwise_kappa(matrix, 2, clusters=keys).mean == pairwise_kappa(matrix[:8], 2, clusters=short).mean
        many = leave_one_out_ceiling(matrix, judge, 2, clusters=keys)
        few = leave_one_out_ceiling(matrix[:8], judge[:8], 2, clusters=short)
        for name in ("human_agreement", "human_kappa", "judge_agreement", "judge_kappa", "agreement_gap", "kappa_gap"):
            assert getattr(many, name) == getattr(few, name), name
    assert "only 2 clusters" in str(pairwise_kappa(matrix, 2, clusters=cluster).mean.note)


def test_perfect_agreement_rests_on_its_items() -> None:
    assert pairwise_kappa(np.array([[0, 0], [1, 1]] * 10), 2).mean.n == 20
