"""One step of a plan: what it does to what, in a sentence, and the call that does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rftj_cli.cloud import Call


@dataclass(frozen=True, slots=True)
class Step:
    """`call` is None where nothing has to be done. `then` is what must settle before the next step."""

    effect: Literal["create", "update", "leave"]
    about: str
    call: Call | None = None
    then: Literal["", "function", "version", "provisioned"] = ""
