"""The AUC, within strata too, beside scikit-learn and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from rftj_cli.stats.concordance import concordance
from rftj_cli.stats.groups import pooled_pair_accuracy


def brute(x: list[float], y: list[float], g: list[int]) -> float | None:
    pairs = [(i, j) for i in range(len(x)) for j in range(len(x)) if g[i] == g[j] and x[i] < x[j]]
    if not pairs:
        return None
    return sum(1.0 if y[i] < y[j] else 0.5 if y[i] == y[j] else 0.0 for i, j in pairs) / len(pairs)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=25))
def test_it_is_the_share_of_pairs_in_the_right_order(rows: list[tuple[int, int, int]]) -> None:
    x, y, g = ([float(row[i]) for row in rows] for i in range(3))
    found = concordance(x, y, strata=g)
    assert found.value == pytest.approx(brute(x, y, [row[2] for row in rows]))


def test_it_is_the_area_under_the_roc_curve() -> None:
    rng = np.random.default_rng(1)
    x = (rng.random(500) < 0.3).astype(float)
    y = np.round(x + rng.normal(size=500), 1)
    found = concordance(x, y)
    assert found.value == pytest.approx(roc_auc_score(x, y), abs=1e-12)
    assert found.low is not None and found.high is not None and found.low < found.value < found.high  # type: ignore[operator]


def test_the_variance_is_delongs() -> None:
    """Against DeLong's formula written out with placements; the interval is Wilson's at the n that has this variance."""
    rng = np.random.default_rng(2)
    x = (rng.random(300) < 0.4).astype(float)
    y = x + rng.normal(size=300)
    pos, neg = y[x == 1], y[x == 0]
    wins = (pos[:, None] > neg[None, :]).astype(float)
    delong = wins.mean(1).var(ddof=1) / pos.size + wins.mean(0).var(ddof=1) / neg.size
    found = concordance(x, y)
    assert found.value is not None and found.low is not None and found.high is not None
    assert (found.high - found.low) / 2 / 1.97 == pytest.approx(np.sqrt(delong), rel=0.03)


def test_the_interval_covers_also_near_one_and_by_cluster() -> None:
    """400 data sets each: 60 items, and 40 clusters of 3 items with the same outcome and a shared error."""
    rng = np.random.default_rng(3)
    for shift, true in ((1.0, 0.76025), (2.5, 0.96145)):
        hits = 0
        for _ in range(400):
            x = (np.arange(60) % 2).astype(float)
            found = concordance(x, shift * x + rng.normal(size=60))
            hits += found.low <= true <= found.high  # type: ignore[operator]
        assert 0.92 < hits / 400 < 0.99
    hits = 0
    for _ in range(400):
        keys = np.repeat(np.arange(40), 3)
        x = (keys % 2).astype(float)
        y = x + np.repeat(rng.normal(size=40), 3) * 0.8 + rng.normal(size=120) * 0.6
        found = concordance(x, y, clusters=keys)
        hits += found.low <= 0.76025 <= found.high  # type: ignore[operator]
    assert 0.92 < hits / 400 < 0.99


def test_a_perfect_ranking_keeps_a_width_and_what_cannot_be_computed_says_why() -> None:
    perfect = concordance([0, 0, 0, 1, 1, 1], [1, 2, 3, 4, 5, 6])
    assert perfect.value == 1 and perfect.low is not None and perfect.low < 0.7
    assert concordance([1, 1], [1, 2]).note == "the outcome never varies"
    assert concordance([0, 1], [1, 2], strata=[0, 1]).note == "the outcome never varies inside a stratum"
    assert concordance([0, 1, 0], [1, 2, 3], clusters=["a", "a", "a"]).note == "only 1 cluster: no interval"
    assert concordance([], []).value is None
    with pytest.raises(ValueError, match="one length"):
        concordance([0, 1], [1])


def test_a_rare_outcome_has_few_degrees_of_freedom() -> None:
    """4 of 30 are positive: the variance is known from 4, and the interval is wider than with t(29)."""
    outcome, score = np.arange(30) < 4, np.random.default_rng(3).normal(size=30) + (np.arange(30) < 4)
    found = concordance(outcome, score)
    assert "t(3)" in found.method
    assert "t(3)" in pooled_pair_accuracy(outcome, score).method
    assert "t(14)" in concordance(np.arange(30) < 15, score).method
