"""Tests and intervals that hold however often one looks, for labels that come one by one.

A fixed-n test that is looked at again and again rejects a true null far too often (28% with a look every 10
discordant pairs). An e-process is a fair bet against the null: it may be looked at after every label (Ville 1939).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln

from rftj_cli.stats.arrays import Floats
from rftj_cli.stats.estimate import LEVEL, Estimate, percent

MOST_LOG = 700.0  # exp() of more is no float


@dataclass(frozen=True, slots=True)
class EProcess:
    """e_value: the bet's worth now; p: anytime-valid, 1/(largest worth so far); stopped: pairs seen when it first reached
    1/alpha, None while it has not."""

    e_value: float
    p: float
    stopped: int | None
    pairs: int


def discordant_e_process(b_wins: ArrayLike, *, alpha: float = 0.05) -> EProcess:
    """Is B right on the discordant pairs as often as A? b_wins: (m,) 1 where B alone was right, 0 where A alone was.

    E = Beta(b + 1/2, c + 1/2)/Beta(1/2, 1/2) 2^(b + c) after b wins of B and c of A: the likelihood of the Jeffreys
    mixture over that of a fair coin. Reject at the first E >= 1/alpha, whenever that is.
    """
    wins = np.asarray(b_wins, np.float64)
    if wins.ndim != 1 or not np.isin(wins, (0.0, 1.0)).all():
        raise ValueError("each discordant pair is 1 (B alone right) or 0 (A alone right)")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie inside (0, 1), not {alpha:g}")
    m = np.arange(1, wins.size + 1)
    b = np.cumsum(wins)
    worth = betaln(b + 0.5, m - b + 0.5) - betaln(0.5, 0.5) + m * log(2)
    if not worth.size:
        return EProcess(1.0, 1.0, None, 0)
    over = np.flatnonzero(worth >= log(1 / alpha))
    best = float(worth.max())
    return EProcess(
        exp(min(float(worth[-1]), MOST_LOG)), min(1.0, exp(-best)), int(over[0]) + 1 if over.size else None, wins.size
    )  # fmt: skip


def confidence_sequence(right: ArrayLike, *, level: float = LEVEL) -> Estimate:
    """A rate with an interval that may be looked at after every label; right: (n,) of 0 and 1 in the order of labelling.

    The rates p at which Beta(s + 1/2, f + 1/2)/Beta(1/2, 1/2)/(p^s (1-p)^f) never reached 1/alpha, s successes and f
    failures (Robbins 1970, Jeffreys mixture): what was once excluded stays so.
    """
    x = np.asarray(right, np.float64)
    if x.ndim != 1 or not np.isin(x, (0.0, 1.0)).all():
        raise ValueError("each label is 1 or 0")
    n = int(x.size)
    if n == 0:
        return Estimate.missing(0, "no labels")
    s = np.cumsum(x)
    f = np.arange(1, n + 1) - s
    reach = betaln(s + 0.5, f + 0.5) - betaln(0.5, 0.5) - log(1 / (1 - level))
    low, high = float(_edge(s, f, reach, -1).max()), float(_edge(s, f, reach, +1).min())
    value, method = float(x.mean()), f"confidence sequence {percent(level)}, Jeffreys mixture"
    if low > high:
        return Estimate(
            value, None, None, n, method, "every rate was excluded once: the labels hardly come at one rate"
        )
    return Estimate(value, min(low, value), max(high, value), n, method)


def _edge(s: Floats, f: Floats, reach: Floats, side: int) -> Floats:
    """Where s log p + f log(1-p) falls to `reach`, on one side of its peak s/(s+f): bisection, all labels at once."""
    peak = s / (s + f)
    inner, outer = peak.copy(), np.full(s.size, 0.0 if side < 0 else 1.0)
    for _ in range(60):
        middle = (inner + outer) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            height = np.where(s > 0, s * np.log(middle), 0.0) + np.where(f > 0, f * np.log1p(-middle), 0.0)
        keep = height >= reach
        inner, outer = np.where(keep, middle, inner), np.where(keep, outer, middle)
    return np.asarray((inner + outer) / 2)
