"""Scores of probabilities: identities, scikit-learn, and what binning must not invent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss

from rftj_cli.stats.probability import calibration_error, murphy, probability_scores
from rftj_cli.stats.production import equal_bins

ROWS = st.lists(st.tuples(st.integers(0, 10), st.integers(0, 1)), min_size=1, max_size=80)


@given(ROWS)
def test_the_parts_add_up_to_the_score(rows: list[tuple[int, int]]) -> None:
    p, y = np.array([row[0] / 10 for row in rows]), np.array([float(row[1]) for row in rows])
    for parts in (murphy(p, y), murphy(p, y, equal_bins(p, 3))):
        total = parts.reliability - parts.resolution + parts.uncertainty + parts.within
        assert parts.brier == pytest.approx(total, abs=1e-12)
    assert murphy(p, y).within == pytest.approx(0, abs=1e-12)


def test_scores_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    p = rng.random(400)
    y = (rng.random(400) < p).astype(float)
    found = probability_scores(p, y)
    assert found is not None
    assert found.brier.value == pytest.approx(brier_score_loss(y, p), abs=1e-12)
    assert found.log_loss.value == pytest.approx(log_loss(y, p), abs=1e-9)
    assert len(found.curve) == 10 and sum(point.was.n for point in found.curve) == 400
    assert found.skill.value == pytest.approx(1 - brier_score_loss(y, p) / (y.mean() * (1 - y.mean())))


def test_a_calibrated_judge_is_not_said_to_err() -> None:
    """300 calibrated judges of 400 items: the median error is near 0, where plain bins would say about .045."""
    rng = np.random.default_rng(2)
    said = []
    for _ in range(60):
        p = rng.random(400)
        said.append(calibration_error(p, (rng.random(400) < p).astype(float)))
    assert np.median([one.value for one in said]) < 0.03  # type: ignore[type-var]
    assert np.mean([one.low < 0.005 for one in said]) > 0.9  # type: ignore[operator]


def test_the_error_of_a_judge_that_exaggerates_is_covered() -> None:
    """Says .9 where it is .7 and .1 where it is .3: an error of .2, 50 data sets of 500 items."""
    rng, hits = np.random.default_rng(3), 0
    for _ in range(50):
        high = rng.random(500) < 0.5
        p = np.where(high, 0.9, 0.1)
        found = calibration_error(p, (rng.random(500) < np.where(high, 0.7, 0.3)).astype(float))
        hits += found.low <= 0.2 <= found.high  # type: ignore[operator]
    assert hits >= 45


def test_few_items_have_no_calibration_error_and_nonsense_is_refused() -> None:
    found = probability_scores([0.5] * 50, [1.0] * 50)
    assert found is not None and found.ece.value is None and "fewer than 200" in str(found.ece.note)
    assert found.skill.note == "the truth never varies"
    assert probability_scores([], []) is None
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        probability_scores([1.2], [1])
    with pytest.raises(ValueError, match="0 or 1"):
        probability_scores([0.2], [0.5])


def test_a_calibrated_judge_is_not_said_to_err_by_clusters_that_share_their_outcome() -> None:
    """80 calibrated judges of 100 clusters of 8 that share p and half of the luck: the interval holds 0 nearly always."""
    rng, held = np.random.default_rng(4), 0
    for _ in range(80):
        p, cluster = np.repeat(rng.random(100), 8), np.repeat(np.arange(100), 8)
        luck = np.where(rng.random(800) < 0.5, np.repeat(rng.random(100), 8), rng.random(800))
        held += calibration_error(p, (luck < p).astype(float), clusters=cluster).low == 0
    assert held >= 74


def test_copies_tell_the_calibration_no_better() -> None:
    """Every item four times, as clusters of four: the value and about the interval of the items once."""
    rng = np.random.default_rng(5)
    p = rng.random(400)
    y = (rng.random(400) < np.clip(1.4 * p - 0.2, 0, 1)).astype(float)
    once = calibration_error(p, y)
    copies = calibration_error(np.repeat(p, 4), np.repeat(y, 4), clusters=np.repeat(np.arange(400), 4))
    assert (copies.value, copies.low, copies.high) == pytest.approx((once.value, once.low, once.high), abs=0.01)


@pytest.mark.parametrize("p", [[0.5] * 300, [1.0] * 300])
def test_an_error_that_never_varies_has_no_interval(p: list[float]) -> None:
    found = calibration_error(p, [1.0] * 300)
    assert found.value == 1 - p[0] and found.low is None and "no interval" in str(found.note)
