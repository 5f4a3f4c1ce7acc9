"""A rater of disputed items only is found, and nobody else is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from rftj_cli.stats.tie_break import _at_least, tie_breakers


def test_a_third_rater_of_disputed_items_is_one() -> None:
    rng = np.random.default_rng(0)
    matrix = np.where(rng.random((200, 3)) < 0.85, 1, 0)
    disputed = matrix[:, 0] != matrix[:, 1]
    matrix[~disputed, 2] = -1
    (found,) = tie_breakers(matrix, 2)
    n = int(disputed.sum())
    assert (found.rater, found.items, found.disputed, found.others, found.others_disputed) == (2, n, n, 200, n)


@pytest.mark.parametrize("share", [1.0, 0.1])
def test_a_rater_of_everything_or_of_a_random_part_is_none(share: float) -> None:
    """In 300 sets of three to five raters nobody is taken for a tie-breaker, also where most items are disputed."""
    for seed in range(300):
        rng = np.random.default_rng(seed)
        matrix = np.where(rng.random((80, rng.integers(3, 6))) < rng.uniform(0.55, 0.95), 1, 0)
        matrix[rng.random(80) > share, -1] = -1
        assert tie_breakers(matrix, 2) == ()


def test_two_raters_have_no_tie_breaker() -> None:
    assert tie_breakers(np.array([[0, 1]] * 30), 2) == ()


def test_the_tail_is_the_hypergeometric_one() -> None:
    for hits, drawn, marked, total in ((5, 6, 30, 100), (20, 20, 25, 400), (0, 5, 3, 9), (80, 80, 80, 80)):
        expected = stats.hypergeom.sf(hits - 1, total, marked, drawn)
        assert _at_least(hits, drawn, marked, total) == pytest.approx(expected, rel=1e-9)
