"""What an agreement number would be if some wrong verdicts were right."""

from __future__ import annotations

import numpy as np
import pytest

from rftj_cli.stats.agreement import agreement
from rftj_cli.stats.mended import mended_gain
from rftj_cli.stats.paired import kappa_difference
from rftj_cli.stats.table import cross_table, kappa, youden_j

EYE = np.eye(2)


def arrays(table: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    cells = [(h, j) for h, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]
    return np.array([h for h, _ in cells]), np.array([j for _, j in cells])


def balanced(t: np.ndarray) -> np.ndarray:
    return (youden_j(t) + 1) / 2


def test_all_errors_mended_is_perfect() -> None:
    truth, judge = arrays([[10, 20], [5, 65]])
    gain = mended_gain(balanced, truth, judge, truth != judge, 2)
    now = agreement(cross_table(truth, judge, 2), kind="binary")["balanced_accuracy"].value
    assert now is not None and gain.value == pytest.approx(1 - now)


def test_balanced_accuracy_gains_half_the_share_of_the_class() -> None:
    truth, judge = arrays([[10, 20], [5, 65]])
    some = np.zeros(100, dtype=bool)
    some[np.flatnonzero((truth == 0) & (judge == 1))[:6]] = True
    assert mended_gain(balanced, truth, judge, some, 2).value == pytest.approx(6 / 30 / 2)


def test_the_interval_of_kappa_is_that_of_two_paired_judges() -> None:
    truth, judge = arrays([[30, 20], [10, 40]])
    some = (truth == 0) & (judge == 1)
    gain = mended_gain(lambda t: kappa(t, EYE), truth, judge, some, 2)
    paired = kappa_difference(truth, judge, np.where(some, truth, judge), 2)
    assert gain.value == pytest.approx(paired.value)
    assert gain.low == pytest.approx(paired.low, abs=0.01) and gain.high == pytest.approx(paired.high, abs=0.01)


def test_clusters_that_lean_together_make_the_interval_wider() -> None:
    truth, judge = arrays([[30, 20], [10, 40]])
    wide = mended_gain(balanced, truth, judge, truth != judge, 2, clusters=np.arange(100) // 10)
    slim = mended_gain(balanced, truth, judge, truth != judge, 2)
    assert wide.high - wide.low > 1.5 * (slim.high - slim.low)


def test_weights_count() -> None:
    truth, judge = arrays([[6, 4], [0, 10]])
    weights = np.where(truth == judge, 1.0, 3.0)
    gain = mended_gain(balanced, truth, judge, truth != judge, 2, weights=weights / weights.mean())
    assert gain.value == pytest.approx(12 / 18 / 2)


def test_the_bound_covers_the_gain_of_the_population() -> None:
    """Of 300 samples of 150 from one population, 95% of the intervals hold the gain there."""
    rng, hits = np.random.default_rng(2), 0
    shares = np.array([0.2, 0.15, 0.1, 0.55])
    true = 0.15 / 0.35 / 2
    for _ in range(300):
        cell = rng.choice(4, size=150, p=shares)
        truth, judge = cell // 2, cell % 2
        found = mended_gain(balanced, truth, judge, (truth == 0) & (judge == 1), 2)
        hits += found.low <= true <= found.high
    assert hits / 300 > 0.92


def test_nothing_to_mend_gains_nothing_and_one_class_cannot_be_told() -> None:
    truth, judge = arrays([[5, 0], [0, 5]])
    nothing = mended_gain(balanced, truth, judge, truth != judge, 2)
    assert (nothing.value, nothing.low) == (0.0, None) and nothing.note
    truth, judge = arrays([[5, 3], [0, 0]])
    assert mended_gain(balanced, truth, judge, truth != judge, 2, undefined="one class").note == "one class"
