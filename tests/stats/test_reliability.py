from __future__ import annotations

import krippendorff
import numpy as np
import pytest
from statsmodels.stats.inter_rater import fleiss_kappa as oracle_fleiss

from rftj_cli.stats.arrays import Ints
from rftj_cli.stats.raters import fleiss_kappa, icc_2_1, krippendorff_alpha, pairwise_kappa, rating_counts
from rftj_cli.stats.reliability import Distance
from rftj_cli.stats.table import cross_table, kappa

FLEISS = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]
CODERS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
        [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
    ]
).T  # 0 is missing, so that subtracting one leaves codes 0..4 and -1
SHROUT = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float)


def ratings(items: int, raters: int, k: int, seed: int, gaps: float = 0.2) -> Ints:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, k, (items, 1))
    found = np.where(rng.random((items, raters)) < 0.6, truth, rng.integers(0, k, (items, raters)))
    return np.where(rng.random((items, raters)) < gaps, -1, found)


def test_fleiss_reference() -> None:
    """The table of ten items and fourteen raters has kappa .209931."""
    matrix = np.array([np.repeat(np.arange(5), row) for row in FLEISS])
    assert rating_counts(matrix, 5).tolist() == FLEISS
    found = fleiss_kappa(matrix)
    assert found.value == pytest.approx(0.209931, abs=1e-6)
    assert found.value == pytest.approx(oracle_fleiss(np.array(FLEISS)), abs=1e-9)
    assert found.low is not None and found.high is not None and found.low < 0.209931 < found.high


@pytest.mark.parametrize(
    ("level", "alpha"), [("nominal", 0.743421), ("ordinal", 0.815388), ("interval", 0.849107), ("ratio", 0.797403)]
)
def test_krippendorff_2011(level: Distance, alpha: float) -> None:
    """Four coders, twelve units, one of them rated once: alpha at all four levels of measurement."""
    found = krippendorff_alpha(CODERS - 1, distance=level, values=[1, 2, 3, 4, 5])
    assert found.value == pytest.approx(alpha, abs=1e-6)
    assert found.n == 11


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
def test_alpha_equals_krippendorff(level: Distance) -> None:
    """Alpha with gaps equals the krippendorff package."""
    for seed in range(4):
        matrix = ratings(60, 4, 4, seed)
        oracle = krippendorff.alpha(reliability_data=np.where(matrix < 0, np.nan, matrix).T, level_of_measurement=level)
        assert krippendorff_alpha(matrix, distance=level).value == pytest.approx(oracle, abs=1e-9)


def test_rows_and_raters_may_be_shuffled() -> None:
    """Neither the order of items nor that of raters matters, down to the last bit."""
    matrix, rng = ratings(50, 3, 3, 0), np.random.default_rng(1)
    other = matrix[rng.permutation(50)][:, rng.permutation(3)]
    assert krippendorff_alpha(matrix, distance="ordinal") == krippendorff_alpha(other, distance="ordinal")
    assert fleiss_kappa(matrix) == fleiss_kappa(other)


def test_undefined_reliability_is_missing() -> None:
    """One class, or no item rated twice, gives a reason instead of a number."""
    assert krippendorff_alpha(np.ones((9, 2), dtype=int)).note == "all labels and verdicts are one class"
    single = np.array([[0, -1], [-1, 1]])
    assert krippendorff_alpha(single).note == fleiss_kappa(single).note == "no item has two ratings"
    full = krippendorff_alpha(np.repeat([[0], [1], [2]], 2, axis=1))
    assert (full.value, full.low) == (1.0, None)


def test_icc_shrout_fleiss() -> None:
    """Their six subjects and four judges have ICC(2,1) .2898, with the interval .02 to .76."""
    found = icc_2_1(SHROUT)
    assert found.value == pytest.approx(0.2898, abs=5e-5)
    assert (found.low, found.high) == pytest.approx((0.02, 0.76), abs=5e-3)
    assert icc_2_1(np.ones((4, 2))).note == "the ratings never vary"


def test_pairwise_kappa() -> None:
    """Each pair has its kappa on the items that both rated; the mean has a narrower interval than each."""
    matrix = ratings(200, 3, 2, 0)
    found = pairwise_kappa(matrix, 2)
    use = (matrix[:, 0] >= 0) & (matrix[:, 2] >= 0)
    table = cross_table(matrix[use, 0], matrix[use, 2], 2)
    assert found.pairs[0, 2].value == pytest.approx(float(kappa(table, np.eye(2))))
    assert found.mean.value == pytest.approx(np.mean([one.value for one in found.pairs.values()]))
    width = [one.high - one.low for one in (found.mean, *found.pairs.values())]  # type: ignore[operator]
    assert width[0] < min(width[1:])
