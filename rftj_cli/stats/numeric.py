"""Agreement of continuous scores: correlations, Lin's CCC and errors, with influence-function intervals.

Every number is a smooth function of means and ranks, so one pass gives each item's pull on it; their (clustered)
sum of squares is its variance. No resampling: O(n log n), the same bytes every time, a million rows in seconds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rftj_cli.stats.arrays import Floats, Ints
from rftj_cli.stats.clusters import few, item_se
from rftj_cli.stats.dominance import concordance, dense
from rftj_cli.stats.estimate import LEVEL, Estimate, percent
from rftj_cli.stats.intervals import SCALES, Scale, symmetric_interval
from rftj_cli.stats.ties import settled

CORRELATIONS = ("spearman", "kendall_tau_b", "pearson", "ccc")
LEVELS = ("mae", "bias", "mean_truth", "mean_judge")


def numeric_agreement(
    truth: ArrayLike, score: ArrayLike, *, clusters: ArrayLike | None = None, level: float = LEVEL
) -> dict[str, Estimate]:
    """spearman, kendall_tau_b, pearson, ccc, mae, bias (mean score - truth) and both means of two arrays (n,).

    clusters: (n,) any keys of what the items belong to.

    Intervals: correlations by t on the Fisher z scale from their influence values; mae on the log scale, bias and
    means on their own.
    """
    x, y = np.asarray(truth, dtype=np.float64), np.asarray(score, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("truth and score must be finite arrays of one length")
    if x.size == 0:
        return {name: Estimate.missing(0, "no items") for name in (*CORRELATIONS, *LEVELS)}
    x, y = settled(x), settled(y)
    groups = _codes(clusters, x.size)
    constant = "labels" if np.ptp(x) == 0 else "scores" if np.ptp(y) == 0 else None
    if constant is not None:
        reason = f"the {constant} never vary"
        found = {name: Estimate.missing(x.size, reason) for name in CORRELATIONS}
    else:
        ranks = dense(x), dense(y)
        found = {
            "spearman": _interval(*_spearman(ranks[0], ranks[1]), groups, "fisher", level),
            "kendall_tau_b": _interval(*_tau_b(ranks[0], ranks[1]), groups, "fisher", level),
            "pearson": _interval(*_pearson(x, y), groups, "fisher", level),
            "ccc": _interval(*_ccc(x, y), groups, "fisher", level),
        }
    error = np.abs(y - x)
    found["mae"] = _interval(float(error.mean()), error - error.mean(), groups, "log", level)
    for name, of in (("bias", y - x), ("mean_truth", x), ("mean_judge", y)):
        found[name] = _interval(float(of.mean()), of - of.mean(), groups, "identity", level)
    return found


def _codes(clusters: ArrayLike | None, n: int) -> Ints | None:
    if clusters is None:
        return None
    codes = dense(np.asarray(clusters))
    return None if int(codes.max()) + 1 == n else codes


def _interval(value: float, psi: Floats, clusters: Ints | None, scale: Scale, level: float) -> Estimate:
    se, units = item_se(psi / psi.size, clusters)
    method = (
        f"{'influence' if clusters is None else 'cluster influence'} {percent(level)}, t({units - 1}), {SCALES[scale]}"
    )
    if units < 2:
        reason = "1 item: no interval" if clusters is None else "only 1 cluster: no interval"
        return Estimate(value, None, None, psi.size, "none", reason)
    note = None if clusters is None else few(units)
    return symmetric_interval(value, se, units, scale, psi.size, method, note, level)


def _pearson(x: Floats, y: Floats) -> tuple[float, Floats]:
    zx, zy = ((one - one.mean()) / one.std() for one in (_unit(x), _unit(y)))
    r = _bounded(float((zx * zy).mean()))
    return r, zx * zy - r * (zx**2 + zy**2) / 2


def _unit(x: Floats) -> Floats:
    """Within [-1, 1], so that squares of very large and very small numbers are numbers."""
    return np.asarray(x / np.abs(x).max())


def _ccc(x: Floats, y: Floats) -> tuple[float, Floats]:
    """Lin 1989: 2 s_xy/D, D = s_x^2 + s_y^2 + (mx - my)^2 = mean (x-y)^2 + 2 s_xy."""
    size = float(max(np.abs(x).max(), np.abs(y).max()))
    x, y = x / size, y / size
    dx, dy = x - x.mean(), y - y.mean()
    gap = float(x.mean() - y.mean())
    cov, bottom = float((dx * dy).mean()), float((dx**2).mean() + (dy**2).mean() + gap**2)
    value = 2 * cov / bottom
    psi_bottom = dx**2 + dy**2 + 2 * gap * (dx - dy) - (bottom - gap**2)
    return value, (2 * (dx * dy - cov) - value * psi_bottom) / bottom


def spearman_influence(x: Floats, y: Floats) -> tuple[float, Floats]:
    """Correlation of the mid-distribution values F, G. An item pulls by its own ranks and by shifting those of others."""
    return _spearman(dense(x), dense(y))


def _spearman(x: Ints, y: Ints) -> tuple[float, Floats]:
    """`spearman_influence` of dense ranks."""
    order_x, order_y = _Order(x), _Order(y)
    f, g = order_x.middle() - 0.5, order_y.middle() - 0.5
    cov, var_f, var_g = float((f * g).mean()), float((f * f).mean()), float((g * g).mean())
    value = _bounded(cov / np.sqrt(var_f * var_g))
    psi_cov = f * g + order_x.above(g) + order_y.above(f) - 3 * cov
    psi_f = f * f + 2 * order_x.above(f) - 3 * var_f
    psi_g = g * g + 2 * order_y.above(g) - 3 * var_g
    return value, psi_cov / np.sqrt(var_f * var_g) - value / 2 * (psi_f / var_f + psi_g / var_g)


class _Order:
    """Places of the items of one array of dense ranks: runs of equal values in sorted order."""

    def __init__(self, run: Ints) -> None:
        counts = np.bincount(run)
        self.run, self.n, self.count = run, run.size, counts.size
        self.before = np.cumsum(counts) - counts / 2

    def middle(self) -> Floats:
        """Mid-distribution value of each item: the share below it and half of its equals."""
        return np.asarray(self.before[self.run] / self.n)

    def above(self, weight: Floats) -> Floats:
        """For each item, the mean over all items of weight where they lie above it, half of it where level."""
        sums = np.bincount(self.run, weights=weight, minlength=self.count)
        upto = np.cumsum(sums) - sums / 2
        return np.asarray((sums.sum() - upto)[self.run] / self.n)


def _tau_b(x: Ints, y: Ints) -> tuple[float, Floats]:
    """Kendall 1945: K/sqrt(Dx Dy), mean sign products over ordered pairs; an item's pull is its own mean.

    x, y: dense ranks
    """
    n = x.size
    of_item = concordance(x, y) / n
    untied_x, untied_y = ((n - np.bincount(one)[one]) / n for one in (x, y))
    k, dx, dy = float(of_item.mean()), float(untied_x.mean()), float(untied_y.mean())
    value = _bounded(k / np.sqrt(dx * dy))
    psi = 2 * (of_item - k) / np.sqrt(dx * dy) - value * ((untied_x - dx) / dx + (untied_y - dy) / dy)
    return value, np.asarray(psi)


def _bounded(value: float) -> float:
    """Rounding must not carry a correlation past 1."""
    return float(min(1.0, max(-1.0, value)))
