"""What a run has done so far, counted as rows are acknowledged: outcomes, tokens, cost, retries, waits, latency."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from rftj_cli.files.store_rows import OutcomeRow, ReplyRow, Row
from rftj_cli.kernel.outcome import CallError, Failure
from rftj_cli.running.traffic import Traffic

RECENT: Final = 10.0  # seconds over which the rate on display is taken
STEP: Final = 0.005  # of the logarithm of a duration
SHORTEST: Final = 1e-6  # seconds


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a run at one moment.

    Times are seconds, `cost` US dollars (None: price unknown), `rate` and `allowed` calls a second: what was achieved
    lately, and what the limiter lets through (None: no limit).
    """

    done: int
    total: int
    failed: int
    calls: int
    cost: float | None
    elapsed: float
    stages: dict[str, int]
    retries: int = 0
    throttled: int = 0
    rate: float = 0.0
    allowed: float | None = None

    @property
    def left(self) -> float | None:
        """Seconds until the end at the mean rate so far."""
        return self.elapsed * (self.total - self.done) / self.done if self.done else None


class Progress(Protocol):
    """Shows how a run gets on."""

    def update(self, snapshot: Snapshot) -> None: ...

    def close(self, snapshot: Snapshot) -> None: ...


class Silent:
    """Shows nothing."""

    def update(self, snapshot: Snapshot) -> None:
        pass

    def close(self, snapshot: Snapshot) -> None:
        pass


class Latencies:
    """Durations in seconds, counted in steps of half a percent: as small for a million as for ten."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Count one."""
        self._counts[round(math.log(max(seconds, SHORTEST)) / STEP)] += 1

    def quantile(self, share: float) -> float | None:
        """The quantile by nearest rank, to within half a percent; None where there is none."""
        rank = int(share * self._counts.total())
        for step in sorted(self._counts):
            rank -= self._counts[step]
            if rank < 0:
                return round(math.exp(step * STEP), 6)
        return None


@dataclass(slots=True)
class Tally:
    """Totals of one command. `acknowledge` is called by the writer, for each row that is on disk.

    `lost` tokens were billed for replies that could not be used; `unknown` counts calls that failed in a way that leaves
    open whether they were billed; `saved` counts votes that were not asked because the majority stood, `votes_lost` those
    without a verdict, in samples that have one from their other votes.
    """

    total: int
    progress: Progress
    traffic: Traffic | None = None
    started: float = field(default_factory=time.monotonic)
    done: int = 0
    calls: int = 0
    reused: int = 0
    retries: int = 0
    repaired: int = 0
    saved: int = 0
    votes_lost: int = 0
    unknown: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    lost_tokens: int = 0
    cost: float = 0.0
    priced: bool = True
    waited: float = 0.0
    stages: dict[str, int] = field(default_factory=dict)
    structures: dict[str, int] = field(default_factory=dict)
    latencies: Latencies = field(default_factory=lambda: Latencies())
    _recent: dict[int, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def acknowledge(self, row: Row) -> None:
        with self._lock:
            if isinstance(row, ReplyRow):
                self._reply(row)
            elif isinstance(row, OutcomeRow):
                self.done += 1
                stage = row.outcome.stage if isinstance(row.outcome, Failure) else "verdict"
                if not isinstance(row.outcome, Failure):
                    self.repaired += row.outcome.repaired
                    self.votes_lost += row.outcome.votes_lost
                self.stages[stage] = self.stages.get(stage, 0) + 1
                self.progress.update(self.snapshot())

    def save(self, votes: int) -> None:
        """Count votes that were not needed."""
        with self._lock:
            self.saved += votes

    def _reply(self, row: ReplyRow) -> None:
        if row.reused:
            self.reused += 1
            return
        self.calls += 1
        second = int(time.monotonic())
        self._recent[second] = self._recent.get(second, 0) + 1
        if row.cost is None:
            self.priced = False
        else:
            self.cost += row.cost
        reply = row.reply
        self.retries += reply.attempts - 1
        self.waited += reply.waited
        if isinstance(reply, CallError):
            self.unknown += reply.billed is None
            self.lost_tokens += reply.input_tokens + reply.output_tokens
            return
        self.input_tokens += reply.input_tokens
        self.output_tokens += reply.output_tokens
        self.cache_read_tokens += reply.cache_read_tokens
        self.cache_write_tokens += reply.cache_write_tokens
        self.lost_tokens += reply.lost_input_tokens + reply.lost_output_tokens
        if reply.structure:
            self.structures[reply.structure] = self.structures.get(reply.structure, 0) + 1
        self.latencies.add(reply.seconds)

    def snapshot(self) -> Snapshot:
        now = time.monotonic()
        for second in [second for second in self._recent if second < now - RECENT]:
            del self._recent[second]
        elapsed = now - self.started
        traffic = self.traffic
        return Snapshot(
            done=self.done,
            total=self.total,
            failed=self.done - self.stages.get("verdict", 0) - self.stages.get("skipped", 0),
            calls=self.calls,
            cost=self.cost if self.priced else None,
            elapsed=elapsed,
            stages=dict(self.stages),
            retries=self.retries,
            throttled=0 if traffic is None else traffic.throttled,
            rate=sum(self._recent.values()) / max(1e-9, min(RECENT, elapsed)),
            allowed=None if traffic is None else traffic.allowed,
        )

    def document(self, seconds: float) -> dict[str, Any]:
        """This command's part, as plain data; `seconds` is how long it judged. Rates are calls a minute."""
        traffic = self.traffic
        return {
            "judged": self.done,
            "calls": self.calls,
            "reused": self.reused,
            "retries": self.retries,
            "throttled": 0 if traffic is None else traffic.throttled,
            "repaired": self.repaired,
            "votes_saved": self.saved,
            "votes_lost": self.votes_lost,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cache_read_tokens": self.cache_read_tokens,
            "cache_write_tokens": self.cache_write_tokens,
            "lost_tokens": self.lost_tokens,
            "calls_billed_unknown": self.unknown,
            "cost": self.cost if self.priced else None,
            "seconds": round(seconds, 3),
            "waited": round(self.waited, 3),
            "latency_p50": self.latencies.quantile(0.5),
            "latency_p95": self.latencies.quantile(0.95),
            "calls_a_minute": round(60 * self.calls / seconds, 1) if seconds > 0 and self.calls else None,
            "allowed": None if traffic is None else traffic.document(),
            "structures": dict(self.structures),
            "stages": dict(self.stages),
        }
