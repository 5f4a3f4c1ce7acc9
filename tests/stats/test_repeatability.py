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
