"""The map of judges as rewards: what rates mean on mid, easy and hard prompts, found again by simulation."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.groups import pair_accuracy, pooled_pair_accuracy
from rftj_cli.stats.signal import (
    expected_zero_variance,
    false_signal,
    group_signal,
    phi_from_rates,
    planned_zero_variance,
)
from rftj_cli.stats.table import cross_table, kappa

PROMPTS, SIZE = 12_000, 8
MID, EASY, HARD = (2.0, 2.0), (4.0, 1.0), (1.0, 6.0)
# prompts' pass rates, (tpr, tnr): kappa, phi^2, cosine, pair accuracy, ties, alike by judge, by truth, false signal
MAP = [
    (MID, (0.95, 0.95), 0.90, 0.76, 0.87, 0.950, 0.09, 0.08, 0.11, 0.04),
    (MID, (0.85, 0.85), 0.70, 0.43, 0.65, 0.850, 0.25, 0.04, 0.11, 0.08),
    (MID, (0.90, 0.70), 0.60, 0.32, 0.56, 0.800, 0.34, 0.05, 0.11, 0.08),
    (MID, (0.70, 0.70), 0.40, 0.13, 0.36, 0.699, 0.42, 0.01, 0.11, 0.10),
    (EASY, (0.85, 0.85), 0.60, 0.31, 0.56, 0.851, 0.25, 0.10, 0.34, 0.25),
    (HARD, (0.85, 0.85), 0.54, 0.26, 0.52, 0.853, 0.25, 0.13, 0.43, 0.32),
    (HARD, (0.90, 0.70), 0.35, 0.16, 0.40, 0.802, 0.34, 0.03, 0.43, 0.40),
    (HARD, (0.70, 0.95), 0.65, 0.34, 0.61, 0.825, 0.32, 0.35, 0.43, 0.15),
]


def cosine(truth: np.ndarray, score: np.ndarray) -> float:
    """Cosine of all advantages of one side with those of the other: each group divided by its own spread, 0 where it has none."""

    def advantages(of: np.ndarray) -> np.ndarray:
        inside = of.reshape(-1, SIZE) - of.reshape(-1, SIZE).mean(1, keepdims=True)
        spread = inside.std(1, keepdims=True)
        return np.divide(inside, spread, out=np.zeros_like(inside), where=spread > 0).ravel()

    x, y = advantages(truth), advantages(score)
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))


@pytest.mark.parametrize("row", MAP, ids=[f"{a}-{rates}" for a, rates, *_ in MAP])
def test_every_row_of_the_map_is_found_again(
    row: tuple[tuple[float, float], tuple[float, float], *tuple[float, ...]],
) -> None:
    """Eight judges on 12,000 prompts of 8 answers: agreement, signal, ties, groups alike, noise taken for signal."""
    beta, (tpr, tnr), agreement, phi2, cos, accuracy, ties, alike, true_alike, false = row
    rng = np.random.default_rng(11)
    p = rng.beta(*beta, PROMPTS)
    group = np.repeat(np.arange(PROMPTS), SIZE)
    truth = (rng.random(group.size) < p[group]).astype(float)
    score = np.where(truth == 1, rng.random(group.size) < tpr, rng.random(group.size) >= tnr).astype(float)
    table = cross_table(truth.astype(int), score.astype(int), 2)
    assert float(kappa(table, np.eye(2))) == pytest.approx(agreement, abs=0.015)
    inside = np.clip(p, 1e-6, 1 - 1e-6)
    assert np.mean([phi_from_rates(tpr, tnr, float(one)) ** 2 for one in inside]) == pytest.approx(phi2, abs=0.015)
    assert cosine(truth, score) == pytest.approx(cos, abs=0.015)
    pairs = pair_accuracy(group, truth, score)
    assert pairs.by_group.value == pytest.approx(accuracy, abs=0.008)
    assert pairs.tie_rate.value == pytest.approx(ties, abs=0.012)
    for of, expected in ((score, alike), (truth, true_alike)):
        signal = group_signal(group, of, size=SIZE)
        assert signal is not None and signal.zero_variance.value == pytest.approx(expected, abs=0.012)
    assert false_signal(group, truth, score).value == pytest.approx(false, abs=0.012)
    # Over all pairs a judge with constant rates is as right as inside prompts: only prompt knowledge parts the two.
    assert pooled_pair_accuracy(truth, score, clusters=group).value == pytest.approx(accuracy, abs=0.01)


def test_pooled_pair_accuracy_counts_every_pair() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        x, y = rng.integers(0, 4, 25).astype(float), rng.integers(0, 3, 25).astype(float)
        credit = [
            0.5 if y[i] == y[j] else float((y[i] < y[j]) == (x[i] < x[j]))
            for i, j in combinations(range(25), 2)
            if x[i] != x[j]
        ]
        assert pooled_pair_accuracy(x, y).value == pytest.approx(np.mean(credit))
    assert pooled_pair_accuracy([1.0, 1.0], [0.0, 1.0]).value is None
    assert pooled_pair_accuracy([0.0, 1.0], [0.0, 1.0], clusters=["a", "a"]).low is None
    with pytest.raises(ValueError, match="finite"):
        pooled_pair_accuracy([np.nan, 1.0], [0.0, 1.0])


def test_the_interval_of_pooled_pair_accuracy_covers() -> None:
    """Prompts of 4 answers whose quality goes along: 95% of the intervals hold the value of all prompts."""

    def drawn(rng: np.random.Generator, prompts: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        group = np.repeat(np.arange(prompts), 4)
        truth = np.round(rng.normal(size=prompts)[group] + rng.normal(size=group.size))
        score = np.round(truth + rng.normal(size=prompts)[group] + rng.normal(size=group.size))
        return group, truth, score

    _, x, y = drawn(np.random.default_rng(1), 40_000)
    true, hits, rng = pooled_pair_accuracy(x, y).value, 0, np.random.default_rng(2)
    assert true is not None
    for _ in range(400):
        group, x, y = drawn(rng, 40)
        found = pooled_pair_accuracy(x, y, clusters=group)
        assert found.low is not None and found.high is not None
        hits += found.low <= true <= found.high
    assert 0.92 <= hits / 400 <= 0.985


def test_groups_that_are_too_small_bound_larger_ones_from_both_sides() -> None:
    """The share of groups of 8 whose answers are alike lies between the ends that groups of 4 give."""
    rng = np.random.default_rng(7)
    for a, b in ((0.2, 0.2), (2, 2), (8, 0.5)):
        p = rng.beta(a, b, 4000)
        group = np.repeat(np.arange(4000), 4)
        score = (rng.random(group.size) < p[group]).astype(float)
        true = float(np.mean(p**8 + (1 - p) ** 8))
        signal = group_signal(group, score, size=8)
        assert signal is not None
        found = planned_zero_variance(signal.zero_variance, expected_zero_variance(group, score, 8), 4, 8)
        assert found.low is not None and found.high is not None and found.low <= true <= found.high
    plain = Estimate(0.5, 0.4, 0.6, 10, "plain")
    assert planned_zero_variance(plain, plain, 8, 8) == plain
    assert planned_zero_variance(Estimate.missing(0, "none"), plain, 4, 8) == plain


def test_a_judge_on_the_bar_is_rarely_decided() -> None:
    """Right on exactly .75 of pairs: in about one of 40 audits each the interval lies above or below the bar."""
    rng, above, below = np.random.default_rng(1), 0, 0
    for _ in range(200):
        p = rng.beta(2, 2, 60)
        group = np.repeat(np.arange(60), SIZE)
        truth = (rng.random(group.size) < p[group]).astype(float)
        score = np.where(truth == 1, rng.random(group.size) < 0.75, rng.random(group.size) >= 0.75).astype(float)
        found = pair_accuracy(group, truth, score).by_group
        assert found.low is not None and found.high is not None
        above, below = above + (found.low >= 0.75), below + (found.high < 0.75)
    assert above <= 12 and below <= 12
