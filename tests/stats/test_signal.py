"""What group-relative training sees of a score."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from rftj_cli.stats.groups import pair_accuracy
from rftj_cli.stats.signal import (
    between_share,
    expected_zero_variance,
    false_signal,
    fooled_bound,
    group_signal,
    knows_the_prompt,
    phi_from_rates,
    within_phi,
)
from rftj_cli.stats.table import cross_table, kappa


def rollouts(
    rng: np.random.Generator, prompts: int, size: int, a: float, b: float, tpr: float, tnr: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Groups whose pass rate is Beta(a, b), judged with constant rates."""
    p = rng.beta(a, b, prompts)
    group = np.repeat(np.arange(prompts), size)
    truth = (rng.random(group.size) < p[group]).astype(float)
    score = np.where(truth == 1, rng.random(group.size) < tpr, rng.random(group.size) >= tnr).astype(float)
    return group, truth, score


@pytest.mark.parametrize(
    ("a", "b", "tpr", "tnr", "phi2", "accuracy", "flat", "false"),
    [
        (2, 2, 0.85, 0.85, 0.43, 0.850, 0.04, 0.08),
        (2, 2, 0.90, 0.70, 0.32, 0.800, 0.05, 0.08),
        (1, 6, 0.70, 0.95, 0.34, 0.825, 0.35, 0.15),
        (4, 1, 0.85, 0.85, 0.31, 0.851, 0.10, 0.25),
    ],
)
def test_the_simulated_map_of_judges_is_found_again(
    a: float, b: float, tpr: float, tnr: float, phi2: float, accuracy: float, flat: float, false: float
) -> None:
    """20,000 prompts of 8 answers: mid, hard and easy prompts with good and bad judges."""
    group, truth, score = rollouts(np.random.default_rng(1), 20_000, 8, a, b, tpr, tnr)
    # The map's phi^2 is the mean over prompts; the estimate pools the groups, which weighs them by their variance.
    p = np.clip(np.random.default_rng(2).beta(a, b, 20_000), 1e-6, 1 - 1e-6)
    assert np.mean([phi_from_rates(tpr, tnr, float(one)) ** 2 for one in p]) == pytest.approx(phi2, abs=0.01)
    inside = [one - np.repeat(one.reshape(-1, 8).mean(1), 8) for one in (truth, score)]
    assert within_phi(group, truth, score)[0].value == pytest.approx(np.corrcoef(*inside)[0, 1])
    assert pair_accuracy(group, truth, score).by_group.value == pytest.approx(accuracy, abs=0.01)
    signal = group_signal(group, score)
    assert signal is not None and signal.zero_variance.value == pytest.approx(flat, abs=0.01)
    assert signal.expected_zero.value == pytest.approx(flat, abs=0.01)
    assert false_signal(group, truth, score).value == pytest.approx(false, abs=0.012)


def test_the_closed_form_is_that_of_one_prompt() -> None:
    rng = np.random.default_rng(2)
    truth = (rng.random(400_000) < 0.3).astype(float)
    score = np.where(truth == 1, rng.random(truth.size) < 0.9, rng.random(truth.size) >= 0.7)
    assert phi_from_rates(0.9, 0.7, 0.3) == pytest.approx(np.corrcoef(truth, score)[0, 1], abs=0.005)
    assert phi_from_rates(0.5, 0.5, 0.4) == 0.0
    with pytest.raises(ValueError, match="inside"):
        phi_from_rates(0.9, 0.9, 1.0)


def test_a_judge_that_knows_only_the_prompt_has_no_signal() -> None:
    """Agreement over all answers is good, inside prompts it is a coin, and the rule says so."""
    rng = np.random.default_rng(3)
    p = rng.beta(0.5, 0.5, 2000)
    group = np.repeat(np.arange(2000), 8)
    truth = (rng.random(16_000) < p[group]).astype(int)
    score = (rng.random(16_000) < p[group]).astype(int)
    assert kappa(cross_table(truth, score, 2), np.eye(2)) > 0.4
    phi, squared = within_phi(group, truth, score)
    assert abs(phi.value) < 0.03 and squared.low == 0.0  # type: ignore[arg-type]
    from rftj_cli.stats.intervals import kappa_interval

    assert knows_the_prompt(kappa_interval(cross_table(truth, score, 2), "nominal"), phi)
    assert between_share(group, score).value == pytest.approx(0.5, abs=0.05)


def test_intervals_of_phi_and_of_the_between_share_cover() -> None:
    rng, hits = np.random.default_rng(4), np.zeros(2)
    big = within_phi(*rollouts(np.random.default_rng(5), 100_000, 6, 2, 2, 0.85, 0.85))[0].value
    for _ in range(300):
        group, truth, score = rollouts(rng, 40, 6, 2, 2, 0.85, 0.85)
        phi = within_phi(group, truth, score)[0]
        normal = np.repeat(rng.normal(size=40), 6) + rng.normal(size=240)
        icc = between_share(group, normal)
        hits += [phi.low <= big <= phi.high, icc.low <= 0.5 <= icc.high]  # type: ignore[operator]
    assert (hits / 300 > 0.92).all() and (hits / 300 < 0.985).all()


def test_subsets_give_the_zero_variance_of_smaller_groups() -> None:
    """By enumeration: all subsets of 3 of the answers 0 0 0 1 1 2 and 1 1 1 1 1."""
    group, score = [0] * 6 + [1] * 5, [0, 0, 0, 1, 1, 2] + [1] * 5
    one = np.mean([len(set(s)) == 1 for s in combinations([0, 0, 0, 1, 1, 2], 3)])
    found = expected_zero_variance(group, score, 3)
    assert found.value == pytest.approx((one + 1) / 2)
    assert found.method.startswith("unbiased")
    plug = expected_zero_variance(group, score, 8)
    assert plug.value == pytest.approx((0.5**8 + (1 / 3) ** 8 + (1 / 6) ** 8 + 1) / 2)
    assert "too high" in str(plug.note)


def test_a_score_is_described() -> None:
    found = group_signal([0, 0, 1, 1, 1], [0.0, 1.0, 1.0, 1.0, 1.0], low=0, high=1)
    assert found is not None
    assert (found.levels, found.modal, found.at_max.value, found.zero_variance.value) == (2, 0.8, 0.8, 0.5)
    assert found.entropy == pytest.approx(0.7219, abs=1e-4)
    assert found.spread.value == pytest.approx(np.sqrt(0.5) / 2)


def test_no_probe_that_fooled_the_judge_still_leaves_a_rate() -> None:
    assert [round(fooled_bound(0, n), 3) for n in (60, 150)] == [0.049, 0.020]
    assert fooled_bound(0, 300) < 0.01
    assert fooled_bound(5, 5) == 1.0
    with pytest.raises(ValueError, match="probes"):
        fooled_bound(3, 2)


def test_groups_of_one_tell_nothing() -> None:
    assert within_phi([0, 1], [0, 1], [0, 1])[0].note == "no group holds two answers"
    assert within_phi([0, 0], [1, 1], [0, 1])[1].note == "truth or score never varies inside a group"
    assert group_signal([0, 1], [0, 1]) is None
    assert false_signal([0, 1], [0, 1], [0, 1]).value is None
    assert between_share([0, 1], [0, 1]).value is None
    with pytest.raises(ValueError, match="two clusters"):
        false_signal([0, 0], [0, 1], [0, 1], clusters=[0, 1])
    with pytest.raises(ValueError, match="two answers"):
        expected_zero_variance([0, 0], [0, 1], 1)
