"""Names, ARNs and hyper-parameters of a training job, each checked by the rule that AWS's own model of the API states."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from rftj_cli.cloud import FunctionArn
from rftj_cli.errors import InputError

JOB_NAME: Final = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9+\-.])*")
MODEL_NAME: Final = re.compile(r"([0-9a-zA-Z][_-]?){1,63}")
ROLE: Final = re.compile(r"arn:aws(?:-[^:]+)?:iam::([0-9]{12}):role/.+")
S3: Final = re.compile(r"s3://([a-z0-9][-.a-z0-9]{1,61}[a-z0-9])((?:/[-!_*'().a-z0-9A-Z]+)*)/?")
KMS: Final = re.compile(
    r"arn:aws(-[^:]+)?:kms:[a-zA-Z0-9-]*:[0-9]{12}:(key/[a-zA-Z0-9-]{36}|alias/[\w/-]+)|[a-zA-Z0-9-]{36}|alias/[\w/-]+"
)
ACCOUNT: Final = re.compile(r"[0-9]{12}")
BASE_MODEL: Final = re.compile(r"[a-zA-Z0-9][\w.:/-]*")
OPEN_WEIGHT: Final = ("openai.", "qwen.")
EFFORTS: Final = ("low", "medium", "high")
LATEST: Final = "$LATEST"


@dataclass(frozen=True, slots=True)
class Hyper:
    """Hyper-parameters by AWS's names; None leaves one to the service.

    The first three decide how often the judge is called, so they are always sent; `max_prompt_length` is the one that the
    data was checked against, where none is given.
    """

    epochs: int = 1
    batch_size: int = 128
    samples_per_prompt: int = 8
    max_prompt_length: int | None = None
    learning_rate: float | None = None
    max_tokens: int | None = None
    reasoning_effort: str | None = None
    eval_interval: int | None = None

    def __post_init__(self) -> None:
        _between("--epochs", self.epochs, 1, 50)
        _between("--batch-size", self.batch_size, 16, 512)
        _between("--samples-per-prompt", self.samples_per_prompt, 2, 16)
        _between("--max-prompt-length", self.max_prompt_length, 1, None)
        _between("--learning-rate", self.learning_rate, 1e-7, 1e-3)
        _between("--max-tokens", self.max_tokens, 1, None)
        _between("--eval-interval", self.eval_interval, 1, 100)
        if self.reasoning_effort not in (None, *EFFORTS):
            raise InputError("no such effort", key="--reasoning-effort", found=self.reasoning_effort,
                             expected=", ".join(EFFORTS))  # fmt: skip

    @property
    def parameters(self) -> dict[str, Any]:
        """As the API takes them."""
        named = {
            "epochCount": self.epochs,
            "batchSize": self.batch_size,
            "learningRate": self.learning_rate,
            "maxPromptLength": self.max_prompt_length,
            "trainingSamplePerPrompt": self.samples_per_prompt,
            "inferenceMaxTokens": self.max_tokens,
            "reasoningEffort": self.reasoning_effort,
            "evalInterval": self.eval_interval,
        }
        return {name: value for name, value in named.items() if value is not None}


def _between(key: str, value: float | None, low: float, high: float | None) -> None:
    if value is None or (low <= value and (high is None or value <= high)):
        return
    expected = f"at least {low:g}" if high is None else f"{low:g} to {high:g}"
    raise InputError("AWS takes no such value", key=key, found=value, expected=expected)


def read_reward(arn: str, *, allow_unpinned: bool) -> FunctionArn:
    """The ARN of a reward function. Raises `InputError` for one that names no version, unless that is allowed."""
    reward = FunctionArn.read(arn, "--reward")
    if reward.qualifier in (None, LATEST) and not allow_unpinned:
        raise InputError(
            "this reward is pinned to no version: its code could change while the training runs, and nobody could say "
            "later what was trained on",
            key="--reward", found=arn, expected="the ARN of a version: ...:function:NAME:7",
            hint="`rftj reward deploy` prints it; --allow-unpinned takes the risk",
        )  # fmt: skip
    return reward


def read_s3(uri: str, key: str) -> tuple[str, str]:
    """(bucket, prefix without slashes at its ends). Raises `InputError` for what is no such address."""
    found = S3.fullmatch(uri)
    if found is None or len(uri) > 1000:
        raise InputError("not an S3 address", key=key, found=uri, expected="s3://bucket/prefix")
    return found[1], found[2].strip("/")


def matches(pattern: re.Pattern[str], value: str, key: str, expected: str, most: int = 63) -> str:
    """The value, if AWS takes it."""
    if len(value) > most or not pattern.fullmatch(value):
        raise InputError("AWS takes no such value", key=key, found=value, expected=expected)
    return value
