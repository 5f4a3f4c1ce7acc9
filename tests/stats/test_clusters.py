from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from making import growth

from rftj_cli.stats.agreement import agreement
from rftj_cli.stats.binomial import student, wilson
from rftj_cli.stats.clusters import Clusters, cluster_se, clustered, design_effect, shrunken_effect
from rftj_cli.stats.paired import agreement_difference
from rftj_cli.stats.shares import share
from rftj_cli.stats.table import cross_table, fce_variance, influence

from .oracles import clustered_items, short_or_long


def test_singletons_are_no_clusters() -> None:
    """Items that are each a cluster of their own are independent: no design effect but (t/z)^2, and the plain standard error."""
    h, j, _ = clustered_items(40, 1, 0)
    alone = Clusters.of(np.arange(40), h, j, 2)
    table = cross_table(h, j, 2)
    psi = influence(table, np.eye(2))
    assert clustered(alone) is None
    assert design_effect(psi, alone) == pytest.approx(student(min(39, 30 + float(table[0, 1] + table[1, 0]))))
    assert cluster_se(psi, alone) ** 2 == pytest.approx(float(fce_variance(table, np.eye(2))) * 40 / 39)


def test_copies_have_their_number_as_design_effect() -> None:
    """Items repeated four times tell as much as one of them, the more surely the more clusters have an error."""
    for count, near in ((60, 0.2), (2000, 0.01)):
        h, j, cluster = clustered_items(count, 4, 1, copies=1.0)
        events = int(((h != j).reshape(-1, 4)).any(1).sum())
        psi = influence(cross_table(h, j, 2), np.eye(2))
        found = design_effect(psi, Clusters(cluster, h * 2 + j)) / student(min(count - 1, 30 + events))
        assert found == pytest.approx(1 + 3 * (events + 2.025) / (events + 4.05)) and found == pytest.approx(
            4, rel=near
        )


@pytest.mark.parametrize(("sizes", "errors", "expected"), [
    # m~ = 4: before an error 1 + 3/2; one error in every fourth cluster: rho^ = 0, e = 9, 1 + 3 * 2.025/13.05, t(35)
    ([4] * 36, {}, 2.5),
    ([4] * 36, {4 * i: 1 for i in range(0, 36, 4)}, (1 + 3 * 2.025 / 13.05) * student(35)),
    # a whole cluster of ten wrong: m~ = 10, a = 12.15, rho^ = 1, e = 1
    ([10] * 6, dict.fromkeys(range(10), 1), (1 + 9 * (1 + 12.15 / 2) / 13.15) * student(5)),
])  # fmt: skip
def test_the_correlation_inside_clusters_is_shrunken(sizes: list[int], errors: dict[int, int], expected: float) -> None:
    """By hand: (e rho^ + a/2)/(e + a), a = max(4, 1.35 (m~ - 1))."""
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    wrong = np.zeros(cluster.size)
    wrong[list(errors)] = 1.0
    assert shrunken_effect(wrong, cluster, wrong > 0) == pytest.approx(expected)


def test_all_right_and_all_wrong_are_alike() -> None:
    """0 of 94 fails at most 7.1% in clusters of the example's size, and 94 of 94 at least 92.9%: one is the other's mirror."""
    cluster = np.arange(94) // 3
    none, every = share(np.zeros(94), clusters=cluster), share(np.ones(94), clusters=cluster)
    assert none.high == pytest.approx(1 - (every.low or 0)) and 0.05 < (none.high or 1) < 0.08
    few, most = share(cluster == 0, clusters=cluster), share(cluster != 0, clusters=cluster)
    assert few.high == pytest.approx(1 - (most.low or 0)) and few.low == pytest.approx(1 - (most.high or 0))


def test_one_cluster_is_one_voice() -> None:
    """Of one cluster nothing can be estimated: more than half of its size is the design effect."""
    h, j, _ = clustered_items(10, 3, 2)
    assert design_effect(influence(cross_table(h, j, 2), np.eye(2)), Clusters.of([0] * 30, h, j, 2)) > 15


def test_few_clusters_are_cautioned() -> None:
    """Under fifteen clusters the estimate says so."""
    h, j, cluster = clustered_items(14, 2, 0)
    assert Clusters(cluster, h * 2 + j).caution == "only 14 clusters: the interval may be too narrow"
    h, j, cluster = clustered_items(15, 2, 0)
    assert Clusters(cluster, h * 2 + j).caution is None


def test_the_design_effect_of_a_million_items() -> None:
    """Eight times the items cost about eight times as much, far less than the 64 times of a loop over pairs."""

    def effect(clusters: int) -> Callable[[], float]:
        h, j, cluster = clustered_items(clusters, 4, 0)
        made, psi = Clusters(cluster, h * 2 + j), influence(cross_table(h, j, 2), np.eye(2))
        return lambda: design_effect(psi, made)

    small, large = effect(31_250), effect(250_000)
    assert large() > 1.3
    assert growth(small, large) < 40


def test_weights_that_are_alike_in_a_class_cost_nothing_there() -> None:
    """50 verdicts fail with weight 2, 50 pass with weight 18: npv and precision have Wilson's interval of 50 labels."""
    truth, judge = np.repeat([0, 1, 1, 0], [40, 10, 45, 5]), np.repeat([0, 1], [50, 50])
    weight = np.where(judge == 0, 2.0, 18.0)
    clusters = Clusters.of(None, truth, judge, 2, weight / weight.mean())
    assert clusters is not None
    found = agreement(clusters.table(2), kind="binary", clusters=clusters)
    # (t/z)^2 of the estimated variance raises it a little.
    assert found["npv"].n == 50 and (found["npv"].low, found["npv"].high) == pytest.approx(wilson(40, 50), abs=0.015)
    assert found["precision"].n == 50 and found["precision"].low == pytest.approx(wilson(45, 50)[0], abs=0.02)
    perfect = Clusters.of(None, judge, judge, 2, weight / weight.mean())
    assert perfect is not None
    sure = agreement(perfect.table(2), kind="binary", clusters=perfect)["npv"]
    assert sure.low == pytest.approx(wilson(50, 50)[0], abs=0.01)


def test_unequal_weights_in_a_class_cost_what_kish_says() -> None:
    """Right or wrong without regard to the weight: the interval is Wilson's at (sum w)^2/sum w^2."""
    rng = np.random.default_rng(4)
    right, weight = np.tile([1, 1, 1, 0], 500), np.repeat(rng.choice([1.0, 9.0], 500), 4)
    kish = weight.sum() ** 2 / (weight**2).sum()
    found = share(right, weights=weight)
    assert found.value == pytest.approx(0.75) and found.n == 2000
    assert found.low == pytest.approx(wilson(0.75 * kish, kish)[0], abs=2e-3)


@short_or_long("sets", 60, 200)
def test_weighted_rates_are_covered(sets: int) -> None:
    """Samples of 60 labels, oversampled where the judge says fail: npv .8 and tnr, with weights."""
    rng, hits = np.random.default_rng(5), np.zeros(2)
    q = 0.8 * 0.9 + 0.2 * 0.2
    true = (0.2 * 0.8 / (1 - q), 0.8)
    for _ in range(sets):
        truth = (rng.random(1000) < 0.8).astype(np.int64)
        judge = np.where(truth == 1, rng.random(1000) < 0.9, rng.random(1000) < 0.2).astype(np.int64)
        chosen = np.concatenate([rng.choice(np.flatnonzero(judge == v), 30, replace=False) for v in (0, 1)])
        weight = np.array([(judge == v).sum() / 30 for v in judge[chosen]])
        clusters = Clusters.of(None, truth[chosen], judge[chosen], 2, weight / weight.mean())
        assert clusters is not None
        found = agreement(clusters.table(2), kind="binary", clusters=clusters)
        ends = [(found[name].low, found[name].high) for name in ("npv", "tnr")]
        hits += [low <= one <= high for (low, high), one in zip(ends, true, strict=True)]  # type: ignore[operator]
    assert (hits >= 0.915 * sets).all()


def test_a_mean_of_amounts_is_as_sure_as_their_spread_lets_it_be() -> None:
    """Of 0s and 1s it is the share; of amounts near .9 the interval is near that of t, and covers in 95% of cases."""
    rng, prompts = np.random.default_rng(8), np.repeat(np.arange(36), 8)
    bits = (rng.random(288) < 0.7).astype(float)
    one, plain = share(bits, clusters=prompts, graded=True), share(bits, clusters=prompts)
    assert (one.value, one.low, one.high) == pytest.approx((plain.value, plain.low, plain.high), abs=1e-12)
    covered, runs, truth = 0, 300, 0.9
    for _ in range(runs):
        x = np.clip(0.9 + np.repeat(rng.normal(0, 0.02, 36), 8) + rng.uniform(-0.08, 0.08, 288), 0, 1)
        one, plain = share(x, clusters=prompts, graded=True), share(x, clusters=prompts)
        covered += (one.low or 0) <= truth <= (one.high or 0)
        assert (one.high or 0) - (one.low or 0) < 0.3 * ((plain.high or 0) - (plain.low or 0))
    assert 0.92 <= covered / runs <= 0.985
    same = share(np.full(288, 0.5), clusters=prompts, graded=True)
    assert same == share(np.full(288, 0.5), clusters=prompts)


def test_few_clusters_with_errors_are_said_where_there_are_many_clusters() -> None:
    """40 clusters of 5, the errors in 4 of them; none without errors, without shared units, or from 15 clusters on."""
    cluster, truth = np.repeat(np.arange(40), 5), np.tile([0, 1, 0, 1, 1], 40)
    judge = np.where(cluster < 4, 1 - truth, truth)
    many = np.where(cluster < 15, 1 - truth, truth)

    def notes(verdict: np.ndarray, keys: np.ndarray) -> dict[str, str | None]:
        found = agreement(cross_table(truth, verdict, 2), clusters=Clusters.of(keys, truth, verdict, 2), kind="binary")
        return {name: found[name].note for name in ("agreement", "kappa", "tpr")}

    few = "in only 4 clusters of 40: the interval may be too narrow"
    rarer = f"the rarer outcome is {few}"
    assert notes(judge, cluster) == {"agreement": rarer, "kappa": f"errors {few}", "tpr": rarer}
    for verdict, keys in ((truth, cluster), (judge, np.arange(200)), (many, cluster)):
        assert set(notes(verdict, keys).values()) == {None}
    assert share(judge == truth, clusters=cluster).note == rarer
    assert agreement_difference(np.zeros(200), cluster < 6, clusters=cluster).note == few.replace(
        "in only 4", "flips in only 6"
    )
    assert agreement_difference(np.zeros(200), cluster < 15, clusters=cluster).note is None
