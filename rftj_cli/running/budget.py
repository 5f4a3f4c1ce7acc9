"""The cost ceiling: what a call may cost is set aside before it is sent, and settled on the usage it reports.

    reserve --may it be sent?--> call --Reply | CallError--> settle

What is spent and what is set aside together never pass the ceiling when a call is let go. So the money spent at the end
passes it by no more than the calls in flight cost beyond what was set aside for them. What is set aside is mostly more
than is billed: the ceiling is reached only when nothing is set aside any more and the next call does not fit.
"""

from __future__ import annotations

import threading
from typing import Final

from rftj_cli.files.prices import Price
from rftj_cli.kernel.outcome import CallError, Reply, Request
from rftj_cli.running.tokens import Meter, estimate

WAIT: Final = 1.0  # seconds between two looks at a ceiling that others' calls have set aside
_ROUNDING: Final = 1e-9  # of the ceiling: sums of many small costs are not exact


class Budget:
    """`ceiling` and costs are US dollars; without a ceiling everything is allowed, and spending is counted all the same.

    `exhausted` says that the ceiling is reached, `unmetered` counts replies without usage (none, zero or negative), which are
    charged by the estimate. Without a price nothing is known: `spent` and `uncertain` are None. Safe in many threads.
    """

    def __init__(self, price: Price | None, ceiling: float | None, meter: Meter | None = None) -> None:
        self._price, self.ceiling = price, ceiling
        self._meter = Meter() if meter is None else meter
        self._aside: dict[str, list[float]] = {}  # by the key of the request: what each of its calls was set aside with
        self._spent = self._reserved = self._uncertain = 0.0
        self._written = self._replies = 0  # output tokens, and of how many replies
        self._lock = threading.Lock()
        self._settled = threading.Condition(self._lock)
        self.exhausted, self.unmetered = False, 0

    @property
    def spent(self) -> float | None:
        """What this command's settled calls cost, those of uncertain cost at their estimate."""
        return None if self._price is None else self._spent

    @property
    def uncertain(self) -> float | None:
        """The part of `spent` that is an estimate: failures and replies that say nothing of what was billed."""
        return None if self._price is None else self._uncertain

    def reserve(self, request: Request) -> bool:
        """Set the expected cost aside; False where that would pass the ceiling, for now or, where `exhausted`, for good."""
        if self.ceiling is None or self._price is None:
            return True
        cost = self._expected(self._price, request)
        with self._lock:
            if self._spent + self._reserved + cost > self.ceiling * (1 + _ROUNDING):
                self.exhausted = not self._aside
                return False
            self._reserved += cost
            self._aside.setdefault(request.key, []).append(cost)
            return True

    def reserve_or_wait(self, request: Request) -> bool:
        """Set the expected cost aside, once enough of what others have set aside is settled; False where `exhausted`."""
        while not self.reserve(request):
            with self._settled:
                if self.exhausted:
                    return False
                self._settled.wait(WAIT)
        return True

    def cost_of(self, request: Request, answer: Reply | CallError) -> float | None:
        """What an answer costs, estimated where a reply has no usage; None where the price is unknown."""
        if self._price is None:
            return None
        return self._price.cost_of(answer) + self._lacking(self._price, request, answer)

    def settle(self, request: Request, answer: Reply | CallError) -> None:
        """Replace what was set aside by what was billed; by itself where nobody knows what was billed."""
        if self._price is None:
            return
        billed = self._price.cost_of(answer)
        lacking = self._lacking(self._price, request, answer)
        unknown = isinstance(answer, CallError) and answer.billed is None
        guess = self._expected(self._price, request) if unknown and self.ceiling is None else 0.0
        with self._lock:
            aside = self._release(request)
            if unknown:
                guess = max(guess, aside)
                self._uncertain += guess
            self._uncertain += lacking
            self.unmetered += lacking > 0
            self._spent += billed + lacking + guess
            if isinstance(answer, Reply) and answer.output_tokens:
                self._written += answer.output_tokens
                self._replies += 1
            self._settled.notify_all()

    def _lacking(self, price: Price, request: Request, reply: Reply | CallError) -> float:
        """What the tokens cost that a reply must have taken and does not report."""
        if isinstance(reply, CallError):
            return 0.0
        given = reply.input_tokens + reply.cache_read_tokens + reply.cache_write_tokens
        tokens = 0 if given else self._meter.expected(request)[0]
        return price.cost(tokens, 0 if reply.output_tokens else estimate(reply.text) + estimate(reply.reasoning))

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
