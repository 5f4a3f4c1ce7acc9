"""What only comparisons have: two orders. Accuracy by reply, and how often the order decides the winner."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rftj_cli.kernel.outcome import Ballot
from rftj_cli.stats.arrays import Ints
from rftj_cli.stats.estimate import LEVEL, Estimate
from rftj_cli.stats.shares import share

_VALUE = {"A": 1.0, "tie": 0.5, "B": 0.0}


def by_reply(
    truth: Ints, ballots: Sequence[tuple[Ballot, ...]], cluster: Ints | None, level: float = LEVEL
) -> dict[str, Estimate]:
    """Accuracy over replies, on pairs whose truth is A (0) or B (2): a tie is half right.

    `reply_accuracy` leaves failed replies out, `reply_accuracy_failures_wrong` counts them as wrong; both orders of a
    pair are one cluster.
    """
    credits: list[float] = []
    parsed: list[bool] = []
    keys: list[int] = []
    for index, (winner, cast) in enumerate(zip(truth.tolist(), ballots, strict=True)):
        if winner == 1:
            continue
        for ballot in cast:
            right = None if ballot.level is None else _VALUE[ballot.level]
            credits.append(0.0 if right is None else right if winner == 0 else 1 - right)
            parsed.append(right is not None)
            keys.append(index if cluster is None else int(cluster[index]))
    given, done, where = np.array(credits), np.array(parsed, dtype=bool), np.array(keys, dtype=np.int64)
    found = {"reply_accuracy": share(given[done], clusters=where[done], level=level)}
    if not done.all():
        note = "a failed reply counts as wrong"
        found["reply_accuracy_failures_wrong"] = share(given, clusters=where, note=note, level=level)
    return found


def orders(ballots: Sequence[tuple[Ballot, ...]], cluster: Ints | None, level: float = LEVEL) -> dict[str, Estimate]:
    """`order_agreement`: the share of pairs with the same winner in both orders, and how often the first place wins."""
    same: list[float] = []
    equal: list[float] = []
    first: list[float] = []
    seat: list[float] = []
    keys: list[int] = []
    every: list[int] = []
    for index, cast in enumerate(ballots):
        winners = [_winner([b for b in cast if b.order == order]) for order in ("given", "swapped")]
        if not any(b.order == "swapped" for b in cast):
            continue
        key = index if cluster is None else int(cluster[index])
        every.append(key)
        equal.append(float(winners[0] == winners[1]))
        seats = [_first(b) for b in cast if b.level in ("A", "B")]
        seat.append(math.fsum(seats) / len(seats) if seats else 0.5)
        if None not in winners:
            keys.append(key)
            same.append(equal[-1])
            first += [float(winners[0] == "A")] if winners[0] != winners[1] and "tie" not in winners else []
    if not every:
        return {}
    found = {"order_agreement": share(np.array(same), clusters=np.array(keys, dtype=np.int64), level=level)}
    if len(same) < len(equal):
        note = "pairs with failed replies included; two failures agree"
        found["order_agreement_failures_included"] = share(
            np.array(equal), clusters=np.array(every), note=note, level=level
        )
    note = "how often the place that is shown first wins, over both orders: .5 is no bias"
    found["primacy"] = share(np.array(seat), clusters=np.array(every), note=note, level=level)
    if first:
        found["first_place_wins"] = share(
            np.array(first), note="of the pairs whose winner changes with the order", level=level
        )
    return found


def _first(ballot: Ballot) -> float:
    """Whether the response in the first place won this reply."""
    return float((ballot.level == "A") == (ballot.order == "given"))


def _winner(cast: Sequence[Ballot]) -> str | None:
    """The winner of one order's votes; None where no vote could be read."""
    values = [_VALUE[ballot.level] for ballot in cast if ballot.level is not None]
    if not values:
        return None
    mean = math.fsum(values) / len(values)
    return "A" if mean > 0.5 else "B" if mean < 0.5 else "tie"
