from __future__ import annotations

import numpy as np
import pytest
from scipy.special import chdtrc
from statsmodels.stats.contingency_tables import SquareTable

from rftj_cli.stats.clusters import Clusters
from rftj_cli.stats.homogeneity import marginal_homogeneity, mcnemar_mid_p

from .oracles import COHEN, clustered_items, items, random_tables


@pytest.mark.parametrize(("b", "c", "p"), [(121, 59, 3.267e-6), (5, 15, 0.026604), (25, 4, 5.948e-5), (0, 0, 1.0)])
def test_mid_p(b: int, c: int, p: float) -> None:
    """McNemar's mid-p has its published values, whichever side is larger."""
    assert mcnemar_mid_p(b, c) == pytest.approx(p, rel=2e-4)
    assert mcnemar_mid_p(b, c) == mcnemar_mid_p(c, b)


def test_bhapkar_equals_statsmodels() -> None:
    """Three levels and more take Bhapkar's test."""
    for table in [COHEN, *random_tables(4)]:
        oracle = SquareTable(table, shift_zeros=False).homogeneity(method="bhapkar").pvalue
        assert marginal_homogeneity(table).value == pytest.approx(oracle, abs=1e-9)


def test_levels_nobody_uses_do_not_matter() -> None:
    """An empty level changes nothing, and no disagreement is no evidence."""
    wide = np.zeros((4, 4))
    wide[:3, :3] = COHEN
    assert marginal_homogeneity(wide).value == pytest.approx(marginal_homogeneity(COHEN).value)
    assert marginal_homogeneity(np.diag([3.0, 4, 5])).value == 1.0
    assert marginal_homogeneity(np.zeros((3, 3))).note == "no items"


def test_repeated_items_are_no_new_evidence() -> None:
    """Every item three times over, in clusters of three, has the p-value of the items once."""
    h, j = items(COHEN)
    thrice = Clusters.of(np.repeat(np.arange(h.size), 3), np.repeat(h, 3), np.repeat(j, 3), 3)
    assert marginal_homogeneity(3 * COHEN, thrice).value == pytest.approx(marginal_homogeneity(COHEN).value)


def test_binary_clusters_do_not_use_mid_p() -> None:
    """Clustered pass/fail verdicts are tested on the sums of their clusters."""
    h, j, cluster = clustered_items(30, 4, 0)
    table = np.bincount(h * 2 + j, minlength=4).reshape(2, 2).astype(float)
    assert marginal_homogeneity(table).method == "McNemar mid-p"
    assert marginal_homogeneity(table, Clusters(cluster, h * 2 + j)).method == "Bhapkar p on cluster sums"


def test_weights_count_in_the_test_as_they_do_in_the_estimate() -> None:
    """Fails labelled nine times as often: weighted, both sides fail 10%, so there is nothing to see."""
    truth = np.repeat([0, 1, 1, 0], [60, 40, 96, 4])
    judge = np.repeat([0, 0, 1, 1], [60, 40, 96, 4])
    weight = np.where(judge == 0, 1.0, 9.0)
    found = Clusters.of(None, truth, judge, 2, weight / weight.mean())
    assert found is not None
    pull = weight * (judge - truth)  # the statistic by hand: sum(w d)^2/sum(w^2 d^2), and Keefe's W/(1 - W/n)
    w = pull.sum() ** 2 / (pull**2).sum()
    assert marginal_homogeneity(found.table(2), found).value == pytest.approx(chdtrc(1, w / (1 - w / 200)))
    assert marginal_homogeneity(found.table(2), found).value > 0.8  # type: ignore[operator]
