"""Has an instrument changed that measures the same things again and again? A bet that may be looked at at any time.

A rolling z test of the differences calls drift where there is none: one first measurement, with its noise, is compared
many times. Under "no change" all measurements of one thing are exchangeable, and only that is bet against.
"""

from __future__ import annotations

from math import exp, log

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from rftj_cli.stats.arrays import Floats
from rftj_cli.stats.sequential import MOST_LOG, EProcess

STAKES = (0.5, 1.0, 2.0, 4.0, 8.0)  # of exp(stake x), x in units of the range, upwards and downwards


def exchange_e_process(key: ArrayLike, value: ArrayLike, first: Floats, *, alpha: float = 0.05) -> EProcess:
    """Do new measurements of things come from where the first ones came from?

    key: (m,) places in `first`; value: (m,) in [0, 1], in the order of time; first: the measurement that each thing began
    with. Each new value of a thing is bet on by w(new) / mean of w over all its values so far with the new one, w(x) =
    exp(stake x): of expectation 1 where these are exchangeable, whatever their noise (a conformal test martingale, Vovk et
    al. 2005; for the second value of a thing it is a bet on the sign of the difference). The worth is the mean over ten
    stakes, five up and five down; stop at the first worth >= 1/alpha (Ville 1939). It sees changes of the mean or of
    the tails in either direction; things do not have to be alike, nor measured equally often.
    """
    keys, x = np.asarray(key, np.int64), np.asarray(value, np.float64)
    start = np.asarray(first, np.float64)
    if keys.shape != x.shape or x.ndim != 1 or not all((np.abs(one - 0.5) <= 0.5 + 1e-9).all() for one in (x, start)):
        raise ValueError("values lie in [0, 1], one for each key")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie inside (0, 1), not {alpha:g}")
    if not x.size:
        return EProcess(1.0, 1.0, None, 0)
    stakes = np.array([sign * one for one in STAKES for sign in (1, -1)])
    sums, counts = np.exp(np.outer(start, stakes)), np.ones(start.size)
    worth, logs = np.empty(x.size), np.zeros(stakes.size)
    weights = np.exp(np.outer(x, stakes))
    for place, thing in enumerate(keys):
        sums[thing] += weights[place]
        counts[thing] += 1
        logs += np.log(weights[place] * counts[thing] / sums[thing])
        worth[place] = logsumexp(logs) - log(stakes.size)
    over = np.flatnonzero(worth >= log(1 / alpha))
    return EProcess(
        exp(min(float(worth[-1]), MOST_LOG)),
        min(1.0, exp(-float(worth.max()))),
        int(over[0]) + 1 if over.size else None,
        int(x.size),
    )
