from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rftj_cli.stats.dominance import below

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
