"""Does the judge use the levels as often as the humans? Tests of equal marginals on paired ratings."""

from __future__ import annotations

import numpy as np
from scipy.special import bdtr, chdtrc

from rftj_cli.stats.arrays import Floats
from rftj_cli.stats.clusters import Clusters, clustered
from rftj_cli.stats.estimate import Estimate


def mcnemar_mid_p(b: int, c: int) -> float:
    """Two-sided mid-p of McNemar's test, 2 P(X <= min) - P(X = min), X ~ Bin(b + c, 1/2) (Fagerland 2013).

    b, c: the discordant counts. The exact p is too shy; mid-p keeps its level and finds more.
    """
    n, least = b + c, min(b, c)
    if n == 0:
        return 1.0
    upto = float(bdtr(least, n, 0.5))
    here = upto - (float(bdtr(least - 1, n, 0.5)) if least else 0.0)
    return min(1.0, 2 * upto - here)


def marginal_homogeneity(table: Floats, clusters: Clusters | None = None) -> Estimate:
    """p-value of "labels and verdicts have the same marginals" for a k x k table; low and high are None.

    Two levels without clusters: McNemar mid-p. Else Bhapkar's Wald test (1966), with clusters on their (weighted) sums.
    """
    n = round(float(table.sum()))
    if n == 0:
        return Estimate.missing(0, "no items")
    groups = clustered(clusters)
    if table.shape[0] == 2 and groups is None:
        p = mcnemar_mid_p(round(float(table[0, 1])), round(float(table[1, 0])))
        return Estimate(p, None, None, n, "McNemar mid-p")
    if groups is None:
        return _estimate(_bhapkar(*_item_sums(table), n), n, "Bhapkar p", None)
    shift, product = _cluster_sums(table.shape[0], groups)
    return _estimate(_bhapkar(shift, product, groups.count), n, "Bhapkar p on cluster sums", groups.caution)


def _estimate(p: float | None, n: int, method: str, caution: str | None) -> Estimate:
    if p is None:
        return Estimate.missing(n, "all units differ in the same way: nothing to test against", method)
    return Estimate(p, None, None, n, method, caution)


def _item_sums(table: Floats) -> tuple[Floats, Floats]:
    """Sum and sum of products of the items' level indicators' differences: that of Stuart and Maxwell."""
    r, c = table.sum(1), table.sum(0)
    return r - c, np.diag(r + c) - table - table.T


def _cluster_sums(k: int, clusters: Clusters) -> tuple[Floats, Floats]:
    truth, judge = np.divmod(clusters.cell, k)
    size = clusters.count * k
    sums = np.bincount(clusters.cluster * k + truth, weights=clusters.weight, minlength=size) - np.bincount(
        clusters.cluster * k + judge, weights=clusters.weight, minlength=size
    )
    wide = sums.reshape(-1, k).astype(np.float64)
    return wide.sum(0), wide.T @ wide


def _bhapkar(shift: Floats, product: Floats, units: int) -> float | None:
    """From Stuart and Maxwell's W by W/(1 - W/units) (Keefe 1982), which needs no inverse of a singular matrix.

    None where W reaches `units`: the differences have no variance, and a p of 0 would claim what nothing shows.
    """
    rank = int(np.linalg.matrix_rank(product, hermitian=True)) if product.any() else 0
    if rank == 0:
        return 1.0
    w = float(shift @ np.linalg.pinv(product, hermitian=True) @ shift)
    return None if w >= units * (1 - 1e-12) else float(chdtrc(rank, w / (1 - w / units)))
