from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

from rftj_cli.stats import group_ranks as module
from rftj_cli.stats.group_ranks import group_ranks

ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=60)


def by_hand(data: list[tuple[int, int, int]]) -> tuple[list[float], list[float], list[float]]:
    """Of every group whose labels differ: scipy's tau-b (0 where the scores never vary), top-1 averaged and strict."""
    taus, shared, strict = [], [], []
    for group in sorted({row[0] for row in data}):
        x, y = zip(*[row[1:] for row in data if row[0] == group], strict=True)
        if len(set(x)) < 2:
            continue
        taus.append(float(kendalltau(x, y).statistic) if len(set(y)) > 1 else 0.0)
        top = [a == max(x) for a, b in zip(x, y, strict=True) if b == max(y)]
        shared.append(sum(top) / len(top))
        strict.append(float(all(top)))
    return taus, shared, strict


@settings(max_examples=150, deadline=None)
@given(ROWS)
def test_equals_scipy_group_by_group(data: list[tuple[int, int, int]]) -> None:
    """The means over groups are those of scipy's tau-b and of a look at each group's best."""
    found = group_ranks(*zip(*data, strict=True))
    for one, values in zip((found.tau_b, found.top_1, found.top_1_strict), by_hand(data), strict=True):
        assert one.n == len(values)
        assert one.value is None if not values else one.value == pytest.approx(np.mean(values))
        if one.low is not None and one.high is not None:
            assert -1 <= one.low <= one.value <= one.high <= 1  # type: ignore[operator]


@settings(max_examples=100, deadline=None)
@given(ROWS)
def test_large_groups_are_counted_alike(data: list[tuple[int, int, int]]) -> None:
    """Pairs counted by sorting are the pairs compared one by one."""
    code, x, y = (np.array(part) for part in zip(*sorted(data), strict=True))
    code = np.unique(code, return_inverse=True)[1]
    many, count = np.tile(np.arange(60), 1), int(code.max()) + 1
    direct = module._pairs(code, x.astype(float), y.astype(float), count)
    one = np.zeros(60, dtype=np.int64)
    large = module._pairs(one, np.sin(many), np.round(np.cos(many), 1), 1)
    assert large[0][0] / np.sqrt(large[1][0] * large[2][0]) == pytest.approx(
        kendalltau(np.sin(many), np.round(np.cos(many), 1)).statistic
    )
    for group in range(count):
        a, b = x[code == group], y[code == group]
        signs = np.sign(a[:, None] - a) * np.sign(b[:, None] - b)
        assert direct[0][group] == signs.sum() / 2
        assert direct[2][group] == (b[:, None] != b).sum() / 2


def test_ties_averaged_and_wrong() -> None:
    """A tie of the best with a worse answer is half right or wrong; a tie among the best alone is right in both."""
    found = group_ranks([0, 0, 0, 1, 1, 1], [1, 0, 0, 1, 1, 0], [5, 5, 2, 4, 4, 1])
    assert (found.top_1.value, found.top_1_strict.value, found.top_1.n) == (0.75, 0.5, 2)


def test_missing_scores() -> None:
    """A group with an answer without a score is left out of top-1 and said; its other answers still have a tau."""
    found = group_ranks([0, 0, 0, 1, 1], [1, 0, 2, 1, 0], [5, 2, np.nan, 4, 1])
    assert (found.tau_b.n, found.tau_b.value) == (2, 1.0)
    assert (found.top_1.n, found.top_1.value) == (1, 1.0)
    assert found.top_1_strict.note == "left out, with an answer without a score: 1 group"


def test_no_decision_is_no_agreement() -> None:
    """A judge that gives all answers of a task one score has tau-b 0 there, and a note says how often."""
    found = group_ranks(np.repeat(np.arange(20), 3), np.tile([0, 1, 2], 20), np.r_[np.tile([0, 1, 2], 10), np.ones(30)])
    assert found.tau_b.value == 0.5
    assert "10 of 20 groups have equal scores throughout and count as 0" in (found.tau_b.note or "")


def test_a_perfect_order_keeps_a_width() -> None:
    """Twenty groups in perfect order do not prove that all are, and one group proves nothing."""
    found = group_ranks(np.repeat(np.arange(20), 3), np.tile([0, 1, 2], 20), np.tile([5, 6, 9], 20)).tau_b
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low is not None and 0.5 < found.low < 0.8
    alone = group_ranks([0, 0], [0, 1], [1, 2])
    assert (alone.tau_b.value, alone.tau_b.low) == (1.0, None)
    assert group_ranks([0, 1], [1, 1], [2, 3]).tau_b.note == module.NO_ORDER
    assert group_ranks([], [], []).top_1.note == module.NO_ORDER
