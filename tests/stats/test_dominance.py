from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rftj_cli.stats.dominance import below, concordance, dense

ROWS = st.integers(0, 20).flatmap(  # few levels of y and many are counted in two ways
    lambda most: st.lists(st.tuples(st.integers(0, 3), st.integers(-3, 3), st.integers(0, most)), max_size=40)
)


@settings(max_examples=150, deadline=None)
@given(ROWS)
def test_counts_equal_those_of_all_pairs(rows: list[tuple[int, int, int]]) -> None:
    """The counts are those that a look at every pair of a group gives."""
    group, x, y = (np.array([row[i] for row in rows], dtype=np.int64) for i in range(3))
    found = below(x.astype(float), y.astype(float), group)
    same, lower = group[:, None] == group[None, :], x[:, None] > x[None, :]
    assert np.array_equal(found.x, (same & lower).sum(1))
    assert np.array_equal(found.both, (same & lower & (y[:, None] > y[None, :])).sum(1))
    assert np.array_equal(found.tied, (same & lower & (y[:, None] == y[None, :])).sum(1))


@settings(max_examples=150, deadline=None)
@given(ROWS)
def test_concordance_equals_that_of_all_pairs(rows: list[tuple[int, int, int]]) -> None:
    """One count of pairs and the counts of equals give concordant minus discordant ones."""
    x, y = (np.array([row[i] for row in rows], dtype=np.int64) for i in (1, 2))
    signs = np.sign(x[:, None] - x[None, :]) * np.sign(y[:, None] - y[None, :])
    assert np.array_equal(concordance(dense(x), dense(y)), signs.sum(1))


@pytest.mark.parametrize("count", [1, 2, 3, 31, 32, 33, 1000])
def test_many_values_of_any_number_of_items(count: int) -> None:
    """The places are parted by bits: also where their number is not a power of two."""
    x, y = np.random.default_rng(count).normal(size=(2, count))
    expected = ((x[:, None] > x[None, :]) & (y[:, None] > y[None, :])).sum(1)
    assert np.array_equal(below(x, y).both, expected)


@pytest.mark.parametrize(
    "values",
    [np.array([3, 0, 3, 1]), np.array([300, -1, 300, 7]), np.array([0.5, 0.1, 0.5, 0.2]), np.array([], np.int64)],
)
def test_dense_ranks_are_those_of_the_sorted_values(values: np.ndarray) -> None:
    assert np.array_equal(dense(values), np.unique(values, return_inverse=True)[1])
