"""What production says of a judge's scores: outcome rates and means along the score, and rank agreement at equal length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rftj_cli.stats.arrays import Floats, Ints
from rftj_cli.stats.clusters import few, item_se, pulled
from rftj_cli.stats.estimate import LEVEL, Estimate, percent
from rftj_cli.stats.intervals import SCALES, symmetric_interval
from rftj_cli.stats.numeric import spearman_influence
from rftj_cli.stats.shares import mean, share
from rftj_cli.stats.ties import settled

BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """The items whose score lies in [low, high]: the mean outcome (yes/no: the rate), and over that of all (`lift`)."""

    low: float
    high: float
    outcome: Estimate
    lift: Estimate


def equal_bins(score: Floats, most: int = BINS) -> Ints:
    """Bin codes (n,) 0..b-1 in the order of the score: about equal in size, and equal scores are never parted."""
    values, run, counts = np.unique(score, return_inverse=True, return_counts=True)
    if values.size <= most:
        return run.astype(np.int64)
    middle = np.cumsum(counts) - counts / 2
    of_value = np.minimum((middle * most / score.size).astype(np.int64), most - 1)
    return np.unique(of_value, return_inverse=True)[1].astype(np.int64)[run]


def by_score(
    outcome: ArrayLike, score: ArrayLike, *, clusters: ArrayLike | None = None, level: float = LEVEL, most: int = BINS
) -> tuple[Bin, ...]:
    """The outcome along the score, in at most `most` bins (deciles where scores allow it), lowest scores first.

    outcome: (n,) 0 and 1 (rates with Wilson's interval) or numbers (means with t); score: (n,). `lift` is the bin's mean
    over the mean of all, with a t interval of the ratio on the log scale; missing where the mean of all is not positive.
    """
    x, y = np.asarray(outcome, dtype=np.float64), np.asarray(score, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("outcome and score must be finite arrays of one length")
    y = settled(y)
    keys = np.arange(x.size) if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    binary = bool(np.isin(x, (0.0, 1.0)).all())
    found = []
    code = equal_bins(y, most)
    for one in range(int(code.max(initial=-1)) + 1):
        inside = code == one
        within = None if clusters is None else keys[inside]
        of = share if binary else mean
        inner = of(x[inside], clusters=within, level=level)
        found.append(Bin(float(y[inside].min()), float(y[inside].max()), inner, _lift(x, inside, keys, level)))
    return tuple(found)


def _lift(x: Floats, inside: np.ndarray[tuple[int], np.dtype[np.bool_]], keys: Ints, level: float) -> Estimate:
    """mean inside/mean of all; both share items, so each item pulls on the ratio as a whole."""
    n, held, overall = x.size, int(inside.sum()), float(x.mean())
    if overall <= 0 or (x < 0).any():
        return Estimate.missing(held, "the outcome is not positive on the average, or negative somewhere")
    height = float(x[inside].mean())
    value = height / overall
    pull = (np.where(inside, (x - height) / held, 0.0) - value * (x - overall) / n) / overall
    se, units = item_se(pull, keys)
    method = f"influence {percent(level)}, t({units - 1}), {SCALES['log']}"
    return symmetric_interval(value, se, units, "log", held, method, None, level) if units > 1 else Estimate(
        value, None, None, held, method, "only 1 independent unit: no interval"
    )  # fmt: skip


def partial_spearman(
    outcome: ArrayLike, score: ArrayLike, control: ArrayLike, *, clusters: ArrayLike | None = None, level: float = LEVEL
) -> Estimate:
    """Rank correlation of outcome and score with that of a third variable taken out (Kendall 1942), all (n,).

    (r_xy - r_xz r_yz)/sqrt((1 - r_xz^2)(1 - r_yz^2)) of Spearman's r. Interval: its influence values follow from those of the
    three correlations; t on the Fisher z scale.
    """
    x, y, z = (np.asarray(one, dtype=np.float64) for one in (outcome, score, control))
    if not x.shape == y.shape == z.shape or x.ndim != 1 or not all(np.isfinite(one).all() for one in (x, y, z)):
        raise ValueError("outcome, score and control must be finite arrays of one length")
    x, y, z = settled(x), settled(y), settled(z)
    n = int(x.size)
    if n < 4 or min(float(np.ptp(one)) for one in (x, y, z)) == 0:
        return Estimate.missing(n, "one of the three never varies" if n >= 4 else "fewer than 4 items")
    (xy, of_xy), (xz, of_xz), (yz, of_yz) = (spearman_influence(a, b) for a, b in ((x, y), (x, z), (y, z)))
    left = (1 - xz * xz) * (1 - yz * yz)
    if left <= 1e-12:
        return Estimate.missing(n, "the third variable ranks the items exactly as one of the two")
    value = min(1.0, max(-1.0, (xy - xz * yz) / np.sqrt(left)))
    psi = of_xy / np.sqrt(left)
    psi = psi + of_xz * (value * xz / (1 - xz * xz) - yz / np.sqrt(left))
    psi = psi + of_yz * (value * yz / (1 - yz * yz) - xz / np.sqrt(left))
    codes = None if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1].astype(np.int64)
    (se, units), df = item_se(psi / n, codes), pulled(psi, codes)
    method = f"influence {percent(level)}, t({df:.0f}), {SCALES['fisher']}"
    if units < 2:
        return Estimate(float(value), None, None, n, method, "only 1 cluster: no interval")
    return symmetric_interval(
        float(value), se, df + 1, "fisher", n, method, None if codes is None else few(units), level
    )
