"""At which score to say yes: the threshold with the best Youden's J or the least cost, and what the choice itself costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rftj_cli.stats.arrays import Bools, Floats, Ints
from rftj_cli.stats.clusters import few, item_se, pulled
from rftj_cli.stats.estimate import LEVEL, Estimate, percent
from rftj_cli.stats.intervals import symmetric_interval
from rftj_cli.stats.shares import mean, share

FOLDS = 5


@dataclass(frozen=True, slots=True)
class Threshold:
    """Yes from `value` on: the best threshold on these items, strictly between two scores that occur, in few digits.
    None in [low, high], the plateau, is shown to be worse (two standard errors of the paired difference).

    goal: `J` (largest) or `cost` (least, mean per item); apparent: at `value` on the items it was chosen by; crossed: on
    items it was not chosen by; tpr, tnr: at `value`
    """

    value: float
    low: float
    high: float
    goal: str
    apparent: float
    crossed: Estimate
    tpr: Estimate
    tnr: Estimate


def choose_threshold(
    score: ArrayLike,
    truth: ArrayLike,
    *,
    costs: tuple[float, float] | None = None,
    clusters: ArrayLike | None = None,
    weights: Floats | None = None,
    seed: int = 0,
    level: float = LEVEL,
) -> Threshold | None:
    """The threshold for scores (n,) against truth (n,) of 0 and 1; None where the truth or the scores never vary.

    costs: of a false yes and of a false no; without them J = tpr + tnr - 1 is maximised. clusters: (n,) keys, kept whole
    in the five folds of the cross-fitted estimate (folds drawn with `seed`). weights: (n,) 1/inclusion probability on any
    scale: every mean is then the weighted one.
    """
    x, y = np.asarray(score, np.float64), np.asarray(truth, np.float64)
    if x.shape != y.shape or x.ndim != 1 or not np.isfinite(x).all() or not np.isin(y, (0.0, 1.0)).all():
        raise ValueError("scores are finite, the truth is 0 or 1, in arrays of one length")
    if costs is not None and not (min(costs) >= 0 and max(costs) > 0):
        raise ValueError("costs are not negative, and not both 0")
    if x.size == 0 or np.ptp(y) == 0 or np.ptp(x) == 0:
        return None
    codes = None if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1].astype(np.int64)
    w = np.ones(x.size) if weights is None else np.asarray(weights / weights.mean(), np.float64)
    value, low, high = _plateau(x, y, w, costs)
    yes = x >= value
    units = np.arange(x.size) if codes is None else codes
    fold = (np.random.default_rng(seed).permutation(int(units.max()) + 1) % FOLDS)[units]
    crossed: Bools = np.zeros(x.size, dtype=np.bool_)
    for one in np.unique(fold):
        held, kept = fold == one, fold != one
        usable = kept.any() and np.ptp(y[kept]) > 0 and np.ptp(x[kept]) > 0
        crossed[held] = x[held] >= (_plateau(x[kept], y[kept], w[kept], costs)[0] if usable else value)
    passing = y == 1
    tpr, tnr = (
        share(
            right[of], clusters=None if codes is None else codes[of], weights=None if weights is None else w[of], level=level
        )
        for right, of in ((yes, passing), (~yes, ~passing))
    )  # fmt: skip
    if costs is None:
        apparent, estimate = (
            float(np.average(yes, weights=w * y) - np.average(yes, weights=w * (1 - y))),
            _j(crossed, y, w, codes, level),
        )
    else:
        apparent = float((_loss(yes, y, w, costs) * w).mean())
        lost = _loss(crossed, y, w, costs)
        estimate = mean(lost, clusters=codes, weights=None if weights is None else w, scale="log", level=level)
    return Threshold(value, low, high, "J" if costs is None else "cost", apparent, estimate, tpr, tnr)


def _loss(yes: Bools, y: Floats, w: Floats, costs: tuple[float, float] | None) -> Floats:
    """What each item costs; without costs each error counts by the size of its class, so that the mean is 1 - (J + 1)/2."""
    passing = float(w @ y / w.sum())
    false_yes, false_no = costs or (0.5 / (1 - passing if passing < 1 else 1.0), 0.5 / (passing or 1.0))
    return np.where(y == 0, yes * false_yes, ~yes * false_no).astype(np.float64)


def _plateau(x: Floats, y: Floats, w: Floats, costs: tuple[float, float] | None) -> tuple[float, float, float]:
    """The best cut, and the ends of the run of cuts around it that are not shown to be worse; w: (n,) weights.

    The best and not the plateau's middle: between few scores (shares of votes) the middle may be a score that occurs, or a
    worse cut; in simulations with 40 to 300 items of continuous scores the best was the better one on new items too.
    """
    values, run = np.unique(x, return_inverse=True)
    w = w / w.mean()
    always, never = (w * _loss(np.full(x.size, said), y, w, costs) for said in (True, False))
    # Cut i says yes from values[i] on: below it `never`, from it on `always`.
    below = np.concatenate([[0.0], np.cumsum(np.bincount(run, weights=never))])
    above = np.concatenate([[0.0], np.cumsum(np.bincount(run, weights=always))])
    total = (below + above[-1] - above)[1:-1] / x.size  # cuts between two scores that occur
    cuts = (values[:-1] + values[1:]) / 2
    best = int(total.argmin())
    near = total <= total[best] + 2 * _paired_se(x, cuts, always - never, best, total)
    first = best - int(np.argmin(np.append(near[: best + 1][::-1], False))) + 1
    last = best + int(np.argmin(np.append(near[best:], False))) - 1
    # Of cuts that are equally good, the one that is deepest inside the plateau.
    alike = first + np.flatnonzero(total[first : last + 1] <= total[best] + 1e-12)
    best = int(alike[np.abs(cuts[alike] - (cuts[first] + cuts[last]) / 2).argmin()])
    value, low, high = (_between(float(values[i]), float(values[i + 1])) for i in (best, first, last))
    return value, low, high


def _between(below: float, above: float) -> float:
    """The middle of two neighbouring scores in as few digits as keep it strictly between them: what is printed is what holds."""
    middle = (below + above) / 2
    for digits in range(2, 17):
        if below < (short := round(middle, digits)) < above:
            return short
    return above  # no number lies between them: yes from the upper one on is the same cut


def _paired_se(x: Floats, cuts: Floats, change: Floats, best: int, total: Floats) -> Floats:
    """Standard error of each cut's loss less that of the best: only items between the two cuts differ, by `change` (n,)."""
    order = np.argsort(x, kind="stable")
    gap = change[order] ** 2
    upto = np.concatenate([[0.0], np.cumsum(gap)])[np.searchsorted(x[order], cuts)]
    squares = np.abs(upto - upto[best])
    n = x.size
    return np.asarray(np.sqrt(np.maximum(squares / n - (total - total[best]) ** 2, 0.0) / n))


def _j(yes: Bools, y: Floats, w: Floats, codes: Ints | None, level: float) -> Estimate:
    """J of decisions (n,), linearised: each class's mean has its own pull."""
    of_pass, of_fail = w * y / float(w @ y), w * (1 - y) / float(w @ (1 - y))
    tpr, fpr = float(of_pass @ yes), float(of_fail @ yes)
    pull = of_pass * (yes - tpr) - of_fail * (yes - fpr)
    se, units = item_se(pull, codes)
    df = pulled(pull, codes)
    method = f"cross-fitted, influence {percent(level)}, t({df:.0f})"
    if units < 2:
        return Estimate(tpr - fpr, None, None, int(y.size), method, "only 1 cluster: no interval")
    note = None if codes is None else few(units)
    return symmetric_interval(tpr - fpr, se, df + 1, "fisher", int(y.size), method, note, level)
