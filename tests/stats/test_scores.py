from __future__ import annotations

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats

from rftj_cli.stats import scores
from rftj_cli.stats.arrays import Floats
from rftj_cli.stats.reliability import icc_2_1

from .oracles import items, random_tables, tables

VALUES = np.array([1.0, 2, 4, 7, 11])


def test_correlations_equal_scipy() -> None:
    """Pearson, Spearman and tau-b of the table are those of its items."""
    for table in random_tables(5, count=8):
        h, j = items(table)
        assert scores.pearson(table, VALUES) == pytest.approx(stats.pearsonr(VALUES[h], VALUES[j])[0], abs=1e-9)
        assert scores.spearman(table) == pytest.approx(stats.spearmanr(h, j)[0], abs=1e-9)
        assert scores.kendall_tau_b(table) == pytest.approx(stats.kendalltau(h, j)[0], abs=1e-9)


def test_alpha_equals_krippendorff() -> None:
    """Ordinal alpha of the table equals the krippendorff package."""
    for table in random_tables(5, count=8):
        oracle = krippendorff.alpha(reliability_data=np.stack(items(table)), level_of_measurement="ordinal")
        assert scores.alpha_ordinal(table) == pytest.approx(oracle, abs=1e-9)


def test_icc_equals_the_mean_squares() -> None:
    """The two-rater shortcut equals ICC(2,1) from the analysis of variance."""
    for table in random_tables(5):
        h, j = items(table)
        assert scores.icc(table, VALUES) == pytest.approx(icc_2_1(np.stack([VALUES[h], VALUES[j]], 1)).value, abs=1e-9)


def test_errors_and_ccc_equal_their_definitions() -> None:
    """MAE, bias and Lin's CCC are those of the items."""
    table = random_tables(5)[0]
    h, j = items(table)
    x, y = VALUES[h], VALUES[j]
    assert scores.mae(table, VALUES) == pytest.approx(np.abs(y - x).mean())
    assert scores.bias(table, VALUES) == pytest.approx((y - x).mean())
    expected = 2 * np.cov(x, y, ddof=0)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    assert scores.ccc(table, VALUES) == pytest.approx(expected)


def test_constant_side_is_nan() -> None:
    """A judge that never varies has no correlation."""
    table = np.zeros((3, 3))
    table[:, 1] = [5, 7, 3]
    for f in (scores.spearman, scores.kendall_tau_b, lambda t: scores.pearson(t, np.arange(3.0))):
        assert np.isnan(f(table))


@settings(max_examples=30, deadline=None)
@given(tables(4, least=0).filter(lambda t: t.any(0).sum() > 1 and t.any(1).sum() > 1))
def test_raters_may_be_swapped(table: Floats) -> None:
    """The coefficients do not tell truth from judge, and the bias only changes its sign."""
    x = np.array([0.0, 1, 3, 4])
    symmetric = (scores.spearman, scores.kendall_tau_b, scores.alpha_ordinal, lambda t: scores.ccc(t, x))
    for f in symmetric:
        assert f(table) == pytest.approx(float(f(table.T)), nan_ok=True)
    assert scores.bias(table, x) == pytest.approx(-float(scores.bias(table.T, x)))


def test_stacks_equal_single_tables() -> None:
    """Every functional of a stack is that of its tables one by one."""
    stack = np.stack(random_tables(5))
    plain = (scores.spearman, scores.kendall_tau_b, scores.alpha_ordinal)
    valued = (scores.pearson, scores.ccc, scores.icc, scores.mae, scores.bias)
    for f in plain:
        assert np.allclose(f(stack), [f(one) for one in stack])
    for g in valued:
        assert np.allclose(g(stack, VALUES), [g(one, VALUES) for one in stack])
