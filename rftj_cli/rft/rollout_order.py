"""What `rftj rft sample` is asked for, checked and made ready: requests, what they may cost, and the model itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from rftj_cli.errors import InputError
from rftj_cli.files.prices import Price, price_of
from rftj_cli.files.rollouts import FOLDER
from rftj_cli.files.store import Store
from rftj_cli.kernel.canonical import digest
from rftj_cli.kernel.outcome import Judge, Request
from rftj_cli.kernel.rubric import JudgeSettings
from rftj_cli.rft.prompts import Prompt, Template, conversation
from rftj_cli.rft.rollout_file import refuse_other
from rftj_cli.running.account import Progress, Silent
from rftj_cli.running.calling import FIRST_TIMEOUT, Pace, refuse_unpriced
from rftj_cli.running.live import Endpoint, default_workers
from rftj_cli.running.preflight import is_settled
from rftj_cli.running.tokens import Meter

WRITERS_OF_NOTHING: Final = ("lexical", "length", "replay")
SURE: Final = 20  # replies: before that a rollout is expected to be as long as it may be


@dataclass(frozen=True, slots=True)
class Expected:
    """What is to be sampled. Tokens and `cost` are upper estimates, `cost` is None where the price is unknown."""

    prompts: int
    rollouts: int
    settled: int
    input_tokens: int
    output_tokens: int
    cost: float | None
    price: Price | None

    @property
    def calls(self) -> int:
        """How many calls are to be made."""
        return self.rollouts - self.settled


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for: `n` answers to each prompt, and how they are had."""

    prompts: Path
    out: Path
    model: str
    n: int = 8
    temperature: float | None = 1.0
    max_tokens: int = 2048
    seed: int = 0
    template: Template = field(default_factory=Template)
    columns: dict[str, str] = field(default_factory=dict)
    folder: Path | None = None
    workers: int | None = None
    rpm: float | None = None
    tpm: float | None = None
    timeout: float | None = None
    base_url: str | None = None
    region: str | None = None
    max_cost: float | None = None
    prices: Path | None = None
    progress: Callable[[Expected, Path], Progress] = field(default=lambda expected, folder: Silent())

    @property
    def judge(self) -> JudgeSettings:
        """The settings of the calls, as the backends take them."""
        return JudgeSettings(self.model, self.temperature, self.max_tokens, self.seed)

    @property
    def settings(self) -> dict[str, Any]:
        """All that determines an answer beside its prompt."""
        return {
            "model": self.model, "temperature": self.temperature, "max_tokens": self.max_tokens, "seed": self.seed,
            **self.template.content,
        }  # fmt: skip

    @property
    def where(self) -> Path:
        """The folder of the rollouts: changed settings have another one."""
        return self.folder or FOLDER / f"{self.prompts.stem}-{digest(self.settings)[:8]}"

    @property
    def pace(self) -> Pace:
        """How fast and how patiently it is called."""
        return Pace(self.workers or default_workers(self.judge), self.timeout, self.rpm, self.tpm)


class Cautious(Meter):
    """Expects answers as long as they may be, until some are known: a ceiling must hold from the first call on."""

    def expected(self, request: Request) -> tuple[int, int]:
        """Input and output tokens of one call."""
        given, written = super().expected(request)
        return given, written if self.document()["replies"] >= SURE else request.max_tokens


def checked(wish: Wish) -> Price | None:
    """The price of the model. Raises `InputError` for options that cannot be."""
    wish.pace.refuse_nonsense()
    backend = wish.judge.backend
    if backend in WRITERS_OF_NOTHING:
        raise InputError(
            "this model writes no answers",
            key="--model",
            found=wish.model,
            expected="bedrock:MODEL, openai:MODEL, local",
        )
    if wish.temperature is not None and not (math.isfinite(wish.temperature) and 0 <= wish.temperature <= 2):
        raise InputError("bad temperature", key="--temperature", found=wish.temperature, expected="0 to 2")
    if backend == "bedrock" and (wish.temperature or 0) > 1:
        raise InputError(
            "Bedrock takes no such temperature", key="--temperature", found=wish.temperature, expected="0 to 1"
        )
    price = price_of(wish.model, wish.prices)
    refuse_unpriced(wish.max_cost, price)
    refuse_other(wish.out, wish.prompts)
    return price


def connected(wish: Wish, known: dict[str, Any]) -> Judge:
    """The model; what is wrong with it is said of --model."""
    endpoint = Endpoint(wish.judge, wish.pace.workers, wish.base_url, wish.region, wish.timeout or FIRST_TIMEOUT)
    try:
        return endpoint.connect(known)
    except InputError as error:
        if error.key != "judge.model":
            raise
        hint = (error.hint or "").replace("--set judge.model=", "--model ").partition("\n  - replay")[0]
        raise InputError(
            error.problem.replace("the judge", "the model"), file=error.file, key="--model", found=wish.model,
            expected=error.expected, hint=hint or None,
        ) from None  # fmt: skip


def requests_of(wish: Wish, prompts: Sequence[Prompt]) -> dict[str, Request]:
    """Prompt id -> the request of its first rollout. Raises `InputError` for a prompt that cannot be sent."""
    found = {}
    for prompt in prompts:
        try:
            system, turns, user = conversation(prompt.messages)
        except InputError as error:
            raise error.located(file=wish.prompts, row=prompt.row) from None
        found[prompt.id] = Request(
            wish.model, system, user, wish.temperature, wish.max_tokens, wish.seed, {}, "none", False, turns=turns
        )
    return found


def rollout_of(request: Request, k: int) -> Request:
    """The request of rollout `k`, counted from 1: the calls of one prompt are calls of their own."""
    return replace(request, vote=k - 1)


def expected_of(
    wish: Wish, prompts: Sequence[Prompt], requests: dict[str, Request], meter: Meter, price: Price | None
) -> Expected:
    """What is left to be sampled, and what it takes at most."""
    store = Store.existing(wish.where / "store.sqlite")
    settled = given = written = 0
    try:
        for prompt in prompts:
            open_ = sum(not is_settled(store, f"{prompt.id}-{k}") for k in range(1, wish.n + 1))
            settled += wish.n - open_
            if open_:
                tokens = meter.expected(requests[prompt.id])
                given, written = given + open_ * tokens[0], written + open_ * tokens[1]
    finally:
        if store is not None:
            store.close()
    cost = None if price is None else price.cost(given, written)
    return Expected(len(prompts), len(prompts) * wish.n, settled, given, written, cost, price)
