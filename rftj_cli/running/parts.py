"""What an engine works with, so that `score` and the rollouts can each bring their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rftj_cli.files.prices import Price
from rftj_cli.files.store import Store
from rftj_cli.files.store_rows import SampleRow
from rftj_cli.kernel.asks import Ask
from rftj_cli.kernel.evaluate import Judged, Task, finish
from rftj_cli.kernel.outcome import CallError, Reply
from rftj_cli.running.account import Tally
from rftj_cli.running.budget import Budget
from rftj_cli.running.recordings import Recordings
from rftj_cli.running.tokens import Meter
from rftj_cli.running.traffic import Traffic


@dataclass(frozen=True, slots=True)
class Parts:
    """What an engine works with. `traffic` is None where no service is called; with `adaptive` settled votes are not asked.

    `conclude` says what the answers to a task's calls are worth, `who` is asked, for errors. `spread` gives tasks from
    different places behind the first so many, `known_good` a call that was answered in an earlier command.
    """

    store: Store
    recordings: Sequence[Recordings]
    price: Price | None
    budget: Budget
    tally: Tally
    meter: Meter
    stop: threading.Event
    traffic: Traffic | None = None
    adaptive: bool = False
    conclude: Callable[[Task, Sequence[tuple[Ask, Reply | CallError]]], Judged] = finish
    who: str = "the judge"
    spread: Callable[[int], Iterator[tuple[SampleRow, Task]]] | None = None
    known_good: Callable[[], tuple[Task, Ask] | None] = lambda: None
