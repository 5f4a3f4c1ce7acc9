"""What a rubric is: its criteria and scales, checks, prompt, judge settings and reward, and its two fingerprints.

The *judge* fingerprint covers all that determines a verdict, the *reward* fingerprint all that turns verdicts into a
reward. Neither covers where replies come from: replaying recorded replies changes nothing here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Literal

from rftj_cli.kernel.canonical import digest
from rftj_cli.kernel.numbers import read_number
from rftj_cli.kernel.thinking import TAGS

Kind = Literal["rubric", "preference"]
SAMPLINGS = ("random", "balanced", "other")
_SERVING = ("allow_regions", "cache", "tier")  # settings of the judge that do not change what it says
_SINCE: Mapping[str, object] = {"structure": "auto", "logprobs": False, "guardrail": None}
FORMAT = 1  # raised when the kernel's reading of a rubric changes, so that old fingerprints do not vouch for new code


@dataclass(frozen=True, slots=True)
class Level:
    """One step of a scale: its name, what it means, and its numeric value."""

    name: str
    value: float
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """The levels a criterion can take, worst first (preference: A, tie, B, with A the highest value; nominal: no order)."""

    kind: Literal["pass_fail", "levels", "numeric", "preference", "nominal"]
    levels: tuple[Level, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(level.name for level in self.levels)

    @property
    def values(self) -> tuple[float, ...]:
        return tuple(level.value for level in self.levels)

    @property
    def valued(self) -> bool:
        """Whether a reward can be made of it: not of labels without values, which are all 0."""
        return self.kind != "nominal" or min(self.values) < max(self.values)

    @property
    def measured(self) -> bool:
        """Whether its levels are the numbers that they are called by, so that other numbers lie between them."""
        return self.kind in ("levels", "numeric") and all(read_number(x.name) == x.value for x in self.levels)

    def find(self, word: object) -> int | None:
        """The index of the level that `word` names, case aside; None where it names none.

        A number names the level whose name is that number (4, 4.0 and "4" are one); booleans, NaN and infinity name nothing.
        """
        if isinstance(word, bool) or not isinstance(word, (str, int, float)):
            return None
        if isinstance(word, float) and not math.isfinite(word):
            return None
        text = str(word).strip().casefold()
        for index, name in enumerate(self.names):
            if name.casefold() == text:
                return index
        number = read_number(text)
        if number is None:
            return None
        return next((index for index, name in enumerate(self.names) if read_number(name) == number), None)

    def share(self, value: float) -> float:
        """u = (value - min) / (max - min): 0 at the worst level, 1 at the best; 0 where labels have no values."""
        low, high = min(self.values), max(self.values)
        return (value - low) / (high - low) if high > low else 0.0


@dataclass(frozen=True, slots=True)
class Criterion:
    """One question the judge answers. A negative weight marks a pitfall."""

    id: str
    question: str
    scale: Scale
    weight: float = 1.0
    essential: bool = False
    on: Literal["response", "item"] = "response"

    def __hash__(self) -> int:
        return hash(
            (self.id, self.question)
        )  # looked up for every call: hashing all levels would take longer than that


@dataclass(frozen=True, slots=True)
class Check:
    """One deterministic rule; `settings` are its own keys, validated when the rubric is compiled."""

    id: str
    type: str
    settings: Mapping[str, object]
    weight: float = 0.0
    essential: bool = False
    on: Literal["response"] = "response"


@dataclass(frozen=True, slots=True)
class Prompt:
    """The templates, and whether the instruction how to answer is added where `{{ answer_format }}` is not used."""

    system: str
    user: str
    answer_format: Literal["auto", "none"] = "auto"


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """Which model judges, and how. None leaves a setting to the service's default.

    `guardrail` is `ID:VERSION`. The last three say where, how dearly and how fast a call is served, not what it says.
    """

    model: str
    temperature: float | None = 0.0
    max_tokens: int = 1024
    seed: int | None = None
    votes: int = 1
    vote: Literal["majority", "mean"] = "majority"
    votes_tie: Literal["failure", "worst", "best", "tie"] = "failure"
    calls: Literal["together", "per_criterion"] = "together"
    reason: Literal["before", "after", "none"] = "before"
    structure: Literal["auto", "schema", "tool", "text"] = "auto"
    logprobs: bool = False
    guardrail: str | None = None
    allow_regions: tuple[str, ...] = ()
    cache: Literal["auto", "off"] = "auto"
    tier: Literal["default", "priority", "flex", "reserved"] = "default"

    @property
    def backend(self) -> str:
        return self.model.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Parse:
    """How a reply is read.

    With a `regex` replies are not JSON: its group 1 (or the whole match) is looked up in `map`, or names a level itself.
    `take` says which match or JSON object counts where there are several; without it two different verdicts are a
    failure. `thinking` are the tags whose blocks are no part of the answer.
    """

    regex: str | None = None
    map: Mapping[str, str] = field(default_factory=dict)
    take: Literal["first", "last"] | None = None
    thinking: tuple[str, ...] = TAGS

    @property
    def content(self) -> dict[str, object] | None:
        """As plain data for the fingerprint: what is at its default is left out, so that fingerprints from before stand."""
        if self == Parse():
            return None
        thinking = {} if self.thinking == TAGS else {"thinking": list(self.thinking)}
        return {"regex": self.regex, "map": dict(self.map), "take": self.take, **thinking}


@dataclass(frozen=True, slots=True)
class Items:
    """The parts of a response that are judged one by one: where they stand and how they combine."""

    path: str
    id: str | None = None
    max: int = 20
    empty: Literal["fail", "pass", "error"] = "error"
    combine: Literal["mean", "minimum"] = "mean"


@dataclass(frozen=True, slots=True)
class RewardSettings:
    """How ratings and checks become one number. A None in `on_failure` means that a failure has no reward.

    `map` are knots (before, after) of a monotone map that calibration learned; rewards of failures are not mapped.
    """

    low: float = 0.0
    high: float = 1.0
    combine: Literal["weighted_mean", "all_pass", "minimum"] = "weighted_mean"
    on_service_failure: float | None = None
    on_content_failure: float | None = None
    map: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Rubric:
    """One judge, complete: everything that determines its verdicts and rewards."""

    name: str
    kind: Kind
    criteria: tuple[Criterion, ...]
    prompt: Prompt
    judge: JudgeSettings
    checks: tuple[Check, ...] = ()
    reward: RewardSettings = RewardSettings()
    parse: Parse | None = None
    items: Items | None = None
    orders: Literal["both", "given"] = "both"
    description: str = ""
    sampling: Literal["random", "balanced", "other"] | None = None  # of the samples that have labels
    source: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)  # what it was compiled from

    @property
    def rewards(self) -> bool:
        """Whether its verdicts give a reward: not where it has nothing but labels without values."""
        return bool(self.checks) or any(criterion.scale.valued for criterion in self.criteria)

    @property
    def asks_for_json(self) -> bool:
        """Whether the judge answers with JSON, and not in words that a regex reads."""
        return self.parse is None or self.parse.regex is None

    def criterion(self, id: str) -> Criterion | None:
        """The criterion of that id, if the rubric has it."""
        return next((criterion for criterion in self.criteria if criterion.id == id), None)

    @cached_property
    def judge_content(self) -> dict[str, object]:
        """All that determines a verdict, as plain data."""
        criteria = [
            {"id": c.id, "question": c.question, "on": c.on, "scale": [asdict(level) for level in c.scale.levels]}
            for c in self.criteria
        ]
        items = None if self.items is None else {"path": self.items.path, "id": self.items.id, "max": self.items.max}
        judge = {name: value for name, value in asdict(self.judge).items() if name not in _SERVING}
        for name, default in _SINCE.items():  # left out at their defaults, so that fingerprints from before stand
            if judge[name] == default:
                del judge[name]
        return {
            "format": FORMAT,
            "kind": self.kind,
            "criteria": criteria,
            "prompt": asdict(self.prompt),
            "judge": judge,
            "parse": None if self.parse is None else self.parse.content,
            "items": items,
            "orders": self.orders if self.kind == "preference" else None,
        }

    @cached_property
    def reward_content(self) -> dict[str, object]:
        """All that turns verdicts into a reward, as plain data."""
        reward = asdict(self.reward)
        if not self.reward.map:  # left out where there is none, so that fingerprints from before stand
            del reward["map"]
        return {
            "format": FORMAT,
            "criteria": [{"id": c.id, "weight": c.weight, "essential": c.essential} for c in self.criteria],
            "checks": [asdict(check) for check in self.checks],
            "reward": reward,
            "items": None if self.items is None else {"empty": self.items.empty, "combine": self.items.combine},
        }

    @cached_property
    def judge_fingerprint(self) -> str:
        return digest(self.judge_content)

    @cached_property
    def reward_fingerprint(self) -> str:
        return digest(self.reward_content)
