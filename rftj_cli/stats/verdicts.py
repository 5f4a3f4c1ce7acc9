"""From a difference with its interval to a word: better, equivalent, not worse, worse or undecided."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from rftj_cli.stats.arrays import Floats
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.moved import NEVER
from rftj_cli.stats.plan import Need, labels_needed

Word = Literal["better", "equivalent", "not_worse", "worse", "undecided"]

ALPHA = 0.05
KAPPA_MARGIN, SHARE_MARGIN = 0.05, 0.03  # differences that nobody would act on


@dataclass(frozen=True, slots=True)
class Change:
    """What a comparison came to, why, and how many items in all would decide it (None where that cannot be said).

    clusters: that the items are in, 0 where each is its own; needed_clusters: in all, with the items needed; reason: why no
    number is given
    """

    word: Word
    why: str
    margin: float
    needed: int | None = None
    clusters: int = 0
    needed_clusters: int | None = None
    reason: str | None = None


def judge_change(difference: Estimate, margin: float, *, narrow: Estimate | None = None, clusters: int = 0) -> Change:
    """The word for `difference` (B - A, 95%), with `margin` > 0 the largest difference that does not matter.

    narrow: the same difference with its 90% interval, for the two one-sided tests of equivalence (Schuirmann 1987);
    without it the 95% interval is used, which is stricter. A difference that is not 0 counts as such even inside the
    margin: `better` or `worse` come first, and `why` says that it is small. "Not shown to differ" is `undecided`.
    clusters: that the items are in; as many as the items where each is its own.
    """
    if not margin > 0:
        raise ValueError(f"a margin is above 0, not {margin:g}")
    (word, why), need = _word(difference, margin, narrow), Need()
    clusters = clusters if clusters < difference.n else 0
    if word == "undecided" and difference.low is not None:
        need = _needed(difference, margin, clusters)
    return Change(word, why, margin, need.units, clusters, need.clusters, need.reason)


def _word(difference: Estimate, margin: float, narrow: Estimate | None) -> tuple[Word, str]:
    low, high = difference.low, difference.high
    if difference.value is None or low is None or high is None:
        return "undecided", difference.note or "the difference has no interval"
    inside = narrow if narrow is not None and narrow.low is not None and narrow.high is not None else difference
    assert inside.low is not None and inside.high is not None
    small = -margin < inside.low and inside.high < margin
    if low > 0 or high < 0:
        return "better" if low > 0 else "worse", f"the interval excludes 0{', within the margin' if small else ''}"
    if small:
        return "equivalent", f"the interval lies within +-{margin:g}"
    if low > -margin:
        return "not_worse", f"at most {max(0.0, -low):.3f} worse, margin {margin:g}"
    return "undecided", "the interval holds both 0 and more than the margin"


def _needed(difference: Estimate, margin: float, clusters: int) -> Need:
    """Items in all that would decide. Where no item differs the bound falls with n, elsewhere with its root."""
    assert difference.value is not None and difference.low is not None and difference.high is not None
    target = 0.0 if abs(difference.value) > margin else -margin
    if not (difference.note or "").startswith(NEVER):
        return labels_needed(difference, target, clusters=clusters)
    half = max(difference.high - difference.value, difference.value - difference.low)
    times = half / (margin - abs(difference.value))
    return Need(ceil(difference.n * times), ceil(clusters * times) if clusters else None)


def holm(p: ArrayLike) -> Floats:
    """Adjusted p-values (m,) that keep the chance of any false rejection (Holm 1979, step-down)."""
    given = np.asarray(p, np.float64)
    if given.ndim != 1 or not ((given >= 0) & (given <= 1)).all():
        raise ValueError("p-values lie in [0, 1]")
    order = np.argsort(given, kind="stable")
    raised = np.maximum.accumulate(given[order] * np.arange(given.size, 0, -1))
    out = np.empty(given.size)
    out[order] = np.minimum(raised, 1.0)
    return out


def held(change: Change, p: float | None, candidates: int = 1) -> Change:
    """`better` and `worse` stand only with a p-value of at most .05, which is Holm's where several candidates met one baseline.

    The interval alone is not enough: with few items that differ it excludes 0 where the test of the same difference does not.
    """
    if change.word not in ("better", "worse") or (p is not None and p <= ALPHA):
        return change
    told = "cannot be told" if p is None else f"is {p:.3f}"
    after = f" after Holm over {candidates} candidates" if candidates > 1 else ""
    return replace(change, word="undecided", why=f"{change.why}, but its p{after} {told}")


def hedged(change: Change, other: Estimate | None) -> Change:
    """`better` and `worse` stand only where the other reading of failures (each is wrong) does not lose the difference."""
    if other is None or other.low is None or other.high is None or change.word not in ("better", "worse"):
        return change
    if other.low > 0 if change.word == "better" else other.high < 0:
        return change
    return replace(
        change, word="undecided", why=f"{change.word} where both have a verdict, not if failures count as wrong"
    )


def replaces(difference: Estimate, se: float) -> bool:
    """The Ladder's rule (Blum and Hardt 2015): a candidate replaces the incumbent only if better by more than one SE."""
    return difference.value is not None and difference.value > se
