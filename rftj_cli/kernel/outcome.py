"""What goes to a judge, what comes back, and what is made of it.

Request --> Reply --> Ballot (one reply read) --> Rating (votes and orders combined) --> Verdict | Failure
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from rftj_cli.kernel.canonical import digest

Stage = Literal["throttled", "timeout", "call", "too_long", "filtered", "refused", "truncated", "unparsed", "skipped"]
SERVICE_STAGES: frozenset[Stage] = frozenset({"throttled", "timeout", "call"})
Stop = Literal["end", "max_tokens", "filtered", "refused"]
Order = Literal["given", "swapped"]
Structure = Literal["auto", "schema", "tool", "object", "text"]


@dataclass(frozen=True, slots=True)
class Request:
    """Everything that determines one reply. Two equal requests may share a reply.

    `answers` maps each criterion asked to its level names, so that a backend can constrain or weigh the answer;
    `structure` says how it is held to JSON (auto: as the model accepts), `logprobs` asks for the verdict's probabilities,
    `guardrail` is `ID:VERSION` on Bedrock. `sample` is given only to judges that read the sample instead of a prompt
    (`lexical`, `length`). `shared` counts the characters at the head of `user` that are the same for all samples of the
    rubric (-1: not even `system` is), so that a service can cache them: it changes no reply and is no part of the key. `turns`
    are what was said between `system` and `user`, (`user` or `assistant`, text) each.
    """

    model: str
    system: str
    user: str
    temperature: float | None
    max_tokens: int
    seed: int | None
    answers: Mapping[str, tuple[str, ...]]
    reason: Literal["before", "after", "none"]
    json: bool
    vote: int = 0
    sample: Mapping[str, object] | None = None
    structure: Structure = "auto"
    logprobs: bool = False
    guardrail: str | None = None
    shared: int = 0
    turns: tuple[tuple[str, str], ...] = ()
    _key: str = field(default="", init=False, repr=False, compare=False)

    @property
    def key(self) -> str:
        """The hash by which recorded replies are found. What is at its default is left out of it: so keys stay the same."""
        if not self._key:  # it is looked up several times, and made once
            object.__setattr__(self, "_key", self._digest())
        return self._key

    def _digest(self) -> str:
        content: dict[str, Any] = {name: getattr(self, name) for name in _KEYED}
        content |= {name: getattr(self, name) for name, default in _SINCE.items() if getattr(self, name) != default}
        return digest(content)


_KEYED: Final = (
    "model", "system", "user", "temperature", "max_tokens", "seed", "answers", "reason", "json", "vote", "sample",
)  # fmt: skip
_SINCE: Final[Mapping[str, object]] = {"structure": "auto", "logprobs": False, "guardrail": None, "turns": ()}


@dataclass(frozen=True, slots=True)
class Reply:
    """The judge's raw text, kept verbatim, with its usage.

    Tokens are counts as the service reports them (0 where it reports none): `input_tokens` are those at full price,
    beside them those read from and written to a prompt cache. The `lost_` ones were billed for earlier attempts whose
    replies could not be used. `seconds` is the last attempt's duration, `waited` all time between the attempts,
    `service_seconds` the service's own measure. `reasoning` is text of a separate reasoning block, `stop_reason` the
    service's own word for `stop`, `structure` how the answer was held to JSON. `probabilities` holds, per criterion, the
    probability of each level from the token log-probabilities, where the backend offers them.
    """

    text: str
    stop: Stop = "end"
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    reasoning: str = ""
    probabilities: Mapping[str, Mapping[str, float]] | None = None
    attempts: int = 1
    stop_reason: str = ""
    structure: str = ""
    service_seconds: float | None = None
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    lost_input_tokens: int = 0
    lost_output_tokens: int = 0
    waited: float = 0.0


class CallError(Exception):
    """A call that brought no usable reply.

    `retry` says whether trying again can help, `retry_after` the wait in seconds that the service asked for, `fatal`
    that every further call must fail the same way (credentials, unknown model), with `advice` what to do about it.
    `adapted`: the backend has learned what the model does not accept, and the next attempt will do without. The tokens
    are those that were billed all the same; `billed` None says that nobody knows whether the service billed it. What a
    gate finds to be part of a common outage is `excused`: it is not held against this call. `paused`: the machine stood
    still during the attempt, and the call's time starts anew.
    """

    def __init__(
        self,
        stage: Stage,
        reason: str,
        *,
        retry: bool = False,
        retry_after: float | None = None,
        fatal: bool = False,
        advice: str = "",
        adapted: bool = False,
        input_tokens: int = 0,
        output_tokens: int = 0,
        billed: bool | None = False,
    ) -> None:
        super().__init__(f"{stage}: {reason}")
        self.stage, self.reason, self.retry, self.retry_after = stage, reason, retry, retry_after
        self.fatal, self.advice, self.adapted = fatal, advice, adapted
        self.input_tokens, self.output_tokens, self.billed = input_tokens, output_tokens, billed
        self.attempts, self.waited, self.excused, self.paused = 1, 0.0, False, False


class Judge(Protocol):
    """The one seam between rftj and a model: a request in, a reply out, or a `CallError`. Called from many threads."""

    def __call__(self, request: Request) -> Reply: ...


JudgeFactory = Callable[..., Judge]


@dataclass(frozen=True, slots=True)
class Ballot:
    """One criterion as one reply answers it, un-swapped: `level` names a level, or is None with the failure's stage."""

    criterion: str
    item: str | None
    order: Order
    vote: int
    level: str | None
    reason: str = ""
    stage: Stage | None = None
    probabilities: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Rating:
    """One criterion of one sample (or item), after votes and orders.

    `value` is the level's value, or the mean of the votes (then `level` is the nearest level). `unanimous` is the
    share of ballots that agree with it. `probabilities` are those of the levels, where the judge's tokens had them, with
    the `expected` value over them and the `confidence` in the level.
    """

    criterion: str
    item: str | None
    level: str
    value: float
    reason: str = ""
    unanimous: float = 1.0
    probabilities: Mapping[str, float] | None = None
    expected: float | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A level for every criterion. `repaired` says that the JSON had to be dug out of prose or a code fence."""

    ratings: tuple[Rating, ...]
    ballots: tuple[Ballot, ...]
    repaired: bool = False

    @property
    def votes_lost(self) -> int:
        """How many votes had no verdict, so that this one depends on the others."""
        return sum(ballot.level is None for ballot in self.ballots)


@dataclass(frozen=True, slots=True)
class Failure:
    """What could not be judged: at which stage, and why. Never a number."""

    stage: Stage
    reason: str
    ballots: tuple[Ballot, ...] = ()


Outcome = Verdict | Failure


@dataclass(frozen=True, slots=True)
class Part:
    """One summand of a reward: u in [0, 1] (None: not judged), its weight, and whether it gates."""

    id: str
    u: float | None
    weight: float
    essential: bool


@dataclass(frozen=True, slots=True)
class Reward:
    """One number in the rubric's range, or None with the reason, and its parts."""

    value: float | None
    parts: tuple[Part, ...] = ()
    note: str = ""
