"""Streams: cutting them into groups, comparing their ends, and betting on a change."""

from __future__ import annotations

import numpy as np
import pytest

from rftj_cli.stats.bursts import bursts
from rftj_cli.stats.change import change
from rftj_cli.stats.drift import exchange_e_process

from .oracles import short_or_long


def stream(epochs: int, seed: int = 0, pause: float = 1200.0) -> tuple[np.ndarray, np.ndarray]:
    """24 prompts, 8 answers each within 20 seconds, in each of `epochs` epochs."""
    rng = np.random.default_rng(seed)
    rows = [(e * pause + p * 30 + rng.random() * 20, p) for e in range(epochs) for p in range(24) for _ in range(8)]
    at, key = np.array(sorted(rows)).T
    return key.astype(np.int64), at


@pytest.mark.parametrize("epochs", [1, 2, 5])
def test_answers_of_one_step_are_one_group(epochs: int) -> None:
    """The gap between epochs is found; one epoch is not cut at all."""
    found = bursts(*stream(epochs))
    assert found.size == 8 and found.regular == 1.0
    assert np.array_equal(np.bincount(found.group), np.full(24 * epochs, 8))


def test_a_given_gap_is_used() -> None:
    found = bursts(np.array([0, 0, 0, 1]), np.array([0.0, 5.0, 30.0, 31.0]), gap=10)
    assert found.group.tolist() == [0, 0, 1, 2]


def test_streams_without_a_change_seldom_show_one() -> None:
    """400 streams of 60 clusters whose means differ: one-sided 5% tests are wrong in about 5%."""
    rng, wrong = np.random.default_rng(5), []
    for _ in range(400):
        cluster = np.repeat(np.arange(60), 8)
        late = np.isin(cluster, rng.choice(60, 30, replace=False))
        x = (rng.random(480) < (0.5 + 0.4 * (rng.random(60)[cluster] - 0.5))).astype(float)
        wrong.append(change(x, late, cluster, share=True).p_up < 0.05)
    assert np.mean(wrong) <= 0.075


def test_rare_events_are_not_overread() -> None:
    """3 failures of 400 after 0 of 400 is no rise at the 1% level; 20 are."""
    late = np.repeat([False, True], 400)
    cluster = np.arange(800) // 4
    x = np.zeros(800)
    x[[450, 550, 650]] = 1
    assert change(x, late, cluster, share=True).p_up > 0.01
    x[400:800:20] = 1
    assert change(x, late, cluster, share=True).p_up < 0.001


def test_a_total_change_is_seen_though_nothing_varies() -> None:
    late = np.repeat([False, True], 40)
    found = change(late.astype(float), late, np.arange(80), share=True)
    assert found.difference.value == 1.0 and found.p_up < 1e-6 and found.p_down > 0.99


def test_a_ratio_is_that_of_the_geometric_means() -> None:
    rng = np.random.default_rng(1)
    late = np.repeat([False, True], 200)
    found = change(np.log(100) + late * np.log(1.5) + rng.normal(0, 0.1, 400), late, np.arange(400), ratio=True)
    assert found.difference.low < 1.5 < found.difference.high and found.late == pytest.approx(150, rel=0.05)  # type: ignore[operator]


def rescored(rng: np.random.Generator, n: int, times: int, shift: float, noise: float, change_at: float = 0.0) -> bool:
    truth = rng.random(n) * 0.6 + 0.2
    first = np.clip(truth + rng.normal(0, noise, n), 0, 1)
    key = np.tile(np.arange(n), times)
    moved = np.where(np.arange(key.size) >= change_at * key.size, shift, 0.0)
    value = np.clip(truth[key] + rng.normal(0, noise, key.size) + moved, 0, 1)
    return exchange_e_process(key, value, first).stopped is not None


@short_or_long("streams", 80, 300)
@pytest.mark.parametrize("noise", [0.02, 0.15])
def test_a_judge_that_stays_is_seldom_called_another(noise: float, streams: int) -> None:
    """Streams of 30 anchors scored 6 times, looked at after every score: at most 5% are ever stopped."""
    rng = np.random.default_rng(11)
    assert np.mean([rescored(rng, 30, 6, 0.0, noise) for _ in range(streams)]) <= 0.05


def test_a_judge_that_changes_is_found() -> None:
    rng = np.random.default_rng(12)
    assert np.mean([rescored(rng, 60, 2, 0.15, 0.1) for _ in range(30)]) >= 0.9
    assert np.mean([rescored(rng, 60, 4, -0.2, 0.1, change_at=0.5) for _ in range(30)]) >= 0.9


def test_the_bet_on_a_second_score_is_a_bet_on_the_sign() -> None:
    """A deterministic judge that rises on 8 of 40 anchors and never falls has drifted; one without change has not."""
    first = np.full(40, 0.25)
    value = first.copy()
    assert exchange_e_process(np.arange(40), value, first).e_value == pytest.approx(1.0)
    value[:8] = 1.0
    assert exchange_e_process(np.arange(40), value, first).stopped is not None
    with pytest.raises(ValueError, match="one for each key"):
        exchange_e_process([0], [2.0], first)
