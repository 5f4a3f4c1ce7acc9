"""Differences that rest on a handful of units claim no more than those units tell."""

from __future__ import annotations

import numpy as np
import pytest

from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.groups import pair_accuracy_difference
from rftj_cli.stats.moved import flip_effect
from rftj_cli.stats.paired import credit_difference, kappa_difference
from rftj_cli.stats.verdicts import hedged, held, judge_change


def width(one: Estimate) -> float:
    assert one.low is not None and one.high is not None
    return one.high - one.low


@pytest.mark.parametrize("broken", [1, 2, 4])
def test_one_flip_is_no_stronger_than_none(broken: int) -> None:
    """Three levels, 60 items: an interval on a few flips is at least as wide as that on none."""
    truth = np.arange(60) % 3
    other = truth.copy()
    other[:broken] = (other[:broken] + 1) % 3
    none = kappa_difference(truth, truth, truth, 3, kind="quadratic")
    few = kappa_difference(truth, truth, other, 3, kind="quadratic")
    assert none.low is not None and few.low is not None
    assert few.low <= none.low + 1e-9 and few.value < 0  # type: ignore[operator]
    assert judge_change(few, 0.05).word == judge_change(none, 0.05).word == "undecided"


def test_credits_and_groups_too() -> None:
    a = np.zeros(100)
    b = a.copy()
    b[:3] = 1
    assert 0.08 < width(credit_difference(a, b)) < 0.14
    group = np.repeat(np.arange(50), 2)
    truth = np.tile([0.0, 1.0], 50)
    score = truth.copy()
    score[0] = 2
    found, _ = pair_accuracy_difference(group, truth, truth, score)
    assert 0.1 < width(found) < 0.25 and "differ on 1 of 50 units" in str(found.note)


def test_a_cluster_that_differs_counts_once_for_what_it_moves() -> None:
    """Three single items of 12 clusters of 4 tell more than three whole clusters."""
    codes = np.repeat(np.arange(12), 4)
    single, whole = np.arange(48) % 16 == 0, codes < 3
    one, all_ = (credit_difference(np.zeros(48), flips, clusters=codes) for flips in (single, whole))
    assert width(one) < width(all_) / 1.4


def test_what_was_seen_once_weighs_by_its_own_clusters() -> None:
    """Errors in one of 30 clusters of 8, all of it: nearly one voice a cluster. In every cluster one: nearly independent."""
    sizes = np.full(30, 8.0)
    assert flip_effect(np.eye(30)[0] * 8, sizes) > 4.5 + 1 > 2.5 > flip_effect(np.ones(30), sizes)
    assert flip_effect(np.zeros(30), sizes) == pytest.approx(4.5)
    assert flip_effect(np.eye(30)[0], np.ones(30)) == pytest.approx(1.0)
    assert flip_effect(np.full(30, 0.5), np.ones(30), graded=True) < 0.2


def test_clusters_that_all_gain_alike_have_an_interval() -> None:
    """One of two pairs mended in each of 40 clusters: +.5 with what other clusters might do."""
    b = np.tile([0.0, 1.0], 40)
    found = credit_difference(np.zeros(80), b, clusters=np.repeat(np.arange(40), 2))
    assert found.low is not None and found.high is not None
    assert 0.2 < found.low < 0.5 < found.high < 0.65


def test_a_word_needs_its_test_too() -> None:
    """An interval that excludes 0 is not enough where the test of the same difference does not reject."""
    better = judge_change(Estimate(0.3, 0.1, 0.5, 10, "t"), 0.03)
    assert held(better, 0.04).word == "better"
    assert held(better, 0.0625).word == held(better, None).word == "undecided"
    assert "Holm over 3" in held(better, 0.2, 3).why


def test_failures_that_turn_the_difference_take_the_word() -> None:
    better = judge_change(Estimate(0.3, 0.1, 0.5, 10, "t"), 0.03)
    assert hedged(better, None).word == "better"
    assert hedged(better, Estimate(0.2, 0.05, 0.4, 12, "t")).word == "better"
    taken = hedged(better, Estimate(0.1, -0.1, 0.3, 12, "t"))
    assert (taken.word, "failures" in taken.why) == ("undecided", True)


def test_what_never_differs_needs_a_few_more_labels_not_thousands() -> None:
    """Its bound falls with n: 20 items without a difference, about six times as many for a margin of .03."""
    change = judge_change(credit_difference(np.ones(20), np.ones(20)), 0.03)
    assert change.word == "undecided" and change.needed is not None and 80 <= change.needed <= 150
