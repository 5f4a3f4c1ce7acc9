"""A short version of the comparisons in `make coverage`: words on differences are wrong as seldom as they claim.

Few data sets with fixed seeds, so the bounds are wide; the full tables stand in docs/coverage.md.
"""

from __future__ import annotations

import pytest

from benchmarks.comparing import at_the_margin, families, luck, null_search, power, words

from .oracles import short_or_long


@short_or_long("sets", 60, 150)
@pytest.mark.parametrize("size", [1, 4])
def test_equal_judges_are_seldom_called_better(size: int, sets: int) -> None:
    for name, rate in words(100, size, sets, 3).items():
        assert rate <= 7, name


def test_of_five_equal_candidates_hardly_any_is_better() -> None:
    assert families(100, 5, 100, 3) <= 8


def test_a_real_difference_is_found_at_least_as_often_as_by_the_exact_test() -> None:
    ours, exact = power(100, 0.2, 0.75, 200, 3)
    assert ours >= exact and ours > 50


def test_a_loss_as_large_as_the_margin_is_seldom_passed_over() -> None:
    equivalent, not_worse = at_the_margin(500, 150, 3)
    assert equivalent <= 8 and not_worse <= 8


def test_a_search_among_equals_is_seldom_confirmed_on_held_out_samples() -> None:
    """On the samples that it was chosen by it looks better far more often."""
    on_dev, on_test = null_search(100, 20, 0.5, 100, 3)
    assert on_test <= 8 and on_dev > on_test


@short_or_long("sets", 25, 60)
@pytest.mark.parametrize("prompts", [5, 20])
def test_the_reported_luck_is_near_the_true_one(prompts: int, sets: int) -> None:
    true, told = luck(100, prompts, 0.5, sets, 3)
    assert abs(true - told) <= 0.03
