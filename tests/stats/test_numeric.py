from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from rftj_cli.stats import scores
from rftj_cli.stats.arrays import Floats
from rftj_cli.stats.numeric import numeric_agreement

from .oracles import items, random_tables

RNG = np.random.default_rng(5)
X = RNG.normal(size=120).round(1)
Y = (0.8 * X + 0.6 * RNG.normal(size=120) + 0.3).round(1)

ORACLES: dict[str, Callable[[Floats, Floats], float]] = {
    "spearman": lambda x, y: float(stats.spearmanr(x, y)[0]),
    "kendall_tau_b": lambda x, y: float(stats.kendalltau(x, y)[0]),
    "pearson": lambda x, y: float(stats.pearsonr(x, y)[0]),
    "ccc": lambda x, y: float(2 * np.cov(x, y, ddof=0)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)),
    "mae": lambda x, y: float(np.abs(x - y).mean()),
    "bias": lambda x, y: float((y - x).mean()),
}


@pytest.mark.parametrize("name", ORACLES)
def test_values_and_widths(name: str) -> None:
    """Each value equals its oracle, and its interval the oracle's jackknife, with ties in both arrays."""
    found, oracle = numeric_agreement(X, Y)[name], ORACLES[name]
    value = oracle(X, Y)
    assert found.value == pytest.approx(value, abs=1e-9)
    left = np.array([oracle(np.delete(X, i), np.delete(Y, i)) for i in range(X.size)])
    se = np.sqrt((X.size - 1) * left.var())
    half = stats.t.ppf(0.975, X.size - 1) * se
    low, high = value - half, value + half
    if name == "mae":
        low, high = value * np.exp(-half / value), value * np.exp(half / value)
    elif name != "bias":
        low, high = np.tanh(np.arctanh(value) + np.array([-1, 1]) * half / (1 - value**2))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.05 * half)


def test_discrete_scores_agree_with_their_table() -> None:
    """On few levels the arrays give what the table gives."""
    table = random_tables(5)[0]
    h, j = items(table)
    found = numeric_agreement(h, j)
    assert found["spearman"].value == pytest.approx(float(scores.spearman(table)))
    assert found["kendall_tau_b"].value == pytest.approx(float(scores.kendall_tau_b(table)))


def test_repeated_items_do_not_narrow() -> None:
    """Every item four times over, in clusters, has the interval of the items once."""
    once = numeric_agreement(X, Y)
    often = numeric_agreement(np.repeat(X, 4), np.repeat(Y, 4), clusters=np.repeat(np.arange(120), 4))
    for name in ("pearson", "spearman", "ccc", "mae", "bias"):
        assert (often[name].low, often[name].high) == pytest.approx((once[name].low, once[name].high), abs=1e-9)
    assert often["pearson"].method == "cluster influence 95%, t(119), Fisher z"


def test_order_of_rows_does_not_matter() -> None:
    """Shuffled rows give the same numbers."""
    order = RNG.permutation(X.size)
    one, other = numeric_agreement(X, Y), numeric_agreement(X[order], Y[order])
    for name in ORACLES:
        assert one[name].low == pytest.approx(other[name].low)


def test_constant_input_is_missing() -> None:
    """A side that never varies has no correlation; errors remain."""
    found = numeric_agreement(np.ones(9), np.arange(9))
    assert found["ccc"].note == found["spearman"].note == "the labels never vary"
    assert numeric_agreement(np.arange(9), np.ones(9))["pearson"].note == "the scores never vary"
    assert found["mae"].value == pytest.approx(np.abs(np.arange(9) - 1).mean())
    assert numeric_agreement([], [])["mae"].note == "no items"


def test_perfect_scores_have_no_interval() -> None:
    """Identical scores agree fully, and the note says why there is no interval."""
    found = numeric_agreement(X, X)
    assert found["ccc"].value == pytest.approx(1)
    assert found["ccc"].low is None and "does not vary" in str(found["ccc"].note)


def test_one_cluster_has_no_interval() -> None:
    """A single cluster gives values only."""
    found = numeric_agreement(X, Y, clusters=np.zeros(120))["pearson"]
    assert (found.low, found.note) == (None, "only 1 cluster: no interval")


def test_two_hundred_thousand_rows_in_seconds() -> None:
    """Large inputs are counted in O(n log n)."""
    x = np.random.default_rng(0).normal(size=200_000)
    start = time.perf_counter()
    found = numeric_agreement(x, x + np.random.default_rng(1).normal(size=x.size))
    assert time.perf_counter() - start < 5
    assert found["kendall_tau_b"].value == pytest.approx(0.5, abs=0.01)


def test_gaps_are_refused() -> None:
    """A missing score is not a number that can be averaged."""
    with pytest.raises(ValueError, match="finite"):
        numeric_agreement([1.0, float("nan")], [1.0, 2.0])
