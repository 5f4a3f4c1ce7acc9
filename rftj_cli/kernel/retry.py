"""The one retry and response-validation policy, for every backend, whether threads or one loop carry the calls.

    enter (the gate: rate limit, breaker) --> attempt --> Reply --checked--> Reply
      ^                                          |
      +---------------- pause <------------------+   only where a CallError says that trying again can help

`Policy.steps` says what to do next and does nothing itself, so that `Retry` can drive it in a thread (or in Lambda) and
`running/pool.py` in a loop. The SDKs' own retries are switched off, since they repeat what must not be repeated and let
malformed replies pass as success.
"""

from __future__ import annotations

import random as _random
import time
from collections.abc import Callable, Generator
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Protocol

from rftj_cli.kernel.outcome import CallError, Judge, Reply, Request
from rftj_cli.kernel.secrets import redacted, redacted_error

BASE = 0.5  # seconds: the upper end of the first wait
CAP = 20.0  # seconds: the upper end of any wait that we choose ourselves
EARLY = 5.0  # seconds: no attempt is cut sooner for taking longer than others, unless the call's own time is short
GATED_CAP = 2.0  # seconds: the same for a throttled call where a limiter slows down all calls anyway
HUNG = 0.9  # of its time: an attempt that took as long and brought nothing was hanging
_end: ContextVar[float | None] = ContextVar("rftj_call_end", default=None)


def time_left(limit: float) -> float:
    """Seconds that an attempt may still take: `limit`, or less where the whole call's deadline is nearer. Above 0."""
    end = _end.get()
    return limit if end is None else max(0.001, min(limit, end - time.monotonic()))


def early_attempt(deadline: float, usual: float, slowest: float) -> float:
    """Seconds for the first attempt of a call that gets another one later: many times what replies usually take."""
    return max(min(deadline / 4, EARLY), 8 * usual, 2 * slowest) if usual else float("inf")


def longest_attempt(deadline: float, usual: float) -> float:
    """Seconds that one attempt may take: a quarter of the call's, but eight times the usual; all before any is known."""
    return max(deadline / 4, 8 * usual) if usual else float("inf")


@dataclass(frozen=True, slots=True)
class Enter:
    """Wait until the gate lets the call in."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Make one attempt, in at most `seconds`; send the `Reply` or `CallError` that it brings."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for `seconds`."""

    seconds: float


Step = Enter | Attempt | Pause
Steps = Generator[Step, Reply | CallError | None, Reply]


@dataclass(frozen=True, slots=True)
class Policy:
    """How often and how long a call is tried: `attempts` in all, `deadline` seconds of attempts and pauses together.

    `hangs` is how many of the attempts may use up their time without an answer.

    Time at the gate is not the call's own and does not count. Being throttled is no attempt, nor is a fault that many
    calls had at once: only time ends it (a single attempt is one whatever it brings). `longest` says how many seconds one attempt may take, so that one which hangs
    leaves time for another. Pauses are drawn between 0 and min(20, 0.5 * 2^n) seconds (full jitter) and are never shorter than the service asked for;
    where `gated`, what a throttled call is asked to wait is not its own time.
    """

    attempts: int = 6
    deadline: float = 120.0
    hangs: int = 6
    gated: bool = False
    longest: Callable[[], float] = lambda: float("inf")
    clock: Callable[[], float] = time.monotonic
    random: Callable[[], float] = _random.random

    def steps(self) -> Steps:
        """What to do, step by step. Returns the reply; raises the last attempt's `CallError` where time or tries are up."""
        past = _Past()
        while True:
            yield Enter()
            began = self.clock()
            limit = max(0.001, min(self.deadline - past.spent, self.longest()))
            answer = yield Attempt(limit)
            took = self.clock() - began
            past.spent += took
            answer = checked(answer)
            if isinstance(answer, Reply):
                return past.reply(answer)
            past.add(answer)
            if answer.adapted:
                continue
            if answer.paused:
                past.spent = 0.0
            wait, own = self._wait(answer, past)
            past.hangs += answer.stage == "timeout" and _counts(answer) and took >= HUNG * min(limit, self.longest())
            tried = (past.faults >= self.attempts or past.hangs >= self.hangs) and _counts(answer)
            if not answer.retry or tried or self.attempts == 1 or past.spent + own >= self.deadline:
                raise past.error(answer) from answer.__cause__
            yield Pause(wait)
            past.spent += own
            past.waited += wait

    def _wait(self, error: CallError, past: _Past) -> tuple[float, float]:
        """Seconds to wait, and how many of them count as the call's own."""
        held = self.gated and not _counts(error)
        tries = past.attempts - 1
        own = self.random() * min(GATED_CAP if held else CAP, BASE * 2.0 ** min(tries, 10))
        asked = own if error.retry_after is None else max(own, error.retry_after)
        return asked, own if held else asked


def _counts(error: CallError) -> bool:
    """Whether a failed attempt is held against its call."""
    return not (error.adapted or error.excused or error.stage == "throttled")


@dataclass(slots=True)
class _Past:
    """What a call has been through."""

    spent: float = 0.0
    waited: float = 0.0
    attempts: int = 0
    faults: int = 0
    hangs: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    billed: bool | None = False

    def add(self, error: CallError) -> None:
        self.attempts += not error.adapted
        self.faults += _counts(error)
        self.input_tokens += error.input_tokens
        self.output_tokens += error.output_tokens
        self.billed = None if None in (self.billed, error.billed) else self.billed or error.billed

    def reply(self, reply: Reply) -> Reply:
        if not (self.attempts or self.input_tokens):
            return reply
        return replace(
            reply,
            attempts=self.attempts + 1,
            waited=self.waited,
            lost_input_tokens=self.input_tokens,
            lost_output_tokens=self.output_tokens,
        )

    def error(self, error: CallError) -> CallError:
        many = f" (after {self.attempts} attempts)" if self.attempts > 1 else ""
        last = CallError(
            error.stage,
            f"{error.reason}{many}",
            retry=error.retry,
            retry_after=error.retry_after,
            fatal=error.fatal,
            advice=error.advice,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            billed=self.billed,
        )
        last.attempts, last.waited = max(1, self.attempts), self.waited
        return last


def joined(before: CallError, answer: Reply | CallError) -> Reply | CallError:
    """The answer of a call's second turn, with what the first one took."""
    return _with_reply(before, answer) if isinstance(answer, Reply) else joined_errors(before, answer)


def _with_reply(before: CallError, reply: Reply) -> Reply:
    return replace(
        reply,
        attempts=reply.attempts + before.attempts,
        waited=reply.waited + before.waited,
        lost_input_tokens=reply.lost_input_tokens + before.input_tokens,
        lost_output_tokens=reply.lost_output_tokens + before.output_tokens,
    )


def joined_errors(before: CallError, answer: CallError) -> CallError:
    """The failure of a later turn, with what the turns before took."""
    past = _Past(0.0, before.waited + answer.waited, before.attempts + answer.attempts)
    past.input_tokens = before.input_tokens + answer.input_tokens
    past.output_tokens = before.output_tokens + answer.output_tokens
    past.billed = None if None in (before.billed, answer.billed) else before.billed or answer.billed
    reason = answer.reason.removesuffix(f" (after {answer.attempts} attempts)")
    return past.error(CallError(answer.stage, reason, retry=answer.retry, fatal=answer.fatal, advice=answer.advice))


class Gate(Protocol):
    """What may hold attempts back. `enter` blocks until one may go; `told` hears how it went."""

    def enter(self, request: Request) -> None: ...

    def told(self, request: Request, answer: Reply | CallError) -> None: ...


class Open:
    """A gate that holds nobody back."""

    def enter(self, request: Request) -> None:
        """Goes at once."""

    def told(self, request: Request, answer: Reply | CallError) -> None:
        """Learns nothing."""


@dataclass
class Retry:
    """A judge that tries again, in the calling thread. Raises the last `CallError` where attempts or time are used up."""

    judge: Judge
    policy: Policy = field(default_factory=Policy)
    gate: Gate = field(default_factory=Open)
    sleep: Callable[[float], None] = time.sleep

    def __call__(self, request: Request) -> Reply:
        steps = self.policy.steps()
        answer: Reply | CallError | None = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as done:
                reply: Reply = done.value
                return reply
            answer = None
            if isinstance(step, Enter):
                self.gate.enter(request)
            elif isinstance(step, Pause):
                self.sleep(step.seconds)
            else:
                answer = self._attempt(request, step.seconds)
                self.gate.told(request, answer)

    def _attempt(self, request: Request, seconds: float) -> Reply | CallError:
        token = _end.set(time.monotonic() + seconds)
        try:
            return checked(self.judge(request))
        except CallError as error:
            return checked(error)
        finally:
            _end.reset(token)


def checked(answer: object) -> Reply | CallError:
    """The answer without secrets, if it is one; a retryable `CallError` for an empty text that nothing explains."""
    if isinstance(answer, CallError):
        answer.reason = redacted_error(answer.reason)
        return answer
    if not isinstance(answer, Reply):
        return CallError("call", f"the judge returned a {type(answer).__name__}, not a Reply", fatal=True)
    if answer.stop == "end" and not answer.text.strip():
        return CallError(
            "call",
            "empty reply",
            retry=True,
            input_tokens=answer.input_tokens + answer.cache_read_tokens + answer.cache_write_tokens,
            output_tokens=answer.output_tokens,
            billed=True,
        )
    told = answer.text, answer.reasoning, answer.stop_reason
    text, reasoning, stop_reason = clean = tuple(redacted(one) for one in told)
    return answer if clean == told else replace(answer, text=text, reasoning=reasoning, stop_reason=stop_reason)
