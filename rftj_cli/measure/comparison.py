"""What a comparison of judges says, as values: `rftj diff-prompts` renders it, `rftj refine` decides on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rftj_cli.files.ledger import Look
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.optimism import Optimism
from rftj_cli.stats.verdicts import Change

SCHEMA = "rftj.comparison/1"
REWARD, POOLED = "reward", "all criteria"
DECIDES = {"binary": "agreement", "nominal": "agreement", "ordinal": "kappa_quadratic", "preference": "pair_accuracy"}


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text that both prompts have (`same`), only the first (`gone`) or only the second (`new`)."""

    what: str
    text: str


@dataclass(frozen=True, slots=True)
class Setting:
    """A key of the rubric that differs. `effect`: `verdicts`, `reward` (verdicts stay, rewards move) or `nothing`."""

    key: str
    before: Any
    after: Any
    effect: str


@dataclass(frozen=True, slots=True)
class WhatChanged:
    """The rendered prompts word by word (`{{...}}` stands for what a sample brings), and the settings that differ."""

    prompt: Sequence[Piece]
    settings: Sequence[Setting]


@dataclass(frozen=True, slots=True)
class About:
    """One side: which rubric and run it is, and what it took. Tokens and seconds are means of a reply.

    `missing` samples of the comparison have no outcome there; `failed` have one without a verdict, of `compared`; of these
    `skipped` were settled without the judge.
    """

    name: str
    rubric: str
    judge_fingerprint: str
    reward_fingerprint: str
    model: str
    run: str
    compared: int
    missing: int
    failed: int
    cost: float | None
    calls: int
    input_tokens: float | None
    output_tokens: float | None
    seconds: float | None
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Paired:
    """One number of both sides on the same units, its difference (second minus first) and the p-value of no difference.

    `p_holm` is adjusted for how many candidates (or slices) were compared; None where there was only one.
    """

    before: Estimate
    after: Estimate
    difference: Estimate
    p: Estimate
    p_holm: float | None = None


@dataclass(frozen=True, slots=True)
class Flip:
    """One unit whose verdict differs. `became` is fixed, broken, still_wrong or unlabelled; `distance` in shares of the scale."""

    sample: str
    item: str | None
    criterion: str
    became: str
    before: str
    after: str
    truth: str | None
    distance: float
    reason_before: str
    reason_after: str
    response: str


@dataclass(frozen=True, slots=True)
class Noise:
    """What the judges do by themselves: verdicts that differ when the same judge is asked again, of either side.

    `within`: both judges flip no more against each other than one of them may against itself.
    """

    before: Estimate | None
    after: Estimate | None
    within: bool


@dataclass(frozen=True, slots=True)
class CriterionChange:
    """One criterion on the units that both sides judged.

    `units` have both verdicts, `labelled` of them a truth. `right`/`wrong` are right (wrong) on both sides. `directions`
    counts flips by (level before, level after). Of a `pitfall` the higher level is the bad one. `failures_wrong` is the deciding number if failures count as wrong.
    """

    id: str
    kind: str
    unit: str
    levels: Sequence[str]
    units: int
    labelled: int
    fixed: int
    broken: int
    right: int
    wrong: int
    flips: Estimate
    directions: Mapping[str, int]
    numbers: Mapping[str, Paired]
    decides: str
    change: Change | None
    noise: Noise | None
    failures_wrong: Paired | None = None
    pitfall: bool = False


@dataclass(frozen=True, slots=True)
class RewardChange:
    """The rewards of both sides on the same samples: means, and how well they rank answers to one task.

    one_rule: both sides make the reward from the verdicts alike; else the labels' reward is that of the baseline's rule
    """

    one_rule: bool
    mean: Paired
    changed: Estimate
    pair_accuracy: Paired | None
    change: Change | None
    failures_wrong: Estimate | None = None  # the difference of pair accuracies if pairs with a failure count as wrong


@dataclass(frozen=True, slots=True)
class SliceChange:
    """The share of right verdicts (pairs: credit) in one slice; `p_holm` is adjusted over all slices and criteria."""

    field: str
    value: str
    criterion: str
    right: Paired


@dataclass(frozen=True, slots=True)
class Answer:
    """The word for the whole, and on what it was decided: a criterion, `reward` (whose unit are pairs) or `all criteria`."""

    on: str
    unit: str
    change: Change
    difference: Estimate
    p_holm: float | None = None


@dataclass(frozen=True, slots=True)
class Against:
    """One candidate against the baseline."""

    before: About
    after: About
    what: WhatChanged
    criteria: Mapping[str, CriterionChange]
    reward: RewardChange | None
    pooled: Paired | None
    slices: Sequence[SliceChange]
    flips: Sequence[Flip]
    flipped: int
    not_compared: Sequence[str]
    answer: Answer | None


@dataclass(frozen=True, slots=True)
class Best:
    """The best by kappa of all judges that were tried on these labels (their runs), and how much of it is luck of the choice.

    left_out: judges without a verdict on some of the units
    """

    run: str
    tried: Sequence[str]
    left_out: Sequence[str]
    optimism: Optimism


@dataclass(frozen=True, slots=True)
class Comparison:
    """All candidates against one baseline, on the same samples."""

    baseline: str
    candidates: Sequence[Against]
    split: str
    truth: str
    samples: int
    clusters: int
    labelled: bool
    seed: int
    level: float
    looks: Sequence[Look]
    best: Mapping[str, Best]
    warnings: Sequence[str]
    schema: str = SCHEMA

    @property
    def exit_code(self) -> int:
        """3 where any candidate is undecided, or nothing could be told; else 0."""
        answers = [one.answer for one in self.candidates]
        return 3 if any(one is None or one.change.word == "undecided" for one in answers) else 0
