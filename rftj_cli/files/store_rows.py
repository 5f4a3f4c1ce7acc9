"""The rows of a run store, as values and as what SQLite is given."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from rftj_cli.kernel.checks import CheckResult
from rftj_cli.kernel.outcome import CallError, Failure, Outcome, Reply, Reward
from rftj_cli.kernel.sample import Sample


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A sample with the group, cluster and split that the run settled for it."""

    sample: Sample
    fingerprint: str
    group: str
    cluster: str
    split: str


@dataclass(frozen=True, slots=True)
class ReplyRow:
    """One answered (or failed) call. `cost` is in US dollars, None where the price is unknown."""

    key: str
    sample: str
    item: str | None
    order: str
    vote: int
    criteria: str
    reply: Reply | CallError
    cost: float | None
    reused: bool


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """What became of one sample."""

    sample: str
    outcome: Outcome
    reward: Reward
    checks: tuple[CheckResult, ...]


Row = SampleRow | ReplyRow | OutcomeRow


@dataclass(frozen=True, slots=True)
class Rewards:
    """Mean, lowest and highest reward of a run (None: there is none), and how many outcomes have no reward."""

    mean: float | None
    low: float | None
    high: float | None
    without: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Means over the replies of a run: tokens given and written, seconds."""

    input_tokens: float | None
    output_tokens: float | None
    seconds: float | None


def _encode(value: object) -> bytes:
    """JSON. Half a surrogate pair, as a reply cut inside an emoji may hold, is no Unicode and becomes U+FFFD."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        text = json.dumps(msgspec.to_builtins(value), ensure_ascii=False)
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _sample_values(row: SampleRow) -> tuple[Any, ...]:
    sample = row.sample
    fields, criteria = _encode(dict(sample.fields)), _encode(list(sample.criteria))
    return sample.id, row.fingerprint, row.group, row.cluster, row.split, fields, criteria


def _reply_values(row: ReplyRow) -> tuple[Any, ...]:
    if isinstance(row.reply, CallError):
        body, stage, reason = None, row.reply.stage, row.reply.reason
    else:
        body, stage, reason = _encode(row.reply).decode(), None, None
    return row.key, row.sample, row.item, row.order, row.vote, row.criteria, body, stage, reason, row.cost, row.reused


def _outcome_values(row: OutcomeRow) -> tuple[Any, ...]:
    failed = isinstance(row.outcome, Failure)
    stage = row.outcome.stage if isinstance(row.outcome, Failure) else None
    kind = "failure" if failed else "verdict"
    return row.sample, kind, stage, _encode(row.outcome), _encode(row.reward), _encode(list(row.checks))


INSERTS: Mapping[type[Row], tuple[str, Callable[[Any], tuple[Any, ...]]]] = {
    SampleRow: ("INSERT OR IGNORE INTO samples VALUES (NULL,?,?,?,?,?,?,?)", _sample_values),
    ReplyRow: ("INSERT INTO replies VALUES (NULL,?,?,?,?,?,?,?,?,?,?,?)", _reply_values),
    OutcomeRow: ("INSERT OR REPLACE INTO outcomes VALUES (?,?,?,?,?,?)", _outcome_values),
}
