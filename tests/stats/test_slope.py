"""Slopes inside groups, beside statsmodels' cluster-robust ones."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.special import stdtrit

from rftj_cli.stats.slope import within_slope


def test_slope_and_error_are_those_of_regressions_without_one_group_each() -> None:
    """The slope is that of a regression with group dummies, its error the spread of 25 regressions without one group."""
    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(25), 4)
    x = rng.normal(size=100)
    y = 0.3 * x + np.repeat(rng.normal(size=25), 4) + rng.normal(size=100)
    found = within_slope(x, y, group=group)
    dummies = (group[:, None] == np.arange(25)).astype(float)

    def slope(use: np.ndarray) -> float:
        columns = np.column_stack([x, dummies])[use]
        return float(sm.OLS(y[use], columns[:, columns.any(0)]).fit().params[0])

    whole = slope(np.ones(100, bool))
    assert found.value == pytest.approx(whole, abs=1e-10)
    left = np.array([slope(group != one) for one in range(25)])
    square, fourth = (float(((left - whole) ** power).sum()) for power in (2, 4))
    df = np.clip(2 * square**2 / (fourth - square**2 / 25), 4, 24)  # Satterthwaite's
    half = stdtrit(df, 0.975) * np.sqrt(24 / 25 * square)
    assert found.high - found.value == pytest.approx(half, rel=1e-6)  # type: ignore[operator]


def test_without_groups_it_is_the_plain_slope() -> None:
    x, y = np.array([0.0, 1, 2, 3]), np.array([1.0, 3, 2, 5])
    assert within_slope(x, y).value == pytest.approx(np.polyfit(x, y, 1)[0])
    assert within_slope(x, y).method.endswith("t(3)")


def test_what_does_not_vary_has_no_slope() -> None:
    assert "never differ" in str(within_slope([1, 1, 1], [1, 2, 3]).note)
    assert within_slope([1, 2], [1, 2]).note == "fewer than 3 items"
    assert within_slope([1, 2, 3], [1, 2, 4], clusters=["a"] * 3).note == "only 1 cluster: no interval"
    with pytest.raises(ValueError, match="one length"):
        within_slope([1], [1, 2])
