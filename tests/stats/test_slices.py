"""Is an error more frequent in a slice? Fisher's test, and tests that let clusters lean together."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact

from rftj_cli.stats.slices import fisher_p, slice_p


def test_fisher_is_that_of_scipy() -> None:
    rng = np.random.default_rng(0)
    for table in rng.integers(0, 15, size=(300, 4)).tolist():
        if sum(table):
            a, b, c, d = table
            assert fisher_p(a, b, c, d) == pytest.approx(fisher_exact([[a, b], [c, d]])[1], abs=1e-10)


def test_the_tea_tasting_lady() -> None:
    """Fisher (1935): 3 of 4 cups right, two-sided p = 34/70."""
    assert fisher_p(3, 1, 1, 3) == pytest.approx(34 / 70)


def test_units_alone_are_tested_exactly_and_clusters_as_wholes() -> None:
    error, inside = [1] * 8 + [0] * 32, [1] * 10 + [0] * 30
    alone = slice_p(error, inside)
    assert alone.method == "Fisher exact p" and alone.value is not None and alone.value < 1e-5
    pure = slice_p(error, inside, clusters=np.arange(40) // 5)
    assert pure.method.startswith("cluster permutation p") and pure.value is not None and pure.value > 0.01
    mixed = slice_p(error, [1, 0] * 20, clusters=np.arange(40) // 5)
    assert mixed.method.startswith("cluster sign-flip score p")


@pytest.mark.parametrize("inside", [[1] * 6, [0] * 6])
def test_a_slice_of_all_or_none_says_nothing(inside: list[int]) -> None:
    found = slice_p([0, 1] * 3, inside)
    assert found.value is None and found.note


def test_one_cluster_says_nothing() -> None:
    assert slice_p([0, 1] * 3, [1, 1, 0] * 2, clusters=[7] * 6).value is None


@pytest.mark.parametrize("pure", [True, False])
def test_the_level_holds_where_clusters_lean_together(pure: bool) -> None:
    """Errors of one cluster are alike and have nothing to do with the slice: 5% of the tests may say otherwise."""
    rng, hits, naive, runs = np.random.default_rng(3), 0, 0, 300
    codes = np.repeat(np.arange(30), 4)
    for seed in range(runs):
        lean = rng.normal(size=30) * 1.5
        error = rng.random(120) < 1 / (1 + np.exp(1 - lean[codes]))
        inside = codes % 30 < 8 if pure else rng.random(120) < np.where(codes % 2, 0.6, 0.2)
        if error.any() and not error.all():
            hits += (slice_p(error, inside, clusters=codes, seed=seed).value or 0) < 0.05
            naive += (slice_p(error, inside).value or 0) < 0.05
    assert hits / runs < 0.09
    assert not pure or naive / runs > 0.09


def test_what_is_no_bit_is_refused() -> None:
    with pytest.raises(ValueError):
        slice_p([0, 2], [0, 1])
    with pytest.raises(ValueError):
        slice_p([0, 1, 1], [0, 1])
