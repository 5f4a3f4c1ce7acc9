"""From the replies of one sample to its outcome: ballots are read, un-swapped, and combined into ratings.

Pure: the same replies give the same outcome, so stored replies can be concluded again at any time.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from rftj_cli.kernel.asks import SWAPPED, Ask
from rftj_cli.kernel.outcome import (
    SERVICE_STAGES,
    Ballot,
    CallError,
    Failure,
    Outcome,
    Rating,
    Reply,
    Stage,
    Verdict,
)
from rftj_cli.kernel.parse import Unparsed, parse_reply
from rftj_cli.kernel.rubric import Criterion, Rubric, Scale
from rftj_cli.kernel.sample import Sample

_STOPPED: dict[str, tuple[Stage, str]] = {
    "max_tokens": ("truncated", "the reply was cut off at max_tokens"),
    "filtered": ("filtered", "the service filtered the reply"),
    "refused": ("refused", "the model refused to answer"),
}


def conclude(rubric: Rubric, sample: Sample, answered: Sequence[tuple[Ask, Reply | CallError]]) -> Outcome:
    """The verdict that the replies give, or the failure that stands in its way. One entry of `answered` an ask."""
    own = texts_of(sample.fields)
    ballots: list[Ballot] = []
    repaired = False
    for ask, reply in answered:
        new, mended = _read(rubric, ask, reply, own)
        ballots += new
        repaired = repaired or mended
    ratings: list[Rating] = []
    for criterion, item in dict.fromkeys((c, ask.item) for ask, _ in answered for c in ask.criteria):
        these = [b for b in ballots if b.criterion == criterion.id and b.item == item]
        rating = _rate(rubric, criterion, item, these)
        if isinstance(rating, Failure):
            return replace(rating, ballots=tuple(ballots))
        ratings.append(rating)
    return Verdict(tuple(ratings), tuple(ballots), repaired)


def ballots_of(rubric: Rubric, sample: Sample, ask: Ask, reply: Reply | CallError) -> list[Ballot]:
    """What one reply says: a ballot for each criterion of its ask."""
    return _read(rubric, ask, reply, texts_of(sample.fields))[0]


def texts_of(fields: Mapping[str, object]) -> tuple[str, ...]:
    """Every text of a sample, and its data as the prompt shows them: as JSON."""
    return tuple(_texts(dict(fields)))


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.values() for text in (*_as_json(item), *_texts(item))]
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in _texts(item)]
    return []


def _as_json(value: object) -> list[str]:
    return [json.dumps(value, ensure_ascii=False, default=str)] if isinstance(value, (dict, list, tuple)) else []


def _read(rubric: Rubric, ask: Ask, reply: Reply | CallError, own: tuple[str, ...]) -> tuple[list[Ballot], bool]:
    """One ballot for each criterion of the ask, and whether the reply had to be repaired."""
    if isinstance(reply, CallError):
        return _failed(ask, reply.stage, reply.reason), False
    if reply.stop in _STOPPED:
        return _failed(ask, *_STOPPED[reply.stop]), False
    try:
        parsed = parse_reply(reply.text, ask.criteria, rubric.parse, own)
    except Unparsed as error:
        return _failed(ask, "unparsed", str(error)), False
    ballots = []
    for criterion in ask.criteria:
        answer = parsed.answers[criterion.id]
        level = criterion.scale.names[answer.level]
        odds = None if reply.probabilities is None else reply.probabilities.get(criterion.id)
        if ask.order == "swapped":
            level = SWAPPED[level]
            odds = None if odds is None else {SWAPPED[name]: p for name, p in odds.items()}
        ballots.append(
            Ballot(criterion.id, ask.item, ask.order, ask.vote, level, answer.reason, None, probabilities=odds)
        )
    return ballots, parsed.repaired


def _failed(ask: Ask, stage: Stage, reason: str) -> list[Ballot]:
    return [Ballot(c.id, ask.item, ask.order, ask.vote, None, reason, stage) for c in ask.criteria]


def _rate(rubric: Rubric, criterion: Criterion, item: str | None, ballots: list[Ballot]) -> Rating | Failure:
    cast = [ballot for ballot in ballots if ballot.level is not None]
    lost = [ballot for ballot in ballots if ballot.level is None]
    by_order = {ballot.order for ballot in ballots} - {ballot.order for ballot in cast}
    # A verdict needs more than half of its votes, and in a comparison both orders: one order alone carries its bias.
    if by_order or len(cast) * 2 <= len(ballots):
        # A loss that trying again may mend is named first, so that it is tried again.
        first = next((ballot for ballot in lost if ballot.stage in SERVICE_STAGES), lost[0])
        more = f" ({len(lost)} of {len(ballots)} replies failed)" if len(ballots) > 1 else ""
        return Failure(first.stage or "unparsed", first.reason + more)
    if criterion.scale.kind == "preference":
        if rubric.judge.votes_tie == "failure" and any(_even(cast, order) for order in ("given", "swapped")):
            return Failure("unparsed", f"{criterion.id}: tie of votes, {_counted(cast)}")
        level, value = _prefer(cast, criterion.scale)
    elif rubric.judge.vote == "mean":
        level, value = _mean(cast, criterion.scale)
    else:
        chosen = _majority(rubric, cast, criterion.scale)
        if chosen is None:
            return Failure("unparsed", f"{criterion.id}: tie of votes, {_counted(cast)}")
        level, value = chosen
    same = [ballot for ballot in cast if ballot.level == level]
    reason = (same or cast)[0].reason
    odds = _odds(cast)
    expected, confidence = _sureness(odds, criterion.scale, level)
    return Rating(criterion.id, item, level, value, reason, len(same) / len(ballots), odds, expected, confidence)


def _even(cast: list[Ballot], order: str) -> bool:
    """Whether the votes in one order are split evenly between A and B. (One vote each way over two orders is a tie.)"""
    counts = Counter(ballot.level for ballot in cast if ballot.order == order)
    return counts["A"] == counts["B"] > counts["tie"]


def _prefer(cast: list[Ballot], scale: Scale) -> tuple[str, float]:
    """The mean over orders and votes, A = 1 and B = 0: a winner that changes with the order is a tie."""
    values = dict(zip(scale.names, scale.values, strict=True))
    sides = [[values[b.level or ""] for b in cast if b.order == order] for order in ("given", "swapped")]
    means = [math.fsum(side) / len(side) for side in sides if side]
    value = math.fsum(means) / len(means)
    return ("A" if value > 0.5 else "B" if value < 0.5 else "tie"), value


def _mean(cast: list[Ballot], scale: Scale) -> tuple[str, float]:
    values = dict(zip(scale.names, scale.values, strict=True))
    value = math.fsum(values[ballot.level or ""] for ballot in cast) / len(cast)
    return min(scale.names, key=lambda name: abs(values[name] - value)), value


def _majority(rubric: Rubric, cast: list[Ballot], scale: Scale) -> tuple[str, float] | None:
    counts = Counter(ballot.level or "" for ballot in cast)
    most = max(counts.values())
    tied = [name for name in scale.names if counts[name] == most]
    if len(tied) > 1 and rubric.judge.votes_tie == "failure":
        return None
    level = tied[0] if rubric.judge.votes_tie != "best" else tied[-1]  # levels stand worst first
    return level, scale.values[scale.names.index(level)]


def _counted(cast: list[Ballot]) -> str:
    counts = Counter(ballot.level for ballot in cast)
    return ", ".join(f"{count} x {name}" for name, count in counts.most_common())


def _sureness(odds: dict[str, float] | None, scale: Scale, level: str) -> tuple[float | None, float | None]:
    """The expected value over the levels' probabilities, and the probability of the level that the verdict names."""
    if odds is None:
        return None, None
    if not scale.valued:
        return None, odds.get(level)
    values = dict(zip(scale.names, scale.values, strict=True))
    return math.fsum(values[name] * p for name, p in odds.items()), odds.get(level)


def _odds(cast: list[Ballot]) -> dict[str, float] | None:
    given = [ballot.probabilities for ballot in cast if ballot.probabilities is not None]
    if not given:
        return None
    names = dict.fromkeys(name for one in given for name in one)
    return {name: math.fsum(one.get(name, 0.0) for one in given) / len(given) for name in names}
