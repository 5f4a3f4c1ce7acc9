"""A monotone map from the judge's score to the labels' scale, learned on some labels and tested on others.

A monotone map cannot change the ranking within a prompt, so group-relative training does not gain by it. It changes the
spacing of the scores, what a threshold means, and comparisons between prompts. A map that is flat ties what the judge
told apart: knots stand at the centres of isotonic blocks, with straight lines between, so that only the ends are flat.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from rftj_cli.stats.arrays import Floats
from rftj_cli.stats.estimate import LEVEL, Estimate
from rftj_cli.stats.numeric import numeric_agreement
from rftj_cli.stats.shares import mean

ISOTONIC_FROM = 200  # labels: below it two parameters are all that can be learned
FEW_LEVELS = 5  # scores up to which each is a level of its own
GRID = 21  # knots of a smooth map
FOLDS = 5
STEPS = 100


@dataclass(frozen=True, slots=True)
class ScoreMap:
    """Knots (score, mapped), scores rising and mapped never falling: straight between them, constant beyond."""

    knots: tuple[tuple[float, float], ...]
    method: str

    def apply(self, score: ArrayLike) -> Floats:
        """The mapped scores (n,)."""
        given = np.asarray(score, np.float64)
        if not np.isfinite(given).all():
            raise ValueError("scores are finite")
        x, y = np.array(self.knots).T
        return np.asarray(np.interp(given, x, y))


Fit = Callable[[Floats, Floats], ScoreMap]


def isotonic(score: ArrayLike, truth: ArrayLike) -> ScoreMap:
    """The monotone step function nearest to the truth (pool adjacent violators, Barlow 1972), as knots at block centres.

    score, truth: (n,) finite. Equal scores are one point with their count as its weight.
    """
    x, y = _checked(score, truth)
    values, run, counts = np.unique(x, return_inverse=True, return_counts=True)
    height = np.bincount(run, weights=y) / counts
    blocks: list[list[float]] = []  # mean, weight, sum of scores
    for one in zip(height.tolist(), counts.tolist(), (values * counts).tolist(), strict=True):
        blocks.append([*one])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (m1, w1, s1), (m2, w2, s2) = blocks[-2], blocks.pop()
            blocks[-1] = [(m1 * w1 + m2 * w2) / (w1 + w2), w1 + w2, s1 + s2]
    return ScoreMap(tuple((total / weight, level) for level, weight, total in blocks), "isotonic")


def platt(score: ArrayLike, truth: ArrayLike, *, low: float, high: float) -> ScoreMap:
    """low + (high - low) logistic(a + b score), b >= 0, by maximum likelihood (Platt 1999), as up to 21 knots.

    truth: (n,) in [low, high], fractions allowed. One item in the middle at each end of the scores (a pseudo-count, as
    Platt's smoothed targets) keeps data that can be parted perfectly from an infinite slope.
    """
    x, y = _checked(score, truth)
    if not low < high:
        raise ValueError(f"the truth's range is empty: [{low:g}, {high:g}]")
    target = (y - low) / (high - low)
    if (target < -1e-9).any() or (target > 1 + 1e-9).any():
        raise ValueError(f"truth outside [{low:g}, {high:g}]")
    centre, spread = float(x.mean()), float(x.std()) or 1.0
    z = np.concatenate([(x - centre) / spread, (np.array([x.min(), x.max()]) - centre) / spread])
    target = np.concatenate([target, [0.5, 0.5]])
    design = np.stack([np.ones(z.size), z], axis=1)
    beta = np.zeros(2)
    for _ in range(STEPS):
        p = expit(design @ beta)
        weight = np.maximum(p * (1 - p), 1e-9)
        step = np.linalg.solve((design.T * weight) @ design + 1e-9 * np.eye(2), design.T @ (target - p))
        beta = beta + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-10:
            break
    if beta[1] < 0:  # falling: the best map that never falls is constant
        beta = np.array([np.log(target.mean() / (1 - target.mean())), 0.0])
    values = np.unique(x)
    mapped = low + (high - low) * expit(beta[0] + beta[1] * (values - centre) / spread)
    if values.size > GRID:
        kept = _knots(values, mapped)
        values, mapped = values[kept], mapped[kept]
    return ScoreMap(tuple(zip(values.tolist(), mapped.tolist(), strict=True)), "Platt")


def _knots(x: Floats, y: Floats) -> list[int]:
    """Which points of a curve (n,), x rising, stand for it with straight lines between: always the one that is farthest off.

    Equal steps of the score would leave one or two for the bulk where a single score lies far away.
    """
    kept = [0, x.size - 1]
    while len(kept) < GRID:
        off = np.abs(np.interp(x, x[kept], y[kept]) - y)
        worst = int(off.argmax())
        if off[worst] <= 1e-12:
            break
        kept = sorted([*kept, worst])
    return kept


def ordinal(score: ArrayLike, truth: ArrayLike, *, low: float, high: float) -> ScoreMap:
    """E[truth | score] for scores of few levels, two pseudo-labels at the overall mean each, made monotone.

    The shrinkage (m-estimate, Cestnik 1990) is then centred, so that the mean of the mapped scores is that of the truth
    (as far as [low, high] lets it).
    """
    x, y = _checked(score, truth)
    values, run, counts = np.unique(x, return_inverse=True, return_counts=True)
    shrunk = (np.bincount(run, weights=y) + 2 * y.mean()) / (counts + 2)
    steps = isotonic(np.repeat(values, counts), np.repeat(shrunk, counts)).apply(values)
    steps = np.clip(steps + (y.mean() - (steps * counts).sum() / counts.sum()), low, high)
    return ScoreMap(tuple(zip(values.tolist(), steps.tolist(), strict=True)), "ordinal means, m = 2")


def choose_fit(score: ArrayLike, low: float, high: float) -> Fit:
    """Means of the levels for five scores or fewer, else Platt below 200 labels and isotonic from there on."""
    x = np.asarray(score)
    if np.unique(x).size <= FEW_LEVELS:
        return lambda score, truth: ordinal(score, truth, low=low, high=high)
    if x.size < ISOTONIC_FROM:
        return lambda score, truth: platt(score, truth, low=low, high=high)
    return isotonic


def cross_fitted(
    score: ArrayLike,
    truth: ArrayLike,
    fit: Fit,
    *,
    clusters: ArrayLike | None = None,
    folds: int = FOLDS,
    seed: int = 0,
) -> Floats:
    """The mapped score (n,) of each item by a map that was learned without its fold (whole clusters)."""
    x, y = _checked(score, truth)
    keys = np.arange(x.size) if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    units = int(keys.max()) + 1
    if units < 2:
        raise ValueError("one cluster cannot be parted into folds")
    fold = (np.random.default_rng(seed).permutation(units) % min(folds, units))[keys]
    out = np.empty(x.size)
    for one in np.unique(fold):
        held = fold == one
        out[held] = fit(x[~held], y[~held]).apply(x[held])
    return out


def map_gain(
    truth: ArrayLike, before: ArrayLike, after: ArrayLike, *, clusters: ArrayLike | None = None, level: float = LEVEL
) -> dict[str, Estimate]:
    """What a map gained on items it was not learned from, all (n,).

    mse_before, mse_after: mean squared error; mse_gain: their difference (paired t by cluster; above 0 is better);
    bias_before, bias_after: mean score - truth; ccc_before, ccc_after: Lin's concordance.
    """
    y, old = _checked(truth, before)
    _, new = _checked(truth, after)
    codes = None if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1].astype(np.int64)
    found: dict[str, Estimate] = {}
    for name, of in (("before", old), ("after", new)):
        found[f"mse_{name}"] = mean((of - y) ** 2, clusters=codes, level=level)
        agreement = numeric_agreement(y, of, clusters=codes, level=level)
        found[f"bias_{name}"], found[f"ccc_{name}"] = agreement["bias"], agreement["ccc"]
    found["mse_gain"] = mean((old - y) ** 2 - (new - y) ** 2, clusters=codes, level=level)
    return found


def _checked(score: ArrayLike, truth: ArrayLike) -> tuple[Floats, Floats]:
    x, y = np.asarray(score, np.float64), np.asarray(truth, np.float64)
    if x.shape != y.shape or x.ndim != 1 or x.size == 0 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("score and truth must be finite arrays of one length, and not empty")
    return x, y
