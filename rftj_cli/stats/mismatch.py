"""Are the labelled units' verdicts drawn like the others'? A chi-square test that lets answers of one cluster lean together."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc

from rftj_cli.stats.arrays import Bools, Floats, Ints
from rftj_cli.stats.estimate import Estimate


def verdict_mismatch(labelled: Floats, judged: Floats, *, deff: float = 1.0) -> Estimate:
    """p-value of "labelled and other units have the same verdicts": chi-square of the 2 x k table (Pearson 1900).

    labelled: (k,) verdicts of the labelled units, or their table (k, k) of truth x verdict; judged: (k,) those of all.
    deff: of the difference (`labelled_deff`), by which chi-square is divided (Rao and Scott 1984).
    """
    some = labelled.sum(0) if labelled.ndim == 2 else labelled
    rest = np.maximum(judged - some, 0.0)
    n = round(float(judged.sum()))
    use = (some + rest) > 0
    counts = np.stack([some[use], rest[use]])
    method = "chi-square p" if deff == 1.0 else f"chi-square p, Rao-Scott, deff {deff:.2f}"
    if rest.sum() < 0.5 or use.sum() < 2 or some.sum() == 0:
        return Estimate.missing(n, "no unit is without a label, or all verdicts are one level", method)
    expected = counts.sum(1, keepdims=True) * counts.sum(0, keepdims=True) / counts.sum()
    chi2 = float(((counts - expected) ** 2 / expected).sum()) / deff
    return Estimate(float(chdtrc(int(use.sum()) - 1, chi2)), None, None, n, method)


def labelled_deff(verdict: Ints, labelled: Bools, clusters: ArrayLike) -> float:
    """Design effect (at least 1) of the difference between the verdicts of labelled and other units, all (N,).

    1 + rho (A - 1): rho is the intra-cluster correlation of the verdicts (analysis of variance over their indicators, all
    clusters together), A = sum over clusters of (n_L/N_L - n_R/N_R)^2 over 1/N_L + 1/N_R. Whole clusters that are labelled
    give about a cluster's size; labels spread evenly over clusters give less than 1, which is not made use of.
    """
    codes = np.unique(np.asarray(clusters), return_inverse=True)[1].astype(np.int64)
    size = np.bincount(codes).astype(np.float64)
    n, groups = float(codes.size), size.size
    if groups < 2 or groups == codes.size or not 0 < int(labelled.sum()) < codes.size:
        return 1.0
    k = int(verdict.max()) + 1
    counts = np.bincount(codes * k + verdict, minlength=groups * k).reshape(groups, k).astype(np.float64)
    shares = counts.sum(0) / n
    between = float((((counts / size[:, None] - shares) ** 2).sum(1) * size).sum()) / (groups - 1)
    inside = float((counts * (1 - counts / size[:, None])).sum()) / (n - groups)
    typical = (n - float((size**2).sum()) / n) / (groups - 1)
    bottom = between + (typical - 1) * inside
    rho = min(1.0, max(0.0, (between - inside) / bottom)) if bottom > 0 else 0.0
    held = np.bincount(codes, weights=labelled, minlength=groups)
    most = float(labelled.sum())
    apart = float(((held / most - (size - held) / (n - most)) ** 2).sum()) / (1 / most + 1 / (n - most))
    return max(1.0, 1 + rho * (apart - 1))
