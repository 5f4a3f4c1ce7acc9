from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from rftj_cli.stats.alt_test import alt_test
from rftj_cli.stats.arrays import Floats


def crowd(seed: int, items: int = 90, raters: int = 4) -> tuple[Floats, Floats]:
    """Ratings 1..5 around a truth, with gaps, and those of a judge."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(1, 6, (items, 1))
    found = np.clip(truth + rng.integers(-1, 2, (items, raters + 1)), 1, 5).astype(float)
    matrix = found[:, :raters]
    matrix[rng.random(matrix.shape) < 0.2] = np.nan
    return matrix, found[:, raters]


def by_hand(matrix: Floats, judge: Floats, epsilon: float, scoring: str) -> tuple[float, float]:
    """Winning rate and mean advantage, rater by rater and item by item."""

    def score(one: float, others: Floats) -> float:
        return float(np.mean(one == others)) if scoring == "match" else -float(np.sqrt(np.mean((one - others) ** 2)))

    p, rho = [], []
    for rater in range(matrix.shape[1]):
        f, g = [], []
        for row, verdict in zip(matrix, judge, strict=True):
            others = np.delete(row, rater)
            others = others[~np.isnan(others)]
            if np.isnan(row[rater]) or others.size == 0:
                continue
            human, its = score(row[rater], others), score(verdict, others)
            f.append(its >= human)
            g.append(human >= its)
        p.append(stats.ttest_1samp(np.subtract(g, f, dtype=float), epsilon, alternative="less").pvalue)
        rho.append(np.mean(f))
    return float(multipletests(p, 0.05, "fdr_by")[0].mean()), float(np.mean(rho))


@pytest.mark.parametrize("scoring", ["match", "distance"])
@pytest.mark.parametrize("epsilon", [0.05, 0.15])
def test_equals_the_definition(scoring: str, epsilon: float) -> None:
    """Winning rate and advantage equal a slow reading of the paper with scipy's t-test and statsmodels' correction."""
    for seed in range(4):
        matrix, judge = crowd(seed)
        found = alt_test(matrix, judge, epsilon=epsilon, scoring=scoring)  # type: ignore[arg-type]
        omega, rho = by_hand(matrix, judge, epsilon, scoring)
        assert (found.omega.value, found.rho.value) == pytest.approx((omega, rho), abs=1e-12)
        assert found.passed == (omega >= 0.5)


def test_too_few_items_are_missing() -> None:
    """Raters with fewer than thirty shared items are left out; without any there is no test."""
    matrix, judge = crowd(0, items=25)
    found = alt_test(matrix, judge)
    assert (found.omega.value, found.passed, found.left_out) == (None, None, (0, 1, 2, 3))
    assert found.omega.note == "no rater has 30 items that another rater and the judge rated too"


def test_codes_mark_gaps_with_minus_one() -> None:
    """Integer codes and floats with nan are two spellings of one matrix."""
    matrix, judge = crowd(1)
    codes = np.where(np.isnan(matrix), -1, matrix).astype(np.int64)
    assert alt_test(codes, judge.astype(np.int64)) == alt_test(matrix, judge)


def test_judge_that_copies_wins() -> None:
    """A judge that never differs from the only two raters, who agree, passes without any spread."""
    same = np.tile(np.arange(40)[:, None] % 3, (1, 2))
    found = alt_test(same, same[:, 0])
    assert found.omega.value == found.rho.value == 1.0
    assert found.omega.note == "only 2 raters, the test is meant for 3 or more"
