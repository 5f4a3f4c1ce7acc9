from __future__ import annotations

import pytest
from statsmodels.stats.proportion import proportion_confint

from rftj_cli.stats.binomial import clopper_pearson, proportion, share_from_se, wilson


@pytest.mark.parametrize(
    ("x", "n", "score", "exact"),
    [
        (81, 263, (0.25529, 0.36621), (0.25274, 0.36762)),
        (15, 148, (0.06239, 0.16049), (0.05784, 0.16165)),
        (0, 20, (0.0, 0.16113), (0.0, 0.16843)),
        (1, 29, (0.00611, 0.17176), (0.00087, 0.17764)),
    ],
)
def test_published_intervals(x: int, n: int, score: tuple[float, float], exact: tuple[float, float]) -> None:
    """Wilson and Clopper-Pearson give the values of Newcombe (1998)."""
    assert wilson(x, n) == pytest.approx(score, abs=6e-6)
    assert clopper_pearson(x, n) == pytest.approx(exact, abs=6e-6)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_intervals_equal_statsmodels(level: float) -> None:
    """Both intervals equal statsmodels at every count and level."""
    for n in (1, 7, 50):
        for x in range(n + 1):
            low, high = proportion_confint(x, n, 1 - level, "wilson")
            assert wilson(x, n, level) == pytest.approx((max(low, 0), min(high, 1)), abs=1e-9)
            assert clopper_pearson(x, n, level) == pytest.approx(proportion_confint(x, n, 1 - level, "beta"), abs=1e-9)


def test_probe_rule() -> None:
    """No failure in 60, 150 and 300 probes bounds the one-sided rate by 4.9%, 2.0% and 1.0%."""
    assert [round(clopper_pearson(0, n, 0.90)[1], 3) for n in (60, 150, 300)] == [0.049, 0.020, 0.010]


def test_fractional_counts() -> None:
    """Effective counts lie between their whole neighbours."""
    assert wilson(4.5, 10)[0] > wilson(4, 10)[0]
    assert clopper_pearson(4, 10)[1] < clopper_pearson(4.5, 10)[1] < clopper_pearson(5, 10)[1]


def test_proportion_names_its_method() -> None:
    """The estimate says how it was made, and a design effect widens it without moving it."""
    plain, wide = proportion(45, 50), proportion(45, 50, deff=1.43)
    assert (plain.method, wide.method) == ("Wilson 95%", "Wilson 95% on n/deff, deff 1.43")
    assert plain.value == wide.value == 0.9
    assert plain.low is not None and wide.low is not None and wide.low < plain.low
    assert proportion(0, 60, exact=True).method == "Clopper-Pearson 95%"


def test_nothing_counted() -> None:
    """A share of no items is missing, with the reason."""
    found = proportion(0, 0)
    assert (found.value, found.low, found.note) == (None, None, "no items")


def test_share_from_se_is_wilson_for_independent_items() -> None:
    """With the binomial standard error and many units the interval is Wilson's."""
    se = (0.8 * 0.2 / 4000) ** 0.5
    assert share_from_se(0.8, se, 4000, 4000) == pytest.approx(wilson(3200, 4000), abs=1e-5)


def test_share_of_one_keeps_a_width() -> None:
    """A perfect share rests on the number of clusters, and does not collapse."""
    low, high = share_from_se(1.0, 0.0, 20, 100)
    assert high == 1.0
    assert 0.8 < low < 0.85
