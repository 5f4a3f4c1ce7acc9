from __future__ import annotations

import time

import numpy as np
import pytest

from rftj_cli.stats.clusters import Clusters, cluster_se, clustered, design_effect, share_influence
from rftj_cli.stats.table import cross_table, fce_variance, influence

from .oracles import clustered_items


def test_singletons_are_no_clusters() -> None:
    """Items that are each a cluster of their own are independent: deff 1, and the plain standard error."""
    h, j, _ = clustered_items(40, 1, 0)
    alone = Clusters.of(np.arange(40), h, j, 2)
    table = cross_table(h, j, 2)
    psi = influence(table, np.eye(2))
    assert clustered(alone) is None
    assert design_effect(psi, alone) == pytest.approx(1)
    assert cluster_se(psi, alone) ** 2 == pytest.approx(float(fce_variance(table, np.eye(2))) * 40 / 39)


def test_copies_have_their_number_as_design_effect() -> None:
    """Items repeated four times tell as much as one of them."""
    h, j, cluster = clustered_items(60, 4, 1, copies=1.0)
    psi = influence(cross_table(h, j, 2), np.eye(2))
    assert design_effect(psi, Clusters(cluster, h * 2 + j)) == pytest.approx(4, rel=0.02)


def test_no_variation_counts_clusters() -> None:
    """Where nothing varies the design effect is the mean number of the items in question in a cluster."""
    truth = np.array([1, 1, 1, 0, 1, 0, 0, 0])
    clusters = Clusters.of(list("aaaabbcc"), truth, truth, 2)
    table = cross_table(truth, truth, 2)
    within = np.zeros((2, 2), dtype=bool)
    within[1] = True
    assert design_effect(influence(table, np.eye(2)), clusters) == pytest.approx(8 / 3)
    assert design_effect(share_influence(table, np.eye(2), within), clusters, within) == pytest.approx(2)


def test_one_cluster_is_one_voice() -> None:
    """Nothing can be estimated from one cluster: its size is the design effect."""
    h, j, _ = clustered_items(10, 3, 2)
    assert design_effect(influence(cross_table(h, j, 2), np.eye(2)), Clusters.of([0] * 30, h, j, 2)) == 30


def test_few_clusters_are_cautioned() -> None:
    """Under fifteen clusters the estimate says so."""
    h, j, cluster = clustered_items(14, 2, 0)
    assert Clusters(cluster, h * 2 + j).caution == "only 14 clusters: the interval may be too narrow"
    h, j, cluster = clustered_items(15, 2, 0)
    assert Clusters(cluster, h * 2 + j).caution is None


def test_a_million_items_take_no_time() -> None:
    """The design effect of a million items is a matter of milliseconds."""
    h, j, cluster = clustered_items(250_000, 4, 0)
    clusters, psi = Clusters(cluster, h * 2 + j), influence(cross_table(h, j, 2), np.eye(2))
    start = time.perf_counter()
    assert design_effect(psi, clusters) > 1.3
    assert time.perf_counter() - start < 0.5
