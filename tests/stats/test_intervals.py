from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from rftj_cli.stats import scores
from rftj_cli.stats.arrays import Floats
from rftj_cli.stats.binomial import clopper_pearson
from rftj_cli.stats.clusters import Clusters
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.intervals import functional_interval, kappa_interval
from rftj_cli.stats.jackknife import jackknife_influence
from rftj_cli.stats.resampling import Draws, bca
from rftj_cli.stats.table import cross_table, fce_variance, influence, kappa, mcc, weights

from .oracles import COHEN, clustered_items, items


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


def test_three_levels_take_the_smoothed_bootstrap() -> None:
    """Three levels in use are resampled; two of three are treated as two."""
    assert kappa_interval(COHEN, "nominal").method.startswith("smoothed bootstrap of the table 95%")
    two = np.zeros((3, 3))
    two[1:, 1:] = [[20, 5], [10, 15]]
    found = kappa_interval(two, "nominal")
    assert found == kappa_interval(two[1:, 1:], "nominal")
    assert found.method.startswith("Dirichlet posterior")


def test_far_errors_that_were_not_seen_are_allowed_for() -> None:
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
    for seed in range(120):
        table = rng.multinomial(50, shares.ravel() / shares.sum()).reshape(5, 5).astype(np.float64)
        for i, found in enumerate(
            (kappa_interval(table, "quadratic", seed=seed), bca(table, lambda t: kappa(t, w), seed))
        ):
            held[i] += found.low is not None and found.high is not None and found.low <= true <= found.high
    assert held[0] >= 108 and held[1] < held[0] - 6


def test_hardly_any_error_gets_the_worst_case() -> None:
    """Fewer than three errors on three levels are too few to resample: the exact agreement is bounded instead."""
    found = kappa_interval(np.array([[9.0, 0, 0], [1, 10, 0], [0, 0, 10]]), "nominal")
    assert found.value is not None and found.low is not None and found.high is not None
    assert found.low < found.value < found.high <= 1
    assert found.method == "worst case within Clopper-Pearson 95% on exact agreement"
    assert found.note is not None and "0.828" in found.note


def test_a_perfect_table_of_levels_keeps_a_width() -> None:
    """All right on three levels: the lower bound is what a judge with the bounded exact agreement could reach."""
    table = np.diag([10.0, 10.0, 10.0])
    found = kappa_interval(table, "quadratic")
    assert (found.value, found.high) == (1.0, 1.0)
    # 0.884 of 30 exact by Clopper-Pearson; by hand, the rest in the far corner: D_o = .1157, D_e = .3513.
    share = 1 - clopper_pearson(30, 30)[0]
    rows = np.array([1 - share, 1 - share, 1 - share]) / 3 + np.array([share, 0, 0])
    columns = np.array([1 - share, 1 - share, 1 - share]) / 3 + np.array([0, 0, share])
    far = np.array([[0, 0.25, 1], [0.25, 0, 0.25], [1, 0.25, 0]])
    assert found.low == pytest.approx(1 - share / (rows @ far @ columns), abs=1e-12)


def test_the_worst_case_covers_a_nearly_perfect_judge() -> None:
    """Of 200 samples of 50 with 2% errors to the neighbour, at least 95% of the intervals hold the true kappa."""
    shares = np.diag([0.1, 0.2, 0.3, 0.25, 0.15]) * 0.98
    for level in range(5):
        for other in {max(level - 1, 0), min(level + 1, 4)} - {level}:
            shares[level, other] += 0.02 * [0.1, 0.2, 0.3, 0.25, 0.15][level] / (1 if level in (0, 4) else 2)
    truth = float(kappa(shares, weights(5, "quadratic")))
    draws = np.random.default_rng(4).multinomial(50, shares.ravel() / shares.sum(), size=200).reshape(-1, 5, 5)
    found = [kappa_interval(draw.astype(np.float64), "quadratic", seed=1) for draw in draws]
    held = [one.low <= truth <= one.high for one in found if one.low is not None and one.high is not None]
    assert len(held) > 190 and np.mean(held) >= 0.95


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
    assert found.method.endswith("on n/deff, deff 4.36")  # 4 times (t(29)/z)^2
    assert bounds(found)[0] == pytest.approx(bounds(kappa_interval(np.diag([15.0, 15]), "nominal"))[0], abs=0.02)


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


@pytest.mark.parametrize(("prevalence", "true"), [(0.5, 0.6), (0.9, 0.8)])
def test_coverage_of_the_posterior(prevalence: float, true: float) -> None:
    """At n = 50 the Dirichlet interval covers binary kappa in at least 91% of 300 data sets."""
    chance = prevalence**2 + (1 - prevalence) ** 2
    off = (1 - chance) * (1 - true) / 2
    shares: Floats = np.array([[1 - prevalence - off, off], [off, prevalence - off]])
    rng = np.random.default_rng(1)
    found = [
        kappa_interval(rng.multinomial(50, shares.ravel()).reshape(2, 2).astype(float), "nominal") for _ in range(300)
    ]
    defined = [bounds(one) for one in found if one.value is not None]
    assert len(defined) > 290
    assert np.mean([low <= true <= high for low, high in defined]) >= 0.91
