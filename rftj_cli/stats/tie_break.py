"""Which raters were only asked where the others differ? Agreement with them says nothing of other items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from rftj_cli.stats.arrays import Floats, Ints
from rftj_cli.stats.reliability import rating_counts

FEWEST = 5  # items below which nothing can be said of how they were chosen
NEARLY_ALL = 0.95  # a slip in the data does not make a tie-breaker a rater of everything
CHANCE = 0.01  # over all raters, that one who sees a random part of the items is taken for a tie-breaker


@dataclass(frozen=True, slots=True)
class TieBreaker:
    """A rater of disputed items only.

    items: rated by this rater; disputed: those of them on which the others differ
    others: all items with two ratings or more by others; others_disputed: those on which these differ
    """

    rater: int
    items: int
    disputed: int
    others: int
    others_disputed: int


def tie_breakers(matrix: Ints, k: int) -> tuple[TieBreaker, ...]:
    """The raters nearly all of whose items (95%) are ones on which the others differ, beyond what chance explains.

    matrix: (items, raters) level codes 0..k-1, -1 for missing. An item is disputed where two or more others rated it and
    their levels are not all the same. Chance: the hypergeometric tail of drawing so many disputed items out of all items that
    two others rated, Bonferroni over the raters. A rater of all items is therefore never one.
    """
    counts, found = rating_counts(matrix, k), []
    for rater in range(matrix.shape[1]):
        own = matrix[:, rater]
        others = counts - (own[:, None] == np.arange(k))
        several = others.sum(1) >= 2
        disputed = several & ((others > 0).sum(1) > 1)
        rated = own >= 0
        items, hits = int(rated.sum()), int((rated & disputed).sum())
        if items < FEWEST or hits < NEARLY_ALL * items:
            continue
        drawn, total, bad = int((rated & several).sum()), int(several.sum()), int(disputed.sum())
        if _at_least(hits, drawn, bad, total) * matrix.shape[1] <= CHANCE:
            found.append(TieBreaker(rater, items, hits, total, bad))
    return tuple(found)


def _at_least(hits: int, drawn: int, marked: int, total: int) -> float:
    """P(X >= hits) of the marked among `drawn` out of `total`, without replacement."""
    x = np.arange(max(hits, drawn - (total - marked)), min(drawn, marked) + 1, dtype=np.float64)
    logs = _choose(marked, x) + _choose(total - marked, drawn - x) - _choose(total, np.float64(drawn))
    return float(np.exp(logs).sum())


def _choose(n: int, k: Floats | np.float64) -> Floats:
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))
