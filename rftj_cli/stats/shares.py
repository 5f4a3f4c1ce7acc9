"""A share of units with credits between 0 and 1, or a mean of numbers, where units may belong to clusters."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rftj_cli.stats.arrays import Floats
from rftj_cli.stats.binomial import proportion
from rftj_cli.stats.clusters import ONE_CLUSTER, RARER, codes_of, effect_of, few, item_se, rarer
from rftj_cli.stats.estimate import LEVEL, Estimate, percent
from rftj_cli.stats.intervals import Scale, symmetric_interval


def share(
    credit: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    weights: Floats | None = None,
    note: str | None = None,
    graded: bool = False,
    level: float = LEVEL,
) -> Estimate:
    """The mean of `credit` (n,) in [0, 1] with Wilson's interval on n/deff (1, or .5 for half a credit).

    clusters: (n,) any keys; deff is that of `shrunken_effect`, events are counted by `rarer`.
    weights: (n,) 1/inclusion probability on any scale; the mean is then the weighted one, and deff also what the weights
    cost, at least n over Kish's (sum w)^2/sum w^2.
    graded: credits are amounts, of any size between 0 and 1. deff is then also times their variance over that of 0s and 1s
    with the same mean, which may be many times as large; it can fall below 1. Where all are equal it says what it says of
    0s and 1s.
    """
    x: Floats = np.asarray(credit, dtype=np.float64)
    n = int(x.size)
    if not ((x >= -1e-9) & (x <= 1 + 1e-9)).all():
        raise ValueError("credits lie in [0, 1]")
    weights = _checked(weights, n)
    codes = np.arange(n) if clusters is None else codes_of(clusters, n)
    groups = int(codes.max(initial=-1)) + 1
    if n < 2 or (groups == n and weights is None and not graded):
        return proportion(float(x.sum()), n, note=note, level=level)
    w = np.ones(n) if weights is None else weights * n / weights.sum()
    value = float(x[0]) if np.ptp(x) == 0 else float(w @ x) / n  # 1, not the last digit below it
    if groups < 2:
        return Estimate(value, None, None, n, "none", ONE_CLUSTER)
    pull = x - value
    iid = float(w @ pull**2)
    cost = float(w @ w) / n
    cost = cost if iid == 0 else max(cost, float((w * pull) @ (w * pull)) / iid)
    events = rarer(*(np.bincount(codes, one).astype(np.float64) for one in (x, np.ones(n))))
    deff = cost * effect_of(w * pull, codes, events, level, weights)
    if graded and 0 < value < 1 and iid > 0:
        deff *= iid / (float(w.sum()) * value * (1 - value))
    caution = note or (few(groups, events, RARER) if groups < n else None)
    return proportion(value * n, n, deff=deff, note=caution, level=level)


def mean(
    x: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    weights: Floats | None = None,
    scale: Scale = "identity",
    level: float = LEVEL,
) -> Estimate:
    """The mean of numbers (n,) with a t interval; clusters: (n,) any keys, whose sums are then the independent pieces.

    weights: (n,) 1/inclusion probability on any scale. scale: on which the interval is symmetric; log for numbers above 0.
    """
    values: Floats = np.asarray(x, dtype=np.float64)
    n = int(values.size)
    if n == 0:
        return Estimate.missing(0, "no items")
    if not np.isfinite(values).all():
        raise ValueError("the numbers of a mean are finite")
    weights = _checked(weights, n)
    codes = None if clusters is None else codes_of(clusters, n)
    w = np.full(n, 1 / n) if weights is None else weights / weights.sum()
    value = float(w @ values)
    se, units = item_se(w * (values - value), codes)
    method = f"mean {percent(level)}, t({units - 1})"
    if units < 2:
        return Estimate(value, None, None, n, method, "1 item: no interval" if codes is None else ONE_CLUSTER)
    return symmetric_interval(value, se, units, scale, n, method, None if codes is None else few(units), level)


def _checked(weights: Floats | None, n: int) -> Floats | None:
    if (
        weights is not None
        and n
        and not (weights.shape == (n,) and np.isfinite(weights).all() and weights.min() >= 0 < weights.max())
    ):
        raise ValueError("weights are finite, not negative and not all 0, one for each item")
    return weights
