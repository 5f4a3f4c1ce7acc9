"""Agreement of continuous scores: correlations, Lin's CCC and errors, with influence-function intervals.

Every number is a smooth function of means and ranks, so one pass gives each item's pull on it; their (clustered)
sum of squares is its variance. No resampling: O(n log n), the same bytes every time, a million rows in seconds.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from rftj_cli.stats.arrays import Floats, Ints
from rftj_cli.stats.binomial import wilson
from rftj_cli.stats.clusters import ONE_CLUSTER, few, freedom, item_se
from rftj_cli.stats.dominance import concordance, dense
from rftj_cli.stats.estimate import LEVEL, Estimate, percent
from rftj_cli.stats.intervals import SCALES, Scale, symmetric_interval
from rftj_cli.stats.moved import flip_effect, sums
from rftj_cli.stats.shares import share
from rftj_cli.stats.ties import settled

CORRELATIONS = ("spearman", "kendall_tau_b", "pearson", "ccc")
LEAST_DF = 4
HEAVY = 20.0  # kurtosis of the influence values; that of a correlation of normal numbers is 9
HEAVY_TAILS = "a few items carry most of the variance"
LEVELS = ("mae", "bias", "mean_truth", "mean_judge")


def numeric_agreement(
    truth: ArrayLike,
    score: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    ends: tuple[float, float] | None = None,
    level: float = LEVEL,
) -> dict[str, Estimate]:
    """spearman, kendall_tau_b, pearson, ccc, mae, bias (mean score - truth) and both means of two arrays (n,).

    clusters: (n,) any keys of what the items belong to.

    Intervals: correlations by t on the Fisher z scale from their influence values; mae on the log scale, bias and
    means on their own. With clusters t has Satterthwaite's degrees of freedom. A score without any error has
    an interval too: of what a score that is unrelated to the label on a few items would do (`_without_error`).
    ends: of the scale, where it has any: the means then have t on the logit of their share of the range, and no interval
    holds what the scale does not.
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
    if constant is None:
        found = {name: _without_error(name, one, x, groups, level) for name, one in found.items()}
    if ends is not None:
        span = ends[1] - ends[0]
        found["bias"], found["mae"] = within(found["bias"], -span, span), within(found["mae"], 0.0, span)
        found |= {name: bounded_mean(of, groups, ends, level) for name, of in (("mean_truth", x), ("mean_judge", y))}
    return found


def bounded_mean(x: Floats, clusters: ArrayLike | None, ends: tuple[float, float], level: float = LEVEL) -> Estimate:
    """The mean of numbers (n,) on a scale with these ends, whose interval does not leave it: t on the logit of its share of
    the range; where all lie at one end, that of as many 0s or 1s (`share`)."""
    start, span = ends[0], ends[1] - ends[0]
    of = np.asarray((x - start) / span, dtype=np.float64)
    groups, mid = _codes(clusters, x.size), float(of.mean())
    found = _interval(mid, of - mid, groups, "logit", level)
    if found.low is None and (groups is None or groups.max() > 0):
        found = share(np.clip(of, 0, 1), clusters=groups, level=level)
    value, low, high = (None if one is None else start + span * one for one in (found.value, found.low, found.high))
    return replace(found, value=value, low=low, high=high)


def within(found: Estimate, low: float, high: float) -> Estimate:
    """The interval without values that there cannot be; it holds the truth as often."""
    if found.low is None or found.high is None:
        return found
    return replace(found, low=max(low, found.low), high=min(high, found.high))


def _without_error(name: str, found: Estimate, x: Floats, clusters: Ints | None, level: float) -> Estimate:
    """An interval where the scores have no error of this kind: correlations of 1 or -1, errors of 0.

    If on a share e of the items the score had nothing to do with the label, correlations would be 1 - e (tau about
    (1 - e)^2), and the mean error e times the mean difference of two labels. e is at most Wilson's upper end for 0 of
    n/deff items, deff = 1 + (m~ - 1)/2 with clusters (`moved.flip_effect`).
    """
    value, n = found.value, int(x.size)
    sizes = sums(np.ones(n), clusters)
    exact = value is not None and abs(abs(value) - (name in CORRELATIONS)) < 1e-12
    if not exact or found.low is not None or name in ("mean_truth", "mean_judge") or sizes.size < 2:
        return found
    assert value is not None
    share_off = wilson(0.0, n / flip_effect(np.zeros(sizes.size), sizes, level), level)[1]
    method = f"Wilson {percent(level)} on 0 of {n} items whose score has nothing to do with the label"
    note = f"no item is off here; at most {100 * share_off:.2g}% may be"
    if name in CORRELATIONS:
        least = (1 - share_off) ** (2 if name == "kendall_tau_b" else 1)
        low, high = (least, 1.0) if value > 0 else (-1.0, -least)
        return Estimate(value, low, high, n, method, note)
    gap = float((2 * np.arange(n) - n + 1) @ np.sort(x)) * 2 / (n * (n - 1))
    high = share_off * gap
    return Estimate(value, 0.0 if name == "mae" else -high, high, n, method, note)


def _codes(clusters: ArrayLike | None, n: int) -> Ints | None:
    if clusters is None:
        return None
    codes = dense(np.asarray(clusters))
    return None if int(codes.max()) + 1 == n else codes


def _interval(value: float, psi: Floats, clusters: Ints | None, scale: Scale, level: float) -> Estimate:
    pulls = psi / psi.size
    if (
        clusters is not None
    ):  # a jackknife that leaves out one cluster each, to first order: large ones pull the estimate
        pulls = pulls / (1 - np.bincount(clusters) / psi.size)[clusters] if clusters.max() else pulls
    se, units = item_se(pulls, clusters)
    if units < 2:
        reason = "1 item: no interval" if clusters is None else ONE_CLUSTER
        return Estimate(value, None, None, psi.size, "none", reason)
    of_unit = _unit(sums(pulls, clusters))
    df = units - 1 if clusters is None else freedom(of_unit, LEAST_DF)
    name = "influence" if clusters is None else "cluster influence"
    method = f"{name} {percent(level)}, t({df:.0f}), {SCALES[scale]}"
    notes = [one for one in (_tails(of_unit), None if clusters is None else few(units)) if one]
    return symmetric_interval(value, se, df + 1, scale, psi.size, method, "; ".join(notes) or None, level)


def _tails(pulls: Floats) -> str | None:
    """What to say where a few units (G,), within [-1, 1], make up the variance; coverage is then 70 to 85% whatever is done with moments."""
    second = float((pulls**2).mean())
    kurtosis = float(((pulls**2 / second) ** 2).mean()) if second > 0 else 0.0
    if kurtosis <= HEAVY:
        return None
    return f"{HEAVY_TAILS} (kurtosis {kurtosis:.0f}): the interval may be too narrow; read the rank correlations"


def _pearson(x: Floats, y: Floats) -> tuple[float, Floats]:
    zx, zy = ((one - one.mean()) / one.std() for one in (_unit(x), _unit(y)))
    r = _bounded(float((zx * zy).mean()))
    return r, zx * zy - r * (zx**2 + zy**2) / 2


def _unit(x: Floats) -> Floats:
    """Within [-1, 1], so that squares of very large and very small numbers are numbers."""
    return np.asarray(x / (np.abs(x).max() or 1.0))


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
