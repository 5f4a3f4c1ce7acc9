"""The alternative annotator test: may the judge stand in for a human rater? (Calderon, Reichart, Dror 2025)"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np
from scipy.special import stdtr

from rftj_cli.errors import counted
from rftj_cli.stats.arrays import Bools, Floats, Ints
from rftj_cli.stats.estimate import Estimate

Scoring = Literal["match", "distance"]

METHOD = "alt-test, one-sided paired t, Benjamini-Yekutieli q .05"
FDR = 0.05
EPSILON = 0.2  # expert raters; the paper takes .15 for skilled ones and .1 for crowd workers
SCORINGS: Mapping[Scoring, str] = {"match": "exact match", "distance": "negative RMSE"}
MIN_ITEMS = 30


@dataclass(frozen=True, slots=True)
class AltRater:
    """One rater left out. f: share of items where the judge is at least as close to the others as the rater,
    g: the reverse; p: of "the rater is better by epsilon or more"; rejected: after Benjamini-Yekutieli."""

    rater: int
    items: int
    f: float
    g: float
    p: float
    rejected: bool


@dataclass(frozen=True, slots=True)
class AltTest:
    """omega: winning rate, the share of raters whose null is rejected; passed: omega >= .5, None if it is missing.

    rho: mean advantage probability (mean f);  left_out: raters with too few items
    """

    omega: Estimate
    rho: Estimate
    passed: bool | None
    raters: tuple[AltRater, ...]
    left_out: tuple[int, ...]


def alt_test(
    matrix: Floats | Ints,
    judge: Floats | Ints,
    *,
    epsilon: float = EPSILON,
    scoring: Scoring = "match",
    min_items: int = MIN_ITEMS,
) -> AltTest:
    """Whether the judge agrees with the other raters as well as each rater does, up to `epsilon`.

    matrix: (items, raters) codes, or numbers for `scoring="distance"`, missing = -1 (integers) or nan (floats)
    judge: (items,) the same
    epsilon: what a rater may be better by, for the cost of one: .1 for crowd workers, .15 for skilled ones, .2 for experts
    scoring: "match" for levels without order, "distance" for numbers and ordered levels, as in the paper (section 3)

    Items need two ratings or more and raters `min_items` such items. "match" scores the share of the others that say
    the same; "distance" the negative root mean squared distance to them.
    """
    seen, by_judge = _given(matrix), _given(judge)
    keep = (seen.sum(1) >= 2) & by_judge
    found: list[tuple[int, int, float, float, float]] = []
    left_out = []
    for rater in range(matrix.shape[1]):
        use = keep & seen[:, rater]
        if int(use.sum()) < min_items:
            left_out.append(rater)
            continue
        others, given = np.delete(matrix[use], rater, axis=1), np.delete(seen[use], rater, axis=1)
        own = _closeness(matrix[use, rater], others, given, scoring)
        its = _closeness(judge[use], others, given, scoring)
        f, g = (its >= own).astype(np.float64), (own >= its).astype(np.float64)
        found.append((rater, int(use.sum()), float(f.mean()), float(g.mean()), _p_below(g - f, epsilon)))
    items, method = int(keep.sum()), f"{METHOD}, {SCORINGS[scoring]}, epsilon {epsilon:g}"
    if not found:
        reason = f"no rater has {min_items} items that another rater and the judge rated too"
        missing = Estimate.missing(items, reason, method)
        return AltTest(missing, missing, None, (), tuple(left_out))
    rejected = _benjamini_yekutieli(np.array([row[-1] for row in found]))
    raters = tuple(AltRater(*row, bool(no)) for row, no in zip(found, rejected, strict=True))
    omega, rho = float(rejected.mean()), float(np.mean([row[2] for row in found]))
    note = f"only {counted(len(found), 'rater')}, the test is meant for 3 or more" if len(found) < 3 else None
    return AltTest(
        Estimate(omega, None, None, items, method, note),
        Estimate(rho, None, None, items, method, note),
        omega >= 0.5,
        raters,
        tuple(left_out),
    )


def _given(ratings: Floats | Ints) -> Bools:
    """Where there is a rating: floats are missing as nan, and -1 counts as missing among integers only."""
    return ~np.isnan(ratings) if np.issubdtype(ratings.dtype, np.floating) else np.asarray(ratings >= 0)


def _closeness(own: Floats | Ints, others: Floats | Ints, given: Bools, scoring: Scoring) -> Floats:
    """How close each rating (n,) is to the given ratings of the others (n, raters - 1)."""
    if scoring == "match":
        loss = (own[:, None] != others).astype(np.float64)
    else:
        loss = np.where(given, (own[:, None] - others) ** 2.0, 0.0)
    mean = (loss * given).sum(1) / given.sum(1)
    return np.asarray(1 - mean if scoring == "match" else -np.sqrt(mean))


def _p_below(difference: Floats, epsilon: float) -> float:
    """One-sided p of mean(difference) < epsilon; without any spread the sign decides."""
    n, mean = difference.size, float(difference.mean())
    se = float(difference.std(ddof=1)) / sqrt(n) if n > 1 else 0.0
    if se == 0:
        return 0.0 if mean < epsilon else 1.0
    return float(stdtr(n - 1, (mean - epsilon) / se))


def _benjamini_yekutieli(p: Floats) -> Bools:
    """Rejections at false discovery rate .05 under any dependence (Benjamini and Yekutieli 2001)."""
    order, m = np.argsort(p, kind="stable"), p.size
    step = np.arange(1, m + 1)
    passing = p[order] <= step * FDR / (m * (1 / step).sum())
    rejected = np.zeros(m, dtype=bool)
    rejected[order[: int(np.flatnonzero(passing).max(initial=-1)) + 1]] = True
    return rejected
