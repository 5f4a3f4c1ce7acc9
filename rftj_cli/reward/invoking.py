"""`rftj reward invoke`: one event, once or many times, through a zip that runs on this machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from rftj_cli.errors import InputError
from rftj_cli.files.scratch import ended_in_order
from rftj_cli.files.text import read_input
from rftj_cli.reward.local import FunctionError, Invocation, Limits, LocalFunction
from rftj_cli.reward.local.function import HANDLER, encoded
from rftj_cli.reward.local.settings import MOST_PAYLOAD
from rftj_cli.reward.replaying import replies_of

SCHEMA: Final = "rftj.invocation/1"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be invoked, how often, and within which limits."""

    zip: Path
    event: Path
    limits: Limits
    times: int = 1
    environment: Sequence[str] = ()
    pass_credentials: bool = False
    replies: Path | None = None
    handler: str = HANDLER


@dataclass(frozen=True, slots=True)
class Run:
    """One invocation, without its response."""

    request_id: str
    cold: bool
    init: dict[str, float]
    seconds: float
    billed_ms: int
    max_memory_mb: int
    error: FunctionError | None
    response_sha256: str
    logs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Times:
    """Times in seconds of `n` invocations: the nearest ranks, None where there was none."""

    n: int
    latency_p50: float | None
    latency_p95: float | None
    latency_p100: float | None


@dataclass(frozen=True, slots=True)
class Invoked:
    """Every invocation, and the response of the first that answered, or else the error of the first."""

    zip: str
    handler: str
    python: str
    limits: Limits
    response: Any
    response_not_json: str | None
    error: FunctionError | None
    raw: bytes = field(repr=False)
    failed: int
    responses_differ: bool
    max_memory_mb: int
    init: Times
    cold: Times
    warm: Times
    runs: tuple[Run, ...]

    @property
    def exit_code(self) -> int:
        """3 where the function failed once or more."""
        return 3 if self.failed else 0

    @property
    def telling(self) -> Run:
        """The invocation whose log is worth reading: the first that failed, else the first."""
        return next((run for run in self.runs if run.error is not None), self.runs[0])


@ended_in_order()
def invoke_all(order: Order) -> Invoked:
    """Invoke the function as often as wanted. Raises `InputError` for what is wrong before it runs."""
    event = _event(order.event)
    given = _pairs(order.environment)
    limits = order.limits
    first: Invocation | None = None
    runs = []
    with (
        replies_of(order.replies, order.zip) as replies,
        ThreadPoolExecutor(
            limits.concurrency
        ) as pool,  # left last: closing the function ends what its threads wait for
        LocalFunction(
            order.zip,
            limits,
            {**given, **replies},
            handler=order.handler,
            pass_credentials=order.pass_credentials,
        ) as function,
    ):
        for invocation in pool.map(lambda _: function.invoke(event), range(order.times)):
            runs.append(_run(invocation))
            if first is None or (first.error is not None and invocation.error is None):
                first = invocation
    assert first is not None
    return _invoked(order, first, tuple(runs))


def _event(path: Path) -> bytes:
    data = read_input(path, "event", MOST_PAYLOAD)
    try:
        return encoded(data)
    except InputError as error:
        raise error.located(file="standard input" if str(path) == "-" else path) from None


def _invoked(order: Order, first: Invocation, runs: tuple[Run, ...]) -> Invoked:
    """`first` is the first invocation that answered, or else the first."""
    answered = {run.response_sha256 for run in runs if run.error is None}
    return Invoked(
        zip=str(order.zip),
        handler=order.handler,
        python=f"{sys.version_info[0]}.{sys.version_info[1]}",
        limits=order.limits,
        response=first.payload,
        response_not_json=first.not_json,
        error=next((run.error for run in runs if run.error is not None), None),
        raw=first.raw,
        failed=sum(run.error is not None for run in runs),
        responses_differ=len(answered) > 1,
        max_memory_mb=max(run.max_memory_mb for run in runs),
        init=_times([run.init["seconds"] for run in runs if run.cold]),
        cold=_times([run.seconds for run in runs if run.cold]),
        warm=_times([run.seconds for run in runs if not run.cold]),
        runs=runs,
    )


def _run(one: Invocation) -> Run:
    return Run(
        request_id=one.request_id,
        cold=one.cold,
        init={"seconds": round(one.init_s, 6)},
        seconds=round(one.duration_s, 6),
        billed_ms=one.billed_ms,
        max_memory_mb=one.max_memory_mb,
        error=one.error,
        response_sha256=sha256(one.raw).hexdigest(),
        logs=one.logs,
    )


def _times(seconds: list[float]) -> Times:
    ordered = sorted(seconds)
    if not ordered:
        return Times(0, None, None, None)
    n = len(ordered)
    p50, p95 = (ordered[-(-n * share // 100) - 1] for share in (50, 95))
    return Times(n, p50, p95, ordered[-1])


def _pairs(words: Sequence[str]) -> dict[str, str]:
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise InputError("an environment variable without a value", key="--env", found=word, expected="NAME=VALUE")
        found[name] = value
    return found
