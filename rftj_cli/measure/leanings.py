"""Where a judge leans: to longer answers, to the place shown first, to another verdict the next time it is asked."""

from __future__ import annotations

from collections.abc import Iterator

from rftj_cli.measure.values import Criterion
from rftj_cli.stats.estimate import Estimate

MOST_FLIPS = 0.1  # share of verdicts that are not unanimous, or of winners that change with the order


def biases(one: Criterion) -> Iterator[str]:
    """A sentence for each leaning that the interval shows, and for what corrected rates rest on."""
    yield from _length(one)
    orders, primacy = one.estimates.get("order_agreement"), one.estimates.get("primacy")
    if orders is not None and orders.value is not None and 1 - orders.value > MOST_FLIPS:
        yield f"the winner changes with the order in {1 - orders.value:.0%} of the pairs"
    if primacy is not None and primacy.value is not None and _excludes(primacy, 0.5):
        place = "first" if primacy.value > 0.5 else "second"
        share = max(primacy.value, 1 - primacy.value)
        yield f"the response shown {place} wins {share:.0%} of the replies that name a winner, over both orders"
    flips = one.estimates.get("flips")
    if flips is not None and flips.value is not None and flips.value > MOST_FLIPS:
        yield f"the judge differs from itself: {flips.value:.0%} of its verdicts are not unanimous"
    if one.population is not None and one.population.doubt:
        yield f"{one.population.doubt}; say --sampling balanced or other if they were chosen otherwise"
    sure = one.probability
    if sure is not None and sure.skill.high is not None and sure.skill.high < 0:
        yield "the judge's probabilities predict the labels less well than the base rate does"


def _length(one: Criterion) -> Iterator[str]:
    slope, wins = one.estimates.get("length_slope"), one.estimates.get("longer_wins")
    if slope is not None and slope.value is not None and _excludes(slope, 0):
        side = "milder" if (slope.value > 0) != one.pitfall else "stricter"
        yield (
            f"{side} than the labels with longer answers: verdict minus label changes by {slope.value:+.2f} "
            f"[{slope.low:+.2f}, {slope.high:+.2f}] per doubling of the words"
        )
    if wins is not None and wins.value is not None and _excludes(wins, 0):
        more = "more" if wins.value > 0 else "less"
        yield f"picks the longer response {more} often than the labels do, by {abs(wins.value):.0%} of the pairs"


def _excludes(one: Estimate, value: float) -> bool:
    return one.low is not None and one.high is not None and not one.low <= value <= one.high
