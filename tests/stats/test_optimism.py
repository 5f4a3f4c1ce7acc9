"""The luck of the best of M judges."""

from __future__ import annotations

import numpy as np
import pytest

from rftj_cli.stats.optimism import best_of

from .oracles import short_or_long


def judges(rng: np.random.Generator, n: int, tried: int, right: list[float]) -> tuple[np.ndarray, np.ndarray]:
    truth = rng.integers(0, 2, n)
    correct = rng.random((n, tried)) < np.array(right)
    return truth, np.where(correct, truth[:, None], 1 - truth[:, None])


@short_or_long("sets", 20, 60)
@pytest.mark.parametrize("tried", [5, 20])
def test_the_estimate_is_near_the_true_luck(tried: int, sets: int) -> None:
    """All judges have kappa .6, n = 100: the true optimism is the mean excess of the best."""
    rng, true, said = np.random.default_rng(1), [], []
    for seed in range(sets):
        truth, verdicts = judges(rng, 100, tried, [0.8] * tried)
        found = best_of(truth, verdicts, 2, seed=seed)
        true.append(found.apparent.value - 0.6)  # type: ignore[operator]
        said.append(found.optimism.value)
    assert np.mean(said) == pytest.approx(np.mean(true), abs=0.03)  # type: ignore[arg-type]


def test_a_judge_that_is_clearly_best_was_not_lucky() -> None:
    rng = np.random.default_rng(2)
    truth, verdicts = judges(rng, 200, 5, [0.6, 0.6, 0.95, 0.6, 0.6])
    found = best_of(truth, verdicts, 2)
    assert found.best == 2 and found.optimism.value is not None and found.optimism.value < 0.03
    assert found.corrected.value == pytest.approx(found.apparent.value - found.optimism.value)  # type: ignore[operator]


def test_one_judge_was_not_chosen_and_few_items_tell_nothing() -> None:
    truth = np.array([0, 1, 0, 1, 1, 0])
    assert best_of(truth, truth[:, None], 2).optimism.value == 0
    few = best_of(truth[:3], np.stack([truth[:3], 1 - truth[:3]], 1), 2)
    assert few.optimism.value is None and few.optimism.note == "too few items to halve them"
    assert best_of(np.ones(5, dtype=int), np.ones((5, 2), dtype=int), 2).apparent.value is None
    with pytest.raises(ValueError, match="items, judges"):
        best_of(truth, truth, 2)


def test_clusters_are_kept_whole() -> None:
    """Copies of 25 items tell no more than the 25: the luck grows."""
    rng = np.random.default_rng(3)
    truth, verdicts = judges(rng, 25, 10, [0.8] * 10)
    many = np.repeat(np.arange(25), 8)
    alone = best_of(truth[many], verdicts[many], 2).optimism.value
    whole = best_of(truth[many], verdicts[many], 2, clusters=many).optimism.value
    assert whole > 1.5 * alone  # type: ignore[operator]


@short_or_long("sets", 40, 120)
def test_the_corrected_kappa_of_the_chosen_judge_is_covered(sets: int) -> None:
    """20 judges of kappa .5 to .7, 30 items: an interval as wide as the apparent one holds it in 80%."""
    rng, rights = np.random.default_rng(4), np.linspace(0.75, 0.85, 20)
    held, shifted = 0, 0
    for seed in range(sets):
        truth, verdicts = judges(rng, 30, 20, rights.tolist())
        found = best_of(truth, verdicts, 2, seed=seed)
        true, luck = 2 * rights[found.best] - 1, found.optimism.value
        held += found.corrected.low <= true <= found.corrected.high  # type: ignore[operator]
        shifted += found.apparent.low - luck <= true <= found.apparent.high - luck  # type: ignore[operator]
    assert held >= 0.93 * sets
    assert shifted <= 0.9 * sets


def test_failures_are_no_codes() -> None:
    with pytest.raises(ValueError, match="codes 0 to 1"):
        best_of(np.array([0, 1]), np.array([[0, 1], [-1, 1]]), 2)
