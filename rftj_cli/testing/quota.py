"""A service's quota: how many requests and tokens it takes in a minute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["requests", "tokens"]


@dataclass(frozen=True, slots=True)
class Quota:
    """At most `requests` and `tokens` per `period` (60 seconds); None is without limit.

    By default a bucket that fills continuously and holds what comes in `burst_seconds`; a request larger than the whole
    bucket passes when the bucket is full. With `window` the limits hold for fixed windows, which begin with the first
    request. A request is charged its prompt and its max_tokens on arrival, and what it has not used is given back when
    it is answered. `retry_after`: a refusal says in a Retry-After header how long to wait.
    """

    requests: float | None = None
    tokens: float | None = None
    burst_seconds: float = 1.0
    window: bool = False
    period: float = 60.0
    retry_after: bool = False


@dataclass(frozen=True, slots=True)
class Over:
    """A request over the quota: of what, and the seconds until it would pass."""

    kind: Kind
    wait: float


class Meter:
    """What is left of a quota. Times are in seconds of a monotonic clock."""

    def __init__(self, quota: Quota) -> None:
        pot = _Window if quota.window else _Bucket
        self._requests = None if quota.requests is None else pot(quota, quota.requests)
        self._tokens = None if quota.tokens is None else pot(quota, quota.tokens)

    def take(self, tokens: int, now: float) -> Over | None:
        """Charges one request and its tokens, or says what it is over. A refused request is charged nothing."""
        wanted: tuple[tuple[Kind, _Bucket | _Window | None, int], ...]
        wanted = (("requests", self._requests, 1), ("tokens", self._tokens, tokens))
        for kind, pot, amount in wanted:
            if pot is not None and (wait := pot.wait(amount, now)) > 0:
                return Over(kind, wait)
        for _, pot, amount in wanted:
            if pot is not None:
                pot.take(amount)
        return None

    def give_back(self, tokens: int) -> None:
        """Returns tokens that were charged and not used; negative ones are charged."""
        if self._tokens is not None:
            self._tokens.take(-tokens)


class _Bucket:
    def __init__(self, quota: Quota, limit: float) -> None:
        self._rate = limit / quota.period
        self._size = self._level = self._rate * quota.burst_seconds
        self._at: float | None = None

    def wait(self, amount: float, now: float) -> float:
        """Seconds until the amount is there, 0 for now."""
        since, self._at = (0.0 if self._at is None else now - self._at), now
        self._level = min(self._size, self._level + since * self._rate)
        missing = min(amount, self._size) - self._level
        # The sum of many small refills misses the whole by a rounding error.
        if missing <= 1e-9 * self._size and self._size > 0:
            return 0.0
        return missing / self._rate if self._rate else float("inf")

    def take(self, amount: float) -> None:
        self._level = min(self._size, self._level - amount)


class _Window:
    def __init__(self, quota: Quota, limit: float) -> None:
        self._limit, self._period = limit, quota.period
        self._used = 0.0
        self._began: float | None = None

    def wait(self, amount: float, now: float) -> float:
        """Seconds until the next window, 0 if there is room in this one."""
        if self._began is None:
            self._began = now
        windows = (now - self._began) // self._period
        if windows:
            self._began, self._used = self._began + windows * self._period, 0.0
        if self._used + amount <= self._limit or (not self._used and self._limit > 0):
            return 0.0
        return self._began + self._period - now

    def take(self, amount: float) -> None:
        self._used = max(0.0, self._used + amount)
