"""How a service is spoken to, apart from how the bytes travel.

    Request --write--> HttpCall --transport--> HttpAnswer --read--> Reply | CallError
                 ^                                         |
                 +---- Learned: what the model accepts <---+  (a refused parameter, a refused form of JSON)

A dialect is pure but for what it learns. What a model accepts is found out by asking: names of models age within weeks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal, Protocol, runtime_checkable

from rftj_cli.kernel.outcome import CallError, Judge, Reply, Request, Structure
from rftj_cli.kernel.retry import time_left

Feature = Literal["structure", "temperature", "cache", "logprobs", "seed", "max_tokens"]
_SAID: Final[Mapping[str, str]] = {
    "temperature": "refuses `temperature`: it is called without one",
    "cache": "refuses cache points: prompts are not cached",
    "logprobs": "gives no log-probabilities",
    "seed": "refuses `seed`: it is called without one",
}


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the model is taken to accept. `structure` is how an answer in JSON is asked for.

    `max_tokens` False: the newer name `max_completion_tokens` is used. `top` is for how many tokens at each place the
    log-probabilities may be asked.
    """

    structure: Structure = "text"
    temperature: bool = True
    cache: bool = True
    logprobs: bool = True
    seed: bool = True
    max_tokens: bool = True
    top: int = 20


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One POST, and what it takes the model to accept."""

    url: str
    headers: Mapping[str, str] = field(repr=False)  # they hold the key
    body: bytes
    used: Accepted


def combined(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers by lower-case name; those that come twice are joined by a comma (RFC 9110, 5.2)."""
    found: dict[str, str] = {}
    for name, value in headers:
        key = name.strip().lower()
        found[key] = f"{found[key]}, {value.strip()}" if key in found else value.strip()
    return found


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back: header names are lower-case, `seconds` is the duration of the attempt."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float = 0.0


class Learned:
    """What a model accepts, as its refusals have shown; shared by all calls of a run and kept in it.

    `forms` are the ways to ask for JSON, best first; `known` is what an earlier command of the run has found out.
    """

    def __init__(self, model: str, forms: Sequence[Structure], known: Mapping[str, Any] | None = None) -> None:
        self._model, self._forms = model, tuple(forms)
        self._lock = threading.Lock()
        known = {name: value for name, value in (known or {}).items() if name in Accepted.__dataclass_fields__}
        if known.get("structure") not in self._forms:
            known["structure"] = self._forms[0]
        self.now = Accepted(**known)

    def used_for(self, request: Request) -> Accepted:
        """What to use for one request: what is accepted, in the form that the rubric fixes if it does."""
        if not request.json:
            return replace(self.now, structure="text")
        return self.now if request.structure == "auto" else replace(self.now, structure=request.structure)

    def without(self, used: Accepted, feature: Feature) -> bool:
        """Note that the model refuses a feature that was used. True where a call without it is worth an attempt."""
        with self._lock:
            if feature != "structure":
                if not getattr(used, feature):
                    return False
                change: dict[str, Any] = {feature: False}
                self.now = replace(self.now, **change)
                return True
            later = self._forms[self._forms.index(used.structure) + 1 :] if used.structure in self._forms else ()
            if not later:
                return False
            if self.now.structure == used.structure:  # else another call has learned it already
                self.now = replace(self.now, structure=later[0])
            return True

    def fewer(self, top: int) -> None:
        """Note for how many tokens log-probabilities may be asked."""
        with self._lock:
            self.now = replace(self.now, top=min(top, self.now.top))

    def document(self) -> dict[str, Any]:
        """What is known, as plain data."""
        return asdict(self.now)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of it, in sentences."""
        return tuple(f"{self._model} {said}" for name, said in _SAID.items() if not getattr(self.now, name))


class Dialect(Protocol):
    """One service's language. `read` raises `CallError` for an answer that is no reply."""

    learned: Learned

    def write(self, request: Request) -> HttpCall: ...

    def read(self, request: Request, call: HttpCall, answer: HttpAnswer) -> Reply: ...


class Transport(Protocol):
    """Carries one call, in at most `seconds`. Raises `CallError` where no answer comes."""

    def post(self, call: HttpCall, seconds: float) -> HttpAnswer: ...


@runtime_checkable
class Carrier(Protocol):
    """Carries many calls at once from one thread: `start` begins one, `poll` waits and calls what is `done`."""

    @property
    def in_flight(self) -> int: ...

    def start(self, call: HttpCall, seconds: float, done: Callable[[HttpAnswer | CallError], None]) -> None: ...

    def poll(self, seconds: float) -> None: ...

    def close(self) -> None: ...


class HttpJudge:
    """A dialect over a transport: a judge. `timeout` in seconds bounds one attempt."""

    def __init__(self, dialect: Dialect, transport: Transport, timeout: float = 120.0) -> None:
        self.dialect, self.transport, self.timeout = dialect, transport, timeout

    def __call__(self, request: Request) -> Reply:
        call = self.dialect.write(request)
        return self.dialect.read(request, call, self.transport.post(call, time_left(self.timeout)))


def unusable(reason: str, reply: Reply | None = None, billed: bool | None = None) -> CallError:
    """A malformed, empty or cut answer: worth another attempt, and billed if the service ran the model."""
    if reply is None:
        return CallError("call", reason, retry=True, billed=billed)
    tokens = reply.input_tokens + reply.cache_read_tokens + reply.cache_write_tokens
    return CallError("call", reason, retry=True, input_tokens=tokens, output_tokens=reply.output_tokens, billed=True)


def text_in(value: object) -> str:
    """A text of a service's response, "" for null. Raises `TypeError` for anything else: `str(None)` would be a text."""
    if value is None or isinstance(value, str):
        return value or ""
    raise TypeError(f"a {type(value).__name__} where a text belongs")


def tokens_in(value: object) -> int:
    """A count of tokens in a service's response; 0 for what is no such count."""
    return int(value) if isinstance(value, (int, float)) and value is not True and 0 < value < 1e15 else 0


def learned_of(judge: Judge) -> Learned | None:
    """What a judge has learned of its model; None for a judge that learns nothing."""
    found = getattr(judge.dialect if isinstance(judge, HttpJudge) else judge, "learned", None)
    return found if isinstance(found, Learned) else None


def notes_of(judge: Judge) -> tuple[str, ...]:
    """What the user should know of how a judge had to be called."""
    learned = learned_of(judge)
    return () if learned is None else learned.notes
