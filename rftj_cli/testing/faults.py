"""What can go wrong with a judge's service, by name: when a fake server does which."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from rftj_cli.errors import InputError, listed, nearest

STATUSES: Final[Mapping[str, tuple[int, str]]] = {
    "429": (429, "ThrottlingException"),
    "429-after": (429, "ThrottlingException"),  # with Retry-After
    "500": (500, "InternalServerException"),
    "503": (503, "ServiceUnavailableException"),
    "408": (408, "ModelTimeoutException"),
    "424": (424, "ModelErrorException"),
    "401": (401, "UnrecognizedClientException"),
    "403": (403, "AccessDeniedException"),
    "404": (404, "ResourceNotFoundException"),
    "400": (400, "ValidationException"),
}
BROKEN: Final = {
    "reset": "the connection is reset before the reply",
    "truncated": "a 200 whose body ends early",
    "html": "a 200 with an HTML page",
    "malformed": "a 200 with {}",
    "empty": "a 200 with an empty text",
    "hang": "nothing for `hang` seconds, then the reply",
    "drip": "a 200, a byte each 0.2 s",
}
NAMES: Final = ("ok", *STATUSES, *BROKEN)


@dataclass(frozen=True, slots=True)
class Canned:
    """One whole HTTP response, in place of a named fault."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Faults:
    """Which request fails how.

    The first requests follow `script`, in order of arrival. Of the others a share `rate` fails, with a kind drawn from
    `kinds`; the draw hangs on `seed` and the request's number alone. `retry_after` and `hang` are in seconds.
    """

    script: Sequence[str | Canned] = ()
    rate: float = 0.0
    kinds: Sequence[str] = ("429", "500", "503", "reset", "malformed")
    seed: int = 0
    retry_after: float = 1.0
    hang: float = 30.0

    def __post_init__(self) -> None:
        for name in (*self.script, *self.kinds):
            if isinstance(name, str) and name not in NAMES:
                raise InputError("unknown fault", found=name, expected=listed(NAMES, 20), hint=nearest(name, NAMES))

    def of(self, number: int) -> str | Canned:
        """The fault of request `number`, counted from 0; "ok" for none."""
        if number < len(self.script):
            return self.script[number]
        draw = random.Random(f"{self.seed}:{number}")
        return draw.choice(list(self.kinds)) if self.kinds and draw.random() < self.rate else "ok"
