"""The cost ceiling: what a call may cost is set aside before it is sent, and settled on the usage it reports."""

from __future__ import annotations

import threading

from rftj_cli.files.prices import Price
from rftj_cli.kernel.outcome import CallError, Reply, Request
from rftj_cli.running.preflight import request_tokens


class Budget:
    """`ceiling` and costs are US dollars; without a ceiling everything is allowed."""

    def __init__(self, price: Price | None, ceiling: float | None) -> None:
        self._price, self.ceiling = price, ceiling
        self._spent = self._reserved = 0.0
        self._lock = threading.Lock()
        self.exhausted = False

    def reserve(self, request: Request) -> bool:
        """Set the estimated cost aside; False where that would pass the ceiling."""
        if self.ceiling is None:
            return True
        cost = self._estimate(request)
        with self._lock:
            if self._spent + self._reserved + cost > self.ceiling:
                self.exhausted = True
                return False
            self._reserved += cost
            return True

    def settle(self, request: Request, reply: Reply | CallError) -> None:
        """Replace the estimate by what was billed."""
        if self.ceiling is None or self._price is None:
            return
        billed = self._price.cost(reply.input_tokens, reply.output_tokens) if isinstance(reply, Reply) else 0.0
        with self._lock:
            self._reserved -= self._estimate(request)
            self._spent += billed

    def _estimate(self, request: Request) -> float:
        return 0.0 if self._price is None else self._price.cost(*request_tokens(request))
