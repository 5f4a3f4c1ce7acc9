"""A share of units with credits between 0 and 1, where units may belong to clusters."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rftj_cli.stats.arrays import Floats
from rftj_cli.stats.binomial import proportion
from rftj_cli.stats.clusters import few
from rftj_cli.stats.estimate import Estimate


def share(credit: ArrayLike, *, clusters: ArrayLike | None = None, note: str | None = None) -> Estimate:
    """The mean of `credit` (n,) in [0, 1] with Wilson's interval on n/deff (1, or .5 for half a credit).

    clusters: (n,) any keys. deff = max(1, variance of the mean by cluster sums / variance of independent units); the
    mean cluster size where all credits are equal, as if each cluster had one voice.
    """
    x: Floats = np.asarray(credit, dtype=np.float64)
    n = int(x.size)
    if clusters is None or n < 2:
        return proportion(float(x.sum()), n, note=note)
    codes = np.unique(np.asarray(clusters), return_inverse=True)[1]
    groups = int(codes.max()) + 1
    pull = x - x.mean()
    iid = float(pull @ pull)
    sums = np.bincount(codes, weights=pull)
    if groups < 2 or iid == 0:
        deff = n / groups
    else:
        deff = max(1.0, float(sums @ sums) * groups / (groups - 1) / (iid * n / (n - 1)))
    return proportion(float(x.sum()), n, deff=deff, note=note or (few(groups) if groups < n else None))
