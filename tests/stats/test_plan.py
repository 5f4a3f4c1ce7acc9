from __future__ import annotations

import pytest

from rftj_cli.stats.binomial import proportion, wilson
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.plan import labels_needed


@pytest.mark.parametrize(("share", "threshold"), [(0.9, 0.8), (0.9, 0.85), (0.7, 0.8), (0.85, 0.7), (0.6, 0.75)])
def test_close_to_exact_wilson(share: float, threshold: float) -> None:
    """From a hundred labels the plan is within a quarter of the smallest n whose Wilson interval clears."""
    planned = labels_needed(proportion(share * 100, 100), threshold)
    side = 0 if share > threshold else 1
    exact = next(n for n in range(5, 5000) if (wilson(share * n, n)[side] - threshold) * (1 if side == 0 else -1) >= 0)
    assert planned == pytest.approx(exact, rel=0.25)


def test_root_n() -> None:
    """Half the distance needs four times the items; an interval that clears already needs no more than it has."""
    found = Estimate(0.8, 0.7, 0.9, 100, "")
    assert (labels_needed(found, 0.75), labels_needed(found, 0.7), labels_needed(found, 0.6)) == (400, 100, 25)
    assert (labels_needed(found, 0.85), labels_needed(found, 0.9)) == (400, 100)


def test_side_that_faces_the_threshold_counts() -> None:
    """A lopsided interval plans by its own two halves."""
    found = Estimate(0.8, 0.6, 0.9, 100, "")
    assert (labels_needed(found, 0.7), labels_needed(found, 0.9)) == (400, 100)


def test_no_plan() -> None:
    """On the threshold, without a value or without an interval there is nothing to plan by."""
    assert labels_needed(Estimate(0.8, 0.7, 0.9, 100, ""), 0.8) is None
    assert labels_needed(Estimate.missing(10, "no items"), 0.8) is None
    assert labels_needed(Estimate(0.8, None, None, 100, ""), 0.7) is None
