"""Arrays at the edge of sense: refused in words, or missing with the reason, never a crash, a warning or a nonsense number."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from rftj_cli.stats import corrected as rates
from rftj_cli.stats.agreement import agreement
from rftj_cli.stats.best_of_n import best_of_n
from rftj_cli.stats.groups import pair_accuracy, pair_accuracy_difference
from rftj_cli.stats.numeric import numeric_agreement
from rftj_cli.stats.paired import agreement_difference, agreement_p
from rftj_cli.stats.probability import murphy
from rftj_cli.stats.reliability import fleiss_kappa, icc_2_1, krippendorff_alpha
from rftj_cli.stats.sequential import confidence_sequence
from rftj_cli.stats.shares import mean, share
from rftj_cli.stats.signal import false_signal, group_signal, within_phi
from rftj_cli.stats.slope import within_slope

NAN = float("nan")


@pytest.fixture(autouse=True)
def _warnings_are_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: agreement_difference([1, 0], [1]), "one length"),
        (lambda: agreement_p([1, 0], [1]), "one length"),
        (lambda: share([1, 0], weights=np.zeros(2)), "not all 0"),
        (lambda: mean([1, 0], weights=np.zeros(2)), "not all 0"),
        (lambda: share([NAN, 1]), r"\[0, 1\]"),
        (lambda: mean([NAN, 1]), "finite"),
        (lambda: agreement(np.full((2, 2), NAN), kind="binary"), "finite"),
        (lambda: rates.corrected(np.full((2, 2), NAN), np.array([5.0, 5])), "finite"),
        (lambda: rates.corrected(np.eye(2), np.array([NAN, 5])), "finite"),
        (lambda: murphy([], []), "no probabilities"),
        (lambda: icc_2_1(np.full((3, 2), NAN)), "without gaps"),
        (lambda: within_phi([1, 1, 2, 2], [0, 1, 0, 1], [0, 1, 1, 0], clusters=[1, 1]), "one cluster key"),
        (lambda: false_signal([1, 1, 2, 2], [0, 1, 0, 1], [0, 1, 1, 0], clusters=[1, 1]), "one cluster key"),
        (lambda: best_of_n([1, 1, 2, 2], [0, 1, 0, 1], [0, 1, 1, 0], clusters=[1, 1]), "one cluster key"),
        (lambda: pair_accuracy([1, 1, 2, 2], [0, 1, 0, 1], [0, 1, 1, 0], clusters=[1, 1]), "one cluster key"),
        (lambda: within_slope([1, 2, 3], [1, 2, 4], group=[1, 1]), "one cluster key"),
        (lambda: rates.ppi_mean([1, 0], [1, 0], [1, 0], clusters=[1, 1, 2]), "one cluster key"),
    ],
)
def test_nonsense_is_refused_in_words(call: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


def test_one_cluster_has_no_interval_and_says_so() -> None:
    matrix, one = np.array([[0, 0], [1, 1], [0, 1]]), np.zeros(3, dtype=np.int64)
    for found in (
        fleiss_kappa(matrix, clusters=one),
        krippendorff_alpha(matrix, clusters=one),
        rates.ppi_mean([1, 0], [1, 0], [1, 0], clusters=[1, 1]),
    ):
        assert found.value is not None and found.low is None and "only 1 cluster" in str(found.note)


def test_variance_that_lies_inside_items_alone() -> None:
    found = icc_2_1(np.array([[1.0, 2], [2, 1], [1, 2], [2, 1]]))
    assert found.value == pytest.approx(-2.0) and found.low is None and "inside items" in str(found.note)


@pytest.mark.parametrize("scale", [1e-200, 1e-30, 1e200])
def test_correlations_do_not_depend_on_the_unit(scale: float) -> None:
    """Squares of these numbers are 0 or infinite."""
    x, y = np.array([1.0, 2, 3, 5, 4]), np.array([1.0, 3, 2, 4, 6])
    plain, scaled = numeric_agreement(x, y), numeric_agreement(x * scale, y * scale)
    for name in ("pearson", "ccc", "spearman", "kendall_tau_b"):
        one, other = plain[name], scaled[name]
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))
    assert scaled["bias"].value == pytest.approx(0.2 * scale)
    assert all(np.isfinite(end) for one in scaled.values() for end in (one.low, one.high) if end is not None)


def test_rates_that_were_all_excluded_leave_no_sequence() -> None:
    """100 passes and then 100 fails come at no one rate."""
    found = confidence_sequence([1] * 100 + [0] * 100)
    assert found.value == 0.5 and found.low is None and "hardly come at one rate" in str(found.note)
    assert confidence_sequence([1, 0] * 100).low is not None


def test_sure_things_are_whole_numbers() -> None:
    """Weighted shares of what is always so are 1, and the entropy of one level is 0 and no -0."""
    weights = np.random.default_rng(0).random(997)
    assert share(np.ones(997), weights=weights).value == 1.0
    found = group_signal([0, 0, 1, 1], [1, 1, 1, 1])
    assert found is not None and str(found.entropy) == "0.0"


def test_judges_that_differ_by_the_same_everywhere_are_not_alike() -> None:
    """A ranks every pair wrong and B right: the difference is 1, and no interval goes beyond."""
    group, truth = np.repeat(np.arange(10), 2), np.tile([0, 1], 10)
    found, _ = pair_accuracy_difference(group, truth, 1 - truth, truth)
    assert (found.value, found.high) == (1.0, 1.0) and 0 < found.low < 0.7  # type: ignore[operator]
    same, _ = pair_accuracy_difference(group, truth, truth, truth)
    assert same.low == pytest.approx(-same.high) and str(same.note).startswith("A and B never differ here")  # type: ignore[operator]
