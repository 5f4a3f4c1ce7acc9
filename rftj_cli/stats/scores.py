"""Functionals of a count table whose levels are numbers or ranks: correlations, Lin's CCC, ICC, alpha, errors.

Discrete scores need no item arrays: ranks, ties and concordant pairs are all functions of the table, so a stack
of resamples (B, k, k) costs O(B k^2). `x` are the values (k,) of the levels. Undefined is nan.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rftj_cli.stats.arrays import Floats
from rftj_cli.stats.table import marginals, ratio, total


@dataclass(frozen=True, slots=True)
class Moments:
    """First and second moments (divisor n) of truth (x) and judge (y)."""

    mean_x: Floats
    mean_y: Floats
    var_x: Floats
    var_y: Floats
    cov: Floats


def moments(table: Floats, x: Floats, y: Floats) -> Moments:
    """Moments of a table whose levels have the values x and y, (k,) or one set for each table (..., k)."""
    r, c = marginals(table)
    mean_x, mean_y = (r * x).sum(-1), (c * y).sum(-1)
    dx, dy = x - mean_x[..., None], y - mean_y[..., None]
    cross = ((table * dy[..., None, :]).sum(-1) * dx).sum(-1) / total(table)
    return Moments(mean_x, mean_y, (r * dx**2).sum(-1), (c * dy**2).sum(-1), cross)


def pearson(table: Floats, x: Floats) -> Floats:
    """Product-moment correlation."""
    m = moments(table, x, x)
    return _correlation(m)


def spearman(table: Floats) -> Floats:
    """Rank correlation with mid-ranks for ties (Spearman 1904)."""
    r, c = marginals(table)
    return _correlation(moments(table, midranks(r), midranks(c)))


def ccc(table: Floats, x: Floats) -> Floats:
    """Concordance correlation 2 s_xy/(s_x^2 + s_y^2 + (mx - my)^2) (Lin 1989): a shift of the scores costs."""
    m = moments(table, x, x)
    return ratio(2 * m.cov, m.var_x + m.var_y + (m.mean_x - m.mean_y) ** 2)


def icc(table: Floats, x: Floats) -> Floats:
    """ICC(2,1), absolute agreement of single ratings by two random raters (Shrout and Fleiss 1979).

    With unbiased variances Sx, Sy and covariance C: 2C/(Sx + Sy + (mx - my)^2 - (Sx + Sy - 2C)/n), the quotient
    of mean squares written out for two raters.
    """
    m, n = moments(table, x, x), total(table)
    unbias = ratio(n, n - 1)
    both, cov = (m.var_x + m.var_y) * unbias, m.cov * unbias
    return ratio(2 * cov, both + (m.mean_x - m.mean_y) ** 2 - (both - 2 * cov) / n)


def kendall_tau_b(table: Floats) -> Floats:
    """(concordant - discordant)/sqrt(pairs untied in x * pairs untied in y) (Kendall 1945)."""
    below = np.cumsum(table[..., ::-1, :], axis=-2)[..., ::-1, :]
    below = np.concatenate([below[..., 1:, :], np.zeros_like(below[..., :1, :])], axis=-2)
    left = np.cumsum(below, axis=-1)
    right = left[..., -1:] - left
    left = left - below
    excess = (table * (right - left)).sum((-2, -1))
    n = total(table)
    r, c = marginals(table)
    untied = np.sqrt(np.maximum(1 - (r * r).sum(-1), 0)) * np.sqrt(np.maximum(1 - (c * c).sum(-1), 0)) / 2
    return ratio(excess / n**2, untied)


def alpha_ordinal(table: Floats) -> Floats:
    """Krippendorff's alpha with the ordinal distance, for two raters and no gaps (Krippendorff 2011).

    The ordinal distance of two levels is that of their mid-positions among all 2n ratings.
    """
    n = total(table)
    r, c = marginals(table)
    pooled = (r + c) / 2
    place = midranks(pooled)
    observed = (table * (place[..., :, None] - place[..., None, :]) ** 2).sum((-2, -1)) / n
    spread = (pooled * (place - (pooled * place).sum(-1)[..., None]) ** 2).sum(-1)
    return 1 - ratio((2 * n - 1) / (2 * n) * observed, 2 * spread)


def mae(table: Floats, x: Floats) -> Floats:
    """Mean |judge - human|."""
    return np.asarray((table * np.abs(x[None, :] - x[:, None])).sum((-2, -1)) / total(table))


def bias(table: Floats, x: Floats) -> Floats:
    """Mean judge - human: positive where the judge is the milder one."""
    return np.asarray((table * (x[None, :] - x[:, None])).sum((-2, -1)) / total(table))


def midranks(shares: Floats) -> Floats:
    """Mid-distribution position (..., k) of each level: all that lies below it and half of itself."""
    return np.asarray(np.cumsum(shares, axis=-1) - shares / 2)


def _correlation(m: Moments) -> Floats:
    return ratio(m.cov, np.sqrt(m.var_x) * np.sqrt(m.var_y))
