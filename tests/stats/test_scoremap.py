"""Maps of scores: equal to scikit-learn's where formulas agree, monotone, learned on some items and tested on others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from rftj_cli.stats.scoremap import choose_fit, cross_fitted, isotonic, map_gain, ordinal, platt

PAIRS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 10)), min_size=2, max_size=60)


@given(PAIRS)
def test_blocks_are_those_of_scikit_learn(rows: list[tuple[int, int]]) -> None:
    """The fitted value of every block; between block centres the map is a line, not a step."""
    x, y = (np.array([row[i] for row in rows], dtype=float) for i in range(2))
    ours = isotonic(x, y)
    steps = IsotonicRegression().fit_transform(x, y)
    assert np.allclose(sorted(np.unique(np.round(steps, 9))), [level for _, level in ours.knots], atol=1e-8)
    for score, level in ours.knots:
        block = np.isclose(steps, level)
        assert score == pytest.approx(x[block].mean())


@given(PAIRS)
def test_every_map_is_monotone_and_keeps_the_ranking(rows: list[tuple[int, int]]) -> None:
    x, y = (np.array([row[i] for row in rows], dtype=float) for i in range(2))
    for fitted in (isotonic(x, y), ordinal(x, y, low=0, high=10), platt(x, y, low=0, high=10)):
        knots = np.array(fitted.knots)
        assert (np.diff(knots[:, 0]) > 0).all() and (np.diff(knots[:, 1]) >= -1e-12).all()
        mapped = fitted.apply(np.sort(x))
        assert (np.diff(mapped) >= -1e-12).all()


def test_platt_is_the_logistic_regression_of_the_same_items() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=150)
    y = (rng.random(150) < 1 / (1 + np.exp(-1.5 * x + 0.3))).astype(float)
    ours = platt(x, y, low=0, high=1).apply(x)
    # scikit-learn has no fractions: each pseudo-label of one half is half a pass and half a fail.
    ends = np.array([x.min(), x.max()])
    more = np.concatenate([x, ends, ends])[:, None]
    oracle = LogisticRegression(C=1e9, tol=1e-10, max_iter=1000).fit(
        more, np.concatenate([y, [1, 1], [0, 0]]), sample_weight=np.concatenate([np.ones(150), np.full(4, 0.5)])
    )
    assert np.abs(ours - oracle.predict_proba(x[:, None])[:, 1]).max() < 0.004  # the straight lines between 21 knots


def test_data_that_can_be_parted_and_scores_that_mislead_stay_finite() -> None:
    parted = platt([0, 1, 2, 3], [0, 0, 1, 1], low=0, high=1)
    assert 0.05 < parted.knots[0][1] < 0.3
    assert 0.7 < parted.knots[-1][1] < 0.95
    falling = platt([0, 1, 2, 3], [1, 1, 0, 0], low=0, high=1)
    assert len({round(level, 9) for _, level in falling.knots}) == 1
    assert platt([2, 2, 2], [0, 1, 1], low=0, high=1).knots[0][0] == 2
    assert isotonic([1, 1], [0, 1]).knots == ((1.0, 0.5),)


def test_ordinal_means_are_shrunk_and_keep_the_mean() -> None:
    x = np.repeat([0.0, 0.5, 1.0], [10, 5, 20])
    y = np.concatenate([np.full(10, 0.1), np.full(5, 0.5), np.full(20, 0.9)])
    fitted = ordinal(x, y, low=0, high=1)
    assert fitted.apply(x).mean() == pytest.approx(y.mean())
    assert 0.1 < fitted.knots[0][1] < 0.25


def test_a_map_is_tested_on_items_it_was_not_learned_from() -> None:
    """Noise gains nothing when cross-fitted; a judge that is too strict by a known amount gains that."""
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 2, 400).astype(float)
    keys = np.repeat(np.arange(100), 4)
    noise = rng.normal(size=400)
    fit = choose_fit(noise, 0, 1)
    assert fit(noise, truth).method == "isotonic" and choose_fit(noise[:199], 0, 1)(noise, truth).method == "Platt"
    mean = np.full(400, truth.mean())
    gain = map_gain(truth, mean, cross_fitted(noise, truth, fit, clusters=keys), clusters=keys)["mse_gain"]
    assert gain.value is not None and gain.value < 0.005
    strict = 0.5 * truth
    after = cross_fitted(strict, truth, choose_fit(strict, 0, 1), clusters=keys)
    found = map_gain(truth, strict, after, clusters=keys)
    assert found["mse_gain"].value == pytest.approx(0.25 * truth.mean(), abs=0.01)
    assert found["bias_after"].value == pytest.approx(0, abs=0.01)
    assert found["mse_gain"].method.endswith("t(99)")


def test_gains_are_covered() -> None:
    rng, hits = np.random.default_rng(3), 0
    for _ in range(400):
        truth = rng.random(60)
        before, after = truth + 0.3 + rng.normal(size=60) / 10, truth + rng.normal(size=60) / 10
        found = map_gain(truth, before, after)["mse_gain"]
        hits += found.low <= 0.09 <= found.high  # type: ignore[operator]
    assert 0.92 < hits / 400 < 0.98


def test_bad_arrays_are_refused() -> None:
    with pytest.raises(ValueError, match="not empty"):
        isotonic([], [])
    with pytest.raises(ValueError, match="outside"):
        platt([1, 2], [0, 3], low=0, high=1)
    with pytest.raises(ValueError, match="one cluster"):
        cross_fitted([1, 2], [0, 1], isotonic, clusters=["a", "a"])


@pytest.mark.parametrize("far", [1.0, 10.0, 1000.0])
def test_one_score_far_off_does_not_take_the_knots_from_the_others(far: float) -> None:
    """150 scores in [0, 1], one of them moved: the map is the fitted logistic within .005 at every score."""
    rng = np.random.default_rng(6)
    x = np.append(rng.random(149), far)
    y = (rng.random(150) < expit(6 * (np.minimum(x, 1) - 0.5))).astype(float)
    # The two pseudo-labels of one half are a pass and a fail of weight 1/2 each.
    ends, weight = np.repeat([x.min(), x.max()], 2), np.concatenate([np.ones(150), np.full(4, 0.5)])
    oracle = LogisticRegression(C=1e12, tol=1e-10, max_iter=10_000, solver="newton-cholesky")
    oracle.fit(np.concatenate([x, ends])[:, None], np.concatenate([y, [0, 1, 0, 1]]), sample_weight=weight)
    curve = platt(x, y, low=0, high=1)
    assert len(curve.knots) <= 21
    assert curve.apply(x) == pytest.approx(oracle.predict_proba(x[:, None])[:, 1], abs=0.005)


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        isotonic([1, 2], [0, 1]).apply([np.nan])
    with pytest.raises(ValueError, match="empty"):
        platt([1, 2], [0, 0], low=0, high=0)
