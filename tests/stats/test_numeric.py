from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from making import growth
from scipy import stats
from scipy.special import ndtr

from rftj_cli.stats import scores
from rftj_cli.stats.arrays import Floats
from rftj_cli.stats.numeric import bounded_mean, numeric_agreement

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
        assert (often[name].low, often[name].high) == pytest.approx((once[name].low, once[name].high), rel=0.02)
    assert str(often["pearson"].method).startswith("cluster influence 95%, t(")


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


def test_one_cluster_has_no_interval() -> None:
    """A single cluster gives values only."""
    found = numeric_agreement(X, Y, clusters=np.zeros(120))["pearson"]
    assert (found.low, found.note) == (None, "only 1 cluster: no interval")


def test_many_rows_cost_no_more_each() -> None:
    """Large inputs are counted in O(n log n): eight times the rows cost far less than 64 times as much."""
    x = np.random.default_rng(0).normal(size=160_000)
    y = x + np.random.default_rng(1).normal(size=x.size)
    few = slice(0, x.size // 8)
    assert growth(lambda: numeric_agreement(x[few], y[few]), lambda: numeric_agreement(x, y)) < 40
    assert numeric_agreement(x, y)["kendall_tau_b"].value == pytest.approx(0.5, abs=0.01)


def test_gaps_are_refused() -> None:
    """A missing score is not a number that can be averaged."""
    with pytest.raises(ValueError, match="finite"):
        numeric_agreement([1.0, float("nan")], [1.0, 2.0])


def zipf(rng: np.random.Generator, n: int) -> np.ndarray:
    """Cluster codes (n,) of clusters of 1 to 20 items, few of them large."""
    chance = 1 / np.arange(1, 21)
    return np.repeat(np.arange(n), rng.choice(np.arange(1, 21), size=n, p=chance / chance.sum()))[:n]


def bounded_scores(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    keys = zipf(rng, n)
    shared, own = rng.normal(size=(n, 2))[keys], rng.normal(size=(n, 2))
    x = np.round(ndtr(0.7 * shared[:, 0] + 0.7 * own[:, 0] + 0.8), 2)
    y = np.round(ndtr(0.7 * shared[:, 0] + 0.5 * own[:, 0] + 0.35 * shared[:, 1] + 0.4 * own[:, 1] + 0.9), 2)
    return x, y, keys


def test_bounded_scores_in_clusters_of_unequal_size_are_covered() -> None:
    """Items of clusters of 1 to 20: G - 1 degrees of freedom held bias, pearson and the means in 85 to 91%."""
    rng = np.random.default_rng(21)
    big_x, big_y, _ = bounded_scores(rng, 300_000)
    true = numeric_agreement(big_x, big_y)
    hits = dict.fromkeys(("pearson", "spearman", "bias", "mae", "mean_judge"), 0)
    for _ in range(150):
        x, y, keys = bounded_scores(rng, 100)
        found = numeric_agreement(x, y, clusters=keys, ends=(0.0, 1.0))
        for name in hits:
            one, value = found[name], true[name].value
            assert one.low is not None and one.high is not None and value is not None
            hits[name] += one.low <= value <= one.high
    assert min(hits.values()) / 150 >= 0.905, hits


def test_no_interval_leaves_the_scale() -> None:
    """Three clusters near the upper end of [0, 1]: t alone reaches above 1."""
    x, keys = np.array([1.0, 1, 1, 0.9, 0.7, 1, 1, 1, 0.95]), np.repeat([0, 1, 2], 3)
    plain = numeric_agreement(x, x[::-1], clusters=keys)["mean_judge"]
    found = numeric_agreement(x, x[::-1], clusters=keys, ends=(0.0, 1.0))
    assert plain.high is not None and plain.high > 1
    for name, low, high in (("mean_truth", 0, 1), ("mean_judge", 0, 1), ("bias", -1, 1), ("mae", 0, 1)):
        one = found[name]
        assert one.low is not None and one.high is not None and one.value is not None
        assert low <= one.low <= one.value <= one.high <= high
    top = bounded_mean(np.full(20, 5.0), None, (1.0, 5.0))
    assert top.high == 5.0 and top.low is not None and 4 < top.low < 5


@pytest.mark.parametrize("clusters", [None, np.arange(40) // 4])
def test_a_perfect_score_has_an_interval(clusters: np.ndarray | None) -> None:
    """40 items without an error: up to 9% may have a score that has nothing to do with the label; more in clusters."""
    x = np.random.default_rng(2).normal(size=40)
    found, turned = numeric_agreement(x, x, clusters=clusters), numeric_agreement(x, -x, clusters=clusters)
    least = 0.912 if clusters is None else 0.80
    for name in ("pearson", "ccc", "spearman"):
        assert (found[name].value, found[name].high) == (pytest.approx(1.0), 1.0)
        assert found[name].low == pytest.approx(least, abs=0.01)
    assert turned["pearson"].high == pytest.approx(-least, abs=0.01)
    mae, bias = found["mae"], found["bias"]
    assert mae.low == 0 == mae.value and mae.high is not None and 0 < mae.high < 0.3
    assert bias.low == -mae.high and "no item is off here" in str(bias.note)
    assert numeric_agreement(x, x, clusters=np.zeros(40))["pearson"].note == "only 1 cluster: no interval"


def test_heavy_tails_are_said() -> None:
    """Normal scores say nothing; with two values a hundred times as large the moments rest on these, ranks do not."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=200)
    y = x + rng.normal(size=200)
    assert all("kurtosis" not in str(one.note) for one in numeric_agreement(x, y).values())
    x[:2] *= 100
    found = numeric_agreement(x, y)
    for name in ("pearson", "ccc", "bias"):
        assert "kurtosis" in str(found[name].note) and "read the rank correlations" in str(found[name].note), name
    assert "kurtosis" not in str(found["spearman"].note)
