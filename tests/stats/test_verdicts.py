"""Better, equivalent, not worse, worse or undecided; and p-values of several comparisons."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.moved import NEVER
from rftj_cli.stats.verdicts import holm, judge_change, replaces


def found(low: float, high: float) -> Estimate:
    return Estimate((low + high) / 2, low, high, 100, "t 95%")


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.01, 0.2, "better"),
        (-0.2, -0.01, "worse"),
        (-0.04, 0.04, "equivalent"),
        (-0.04, 0.2, "not_worse"),
        (-0.2, 0.04, "undecided"),
        (-0.2, 0.2, "undecided"),
    ],
)
def test_the_word_follows_from_the_interval(low: float, high: float, word: str) -> None:
    assert judge_change(found(low, high), 0.05).word == word


def test_a_small_difference_that_is_sure_is_better_and_said_to_be_small() -> None:
    change = judge_change(found(0.001, 0.02), 0.05)
    assert change.word == "better" and "within the margin" in change.why


def test_equivalence_is_two_one_sided_tests() -> None:
    """The 90% interval decides it, as in TOST; not showing a difference is not equivalence."""
    assert judge_change(found(-0.06, 0.045), 0.05, narrow=found(-0.049, 0.035)).word == "equivalent"
    assert judge_change(found(-0.06, 0.045), 0.05).word == "undecided"


def test_undecided_says_how_many_items_would_decide() -> None:
    change = judge_change(Estimate(0.1, -0.1, 0.3, 50, "t 95%"), 0.05)
    assert change.needed == 409  # 200, where the half-width is the distance: then only half of the collections decide
    assert (change.clusters, change.needed_clusters) == (0, None)
    few = judge_change(Estimate(0.3, -0.13, 0.73, 15, "t 95%"), 0.03, clusters=6)
    assert few.needed is not None and few.needed_clusters is not None and few.reason is None
    assert few.needed_clusters / 6 == pytest.approx(few.needed / 15, rel=0.1)
    never = judge_change(Estimate(0.0, -0.17, 0.17, 48, "Newcombe", NEVER), 0.03, clusters=12)
    assert (never.needed, never.needed_clusters) == (272, 68)  # without flips the bound falls with n: 48 * .17/.03
    assert judge_change(Estimate.missing(0, "no items"), 0.05).why == "no items"
    with pytest.raises(ValueError, match="margin"):
        judge_change(found(0, 1), 0)


@settings(max_examples=20, deadline=None)  # statsmodels collects garbage at each call
@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_is_that_of_statsmodels(p: list[float]) -> None:
    if p:
        assert np.allclose(holm(p), multipletests(p, method="holm")[1])
    else:
        assert holm(p).size == 0


def test_p_values_lie_in_0_1() -> None:
    with pytest.raises(ValueError, match="p-values"):
        holm([0.5, 1.2])


def test_a_candidate_must_beat_the_noise() -> None:
    assert replaces(found(0.0, 0.2), 0.05) and not replaces(found(0.0, 0.08), 0.05)
