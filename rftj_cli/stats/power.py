"""How many labels a wanted interval or decision takes, and where to put them."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heapreplace
from itertools import count
from math import ceil, exp, sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr, betaincinv, ndtr, ndtri

from rftj_cli.stats.arrays import Floats, Ints
from rftj_cli.stats.binomial import clopper_pearson, wilson
from rftj_cli.stats.estimate import LEVEL
from rftj_cli.stats.jackknife import jackknife_influence
from rftj_cli.stats.table import fce_variance, kappa

FINE = 1e5  # items that a table of shares is taken for where its derivatives are asked
EXACT = 20_000  # labels up to which a gate's chance is that of binomial sums; beyond, steps of one label do not matter


def binary_shares(pass_rate: float, kappa_value: float) -> Floats:
    """Cell shares (2, 2) of a judge with this kappa whose pass rate is that of the labels."""
    _inside("pass rate", pass_rate)
    if not -1 < kappa_value < 1:
        raise ValueError(f"kappa must lie inside (-1, 1), not {kappa_value:g}")
    p, q = pass_rate, 1 - pass_rate
    off = p * q * (1 - kappa_value)
    shares = np.array([[q - off, off], [off, p - off]])
    if (shares < -1e-12).any():
        raise ValueError(f"no judge has kappa {kappa_value:g} at a pass rate of {pass_rate:g}")
    return np.asarray(np.maximum(shares, 0.0))


def table_labels(
    shares: Floats, w: Floats, half_width: float, *, level: float = LEVEL, deff: float = 1.0, power: float = 0.5
) -> int:
    """Labels for an interval of weighted kappa of +-`half_width`, by the variance of Fleiss, Cohen and Everitt (1969).

    shares: (k, k) expected cell shares, truth x verdict; w: (k, k) weights; deff: design effect of clustered items
    power: the chance that the interval is no wider; its half-width h is itself an estimate, with log h about normal around that
    of the expected table (the delta method).
    """
    if not 0 < half_width < 1:
        raise ValueError(f"a half-width lies inside (0, 1), not {half_width:g}")
    table = np.asarray(shares, np.float64) / float(np.sum(shares))
    variance = float(fce_variance(table, w))
    if not np.isfinite(variance) or not np.isfinite(float(kappa(table, w))):
        raise ValueError("kappa is undefined where all labels and verdicts are one class")
    _inside("power", power)
    n = deff * variance * (float(ndtri(0.5 + level / 2)) / half_width) ** 2
    if power != 0.5:
        pull = jackknife_influence(lambda t: np.log(fce_variance(t, w)) / 2, table * FINE)
        spread = float(ndtri(power)) * sqrt(deff * float((table * pull**2).sum()))
        n = _smallest(lambda size: n * exp(2 * spread / sqrt(size)) <= size)
    return max(2, ceil(n - 1e-9))


def kappa_labels(
    half_width: float,
    *,
    pass_rate: float,
    kappa_value: float,
    level: float = LEVEL,
    deff: float = 1.0,
    power: float = 0.5,
) -> int:
    """Labels for an interval of kappa of +-`half_width`: pass and fail, both sides passing the same share."""
    shares = binary_shares(pass_rate, kappa_value)
    return table_labels(shares, np.eye(2), half_width, level=level, deff=deff, power=power)


def rate_labels(rate: float, half_width: float, *, level: float = LEVEL, deff: float = 1.0, power: float = 0.5) -> int:
    """Labels for Wilson's interval of a rate to be no wider than 2 `half_width`.

    power: the chance of that; the rate that is found may lie nearer to 1/2, where intervals are the widest.
    """
    if not (0 <= rate <= 1 and 0 < half_width < 1):
        raise ValueError("a rate lies in [0, 1], a half-width inside (0, 1)")

    _inside("power", power)

    def wide(n: int) -> bool:
        away = abs(rate - 0.5) - float(ndtri(power)) * sqrt(rate * (1 - rate) / n)
        low, high = wilson((0.5 + max(0.0, away)) * n, n, level)
        return high - low > 2 * half_width

    return ceil(deff * _smallest(lambda n: not wide(n)))


def mcnemar_labels(discordance: float, gain: float, *, power: float = 0.8, alpha: float = 0.05) -> int:
    """Items on which two judges must be compared to see a gain in agreement (Connor 1987, without continuity).

    discordance: share of items on which exactly one of the two is right; gain: difference of their agreement
    """
    if not 0 < gain <= discordance <= 1:
        raise ValueError("a gain is above 0 and at most the discordance")
    _inside("power", power)
    _inside("alpha", alpha)
    z_alpha, z_power = float(ndtri(1 - alpha / 2)), float(ndtri(power))
    top = z_alpha * sqrt(discordance) + z_power * sqrt(discordance - gain * gain)
    return ceil((top / gain) ** 2 - 1e-9)


def gate_labels(true: float, bound: float, *, power: float = 0.8, level: float = 0.90, exact: bool = False) -> int:
    """Labels of a class with which a judge whose rate is `true` clears `bound` with the lower end of Wilson's interval.

    exact: of Clopper and Pearson's, as a gate asks. level: of the two-sided interval; .90 is one-sided 95%. The chance to pass is that of exact binomial sums. It rises in a
    sawtooth: the answer is the smallest size that reaches `power`; a few sizes above it fall just short again. Above 20,000
    labels it is that of the normal score test, ((z_level sqrt(b (1 - b)) + z_power sqrt(t (1 - t)))/(t - b))^2, which is what
    Wilson's bound comes to.
    """
    if not 0 < bound < true < 1:
        raise ValueError("needs 0 < bound < true < 1")
    _inside("power", power)
    z_level, z_power = float(ndtri(0.5 + level / 2)), float(ndtri(power))
    top = z_level * sqrt(bound * (1 - bound)) + z_power * sqrt(true * (1 - true))
    normal = (max(top, 0.0) / (true - bound)) ** 2
    if normal > EXACT:
        return ceil(normal)
    interval = clopper_pearson if exact else wilson

    def chance(n: int) -> float:
        return _pass_chance(n, true, bound, lambda hits: interval(hits, n, level)[0])

    near = _smallest(lambda n: float(np.mean([chance(n + i) for i in range(10)])) >= power)
    return next(n for n in count(max(1, near // 2)) if chance(n) >= power)


def _pass_chance(n: int, true: float, bound: float, lower: Callable[[int], float]) -> float:
    """P(lower(X) >= bound), X ~ Bin(n, true): the lower bound rises with X, so bisect for the least X."""
    low, high = 0, n + 1
    while low < high:
        middle = (low + high) // 2
        if lower(middle) >= bound:
            high = middle
        else:
            low = middle + 1
    return 0.0 if low > n else 1.0 - (float(bdtr(low - 1, n, true)) if low else 0.0)


def zero_failures_bound(n: int, *, level: float = LEVEL) -> float:
    """What the failure rate may still be after 0 failures in n: the one-sided upper bound of Clopper and Pearson."""
    if n < 1:
        raise ValueError("needs one trial or more")
    return float(betaincinv(1, n, level))


def power_of_mcnemar(n: int, discordance: float, gain: float, *, alpha: float = 0.05) -> float:
    """The chance to see a gain with n items, by the same normal approximation as `mcnemar_labels`."""
    if not (0 < gain <= discordance <= 1 and n > 0):
        raise ValueError("a gain is above 0 and at most the discordance, n above 0")
    top = gain * sqrt(n) - float(ndtri(1 - alpha / 2)) * sqrt(discordance)
    return float(ndtr(top / sqrt(max(discordance - gain * gain, 1e-12))))


def neyman(counts: ArrayLike, errors: ArrayLike, n: int, *, have: ArrayLike | None = None, least: int = 2) -> Ints:
    """How many of `n` labels go to each stratum: in proportion to N sqrt(e (1 - e)) (Neyman 1934).

    counts: (s,) units; errors: (s,) expected error rates; have: (s,) how many of the units are labelled already. It is the
    labels in all, old and new, that are to be in proportion: a stratum that has its part already gets none. Every stratum has
    `least` (or all of its units) where n suffices, none more than it has units, and the new ones are min(n, units left).

    Whole numbers L that minimise sum N^2 e (1 - e)/L (Wright 2012, after Huntington and Hill): each label goes where it lowers
    the sum most, by N^2 e (1 - e)/(L (L + 1)). Rounding the proportions by largest remainders takes too much from small strata.
    """
    size = np.asarray(counts, np.int64)
    rate, old = np.asarray(errors, np.float64), np.asarray(np.zeros_like(size) if have is None else have, np.int64)
    if not size.shape == rate.shape == old.shape or size.ndim != 1 or (size < 0).any():
        raise ValueError("counts, error rates and labels must be of one length, counts not negative")
    if not ((rate >= 0) & (rate <= 1)).all() or (old < 0).any() or (old > size).any():
        raise ValueError("error rates lie in [0, 1], labels between 0 and the counts")
    total = min(int(old.sum()) + int(n), int(size.sum()))
    pull = (size * np.sqrt(rate * (1 - rate)) + 1e-9 * size) ** 2
    lowest = np.maximum(old, np.minimum(size, least))
    given = (lowest if lowest.sum() <= total else old).tolist()

    def urgency(place: int) -> tuple[bool, float, int]:
        held = given[place]  # a stratum without a label is not estimated at all: it comes first
        return held > 0, -float(pull[place]) / max(1, held * (held + 1)), place

    open_ = [urgency(place) for place in range(size.size) if given[place] < size[place]]
    heapify(open_)
    for _ in range(total - sum(given)):
        place = open_[0][2]
        given[place] += 1
        if given[place] < size[place]:
            heapreplace(open_, urgency(place))
        else:
            heappop(open_)
    return np.asarray(given, np.int64) - old


def _smallest(holds: Callable[[int], bool]) -> int:
    """The smallest n for which `holds`, which is false below some n and true from there on."""
    low, high = 1, 2
    while not holds(high):
        low, high = high, high * 2
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _inside(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"{name} must lie inside (0, 1), not {value:g}")
