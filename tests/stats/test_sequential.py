"""Looking after every label, and still being right 95 times in 100."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import beta

from rftj_cli.stats.sequential import confidence_sequence, discordant_e_process


def test_the_bet_is_the_jeffreys_mixture() -> None:
    found = discordant_e_process([1, 1, 0, 1])
    assert found.e_value == pytest.approx(beta(3.5, 1.5) / beta(0.5, 0.5) * 2**4)
    assert found.pairs == 4 and found.stopped is None
    assert discordant_e_process([]).p == 1.0


def test_peeking_does_not_reject_a_true_null() -> None:
    """2,000 streams of 300 pairs, a look after every pair: at most 5% are ever stopped."""
    rng = np.random.default_rng(1)
    stopped = [discordant_e_process(rng.random(300) < 0.5).stopped is not None for _ in range(2000)]
    assert np.mean(stopped) <= 0.05


def test_a_real_difference_stops_about_as_early_as_a_planned_test() -> None:
    """70 to 30: half of the streams have stopped by about 50 pairs, where a fixed design plans 49."""
    rng = np.random.default_rng(2)
    stops = [discordant_e_process(rng.random(600) < 0.7).stopped or 600 for _ in range(1000)]
    assert 40 <= np.median(stops) <= 56


def test_the_sequence_of_intervals_holds_at_every_look() -> None:
    """200 streams of 200 labels: the intersection of all intervals so far holds the rate in at least 95%."""
    rng = np.random.default_rng(3)
    for rate in (0.5, 0.9):
        found = [confidence_sequence(rng.random(200) < rate) for _ in range(200)]
        # Where every rate was excluded there is no interval, and it held nothing.
        assert np.mean([one.low is not None and one.low <= rate <= (one.high or 0) for one in found]) >= 0.95
    assert found[0].high - found[0].low < 0.25  # type: ignore[operator]


def test_bounds_never_widen_again() -> None:
    rng = np.random.default_rng(4)
    labels = (rng.random(60) < 0.8).astype(int)
    widths = [(one.low, one.high) for one in (confidence_sequence(labels[:n]) for n in range(1, 61))]
    lows, highs = np.array(widths, dtype=float).T
    assert (np.diff(lows) >= -1e-9).all() and (np.diff(highs) <= 1e-9).all()


def test_bad_labels_are_refused() -> None:
    assert confidence_sequence([]).note == "no labels"
    with pytest.raises(ValueError, match="1 or 0"):
        confidence_sequence([0.5])
    with pytest.raises(ValueError, match="B alone"):
        discordant_e_process([2])
    with pytest.raises(ValueError, match="alpha"):
        discordant_e_process([1], alpha=1.5)
