"""What a verification costs where it asks the real judge: said before, held against a ceiling, counted after.

rows that the real judge gets * calls and tokens of a row in the run --> Spending      log of the function --Metered--> used
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from rftj_cli.errors import CannotTell, InputError
from rftj_cli.files.prices import Price, price_of
from rftj_cli.files.runs import Run
from rftj_cli.kernel.answering import LOG_SCHEMA
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.reward.local.outcome import Invocation
from rftj_cli.reward.parity import Function, Recorded


@dataclass(frozen=True, slots=True)
class Spending:
    """Rows that the real judge is asked about, its calls, tokens in and out, and US dollars; None where it is unknown.

    `price` says where the price comes from, `measured` whether the function's log told all this, or the run foretells it.
    """

    rows: int
    calls: int
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None
    price: str
    measured: bool = False

    def refuse_beyond(self, ceiling: float | None) -> None:
        """Raise `CannotTell` where it would cost more, `InputError` where that is unknown."""
        if ceiling is None:
            return
        if not ceiling >= 0:
            raise InputError("not an amount", key="--max-cost", found=ceiling, expected="US dollars")
        if self.cost is None:
            raise InputError("--max-cost needs to know what the judge costs", key="--max-cost", found=self.price)
        if self.cost > ceiling:
            raise CannotTell(
                f"the judge would cost about ${self.cost:,.2g}, more than --max-cost {ceiling:g}: it was not asked\n"
                "  --live and --repeats say how often it is"
            )


def foretold(rows: int, given: Recorded, run: Run, rubric: Rubric, prices: Path | None) -> Spending:
    """What so many rows will take, if each takes what a row of the run took."""
    calls = round(rows * sum(one.calls for one in given.measured) / len(given.measured))
    store = run.store()
    try:
        usage = store.usage()
    finally:
        store.close()
    tokens = [None if one is None else round(one * calls) for one in (usage.input_tokens, usage.output_tokens)]
    tokens = [0, 0] if not calls else tokens
    price = price_of(rubric.judge.model, prices, rubric.judge.tier)
    cost = None if price is None or tokens[0] is None or tokens[1] is None else price.cost(tokens[0], tokens[1])
    return Spending(rows, calls, tokens[0], tokens[1], cost, _source(price, tokens[0], rubric))


def _source(price: Price | None, tokens: int | None, rubric: Rubric) -> str:
    if price is None:
        return f"the price of {rubric.judge.model} is unknown: --prices FILE"
    return price.source if tokens is not None else "the replies of this run tell no tokens"


class Metered:
    """A function whose log tells what its judge took."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._rows = self._calls = self._input = self._output = 0

    def invoke(self, event: object) -> Invocation:
        """Invoke it, and count what it logged."""
        done = self._function.invoke(event)
        for line in done.logs:
            if LOG_SCHEMA in line:
                self._count(line)
        return done

    def _count(self, line: str) -> None:
        try:
            said = json.loads(line)
            calls, given, written = (int(said[name]) for name in ("calls", "input_tokens", "output_tokens"))
        except (ValueError, KeyError, TypeError):  # a function of others may log what it likes
            return
        self._rows, self._calls = self._rows + 1, self._calls + calls
        self._input, self._output = self._input + given, self._output + written

    def spent(self, rubric: Rubric, prices: Path | None) -> Spending:
        """What was used so far."""
        price = price_of(rubric.judge.model, prices, rubric.judge.tier)
        cost = None if price is None else price.cost(self._input, self._output)
        source = _source(price, self._input, rubric)
        return Spending(self._rows, self._calls, self._input, self._output, cost, source, measured=True)
