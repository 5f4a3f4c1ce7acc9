"""Does a score rank items as an outcome does? The AUC, over all pairs or over pairs that are alike in something else."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rftj_cli.stats.arrays import Floats
from rftj_cli.stats.binomial import share_from_se
from rftj_cli.stats.clusters import ONE_CLUSTER, few, item_se
from rftj_cli.stats.dominance import below
from rftj_cli.stats.estimate import LEVEL, Estimate, percent
from rftj_cli.stats.groups import rank_freedom
from rftj_cli.stats.ties import settled

ONE_OUTCOME = "the outcome never varies"


def concordance(
    outcome: ArrayLike,
    score: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = LEVEL,
) -> Estimate:
    """P(the score ranks a pair as the outcome does), ties of the score counted half, over pairs whose outcomes differ.

    outcome, score: (n,) finite. With a yes/no outcome (0, 1) this is the area under the ROC curve.
    strata: (n,) keys; then only pairs inside a stratum count (the AUC at equal length, say)
    clusters: (n,) keys of what items belong to

    Interval: each item's share in the pairs is its pull (for the AUC the placements of DeLong 1988), summed by cluster,
    as an effective n in Wilson's interval, so that 1.0 keeps a width; degrees of freedom as `rank_freedom` has them. n counts the items that are in any pair.
    """
    x, y = np.asarray(outcome, dtype=np.float64), np.asarray(score, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("outcome and score must be finite arrays of one length")
    x, y = settled(x), settled(y)
    group = None if strata is None else np.unique(np.asarray(strata), return_inverse=True)[1].astype(np.int64)
    low, high = below(x, y, group), below(-x, -y, group)
    pairs = (low.x + high.x).astype(np.float64)
    credit = low.both + high.both + (low.tied + high.tied) / 2
    total, n = float(pairs.sum()), int((pairs > 0).sum())
    if total == 0:
        return Estimate.missing(int(x.size), ONE_OUTCOME if strata is None else f"{ONE_OUTCOME} inside a stratum")
    value = float(credit.sum()) / total
    codes = None if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1].astype(np.int64)
    # Every pair stands in the sums of both its items: the projection of a statistic of pairs counts it twice too.
    pull = 2 * (credit - value * pairs) / total
    se, units = item_se(pull, codes)
    if units < 2:
        return Estimate(value, None, None, n, "none", ONE_CLUSTER)
    most = float(n) if se > 1e-12 else _rarer(x[pairs > 0])  # without an error the rarer outcome bounds what is known
    df = rank_freedom(pull[pairs > 0], x[pairs > 0], None if codes is None else codes[pairs > 0])
    low_, high_ = share_from_se(value, se, units, most, level, df=df)
    method = f"Wilson {percent(level)} on the effective n of the placements, t({df:.0f})"
    return Estimate(value, low_, high_, n, method, None if codes is None else few(units))


def _rarer(outcome: Floats) -> float:
    """How many items do not have the most frequent outcome."""
    return float(outcome.size - np.unique(outcome, return_counts=True)[1].max())
