from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from scipy.special import gammaincinv

from rftj_cli.stats import scores
from rftj_cli.stats.arrays import Floats
from rftj_cli.stats.clusters import Clusters
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.intervals import functional_interval, kappa_interval
from rftj_cli.stats.jackknife import jackknife_influence
from rftj_cli.stats.resampling import Draws, bca, fewer_errors, gammas, more_errors
from rftj_cli.stats.table import cross_table, fce_variance, influence, kappa, mcc, weights

from .oracles import COHEN, clustered_items, items, short_or_long


def bounds(found: Estimate) -> tuple[float, float]:
    assert found.low is not None and found.high is not None
    return found.low, found.high


def test_perfect_binary_table_keeps_a_width() -> None:
    """Thirty items without an error reach up to 1 and promise far less."""
    low, high = bounds(kappa_interval(np.array([[12.0, 0], [0, 18]]), "nominal"))
    assert high == 1.0
    assert 0.7 < low < 0.9


def test_same_seed_same_bytes() -> None:
    """The seed decides the interval, and the method names it."""
    for table in (np.array([[20.0, 5], [10, 15]]), COHEN):
        assert kappa_interval(table, "nominal", seed=7) == kappa_interval(table, "nominal", seed=7)
        assert kappa_interval(table, "nominal", seed=7) != kappa_interval(table, "nominal", seed=8)
        assert "seed 7" in kappa_interval(table, "nominal", seed=7).method


def test_one_class_is_missing() -> None:
    """Where all is one class there is no kappa, and the reason is given."""
    found = kappa_interval(np.array([[0.0, 0], [0, 40]]), "nominal")
    assert (found.value, found.low, found.n) == (None, None, 40)
    assert found.note == "all labels and verdicts are one class"
    assert kappa_interval(np.zeros((2, 2)), "nominal").note == "no items"


@pytest.mark.parametrize("kind", ["nominal", "quadratic"])
def test_large_tables_agree_with_the_formula(kind: str) -> None:
    """At n = 20,000 posterior and bootstrap both lie on value -+ 1.96 standard errors."""
    for table in (100 * COHEN, 100 * np.array([[80.0, 10], [5, 105]])):
        w = weights(table.shape[0], "nominal" if kind == "nominal" else "quadratic")
        value, half = float(kappa(table, w)), 1.96 * float(np.sqrt(fce_variance(table, w)))
        found = kappa_interval(table, "nominal" if kind == "nominal" else "quadratic")
        assert bounds(found) == pytest.approx((value - half, value + half), abs=0.05 * half)


def test_three_levels_take_a_posterior_for_each_end() -> None:
    """Three levels in use have two posteriors; two of three are treated as two."""
    assert "draws for each end" in kappa_interval(COHEN, "nominal").method
    two = np.zeros((3, 3))
    two[1:, 1:] = [[20, 5], [10, 15]]
    found = kappa_interval(two, "nominal")
    assert found == kappa_interval(two[1:, 1:], "nominal")
    assert found.method == "Dirichlet posterior 95%, 20000 draws, seed 0"


@short_or_long("sets", 50, 120)
def test_far_errors_that_were_not_seen_are_allowed_for(sets: int) -> None:
    """Five levels, one error in ten far, n = 50: quadratic kappa is held by nine intervals of ten and more, by BCa's less often."""
    rng, w = np.random.default_rng(5), weights(5, "quadratic")
    near = np.array(
        [
            [0.7, 0.3, 0, 0, 0],
            [0.15, 0.7, 0.15, 0, 0],
            [0, 0.15, 0.7, 0.15, 0],
            [0, 0, 0.15, 0.7, 0.15],
            [0, 0, 0, 0.3, 0.7],
        ]
    )
    shares = 0.2 * (0.96 * near + 0.04 * (1 - np.eye(5)) / 4)
    true = float(kappa(shares, w))
    held = np.zeros(2)
    for seed in range(sets):
        table = rng.multinomial(50, shares.ravel() / shares.sum()).reshape(5, 5).astype(np.float64)
        for i, found in enumerate(
            (kappa_interval(table, "quadratic", seed=seed), bca(table, lambda t: kappa(t, w), seed))
        ):
            held[i] += found.low is not None and found.high is not None and found.low <= true <= found.high
    assert held[0] >= 0.9 * sets and held[1] < held[0] - 0.05 * sets


def test_pseudo_errors_are_spread_over_the_levels_in_use() -> None:
    """1.5 errors below, half as the marginals have it and half evenly over the rows; .05 above, none where none was seen."""
    table = np.diag([30.0, 10, 0, 20])
    worse, better = more_errors(table), fewer_errors(table)
    assert (
        worse.sum() == pytest.approx(1.5) and not np.diag(worse).any() and not worse[2].any() and not worse[:, 2].any()
    )
    r = (np.array([30, 10, 0, 20]) + 0.5) * [1, 1, 0, 1]
    both, rows = np.outer(r, r) * (1 - np.eye(4)), np.outer([1, 1, 0, 1], r) * (1 - np.eye(4))
    assert worse == pytest.approx(0.75 * both / both.sum() + 0.75 * rows / rows.sum())
    assert better == pytest.approx(np.diag([0.4, 0.4, 0, 0.4]))
    table[0, 1] = 1
    assert fewer_errors(table).sum() == pytest.approx(1.25)


def test_common_numbers_make_larger_gammas_of_larger_shapes() -> None:
    """Wilson and Hilferty's variates have the quantiles of the gamma distribution, and never fall where the shape rises."""
    shapes = np.array([0.05, 0.4, 1.0, 1.4, 5.0, 50.0])
    drawn = gammas(shapes, 200_000, 1)
    for a, one in zip(shapes[1:], drawn[:, 1:].T, strict=True):
        middle = np.array([0.1, 0.5, 0.9, 0.975])
        assert np.quantile(one, middle) == pytest.approx(gammaincinv(a, middle), rel=0.03, abs=0.001)
    for shape in (0.4, 1.4, 5.0):
        before, after = (gammas(np.full(3, shape + more), 1000, 2) for more in (0.0, 0.5))
        assert (after >= before).all()


@pytest.mark.parametrize(("k", "least"), [(2, 0.88), (3, 0.85), (5, 0.85)])
def test_a_perfect_table_promises_more_than_one_with_errors(k: int, least: float) -> None:
    """144 units in 36 clusters, all right: an upper end of 1, and a lower end above those of one, two and three errors."""
    truth, cluster = np.arange(144) % k, np.arange(144) // 4
    ends = []
    for errors in range(4):
        judge = truth.copy()
        judge[: 9 * errors : 9] = (truth[: 9 * errors : 9] + 1) % k
        clusters = Clusters(cluster, truth * k + judge)
        ends.append(bounds(kappa_interval(cross_table(truth, judge, k), "quadratic", clusters=clusters)))
    assert ends[0][1] == 1 and ends[0][0] > least
    assert ends[0][0] > ends[1][0] + 0.004 and all(before[0] > after[0] - 0.005 for before, after in pairwise(ends))


def test_thirty_units_without_an_error() -> None:
    """A perfect table of three levels keeps a width, as one of two does, and has no bound below what one error in ten makes."""
    table = np.diag([10.0, 10.0, 10.0])
    low, high = bounds(kappa_interval(table, "nominal"))
    assert high == 1.0 and 0.75 < low < 0.9
    assert bounds(kappa_interval(table, "quadratic"))[0] < low  # far errors are not excluded


@short_or_long("sets", 80, 200)
def test_a_nearly_perfect_judge_is_covered(sets: int) -> None:
    """Of samples of 50 with 2% errors to the neighbour, at least 95% of the intervals hold the true kappa."""
    shares = np.diag([0.1, 0.2, 0.3, 0.25, 0.15]) * 0.98
    for level in range(5):
        for other in {max(level - 1, 0), min(level + 1, 4)} - {level}:
            shares[level, other] += 0.02 * [0.1, 0.2, 0.3, 0.25, 0.15][level] / (1 if level in (0, 4) else 2)
    truth = float(kappa(shares, weights(5, "quadratic")))
    draws = np.random.default_rng(4).multinomial(50, shares.ravel() / shares.sum(), size=sets).reshape(-1, 5, 5)
    found = [kappa_interval(draw.astype(np.float64), "quadratic", seed=1) for draw in draws]
    held = [one.low <= truth <= one.high for one in found if one.low is not None and one.high is not None]
    assert len(held) > 0.95 * sets and np.mean(held) >= 0.95


def test_clusters_widen() -> None:
    """Items that repeat each other make the interval wider, for two levels and for three."""
    h, j, cluster = clustered_items(40, 4, 3, copies=0.9)
    for k, truth, judge in ((2, h, j), (3, h + (cluster % 2), j + (cluster % 2))):
        table, clusters = cross_table(truth, judge, k), Clusters(cluster, truth * k + judge)
        low, high = bounds(kappa_interval(table, "nominal"))
        wide_low, wide_high = bounds(kappa_interval(table, "nominal", clusters=clusters))
        assert wide_high - wide_low > 1.3 * (high - low)


def test_singletons_are_unclustered() -> None:
    """Clusters of one item each change nothing."""
    h, j = items(COHEN)
    alone = Clusters.of(np.arange(h.size), h, j, 3)
    assert kappa_interval(COHEN, "nominal", clusters=alone) == kappa_interval(COHEN, "nominal")


def test_perfect_clustered_table_counts_clusters() -> None:
    """Without an error the clusters, not the items, are what the interval rests on."""
    h = np.repeat([0, 1], 60)
    clusters = Clusters(np.repeat(np.arange(30), 4), h * 3)
    found = kappa_interval(np.diag([60.0, 60]), "nominal", clusters=clusters)
    assert found.method.endswith("on n/deff, deff 2.50")  # 1 + (4 - 1)/2
    assert bounds(found)[0] == pytest.approx(bounds(kappa_interval(np.diag([24.0, 24]), "nominal"))[0], abs=0.005)


def test_few_and_single_clusters_say_so() -> None:
    """Nine clusters get a caution, a single one no interval."""
    h, j = items(COHEN[:, :])
    nine = kappa_interval(COHEN, "nominal", clusters=Clusters.of(np.arange(h.size) % 9, h, j, 3))
    assert nine.low is not None and nine.note == "only 9 clusters: the interval may be too narrow"
    one = kappa_interval(COHEN, "nominal", clusters=Clusters.of(np.zeros(h.size), h, j, 3))
    assert (one.low, one.note) == (None, "only 1 cluster: no interval")


def test_wide_tables_take_the_jackknife() -> None:
    """Beyond twelve levels groups are left out, with nearly the standard error of the formula, clustered or not."""
    rng = np.random.default_rng(0)
    h = rng.integers(0, 20, 3000)
    j = np.where(rng.random(3000) < 0.7, h, rng.integers(0, 20, 3000))
    table = cross_table(h, j, 20)
    half = 1.96 * float(np.sqrt(fce_variance(table, np.eye(20))))
    for clusters in (None, Clusters.of(np.arange(3000) // 3, h, j, 20)):
        found = kappa_interval(table, "nominal", clusters=clusters)
        low, high = bounds(found)
        assert found.method.startswith("delete-a-group jackknife 95%, 200 groups")
        assert high - low == pytest.approx(2 * half, rel=0.15)


def test_jackknife_equals_the_analytic_influence() -> None:
    """Leaving one item out approaches the influence value, up to 1/n."""
    table = 50 * COHEN
    for w in (weights(3, "nominal"), weights(3, "linear"), weights(3, "quadratic")):
        assert np.allclose(jackknife_influence(partial(kappa, w=w), table), influence(table, w), atol=2e-3)


def test_draws_may_be_shared() -> None:
    """A functional that is given the common stack has the interval that it would have drawn itself."""
    shared = functional_interval(COHEN, mcc, draws=Draws(COHEN, 5), seed=5)
    assert shared == functional_interval(COHEN, mcc, seed=5)


def test_interval_holds_its_value() -> None:
    """The interval contains the estimate, also at the edge of a lattice."""
    for table in (np.array([[1.0, 0], [0, 2]]), np.array([[5.0, 1], [0, 5]]), COHEN):
        x = np.arange(float(table.shape[0]))
        for f in (mcc, lambda t, x=x: scores.bias(t, x), lambda t, x=x: scores.mae(t, x)):
            found = functional_interval(table, f, scale="identity")
            low, high = bounds(found)
            assert found.value is not None and low <= found.value <= high


@short_or_long("sets", 120, 300)
@pytest.mark.parametrize(("prevalence", "true"), [(0.5, 0.6), (0.9, 0.8)])
def test_coverage_of_the_posterior(prevalence: float, true: float, sets: int) -> None:
    """At n = 50 the Dirichlet interval covers binary kappa in at least 91% of the data sets."""
    chance = prevalence**2 + (1 - prevalence) ** 2
    off = (1 - chance) * (1 - true) / 2
    shares: Floats = np.array([[1 - prevalence - off, off], [off, prevalence - off]])
    rng = np.random.default_rng(1)
    found = [
        kappa_interval(rng.multinomial(50, shares.ravel()).reshape(2, 2).astype(float), "nominal") for _ in range(sets)
    ]
    defined = [bounds(one) for one in found if one.value is not None]
    assert len(defined) > 0.96 * sets
    assert np.mean([low <= true <= high for low, high in defined]) >= 0.91
