"""Label budgets: the tables of the literature and of direct computation, and allocations that add up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.special import gammaln

from rftj_cli.stats.binomial import wilson
from rftj_cli.stats.power import (
    binary_shares,
    gate_labels,
    kappa_labels,
    mcnemar_labels,
    neyman,
    power_of_mcnemar,
    rate_labels,
    table_labels,
    zero_failures_bound,
)
from rftj_cli.stats.resampling import PRIOR
from rftj_cli.stats.table import kappa, weights

KAPPA = {  # pass rate: rows of half-width .05, .10, .15, .20, columns kappa .4, .6, .8
    0.5: [[1291, 984, 554], [323, 246, 139], [144, 110, 62], [81, 62, 35]],
    0.8: [[1955, 1565, 886], [489, 392, 222], [218, 174, 99], [123, 98, 56]],
    0.9: [[3389, 2820, 1603], [848, 705, 401], [377, 314, 179], [212, 177, 101]],
}


@pytest.mark.parametrize("rate", KAPPA)
def test_labels_for_kappa_are_those_of_its_variance(rate: float) -> None:
    found = [[kappa_labels(h, pass_rate=rate, kappa_value=k) for k in (0.4, 0.6, 0.8)] for h in (0.05, 0.1, 0.15, 0.2)]
    assert found == KAPPA[rate]


def test_the_expected_table_has_the_asked_kappa() -> None:
    for rate, value in ((0.5, 0.4), (0.9, 0.8), (0.2, -0.1)):
        shares = binary_shares(rate, value)
        assert shares.sum() == pytest.approx(1) and shares[1].sum() == pytest.approx(rate)
        assert float(kappa(shares, np.eye(2))) == pytest.approx(value)


def test_simulated_intervals_are_as_wide_as_planned() -> None:
    """The standard deviation of kappa over 4,000 data sets of the planned size gives the wanted half-width."""
    rng = np.random.default_rng(0)
    shares = np.array([[0.2, 0.05, 0.0], [0.05, 0.2, 0.1], [0.0, 0.1, 0.3]])
    w = weights(3, "quadratic")
    n = table_labels(shares, w, 0.1)
    drawn = rng.multinomial(n, shares.ravel(), size=4000).reshape(-1, 3, 3).astype(float)
    assert 1.96 * kappa(drawn, w).std() == pytest.approx(0.1, rel=0.05)
    assert table_labels(shares, w, 0.1, deff=2.0) == pytest.approx(2 * n, abs=1)


def test_labels_to_compare_two_judges() -> None:
    """Discordance and gain to items at 80% power, alpha .05 (Connor 1987), and back to the power."""
    assert [mcnemar_labels(0.1, d) for d in (0.03, 0.05, 0.08)] == [870, 312, 121]
    assert [mcnemar_labels(0.2, d) for d in (0.03, 0.05, 0.08, 0.1)] == [1742, 626, 243, 155]
    assert [mcnemar_labels(0.3, d) for d in (0.03, 0.05, 0.08, 0.1)] == [2614, 940, 366, 234]
    assert power_of_mcnemar(626, 0.2, 0.05) == pytest.approx(0.8, abs=0.001)


def test_labels_to_clear_a_gate() -> None:
    assert [gate_labels(*pair) for pair in ((0.9, 0.8), (0.9, 0.85), (0.95, 0.9), (0.85, 0.7))] == [80, 264, 164, 48]


def test_labels_to_clear_a_gate_on_the_exact_bound() -> None:
    assert (gate_labels(0.9, 0.8, level=0.95), gate_labels(0.9, 0.8, level=0.95, exact=True)) == (100, 107)


@pytest.mark.parametrize(
    ("rate", "value", "half"), [(0.5, 0.6, 0.1), (0.9, 0.8, 0.1), (0.9, 0.9, 0.15), (0.5, 0.9, 0.15)]
)
def test_the_width_of_kappa_is_promised_with_its_chance(rate: float, value: float, half: float) -> None:
    """300 data sets of the planned size: 75 to 90% of the posterior intervals are as narrow; by the mean it was 42 to 66%."""
    rng = np.random.default_rng(0)
    n = kappa_labels(half, pass_rate=rate, kappa_value=value, power=0.8)
    tables = rng.multinomial(n, binary_shares(rate, value).ravel(), size=300).astype(float)
    drawn = kappa(rng.standard_gamma(tables[:, None] + PRIOR, size=(300, 1000, 4)).reshape(300, 1000, 2, 2), np.eye(2))
    low, high = np.quantile(drawn, (0.025, 0.975), axis=1)
    assert 0.75 <= float(np.mean(high - low <= 2 * half)) <= 0.9


def test_the_width_of_a_rate_is_promised_with_its_chance() -> None:
    for rate, half in ((0.9, 0.1), (0.8, 0.05), (0.95, 0.05)):
        n = rate_labels(rate, half, power=0.8)
        widths = np.array([np.subtract(*wilson(hits, n)[::-1]) for hits in range(n + 1)])
        chance = binomial(n, rate)[widths <= 2 * half].sum()
        assert 0.7 <= chance <= 0.92, (rate, half, chance)


def binomial(n: int, rate: float) -> np.ndarray:
    hits = np.arange(n + 1)
    return np.asarray(
        np.exp(gammaln(n + 1) - gammaln(hits + 1) - gammaln(n - hits + 1)) * rate**hits * (1 - rate) ** (n - hits)
    )


def test_labels_for_a_rate() -> None:
    n = rate_labels(0.9, 0.05)
    low, high = wilson(0.9 * n, n)
    assert high - low <= 0.1 < wilson(0.9 * (n - 1), n - 1)[1] - wilson(0.9 * (n - 1), n - 1)[0]
    assert rate_labels(0.9, 0.05, deff=2) == 2 * n


def test_nothing_in_n_bounds_the_rate() -> None:
    assert [round(zero_failures_bound(n), 3) for n in (60, 150, 300)] == [0.049, 0.020, 0.010]


@given(
    st.lists(st.tuples(st.integers(0, 200), st.floats(0, 1)), min_size=1, max_size=8),
    st.integers(0, 400),
    st.integers(0, 5),
)
def test_allocations_add_up_and_fit(strata: list[tuple[int, float]], n: int, least: int) -> None:
    counts, errors = [one for one, _ in strata], [one for _, one in strata]
    given_ = neyman(counts, errors, n, least=least)
    assert given_.sum() == min(n, sum(counts))
    assert ((given_ >= 0) & (given_ <= counts)).all()
    if sum(min(one, least) for one in counts) <= n:
        assert (given_ >= np.minimum(counts, least)).all()


def test_labels_go_where_they_are_many_and_uncertain() -> None:
    found = neyman([1000, 1000, 10], [0.5, 0.1, 0.5], 81)
    assert found[0] / found[1] == pytest.approx(0.5 / 0.3, rel=0.05)
    assert found[2] == 2


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: kappa_labels(0.1, pass_rate=1.0, kappa_value=0.5), "pass rate"),
        (lambda: kappa_labels(1.5, pass_rate=0.5, kappa_value=0.5), "half-width"),
        (lambda: kappa_labels(0.1, pass_rate=0.9, kappa_value=-0.9), "no judge has kappa"),
        (lambda: table_labels(np.diag([1.0, 0.0]), np.eye(2), 0.1), "one class"),
        (lambda: mcnemar_labels(0.1, 0.2), "at most the discordance"),
        (lambda: gate_labels(0.8, 0.9), "bound < true"),
        (lambda: rate_labels(0.5, 0.0), "half-width"),
        (lambda: zero_failures_bound(0), "one trial"),
        (lambda: neyman([1, 2], [0.5], 3), "one length"),
    ],
)
def test_plans_that_make_no_sense_are_refused(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()  # type: ignore[operator]


def test_close_rates_take_many_labels_and_an_answer_all_the_same() -> None:
    """.5 within .001 takes z^2/4h^2 labels; a gate .001 below the rate the normal score test's number, both near each other at .01."""
    assert rate_labels(0.5, 0.001) == pytest.approx(1.959964**2 / 4 / 1e-6, rel=1e-4)
    assert rate_labels(0.5, 0.001, deff=3) == pytest.approx(3 * rate_labels(0.5, 0.001), abs=3)
    top = 1.959964 * 0.3 + 0.841621 * np.sqrt(0.901 * 0.099)
    assert gate_labels(0.901, 0.9, level=0.95) == pytest.approx((top / 0.001) ** 2, rel=1e-4)
    for true, bound in ((0.81, 0.8), (0.603, 0.6), (0.902, 0.9), (0.9025, 0.9)):
        top = 1.959964 * np.sqrt(bound * (1 - bound)) + 0.841621 * np.sqrt(true * (1 - true))
        assert gate_labels(true, bound, level=0.95) == pytest.approx((top / (true - bound)) ** 2, rel=0.02)


def test_labels_that_there_are_count_towards_the_allocation() -> None:
    """Equal strata, one with 60 labels and one with 10: of 30 new ones all go to the second; of 90, 20 and 70."""
    assert neyman([1000, 1000], [0.2, 0.2], 30, have=[60, 10]).tolist() == [0, 30]
    assert neyman([1000, 1000], [0.2, 0.2], 90, have=[60, 10]).tolist() == [20, 70]
    assert neyman([12, 1000], [0.2, 0.2], 90, have=[10, 10]).tolist() == [0, 90]
    with pytest.raises(ValueError, match="between 0 and the counts"):
        neyman([5, 5], [0.1, 0.1], 2, have=[6, 0])


@given(
    st.lists(st.tuples(st.integers(0, 60), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=6),
    st.integers(0, 99),
)
@example(rows=[(1, 0.5, 0.0), (2, 0.5, 0.0), (2, 0.5, 0.0), (13, 0.5, 0.5)], n=9)
@example(rows=[(8, 0.5, 0.0), (8, 0.5, 0.0), (56, 0.5, 0.0)], n=15)  # 2, 2, 11; by largest remainders it was 2, 1, 12
def test_allocations_beside_labels_add_up_and_no_exchange_is_better(
    rows: list[tuple[int, float, float]], n: int
) -> None:
    """Moving one new label from a stratum to another never lowers sum N^2 e (1 - e)/labels."""
    counts = np.array([row[0] for row in rows])
    errors, have = np.array([row[1] for row in rows]), np.array([int(row[0] * row[2]) for row in rows])
    new = neyman(counts, errors, n, have=have, least=0)
    assert new.sum() == min(n, int((counts - have).sum())) and ((new >= 0) & (have + new <= counts)).all()
    pull, labels = (counts * np.sqrt(errors * (1 - errors))) ** 2, have + new
    for source in np.flatnonzero((new > 0) & (labels > 1)):
        for target in np.flatnonzero((labels > 0) & (labels < counts)):
            gain = pull[target] / (labels[target] * (labels[target] + 1))
            assert gain <= pull[source] / (labels[source] * (labels[source] - 1)) + 1e-5
    if (new > 0).any() and (labels[new > 0] > 1).any():
        assert (labels[counts > 0] > 0).all()  # no second label where a stratum still has none
