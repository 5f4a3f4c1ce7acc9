"""The cost ceiling: what a call may cost is set aside before it is sent, and settled on the usage it reports.

    reserve --may it be sent?--> call --Reply | CallError--> settle

What is spent and what is set aside together never pass the ceiling when a call is let go. So the money spent at the end
passes it by no more than the calls in flight cost beyond what was set aside for them.
"""

from __future__ import annotations

import threading
from typing import Final

from rftj_cli.files.prices import Price
from rftj_cli.kernel.outcome import CallError, Reply, Request
from rftj_cli.running.tokens import Meter

_ROUNDING: Final = 1e-9  # of the ceiling: sums of many small costs are not exact


class Budget:
    """`ceiling` and costs are US dollars; without a ceiling everything is allowed, and spending is counted all the same.

    `exhausted` says that a call was refused. Without a price nothing is known: `spent` and `uncertain` are None. Safe in
    many threads.
    """

    def __init__(self, price: Price | None, ceiling: float | None, meter: Meter | None = None) -> None:
        self._price, self.ceiling = price, ceiling
        self._meter = Meter() if meter is None else meter
        self._aside: dict[str, list[float]] = {}  # by the key of the request: what each of its calls was set aside with
        self._spent = self._reserved = self._uncertain = 0.0
        self._written = self._replies = 0  # output tokens, and of how many replies
        self._lock = threading.Lock()
        self.exhausted = False

    @property
    def spent(self) -> float | None:
        """What this command's settled calls cost, those of uncertain cost at their estimate."""
        return None if self._price is None else self._spent

    @property
    def uncertain(self) -> float | None:
        """The part of `spent` that is an estimate: calls that failed in a way that says nothing of their billing."""
        return None if self._price is None else self._uncertain

    def reserve(self, request: Request) -> bool:
        """Set the expected cost aside; False where that would pass the ceiling."""
        if self.ceiling is None or self._price is None:
            return True
        cost = self._expected(self._price, request)
        with self._lock:
            if self._spent + self._reserved + cost > self.ceiling * (1 + _ROUNDING):
                self.exhausted = True
                return False
            self._reserved += cost
            self._aside.setdefault(request.key, []).append(cost)
            return True

    def settle(self, request: Request, answer: Reply | CallError) -> None:
        """Replace what was set aside by what was billed; by itself where nobody knows what was billed."""
        if self._price is None:
            return
        billed = self._price.cost_of(answer)
        unknown = isinstance(answer, CallError) and answer.billed is None
        guess = self._expected(self._price, request) if unknown and self.ceiling is None else 0.0
        with self._lock:
            aside = self._release(request)
            if unknown:
                guess = max(guess, aside)
                self._uncertain += guess
            self._spent += billed + guess
            if isinstance(answer, Reply) and answer.output_tokens:
                self._written += answer.output_tokens
                self._replies += 1

    def _release(self, request: Request) -> float:
        """Take back what one call of this request was set aside with; 0 where none was."""
        waiting = self._aside.get(request.key) if self._aside else None
        if not waiting:
            return 0.0
        cost = waiting.pop()
        if not waiting:
            del self._aside[request.key]
        self._reserved = max(0.0, self._reserved - cost) if self._aside else 0.0
        return cost

    def _expected(self, price: Price, request: Request) -> float:
        """What the meter expects, and for the output no less than replies had on average so far."""
        given, written = self._meter.expected(request)
        average = self._written / self._replies if self._replies else 0.0
        return price.cost(given, max(written, min(average, request.max_tokens)))
