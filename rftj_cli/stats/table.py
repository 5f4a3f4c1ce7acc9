"""Agreement as functionals of a count table T[..., h, j]: row = truth's level, column = judge's level.

Every function takes leading axes, so that a stack of resampled tables (B, k, k) costs O(B k^2) whatever n is.
What is undefined is nan here; `intervals` turns it into a missing `Estimate` with its reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from rftj_cli.stats.arrays import Floats, Ints

WeightKind = Literal["nominal", "linear", "quadratic"]


def cross_table(truth: Ints, judge: Ints, k: int) -> Floats:
    """Counts (k, k) of two arrays (n,) of level codes 0..k-1."""
    return np.bincount(truth * k + judge, minlength=k * k).reshape(k, k).astype(np.float64)


def weights(k: int, kind: WeightKind, values: Sequence[float] | None = None) -> Floats:
    """Agreement weights (k, k) with 1 on the diagonal (Cohen 1968).

    nominal: 1 only there; linear: 1 - |d|/range; quadratic: 1 - (d/range)^2, d the distance of `values`
    (default 0..k-1: distances of levels).
    """
    if kind == "nominal":
        return np.eye(k)
    scale = np.arange(k, dtype=np.float64) if values is None else np.asarray(values, dtype=np.float64)
    distance = np.abs(scale[:, None] - scale[None, :])
    span = distance.max(initial=0.0)
    distance = distance / (span if span > 0 else 1.0)
    return np.asarray(1 - (distance if kind == "linear" else distance**2))


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """numerator/denominator, nan where the denominator is 0 up to rounding."""
    top, bottom = np.broadcast_arrays(np.asarray(numerator, np.float64), np.asarray(denominator, np.float64))
    out = np.full(top.shape, np.nan)
    return np.asarray(np.divide(top, bottom, out=out, where=np.abs(bottom) > 1e-12))


def total(table: Floats) -> Floats:
    """n of each table, nan for an empty one."""
    n = np.asarray(table.sum((-2, -1)), np.float64)
    return np.asarray(np.where(n > 0, n, np.nan))


def marginals(table: Floats) -> tuple[Floats, Floats]:
    """Shares of the levels (..., k) among the labels and among the verdicts.

    Summed before dividing, so that a constant column is exactly 1.
    """
    n = total(table)[..., None]
    return np.asarray(table.sum(-1) / n), np.asarray(table.sum(-2) / n)


def observed_agreement(table: Floats, w: Floats | None = None) -> Floats:
    """sum P.W; without weights the share of exact agreement."""
    mass = np.trace(table, axis1=-2, axis2=-1) if w is None else (table * w).sum((-2, -1))
    return np.asarray(mass / total(table))


def kappa(table: Floats, w: Floats) -> Floats:
    """(po - pe)/(1 - pe), pe = r'Wc (Cohen 1960, 1968). nan where pe = 1: all labels and verdicts are one class."""
    r, c = marginals(table)
    chance = ((r @ w) * c).sum(-1)
    return ratio(observed_agreement(table, w) - chance, 1 - chance)


def scott_pi(table: Floats) -> Floats:
    """(po - pe)/(1 - pe), pe = sum pi^2, pi = (r+c)/2 (Scott 1955): kappa for two sides that use the levels alike.

    Never above Cohen's kappa. nan where pe = 1: all labels and verdicts are one class.
    """
    r, c = marginals(table)
    chance = (((r + c) / 2) ** 2).sum(-1)
    return ratio(observed_agreement(table) - chance, 1 - chance)


def gwet_ac(table: Floats, w: Floats) -> Floats:
    """AC1 (identity weights) or AC2 (Gwet 2008): pe = sum(W)/(k(k-1)) sum pi(1-pi), pi = (r+c)/2.

    It hardly moves with prevalence, so a large gap to kappa shows a lopsided table. Defined where all is one class: pe is
    then 0 and the value 1, where kappa is 0/0.
    """
    k = table.shape[-1]
    if k < 2:
        return np.full(table.shape[:-2], np.nan)
    r, c = marginals(table)
    pi = (r + c) / 2
    chance = w.sum() / (k * (k - 1)) * (pi * (1 - pi)).sum(-1)
    return ratio(observed_agreement(table, w) - chance, 1 - chance)


def mcc(table: Floats) -> Floats:
    """Matthews correlation of k classes, R_K (Gorodkin 2004). nan where labels or verdicts never vary."""
    r, c = marginals(table)
    covariance = observed_agreement(table) - (r * c).sum(-1)
    spread = np.sqrt(np.maximum((1 - (r * r).sum(-1)), 0)) * np.sqrt(np.maximum(1 - (c * c).sum(-1), 0))
    return ratio(covariance, spread)


def kappa_max(table: Floats) -> Floats:
    """The largest nominal kappa that these marginals allow (Cohen 1960)."""
    r, c = marginals(table)
    chance = (r * c).sum(-1)
    return ratio(np.minimum(r, c).sum(-1) - chance, 1 - chance)


def balanced_accuracy(table: Floats) -> Floats:
    """Mean recall over the levels that occur among the labels; nan where none does."""
    rows = table.sum(-1)
    hits = np.diagonal(table, axis1=-2, axis2=-1)
    recall = np.divide(hits, rows, out=np.zeros(rows.shape), where=rows > 0)
    return ratio(recall.sum(-1), np.asarray((rows > 0).sum(-1), np.float64))


def macro_f1(table: Floats) -> Floats:
    """Unweighted mean of 2TP/(labels + verdicts) over the levels that occur among either; nan for an empty table."""
    used = table.sum(-1) + table.sum(-2)
    hits = np.diagonal(table, axis1=-2, axis2=-1)
    f1 = np.divide(2 * hits, used, out=np.zeros(used.shape), where=used > 0)
    return ratio(f1.sum(-1), np.asarray((used > 0).sum(-1), np.float64))


def youden_j(table: Floats) -> Floats:
    """TPR + TNR - 1 of a binary table (Youden 1950); nan where one of the two is undefined."""
    both = (table.sum(-1) > 0).all(-1)
    return np.asarray(np.where(both, 2 * balanced_accuracy(table) - 1, np.nan))


def influence(table: Floats, w: Floats) -> Floats:
    """Influence values psi (..., k, k) of kappa: what one more item in cell (h, j) pulls on it.

    psi = [W - (wr_h + wc_j)(1 - kappa) - (kappa - pe(1 - kappa))]/(1 - pe), wr = Wc, wc = W'r. Its mean square over n
    is the variance of Fleiss, Cohen and Everitt; its sums inside clusters and its differences between two judges
    give the clustered and the paired variance.
    """
    r, c = marginals(table)
    wr, wc = c @ w.T, r @ w
    chance = (r * wr).sum(-1)[..., None, None]
    k = kappa(table, w)[..., None, None]
    pull = w - (wr[..., :, None] + wc[..., None, :]) * (1 - k)
    return ratio(pull - (k - chance * (1 - k)), 1 - chance)


def fce_variance(table: Floats, w: Floats) -> Floats:
    """Large-sample variance of (weighted) kappa (Fleiss, Cohen and Everitt 1969)."""
    n = total(table)
    r, c = marginals(table)
    wr, wc = c @ w.T, r @ w
    chance = (r * wr).sum(-1)
    k = kappa(table, w)
    pull = w - (wr[..., :, None] + wc[..., None, :]) * (1 - k)[..., None, None]
    second = (table * pull**2).sum((-2, -1)) / n
    return ratio(second - (k - chance * (1 - k)) ** 2, n * (1 - chance) ** 2)
