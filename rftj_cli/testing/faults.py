"""What can go wrong with a judge's service, by name: when a fake server does which."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from rftj_cli.errors import InputError, listed, nearest
from rftj_cli.testing.problems import BEDROCK, Canned

__all__ = ["AT_THE_CONNECTION", "BROKEN", "NAMES", "SPOILT", "Canned", "Faults"]

AT_THE_CONNECTION: Final[Mapping[str, str]] = {
    "reset": "the connection is reset before the reply",
    "refused": "every connection is closed, and new ones are refused for `down` seconds",
    "html": "a 200 with an HTML page, as of a hotel's network: the service never saw the request",
}
BROKEN: Final[Mapping[str, str]] = {
    "reset-mid": "a 200 whose connection is reset in the middle of the body",
    "truncated": "a 200 whose body ends early, with a Content-Length that agrees",
    "garbage": "a 200 that is not JSON, and shorter than its Content-Length",
    "malformed": "a 200 with {}",
    "hang": "nothing for `hang` seconds, then the reply",
    "drip": "a 200, a byte each `drip` seconds",
    "twice": "a good 200, and the same once more within `stale` seconds, which nobody has asked for",
    "excess": "a good 200, and the same once more in one piece with it",
}
SPOILT: Final[Mapping[str, str]] = {
    "empty": "a 200 with an empty text",
    "whitespace": "a 200 with a text of white space only",
    "filtered": "a 200 that a content filter cut off (Bedrock with a guardrail: guardrail_intervened)",
    "refusal": "a 200 in which the model declines",
    "max_tokens": "a 200 whose text was cut at the limit of tokens",
    "reasoning": "a good 200 with reasoning before the text",
    "tool": "a good 200 that comes as a tool call instead of text",
    "foreign-tool": "a 200 that calls a tool which nobody offered",
}
NAMES: Final = ("ok", *BEDROCK, *AT_THE_CONNECTION, *BROKEN, *SPOILT)


@dataclass(frozen=True, slots=True)
class Faults:
    """Which request fails how: the names of the tables in this file, "ok", and statuses of `problems.py`.

    A request in whose body a text of `marked` occurs fails as it says there, however often it is sent. Of the others the
    first follow `script`, in order of arrival, and a share `rate` of the rest fails, with a kind drawn from `kinds`; the draw
    depends on `seed` and the request's number alone. `retry_after`, `hang`, `drip`, `down` and `stale` are in seconds. Raises
    `InputError` for a name that is none.
    """

    script: Sequence[str | Canned] = ()
    rate: float = 0.0
    kinds: Sequence[str] = ("429", "500", "503", "reset", "malformed")
    seed: int = 0
    retry_after: float = 1.0
    hang: float = 30.0
    drip: float = 0.2
    down: float = 2.0
    stale: float = 0.05
    marked: Mapping[str, str | Canned] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in (*self.script, *self.kinds, *self.marked.values()):
            if isinstance(name, str) and name not in NAMES:
                expected = listed(NAMES, len(NAMES))
                raise InputError("unknown fault", found=name, expected=expected, hint=nearest(name, NAMES))

    def of(self, number: int, body: bytes = b"") -> str | Canned:
        """The fault of request `number`, counted from 0; "ok" for none."""
        for text, fault in self.marked.items():
            if text.encode() in body:
                return fault
        if number < len(self.script):
            return self.script[number]
        if not self.rate or not self.kinds:
            return "ok"
        draw = random.Random(f"{self.seed}:{number}")
        return draw.choice(list(self.kinds)) if draw.random() < self.rate else "ok"

    def late(self, number: int) -> float:
        """After how many seconds the copy of an answer follows that was not asked for."""
        return random.Random(f"{self.seed}:late:{number}").uniform(0.0, self.stale)


def runs_the_model(fault: str | Canned) -> bool:
    """Whether a reply is generated, and so billed, before the fault spoils it."""
    return isinstance(fault, str) and (fault == "ok" or fault in BROKEN or fault in SPOILT)


def wait_headers(fault: str, seconds: float, bedrock: bool) -> Mapping[str, str]:
    """The headers by which a 429 says how long to wait."""
    if fault == "429-after":
        return {"Retry-After": f"{seconds:g}"}
    if fault == "429-ms":
        return {"x-amz-retry-after" if bedrock else "retry-after-ms": f"{seconds * 1000:.0f}"}
    return {}
