"""Scores that differ by rounding alone are ties, in every number that ranks or counts them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rftj_cli.stats.best_of_n import best_of_n
from rftj_cli.stats.concordance import concordance
from rftj_cli.stats.groups import pair_accuracy
from rftj_cli.stats.numeric import numeric_agreement
from rftj_cli.stats.production import by_score
from rftj_cli.stats.signal import expected_zero_variance, false_signal, group_signal
from rftj_cli.stats.ties import settled

DUST = [0.3, 0.1 + 0.2]


@given(st.lists(st.floats(-1e12, 1e12), min_size=2, max_size=2))
def test_settling_keeps_order_and_twelve_digits(pair: list[float]) -> None:
    x = np.sort(np.array(pair))
    low, high = settled(x)
    assert low <= high
    assert settled(x) == pytest.approx(x, rel=1e-11, abs=1e-300)


def test_extreme_numbers_stay_what_they_are() -> None:
    x = np.array([0.0, 5e-324, 1e-300, 1e300, -1.7e308])
    assert settled(x) == pytest.approx(x, rel=1e-11)
    assert settled(np.array(DUST))[0] == settled(np.array(DUST))[1]


def test_dust_is_a_tie_inside_a_group() -> None:
    assert pair_accuracy([0, 0], [0, 1], DUST).tied == 1
    assert pair_accuracy([0, 0], DUST, [0, 1]).pairs == 0
    found = group_signal([0, 0], DUST)
    assert found is not None
    assert (found.zero_variance.value, found.expected_zero.value, found.levels) == (1.0, 1.0, 1)
    assert expected_zero_variance([0, 0], DUST, 2).value == 1.0
    curve = best_of_n([0, 0], [1, 0], DUST)
    assert curve is not None and curve.steps[1].truth.value == 0.5


def test_dust_is_a_tie_over_all() -> None:
    assert concordance([0, 1, 0, 1], [*DUST, 1, 2]).value == concordance([0, 1, 0, 1], [0.3, 0.3, 1, 2]).value
    tau = [
        numeric_agreement([1, 2, 3], [*DUST, 1])["kendall_tau_b"].value,
        numeric_agreement([1, 2, 3], [0.3, 0.3, 1])["kendall_tau_b"].value,
    ]
    assert tau[0] == tau[1]
    assert len(by_score([0, 1, 1], [*DUST, 1])) == 2


def test_a_small_difference_is_one_everywhere() -> None:
    """5e-7 apart: not alike in the spread, so not alike in the false signal either."""
    close = [0.5, 0.5 + 5e-7]
    assert false_signal([0, 0], [1, 1], close).value == 1.0
    found = group_signal([0, 0], close)
    assert found is not None and found.zero_variance.value == 0.0
