"""What a run has done so far, counted as rows are acknowledged: outcomes, tokens, cost, latency."""

from __future__ import annotations

import threading
import time
from array import array
from dataclasses import dataclass, field
from typing import Protocol

from rftj_cli.files.store import OutcomeRow, ReplyRow, Row
from rftj_cli.kernel.outcome import CallError, Failure


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a run at one moment. Times are seconds, `cost` US dollars (None: price unknown)."""

    done: int
    total: int
    failed: int
    calls: int
    cost: float | None
    elapsed: float
    stages: dict[str, int]

    @property
    def rate(self) -> float:
        """Samples a second of this command."""
        return self.done / self.elapsed if self.elapsed > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds until the end at the present rate."""
        return (self.total - self.done) / self.rate if self.done else None


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


@dataclass(slots=True)
class Tally:
    """Totals of one command. `acknowledge` is called by the writer, for each row that is on disk."""

    total: int
    progress: Progress
    started: float = field(default_factory=time.monotonic)
    done: int = 0
    calls: int = 0
    reused: int = 0
    retries: int = 0
    repaired: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    priced: bool = True
    stages: dict[str, int] = field(default_factory=dict)
    seconds: array[float] = field(default_factory=lambda: array("f"))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def acknowledge(self, row: Row) -> None:
        with self._lock:
            if isinstance(row, ReplyRow):
                self._reply(row)
            elif isinstance(row, OutcomeRow):
                self.done += 1
                stage = row.outcome.stage if isinstance(row.outcome, Failure) else "verdict"
                self.repaired += int(not isinstance(row.outcome, Failure) and row.outcome.repaired)
                self.stages[stage] = self.stages.get(stage, 0) + 1
                self.progress.update(self.snapshot())

    def _reply(self, row: ReplyRow) -> None:
        if row.reused:
            self.reused += 1
            return
        self.calls += 1
        if row.cost is None:
            self.priced = False
        else:
            self.cost += row.cost
        if not isinstance(row.reply, CallError):
            self.retries += row.reply.attempts - 1
            self.input_tokens += row.reply.input_tokens
            self.output_tokens += row.reply.output_tokens
            self.seconds.append(row.reply.seconds)

    def snapshot(self) -> Snapshot:
        failed = self.done - self.stages.get("verdict", 0)
        cost = self.cost if self.priced else None
        elapsed = time.monotonic() - self.started
        return Snapshot(self.done, self.total, failed, self.calls, cost, elapsed, dict(self.stages))

    def latency(self, share: float) -> float | None:
        """The quantile of the calls' durations in seconds (nearest rank), None without calls."""
        if not self.seconds:
            return None
        ordered = sorted(self.seconds)
        return float(ordered[min(len(ordered) - 1, int(share * len(ordered)))])
