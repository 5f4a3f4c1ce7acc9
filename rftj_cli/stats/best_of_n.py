"""Best of n, exactly: what people think of the answer that the judge likes best among n, without sampling.

Of N answers to a prompt sorted by the judge's score, the i-th is the best of a random n with probability
C(i-1, n-1)/C(N, n). Where the curve of the truth turns down while that of the score rises, more optimisation against this
judge makes the answers worse (Gao, Schulman, Hilton 2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from rftj_cli.stats.arrays import Floats, Ints
from rftj_cli.stats.clusters import codes_of
from rftj_cli.stats.estimate import LEVEL, Estimate
from rftj_cli.stats.shares import mean
from rftj_cli.stats.ties import settled


@dataclass(frozen=True, slots=True)
class Step:
    """One n: mean score and mean truth of the answer chosen, the truth's gain over n = 1, and what is lost against
    choosing by the truth itself; kl: ln n - (n - 1)/n, how far the choice has moved from the model, in nats."""

    n: int
    kl: float
    score: Estimate
    truth: Estimate
    gain: Estimate
    regret: Estimate


@dataclass(frozen=True, slots=True)
class BestOfN:
    """The curve over the same groups at every n. peak: the n at which the truth is highest; fall: truth at the largest n
    less that at the peak (paired), and falling: whether its interval lies below 0."""

    steps: tuple[Step, ...]
    groups: int
    left_out: int
    peak: int
    fall: Estimate
    falling: bool


def best_of_n(
    group: ArrayLike,
    truth: ArrayLike,
    score: ArrayLike,
    *,
    most: int | None = None,
    clusters: ArrayLike | None = None,
    level: float = LEVEL,
) -> BestOfN | None:
    """Curves for n = 1..most (default: the median group size) over the groups with `most` answers or more.

    group: (n,) keys; truth, score: (n,) numbers; clusters: (n,) keys of what groups belong to. Equal scores share their
    places (the mean over all their orders). None where no group has two answers.
    """
    codes = np.unique(np.asarray(group), return_inverse=True)[1].astype(np.int64)
    x, y = np.asarray(truth, np.float64), np.asarray(score, np.float64)
    if not codes.size == x.size == y.size or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("groups, truth and scores must be of one length, truth and scores finite")
    x, y = settled(x), settled(y)
    counts = np.bincount(codes)
    if not counts.size or counts.max() < 2:
        return None
    top = int(np.median(counts[counts >= 2])) if most is None else most
    if top < 2:
        raise ValueError("best of n needs n of 2 or more")
    use = counts >= top
    if not use.any():
        raise ValueError(f"no group has {top} answers; the largest has {int(counts.max())}")
    keys = None if clusters is None else _keys(codes, clusters, counts.size)[use]
    by_score, by_truth = _Sorted(codes, y), _Sorted(codes, x)
    chosen = np.stack([by_score.expected(x, n)[use] for n in range(1, top + 1)])
    liked = np.stack([by_score.expected(y, n)[use] for n in range(1, top + 1)])
    ideal = np.stack([by_truth.expected(x, n)[use] for n in range(1, top + 1)])

    def of(values: Floats) -> Estimate:
        return mean(values, clusters=keys, level=level)

    steps = tuple(
        Step(
            n, log(n) - (n - 1) / n, of(liked[i]), of(chosen[i]), of(chosen[i] - chosen[0]), of(ideal[i] - chosen[i])
        )
        for i, n in enumerate(range(1, top + 1))
    )  # fmt: skip
    peak = int(settled(chosen.mean(1)).argmax())  # the first of equals, not the one with the luckier last digit
    fall = of(chosen[-1] - chosen[peak])
    return BestOfN(
        steps, int(use.sum()), int((~use).sum()), peak + 1, fall, fall.high is not None and fall.high < 0 and peak + 1 < top
    )  # fmt: skip


class _Sorted:
    """Answers sorted by a score inside their groups, each with its place 1..N and the bounds of its run of equals."""

    def __init__(self, codes: Ints, score: Floats) -> None:
        self.order = np.lexsort((score, codes))
        self.group = codes[self.order]
        self.size = np.bincount(codes).astype(np.float64)
        start = np.concatenate([[0], np.cumsum(np.bincount(codes))[:-1]])
        n = codes.size
        first = np.ones(n, dtype=np.bool_)
        sorted_ = score[self.order]
        first[1:] = (sorted_[1:] != sorted_[:-1]) | (self.group[1:] != self.group[:-1])
        run = np.cumsum(first) - 1
        begin = np.flatnonzero(first)
        end = np.append(begin[1:], n)
        self.below = (begin[run] - start[self.group]).astype(np.float64)  # answers of the group under the run
        self.upto = (end[run] - start[self.group]).astype(np.float64)  # and up to its end

    def expected(self, values: Floats, n: int) -> Floats:
        """Expected value (groups,) of the best of n: a run of equals shares P(best lies in it) = P(<= its end) - P(< it)."""
        total = self.size[self.group]
        chance = (_subsets(self.upto, total, n) - _subsets(self.below, total, n)) / (self.upto - self.below)
        return np.bincount(self.group, weights=chance * values[self.order], minlength=self.size.size).astype(np.float64)


def _subsets(m: Floats, total: Floats, n: int) -> Floats:
    """C(m, n)/C(total, n): the chance that n random answers are all among m; 0 where there are fewer than n."""
    safe, whole = np.maximum(m, n), np.maximum(total, n)
    log_ratio = gammaln(safe + 1) - gammaln(safe - n + 1) - gammaln(whole + 1) + gammaln(whole - n + 1)
    return np.where((m >= n) & (total >= n), np.exp(log_ratio), 0.0)


def _keys(codes: Ints, clusters: ArrayLike, groups: int) -> Ints:
    keys = codes_of(clusters, codes.size)
    found = np.zeros(groups, dtype=np.int64)
    found[codes] = keys
    if not np.array_equal(found[codes], keys):
        raise ValueError("a group lies in two clusters")
    return found
