"""Two judges on the same items: published intervals and p-values, permutation by hand, coverage with clusters."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri
from statsmodels.stats.contingency_tables import mcnemar

from rftj_cli.stats.agreement import agreement
from rftj_cli.stats.clusters import Clusters
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.paired import (
    agreement_difference,
    agreement_p,
    credit_difference,
    kappa_difference,
    kappa_p,
    newcombe_10,
)
from rftj_cli.stats.shares import mean, share
from rftj_cli.stats.table import cross_table, influence, kappa

from .oracles import short_or_long


def of_counts(both: int, only_a: int, only_b: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    a = np.repeat([1, 1, 0, 0], [both, only_a, only_b, neither])
    b = np.repeat([1, 0, 1, 0], [both, only_a, only_b, neither])
    return a, b


def covers(found: Estimate, true: float) -> bool:
    return found.low is not None and found.high is not None and found.low <= true <= found.high


def test_intervals_are_newcombes() -> None:
    """Agresti's approval ratings and Newcombe's own example, table II."""
    assert newcombe_10(794, 150, 86, 570) == pytest.approx((0.02123, 0.05870), abs=5e-6)
    assert newcombe_10(36, 12, 2, 0) == pytest.approx((0.05693, 0.34043), abs=5e-6)
    low, high = newcombe_10(50, 0, 0, 0)
    assert low < 0 < high
    a, b = of_counts(794, 86, 150, 570)
    found = agreement_difference(a, b)
    assert (found.value, found.low) == pytest.approx((64 / 1600, 0.02123), abs=5e-6)


def test_p_values_are_the_published_ones() -> None:
    """Mid-p of 25 against 4, 5 against 15 and 86 against 150 (Fagerland's and Agresti's tables)."""
    for b, c, p in ((25, 4, 5.948e-5), (5, 15, 0.026604), (121, 59, 3.267e-6)):
        found = agreement_p(*of_counts(40, b, c, 10)).value
        assert found == pytest.approx(p, rel=1e-3)
    exact = mcnemar(np.array([[40, 25], [4, 10]]), exact=True).pvalue
    assert agreement_p(*of_counts(40, 25, 4, 10)).value < exact  # type: ignore[operator]


@given(st.lists(st.tuples(*[st.integers(0, 1)] * 2), min_size=1, max_size=40))
def test_swapping_the_judges_turns_the_sign(rows: list[tuple[int, int]]) -> None:
    a, b = np.array(rows).T
    one, other = agreement_difference(a, b), agreement_difference(b, a)
    assert one.value == pytest.approx(-other.value)  # type: ignore[operator]
    assert one.low == pytest.approx(-other.high)  # type: ignore[operator]
    assert agreement_p(a, b).value == agreement_p(b, a).value


def test_permutation_is_that_over_all_swaps() -> None:
    """Nine items: all 512 swaps by hand."""
    rng = np.random.default_rng(4)
    truth, a, b = (rng.integers(0, 3, 9) for _ in range(3))
    eye = np.eye(3)

    def gap(x: np.ndarray, y: np.ndarray) -> float:
        return float(kappa(cross_table(truth, y, 3), eye) - kappa(cross_table(truth, x, 3), eye))

    seen = abs(gap(a, b))
    every = [
        abs(gap(np.where(swap, b, a), np.where(swap, a, b))) >= seen - 1e-12
        for swap in (np.array(s, dtype=bool) for s in product([0, 1], repeat=9))
    ]
    found = kappa_p(truth, a, b, 3)
    assert found.value == pytest.approx(np.mean(every), abs=0.015)
    assert kappa_p(truth, a, b, 3) == found
    assert kappa_p(truth, a, a, 3).value == 1.0


def judges(rng: np.random.Generator, n: int, right_a: float, right_b: float) -> tuple[np.ndarray, ...]:
    truth = (rng.random(n) < 0.6).astype(int)
    shared = rng.random(n)
    a = np.where(np.where(rng.random(n) < 0.5, shared, rng.random(n)) < right_a, truth, 1 - truth)
    b = np.where(np.where(rng.random(n) < 0.5, shared, rng.random(n)) < right_b, truth, 1 - truth)
    return truth, a, b


def true_kappa(right: float) -> float:
    p1 = 0.6 * right + 0.4 * (1 - right)
    return (right - (p1 * 0.6 + (1 - p1) * 0.4)) / (1 - (p1 * 0.6 + (1 - p1) * 0.4))


@short_or_long("sets", 80, 300)
@pytest.mark.parametrize("size", [1, 4])
def test_differences_are_covered(size: int, sets: int) -> None:
    """Data sets of 120 items, alone and as 30 clusters of which half the items are copies."""
    rng, hits, wide = np.random.default_rng(6), np.zeros(2), true_kappa(0.9) - true_kappa(0.8)
    for _ in range(sets):
        truth, a, b = judges(rng, 120, 0.8, 0.9)
        keys = np.repeat(np.arange(120 // size), size)
        if size > 1:
            source = np.where(rng.random(120) < 0.5, np.arange(120) // size * size, np.arange(120))
            truth, a, b = truth[source], a[source], b[source]
        hits += [
            covers(kappa_difference(truth, a, b, 2, clusters=keys), wide),
            covers(agreement_difference(a == truth, b == truth, clusters=keys), 0.1),
        ]
    # Clusters: shrunken towards a correlation of one half, which is more than these have.
    assert (hits / sets > 0.915).all() and (size > 1 or sets < 300 or (hits / sets < 0.985).all())


def test_a_true_null_is_rejected_seldom_by_cluster_too() -> None:
    rng, hits = np.random.default_rng(7), np.zeros(2)
    for _ in range(120):
        truth, a, b = (one[np.arange(80) // 4 * 4] for one in judges(rng, 80, 0.8, 0.8))
        keys = np.arange(80) // 4
        p = [agreement_p(a == truth, b == truth, clusters=keys).value, kappa_p(truth, a, b, 2, clusters=keys).value]
        hits += [one is not None and one < 0.05 for one in p]
    assert (hits / 120 < 0.11).all()


def test_judges_that_never_differ_are_not_shown_to_be_equal() -> None:
    truth = np.array([0, 1] * 20)
    found = kappa_difference(truth, truth, truth, 2)
    assert (
        found.value == 0 and found.low is not None and found.low < -0.05 and found.note == "A and B never differ here"
    )
    by_cluster = kappa_difference(truth, truth, truth, 2, clusters=np.arange(40) // 4)
    assert by_cluster.low < found.low  # type: ignore[operator]
    assert agreement_difference([1] * 40, [1] * 40).high > 0.05  # type: ignore[operator]


def test_undefined_is_missing() -> None:
    ones = np.ones(5, dtype=int)
    assert kappa_difference(ones, ones, ones, 2).value is None
    assert kappa_p(ones, ones, ones, 2).value is None
    assert agreement_difference([], []).note == "no items"
    with pytest.raises(ValueError, match="1 or 0"):
        agreement_difference([0, 2], [1, 1])
    with pytest.raises(ValueError, match="one length"):
        credit_difference([0.5], [0.5, 1])


def test_many_half_credits_have_nearly_the_paired_t_interval() -> None:
    rng = np.random.default_rng(9)
    a, b = rng.choice([0.0, 0.5, 1.0], size=(2, 600), p=[0.2, 0.3, 0.5])
    found, d = credit_difference(a, b), b - a
    for end, sign in ((found.low, -1), (found.high, 1)):
        assert end == pytest.approx(d.mean() + sign * 1.964 * d.std(ddof=1) / np.sqrt(600), abs=0.006)


@pytest.mark.parametrize("clusters", [None, np.repeat(np.arange(12), 4)])
def test_an_interval_without_flips_is_as_wide_as_unseen_flips_allow(clusters: np.ndarray | None) -> None:
    """No flips on 48 samples: +-.07; in 12 clusters, of which a whole one may flip: +-.17 (it was +-.28)."""
    for found in (agreement_difference([1] * 48, [1] * 48, clusters=clusters), credit_difference([1] * 48, [1] * 48)):
        assert found.low is not None and found.high is not None and found.note is not None
        assert found.note.startswith("A and B never differ here")
    wide = agreement_difference([1] * 48, [1] * 48, clusters=clusters).high
    assert wide == pytest.approx(0.074 if clusters is None else 0.167, abs=0.001)


@given(
    st.lists(st.tuples(*[st.integers(0, 1)] * 2, st.integers(0, 7)), min_size=2, max_size=60),
    st.integers(0, 59),
)
def test_what_b_breaks_never_gives_it_a_better_bound(rows: list[tuple[int, int, int]], at: int) -> None:
    """One item more that B gets wrong, alone: neither end of B - A rises (Newcombe's interval of single items)."""
    a, b, _ = np.array(rows).T
    worse = b.copy()
    worse[at % b.size] = 0
    before, after = agreement_difference(a, b), agreement_difference(a, worse)
    for end in ("low", "high"):
        assert getattr(after, end) <= getattr(before, end) + 1e-9


@pytest.mark.parametrize("size", [2, 4, 10])
def test_whole_clusters_that_b_breaks_never_give_it_a_better_bound(size: int) -> None:
    """B breaks more and more clusters, whole or one item of each: both ends fall all the way, of shares, credits and kappas."""
    groups = 120 // size
    keys, truth = np.repeat(np.arange(groups), size), np.random.default_rng(3).integers(0, 3, 120)
    for items in (1, size):
        ends: list[list[float]] = []
        for broken in range(0, groups, max(1, groups // 15)):
            b = np.where((keys < broken) & (np.arange(120) % size < items), (truth + 1) % 3, truth)
            found = (
                agreement_difference(np.ones(truth.size), b == truth, clusters=keys),
                credit_difference(np.ones(120), 0.5 + (b == truth) / 2, clusters=keys),
                kappa_difference(truth, truth, b, 3, clusters=keys),
            )
            ends.append([end for one in found for end in (one.low, one.high) if end is not None])
        assert {len(one) for one in ends} == {6}
        falls = np.diff(np.array(ends), axis=0)
        assert falls.max() < 0.012, (items, falls.max(0))  # of kappa: what the draws leave open


@pytest.mark.parametrize("k", [2, 3])
def test_one_cluster_gives_one_answer(k: int) -> None:
    """Shares, credits and kappas of one cluster: the value, no interval, one reason, whatever the number of levels."""
    truth, one = np.arange(12) % k, np.zeros(12, dtype=int)
    b = np.where(np.arange(12) < 3, (truth + 1) % k, truth)
    table = agreement(
        cross_table(truth, b, k), kind="binary" if k == 2 else "nominal", clusters=Clusters.of(one, truth, b, k)
    )
    for found in (table["agreement"], table["kappa"], share(b == truth, clusters=one), mean(b, clusters=one)):
        assert found.value is not None and (found.low, found.note) == (None, "only 1 cluster: no interval")
    for found in (
        agreement_difference(np.ones(truth.size), b == truth, clusters=one),
        credit_difference(np.ones(12), b == truth, clusters=one),
        kappa_difference(truth, truth, b, k, clusters=one),
    ):
        assert found.value is not None and found.value < 0
        assert (found.low, found.high, found.note) == (None, None, "only 1 cluster: no interval")


def test_three_flips_of_three_levels_have_a_narrow_interval() -> None:
    """3 of 3 flips broken, 60 samples: the worst case reached up to +.32 and, on five levels, over [-2, 2]."""
    for k in (3, 5):
        truth = np.arange(60) % k
        b = np.where(np.arange(60) < 3, k - 1 - truth, truth)
        found = kappa_difference(truth, truth, b, k, kind="quadratic")
        assert found.low is not None and found.high is not None
        assert -0.5 < found.low < found.value < found.high < 0.03  # type: ignore[operator]


@short_or_long("sets", 60, 150)
@pytest.mark.parametrize(("n", "least"), [(60, 0.97), (150, 0.95)])
def test_a_judge_that_fails_whole_clusters_is_seldom_called_better(n: int, least: float, sets: int) -> None:
    """A errs on single items, B on whole clusters of 1 to 20, both on 10%: B looked better in 15 to 24%, now in at most 4%."""
    rng, better, held = np.random.default_rng(12), np.zeros(2), 0
    chance = 1 / np.arange(1, 21)
    for seed in range(sets):
        sizes = rng.choice(np.arange(1, 21), size=n, p=chance / chance.sum())
        keys = np.repeat(np.arange(n), sizes)[:n]
        truth = (rng.random(n) < 0.6).astype(np.int64)
        wrong = rng.random(n) < 0.1, (rng.random(n) < 0.1)[keys]
        a, b = (np.where(one, 1 - truth, truth) for one in wrong)
        found = [agreement_difference(a == truth, b == truth, clusters=keys)]
        found.append(kappa_difference(truth, a, b, 2, clusters=keys, seed=seed))
        better += [one.low is not None and one.low > 0 for one in found]
        held += covers(found[0], 0.0)
    assert (better / sets <= 0.04).all() and held / sets >= least - 0.02


@short_or_long("sets", 80, 200)
@pytest.mark.parametrize(("size", "n"), [(1, 32), (4, 60)])
def test_differences_are_covered_where_most_items_pass(size: int, n: int, sets: int) -> None:
    """Data sets of which 90% pass, kappa .6 and .8 with shared errors; the influence interval held it in 88 to 90%."""
    rng, hits, made, width = np.random.default_rng(8), 0, 0, 0.0
    for seed in range(sets):
        truth = (rng.random(n) < 0.9).astype(np.int64)
        luck = np.sqrt(0.5) * (rng.normal(size=(n, 1)) + rng.normal(size=(n, 2)))
        wrong = luck < ndtri(np.where(truth == 1, 0.1, 0.9)[:, None] * np.array([0.4, 0.2]))
        sides = [truth, *np.where(wrong, 1 - truth[:, None], truth[:, None]).T]
        keys = np.arange(n) // size
        source = np.where(rng.random(n) < 0.5, keys * size, np.arange(n))
        found = kappa_difference(*(one[source] for one in sides), 2, clusters=keys, seed=seed)
        if found.low is not None and found.high is not None:
            hits, made, width = hits + covers(found, 0.2), made + 1, width + found.high - found.low
    assert hits / made >= (0.93 if sets >= 200 else 0.9) and width / made < 1.2


def test_a_difference_never_leaves_what_kappa_allows() -> None:
    """Perfect judges of two and of three levels, of 24 items and of 8 clusters: either may be the better one."""
    for k in (2, 3):
        truth = np.arange(24) % k
        for keys in (None, np.arange(24) // 3):
            found = kappa_difference(truth, truth, truth, k, clusters=keys)
            assert found.low is not None and found.high is not None
            assert -0.6 <= found.low < 0 < found.high <= 0.6
            assert str(found.note).startswith("A and B never differ here")


def test_judges_that_differ_are_not_said_never_to() -> None:
    """One class of labels: both kappas are 0 whatever the verdicts, and the verdicts differ."""
    found = kappa_difference(np.zeros(4, dtype=int), np.array([0, 1, 0, 0]), np.array([0, 0, 1, 1]), 2)
    assert found.value == 0 and found.note == "A and B differ on 3 of 4 units"
    assert found.low is not None and found.low < -0.1


def test_codes_that_are_none_are_refused() -> None:
    """A failure (-1) is no level; nor is one beyond the scale, nor a side that is too short."""
    truth, good = np.array([0, 1, 1, 0]), np.array([0, 1, 0, 0])
    for bad in (np.array([0, -1, 0, 0]), np.array([0, 2, 0, 0]), np.array([0, 1])):
        for of in (kappa_difference, kappa_p):
            with pytest.raises(ValueError, match="codes 0 to 1 of one length"):
                of(truth, bad, good, 2)


def test_a_difference_is_not_cut_at_what_the_seen_kappa_leaves() -> None:
    """A's kappa is itself uncertain: with A and B wrong on three items each of 40 it is nearly the t interval."""
    truth = np.arange(40) % 3
    a, b = truth.copy(), truth.copy()
    a[:3], b[3:6] = (a[:3] + 1) % 3, (b[3:6] + 1) % 3
    found = kappa_difference(truth, a, b, 3)
    psi = [influence(cross_table(truth, one, 3), np.eye(3))[truth, one] for one in (a, b)]
    half = 2.022691 * (psi[1] - psi[0]).std(ddof=1) / np.sqrt(40)
    assert found.high == pytest.approx(found.value + half, abs=0.03)  # type: ignore[operator]
    assert found.high > 1 - float(kappa(cross_table(truth, a, 3), np.eye(3)))  # type: ignore[operator]
