"""Items that belong together (several responses to one prompt): how much less they tell than as many strangers.

A statistic is a sum of influence values over items, to first order. Items of one cluster may lean the same way, so
the sums inside clusters, not the items, are the independent pieces.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from rftj_cli.stats.arrays import Bools, Floats, Ints

FEW = 15


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """Where each item of a table belongs.

    cluster: (n,) codes 0..G-1, each in use
    cell:    (n,) h*k + j, the item's cell of the k x k table
    """

    cluster: Ints
    cell: Ints

    @staticmethod
    def of(keys: ArrayLike, truth: Ints, judge: Ints, k: int) -> Clusters:
        """From any keys (n,), such as prompt ids, and level codes (n,)."""
        codes = np.unique(np.asarray(keys), return_inverse=True)[1]
        return Clusters(codes.astype(np.int64), truth * k + judge)

    @property
    def n(self) -> int:
        return int(self.cluster.size)

    @property
    def count(self) -> int:
        """G."""
        return int(self.cluster.max()) + 1 if self.cluster.size else 0

    @property
    def mean_size(self) -> float:
        return self.n / max(self.count, 1)

    @property
    def caution(self) -> str | None:
        """What to say of intervals that rest on few clusters."""
        return few(self.count)


def few(count: int) -> str | None:
    """The caution that `count` clusters call for, None from 15 on."""
    if count >= FEW:
        return None
    return f"only {count} cluster{'' if count == 1 else 's'}: the interval may be too narrow"


def clustered(clusters: Clusters | None) -> Clusters | None:
    """None where there is nothing to account for: no clusters given, or every one of size 1."""
    return None if clusters is None or clusters.count == clusters.n else clusters


def design_effect(psi: Floats, clusters: Clusters, within: Bools | None = None) -> float:
    """max(1, cluster variance / iid variance) of a statistic with the influence values `psi` (k, k).

    within: (k, k) the cells of a share's denominator (all by default). Where the iid variance is 0 (a perfect
    table) nothing can be estimated: then the mean number of these items in a cluster, as if each cluster had one voice.
    """
    values = psi.ravel()[clusters.cell]
    iid = float((values * values).sum())
    group = clusters.count
    if group < 2 or iid <= 1e-18 * clusters.n:
        return _mean_size(clusters, within)
    sums = np.bincount(clusters.cluster, weights=values, minlength=group)
    between = float((sums * sums).sum()) * group / (group - 1)
    return max(1.0, between / (iid * clusters.n / (clusters.n - 1)))


def share_influence(table: Floats, credit: Floats, within: Bools) -> Floats:
    """Influence values (k, k), up to a constant factor, of the share sum(T credit)/sum(T) over the cells `within`."""
    n = float(table[within].sum())
    value = float((table * credit)[within].sum()) / n if n > 0 else 0.0
    return np.where(within, credit - value, 0.0)


def cluster_se(psi: Floats, clusters: Clusters) -> float:
    """Cluster-robust standard error of a statistic with the influence values `psi` (k, k): linearisation."""
    return item_se(psi.ravel()[clusters.cell] / clusters.n, clusters.cluster)[0]


def item_se(pulls: Floats, cluster: Ints | None) -> tuple[float, int]:
    """Standard error and number of independent units of a statistic whose error is sum(pulls) over the items (n,).

    The pulls are influence values divided by n, about 0 in sum; `cluster` (n,) codes 0..G-1 sums them first.
    """
    sums = pulls if cluster is None else np.bincount(cluster, weights=pulls)
    units = int(sums.size)
    if units < 2:
        return float("nan"), units
    return sqrt(float((sums * sums).sum()) * units / (units - 1)), units


def _mean_size(clusters: Clusters, within: Bools | None) -> float:
    if within is None:
        return max(1.0, clusters.mean_size)
    held = np.bincount(clusters.cluster, weights=within.ravel()[clusters.cell])
    return max(1.0, float(held.sum() / max(int((held > 0).sum()), 1)))
