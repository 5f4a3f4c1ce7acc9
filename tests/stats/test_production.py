"""Outcomes along the score, and rank correlation at equal length."""

from __future__ import annotations

import numpy as np
import pytest

from rftj_cli.stats.production import by_score, equal_bins, partial_spearman


def test_bins_are_about_equal_and_part_no_equal_scores() -> None:
    rng = np.random.default_rng(0)
    codes = equal_bins(rng.normal(size=1000))
    assert np.bincount(codes).tolist() == [100] * 10
    lumpy = np.repeat([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0], [500, *[5] * 11])
    codes = equal_bins(lumpy)
    assert all(np.unique(codes[lumpy == value]).size == 1 for value in np.unique(lumpy))
    assert np.all(np.diff(codes) >= 0) and codes[0] == 0


def test_rates_and_lifts_are_those_of_the_items_in_the_bin() -> None:
    score = np.repeat([0.0, 0.5, 1.0], [50, 30, 20])
    outcome = np.concatenate([np.arange(50) < 10, np.arange(30) < 15, np.arange(20) < 15]).astype(float)
    bins = by_score(outcome, score)
    assert [(one.low, one.outcome.n) for one in bins] == [(0.0, 50), (0.5, 30), (1.0, 20)]
    assert [one.outcome.value for one in bins] == [0.2, 0.5, 0.75]
    assert [one.lift.value for one in bins] == pytest.approx([0.5, 1.25, 1.875])
    assert bins[0].outcome.method == "Wilson 95%"


def test_a_number_has_means_with_t_intervals() -> None:
    bins = by_score([1.0, 2.0, 3.5, 4.0, 5.0, 9.0], [0, 0, 0, 1, 1, 1])
    assert bins[1].outcome.value == 6.0
    assert bins[1].outcome.low == pytest.approx(6 - 4.302653 * np.std([4, 5, 9], ddof=1) / np.sqrt(3), abs=1e-5)


def test_intervals_of_lifts_cover() -> None:
    """500 data sets of 200 items in two bins whose true lifts are .6 and 1.4."""
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(500):
        score = (rng.random(200) < 0.5).astype(float)
        outcome = (rng.random(200) < np.where(score == 1, 0.7, 0.3)).astype(float)
        lift = by_score(outcome, score)[1].lift
        hits += lift.low <= 1.4 <= lift.high  # type: ignore[operator]
    assert 0.92 < hits / 500 < 0.98


def test_nothing_that_cannot_be_divided_is() -> None:
    bins = by_score([0.0, 0.0, 0.0], [0, 0, 1])
    assert bins[0].outcome.value == 0 and bins[0].lift.value is None and bins[0].lift.note


def test_partial_correlation_is_that_of_the_three_and_its_interval_covers() -> None:
    rng = np.random.default_rng(7)

    def drawn(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        z = rng.normal(size=n)
        return z + rng.normal(size=n), z + rng.normal(size=n), z

    x, y, z = drawn(400_000)
    r = np.corrcoef([np.argsort(np.argsort(one)) for one in (x, y, z)])
    true = (r[0, 1] - r[0, 2] * r[1, 2]) / np.sqrt((1 - r[0, 2] ** 2) * (1 - r[1, 2] ** 2))
    assert partial_spearman(x, y, z).value == pytest.approx(true, abs=1e-9)
    hits = 0
    for _ in range(400):
        found = partial_spearman(*drawn(80))
        hits += found.low <= true <= found.high  # type: ignore[operator]
    assert 0.92 < hits / 400 < 0.98


def test_a_control_that_says_it_all_leaves_nothing() -> None:
    x = np.arange(20.0)
    assert partial_spearman(x, x[::-1] ** 2, x).note == "the third variable ranks the items exactly as one of the two"
    assert partial_spearman(x, np.ones(20), x).note == "one of the three never varies"
    assert partial_spearman([1.0], [1.0], [1.0]).note == "fewer than 4 items"
