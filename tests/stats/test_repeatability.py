"""A judge against itself: flips, variance components, votes."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from rftj_cli.stats.repeatability import components, retest, right_by_votes, votes_worth

SHROUT = np.array([[9.0, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])


def test_flips_and_run_to_run_kappa_by_hand() -> None:
    runs = np.array([[1, 1, 1], [0, 0, 0], [1, 0, 1], [0, 0, -1], [1, -1, -1]])
    found = retest(runs, 2)
    assert found.flip_rate.value == 0.25 and found.flip_rate.n == 4
    assert found.pair_flip_rate.value == pytest.approx((2 / 3) / 4)
    assert found.kappa.value is not None and found.kappa.value < 1
    assert retest(runs[:, :1], 2).flip_rate.note == "no item was judged twice"


def test_one_way_components_are_those_of_shrout_and_fleiss() -> None:
    found = components(SHROUT)
    assert found is not None and found.icc.value == pytest.approx(0.1657, abs=5e-5)
    assert (found.icc.low, found.icc.high) == pytest.approx((-0.1329, 0.7226), abs=5e-4)
    assert found.sem.value == pytest.approx(np.sqrt(found.run))


def test_components_are_recovered_and_covered() -> None:
    rng, hits = np.random.default_rng(1), np.zeros(2)
    for _ in range(400):
        scores = rng.normal(size=(40, 1)) * 2 + rng.normal(size=(40, 3))
        found = components(scores)
        assert found is not None
        hits += [found.icc.low <= 0.8 <= found.icc.high, found.sem.low <= 1 <= found.sem.high]  # type: ignore[operator]
    assert (hits / 400 > 0.92).all() and (hits / 400 < 0.98).all()


def test_votes_are_worth_what_spearman_and_brown_say() -> None:
    found = components(np.random.default_rng(2).normal(size=(300, 1)) + np.random.default_rng(3).normal(size=(300, 5)))
    assert found is not None
    worth = votes_worth(found)
    one = worth.reliability[0]
    assert worth.reliability[4] == pytest.approx(5 * one / (1 + 4 * one))
    gains = np.diff(worth.reliability)
    assert gains[worth.enough - 1] < 0.01 <= gains[worth.enough - 2] or worth.enough == 11


def test_the_majority_of_fewer_votes_is_counted_exactly() -> None:
    """7 votes of which 5 are right: the majority of 3 of them, by counting subsets."""
    found = right_by_votes([5, 7], [7, 7])
    three = (comb(5, 3) + comb(5, 2) * 2) / comb(7, 3)
    assert found[1].value == pytest.approx((5 / 7 + 1) / 2)
    assert found[3].value == pytest.approx((three + 1) / 2)
    assert found[7].value == 1.0 and sorted(found) == [1, 3, 5, 7]


def test_votes_cannot_cure_what_every_run_shares() -> None:
    """A judge that is always wrong on a fifth of the items stays there."""
    right = np.where(np.arange(100) < 20, 0, 9)
    found = right_by_votes(right, np.full(100, 9))
    assert found[1].value == found[9].value == 0.8


def test_what_does_not_vary_is_said() -> None:
    same = components(np.repeat(np.arange(5.0)[:, None], 3, axis=1))
    assert same is not None and same.icc.value == 1 and same.icc.low is None and same.sem.value == 0
    constant = components(np.ones((4, 2)))
    assert constant is not None and constant.icc.value is None
    assert components(np.ones((1, 3))) is None
    with pytest.raises(ValueError, match="without gaps"):
        components(np.array([[1.0, np.nan]]))
    with pytest.raises(ValueError, match="at most the votes"):
        right_by_votes([3], [2])


def test_retest_kappa_is_on_the_values_of_the_scale() -> None:
    """0, 1, 10: by hand, the mean of the three pairs' quadratic kappas on these values."""
    rng = np.random.default_rng(6)
    runs = rng.integers(0, 3, (60, 3))
    runs[:, 1] = np.where(rng.random(60) < 0.7, runs[:, 0], runs[:, 1])
    values = np.array([0.0, 1.0, 10.0])
    by_hand = []
    for one, other in ((0, 1), (0, 2), (1, 2)):
        x, y = values[runs[:, one]], values[runs[:, other]]
        by_hand.append(1 - ((x - y) ** 2).mean() / ((x[:, None] - y[None, :]) ** 2).mean())
    found = retest(runs, 3, kind="quadratic", values=[0, 1, 10]).kappa.value
    assert found == pytest.approx(np.mean(by_hand))
    assert abs(found - retest(runs, 3, kind="quadratic").kappa.value) > 0.01  # type: ignore[operator]


def test_votes_are_covered_with_clusters() -> None:
    """300 data sets of 25 clusters of 4 that share how hard they are; without clusters 89% held the truth."""
    rng, hits = np.random.default_rng(7), 0
    for _ in range(300):
        p = np.repeat(rng.beta(2, 1, 25), 4)
        found = right_by_votes(rng.binomial(3, p), np.full(100, 3), clusters=np.repeat(np.arange(25), 4))[1]
        hits += found.low <= 2 / 3 <= found.high  # type: ignore[operator]
    assert hits >= 277


def test_every_number_of_votes_rests_on_the_same_items() -> None:
    """Ten items of 3 votes, two of 5 that are always right, one of 1 that is wrong: v = 1 and 3, on twelve items."""
    found = right_by_votes([2] * 10 + [5, 5, 0], [3] * 10 + [5, 5, 1])
    assert list(found) == [1, 3] and {one.n for one in found.values()} == {12}
    assert found[1].value == pytest.approx((10 * 2 / 3 + 2) / 12) and found[3].value == 1.0
    with pytest.raises(ValueError, match="at most the votes cast"):
        right_by_votes([np.nan], [3])
    with pytest.raises(ValueError, match="cluster key"):
        right_by_votes([1], [3], clusters=[1, 2])
