"""The one retry and response-validation policy, wrapped around every backend.

    Request --> Retry --> backend --> Reply --checked--> Reply
                  ^                     |
                  +-- wait, try again --+   only where a CallError says that trying again can help

Backends make one attempt and raise `CallError`; how often and how long is decided here and nowhere else. The SDKs' own
retries are switched off, since they repeat what must not be repeated and let malformed replies pass as success.
"""

from __future__ import annotations

import random as _random
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace

from rftj_cli.kernel.outcome import CallError, Judge, Reply, Request

BASE = 0.5  # seconds: the upper end of the first wait
CAP = 20.0  # seconds: the upper end of any wait that we choose ourselves
_end: ContextVar[float | None] = ContextVar("rftj_call_end", default=None)


def time_left(limit: float) -> float:
    """Seconds that an attempt may still take: `limit`, or less where the whole call's deadline is nearer. Above 0."""
    end = _end.get()
    return limit if end is None else max(0.001, min(limit, end - time.monotonic()))


@dataclass
class Retry:
    """A judge that tries again: `attempts` in all, `deadline` seconds for the whole call with its waits.

    Waits are drawn between 0 and min(20, 0.5 * 2^n) seconds (full jitter), and are never shorter than the service asked
    for. Raises the last attempt's `CallError` where attempts or time are used up.
    """

    judge: Judge
    attempts: int = 6
    deadline: float = 120.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    random: Callable[[], float] = _random.random

    def __call__(self, request: Request) -> Reply:
        end = self.clock() + self.deadline
        token = _end.set(time.monotonic() + self.deadline)
        try:
            attempt = 1
            while True:
                try:
                    return replace(checked(self.judge(request)), attempts=attempt)
                except CallError as error:
                    wait = self._wait(error, attempt)
                    if not error.retry or attempt >= self.attempts or self.clock() + wait >= end:
                        raise _after(error, attempt) from error.__cause__
                self.sleep(wait)
                attempt += 1
        finally:
            _end.reset(token)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the backend had to change to be served, such as leaving out a temperature that the model refuses."""
        return tuple(getattr(self.judge, "notes", ()))

    def _wait(self, error: CallError, attempt: int) -> float:
        own = self.random() * min(CAP, BASE * 2.0 ** (attempt - 1))
        return own if error.retry_after is None else max(own, error.retry_after)


def checked(reply: Reply) -> Reply:
    """The reply, if it is one. Raises a retryable `CallError` for an empty text that nothing explains."""
    if not isinstance(reply, Reply):
        raise CallError("call", f"the judge returned a {type(reply).__name__}, not a Reply", fatal=True)
    if reply.stop == "end" and not reply.text.strip():
        raise CallError("call", "empty reply", retry=True)
    return reply


def _after(error: CallError, attempts: int) -> CallError:
    if attempts == 1:
        return error
    return CallError(
        error.stage,
        f"{error.reason} (after {attempts} attempts)",
        retry=error.retry,
        retry_after=error.retry_after,
        fatal=error.fatal,
        advice=error.advice,
    )
