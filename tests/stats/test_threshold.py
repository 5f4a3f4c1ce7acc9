"""The threshold, its plateau, and what the choice costs."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from rftj_cli.report.words import exact
from rftj_cli.stats.threshold import choose_threshold


def drawn(n: int, seed: int, shift: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.5).astype(float)
    return y * shift + rng.normal(size=n), y


def test_the_best_j_is_that_of_the_roc_curve() -> None:
    """No threshold is better on the same items than the one that is named."""
    x, y = drawn(400, 1)
    fpr, tpr, _ = roc_curve(y, x)
    found = choose_threshold(x, y)
    assert found is not None and found.goal == "J"
    assert found.apparent == pytest.approx((tpr - fpr).max())
    assert found.low <= found.value <= found.high
    assert found.low < 1.0 < found.high  # the true best cut


def test_the_choice_is_paid_for_out_of_fold() -> None:
    """Noise has J = 0: the apparent J is above it, the cross-fitted one is not; 40 data sets of 60 items."""
    rng = np.random.default_rng(2)
    apparent, crossed = [], []
    for seed in range(40):
        found = choose_threshold(rng.normal(size=60), (np.arange(60) % 2).astype(float), seed=seed)
        assert found is not None
        apparent.append(found.apparent)
        crossed.append(found.crossed.value)
    assert np.mean(apparent) > 0.02 > np.mean(crossed)  # type: ignore[arg-type]
    assert abs(np.mean(crossed)) < 0.08  # type: ignore[arg-type]


def test_costs_move_the_threshold() -> None:
    x, y = drawn(2000, 3)
    dear_yes, dear_no = choose_threshold(x, y, costs=(10, 1)), choose_threshold(x, y, costs=(1, 10))
    assert dear_yes is not None and dear_no is not None
    assert dear_yes.value > 1.5 and dear_no.value < 0.5
    assert dear_yes.tnr.value > 0.97 and dear_no.tpr.value > 0.97  # type: ignore[operator]
    assert dear_yes.goal == "cost" and dear_yes.crossed.value == pytest.approx(dear_yes.apparent, abs=0.05)


def test_two_scores_have_one_cut() -> None:
    found = choose_threshold([0, 0, 1, 1, 1, 0], [0, 0, 1, 1, 0, 1])
    assert found is not None and found.value == found.low == found.high == 0.5
    assert found.apparent == pytest.approx(1 / 3)


def test_clusters_stay_in_one_fold() -> None:
    x, y = drawn(120, 4)
    found = choose_threshold(x, y, clusters=np.arange(120) // 4)
    assert found is not None and found.crossed.method.endswith("t(29)")


def test_what_never_varies_has_no_threshold() -> None:
    assert choose_threshold([1, 1], [0, 1]) is None
    assert choose_threshold([0, 1], [1, 1]) is None
    assert choose_threshold([], []) is None
    with pytest.raises(ValueError, match="not both 0"):
        choose_threshold([0, 1], [0, 1], costs=(0, 0))
    with pytest.raises(ValueError, match="0 or 1"):
        choose_threshold([0, 1], [0, 2])


def test_shares_of_votes_are_never_the_threshold_themselves() -> None:
    """Three votes: the middle between 1/6 and 1/2 is the share 1/3, which would let one vote of three pass."""
    score = np.repeat([0, 1 / 3, 2 / 3, 2 / 3, 1, 1, 0], [20, 3, 9, 2, 15, 1, 1])
    truth = np.repeat([0.0, 0, 1, 0, 1, 0, 1], [20, 3, 9, 2, 15, 1, 1])
    found = choose_threshold(score, truth)
    assert found is not None and found.value == 0.5
    assert found.apparent == pytest.approx(24 / 25 - 3 / 26)


@pytest.mark.parametrize("seed", range(20))
def test_the_threshold_in_few_digits_cuts_as_the_best_one_does(seed: int) -> None:
    """J of the value as it is printed is the J beside it, also where scores lie close together."""
    rng = np.random.default_rng(seed)
    y = (rng.random(80) < 0.5).astype(float)
    x = 0.5 + (y + rng.normal(size=80)) * 10.0 ** -rng.integers(1, 6)
    found = choose_threshold(x, y)
    assert found is not None and found.value not in x
    assert len(repr(found.value)) < 12
    yes = x >= float(exact(found.value))
    assert found.apparent == pytest.approx(yes[y == 1].mean() - yes[y == 0].mean())
    assert found.apparent == pytest.approx(found.tpr.value + found.tnr.value - 1)  # type: ignore[operator]


def test_neighbours_without_a_number_between_them_are_cut_at_the_upper_one() -> None:
    above = float(np.nextafter(1.0, 2.0))
    found = choose_threshold([1.0, above, 1.0, above], [0, 1, 0, 1])
    assert found is not None and found.value == above and found.apparent == 1.0
