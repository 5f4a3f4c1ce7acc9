"""What `rftj reward audit` says, as values: the report renders them, nothing in them is computed again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rftj_cli.files.ledger import Look
from rftj_cli.stats.best_of_n import BestOfN
from rftj_cli.stats.estimate import LEVEL, Estimate
from rftj_cli.stats.repeatability import Components, Votes

SCHEMA = "rftj.audit/1"
Decision = Literal["PASS", "WEAK", "FAIL", "INSUFFICIENT DATA", "NOT SHOWN", "NOT MEASURED"]
Verdict = Literal["PASS", "WEAK", "FAIL", "INSUFFICIENT DATA"]


@dataclass(frozen=True, slots=True)
class Bar:
    """What one number must show, and what to do where it does not.

    kind: `min` or `max`; limit: what the bound of the interval must clear; point: what the value must clear besides, for
    a PASS; critical: whether missing the bar is a FAIL (else WEAK); worst: beyond it a miss is a FAIL all the same
    """

    name: str
    kind: Literal["min", "max"]
    limit: float
    critical: bool
    unit: str
    do: str
    point: float | None = None
    worst: float | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One question of the audit: its number, the bar, the decision, and what to do.

    decision: NOT SHOWN is a bar without force (not critical) that the value clears and the bound does not
    on: what it was measured on (labels, samples, rollouts, references, repeat); needed: how many of `unit` in all would
    settle it, if the value stays
    """

    id: str
    name: str
    on: str
    estimate: Estimate
    bar: Bar | None
    decision: Decision
    says: str = ""
    do: str = ""
    needed: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One criterion or check of the reward: how often it is fulfilled, and whether it ever varies.

    base_rate: mean of its u in [0, 1] over the answers on which it was judged
    state: `ok`, `nearly dead` (shown outside [.05, .95]), `near an end` (outside, not shown), `dead` (never varies),
    `guard` (an essential one that nearly always holds, a pitfall that is nearly never met: that is its job)
    """

    id: str
    weight: float
    essential: bool
    base_rate: Estimate
    state: str


@dataclass(frozen=True, slots=True)
class Redundancy:
    """Two criteria or checks that say the same: their correlation over all answers."""

    first: str
    second: str
    phi: Estimate


@dataclass(frozen=True, slots=True)
class Signal:
    """What needs no labels: what training would see of these answers.

    on: samples or rollouts; groups: prompts with two answers or more; smallest, largest: answers a prompt; without: answers
    that have no reward; constants: rewards that `on_failure` gave; mixed: groups in which such a constant stands beside
    verdicts; levels: distinct rewards; modal: share of the commonest; entropy: bits
    """

    on: str
    run: str
    answers: int
    prompts: int
    groups: int
    smallest: int
    largest: int
    without: int
    constants: int
    mixed: int
    stages: Mapping[str, int]
    estimates: Mapping[str, Estimate]
    levels: int
    modal: float | None
    entropy: float | None
    parts: Sequence[Part]
    redundant: Sequence[Redundancy]


@dataclass(frozen=True, slots=True)
class Quality:
    """The reward against the reward of the labels. `knows_the_prompt`: better over all pairs than inside prompts."""

    answers: int
    groups: int
    pairs: int
    right: int
    tied: int
    estimates: Mapping[str, Estimate]
    knows_the_prompt: bool
    curve: BestOfN | None
    falling: bool


@dataclass(frozen=True, slots=True)
class Noise:
    """The judge against itself. on: `votes` of one run, or `repeat`: a second run; by: flips of each criterion.

    components, worth: of rewards (repeat), of the noisiest criterion's values (votes); right: how often the majority of v of
    its votes is right, by the labels (two levels)
    """

    on: str
    runs: int
    by: Mapping[str, Estimate]
    flips: Estimate
    rewards_changed: Estimate | None
    components: Components | None
    worth: Votes | None
    right: Mapping[int, Estimate] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class References:
    """The reference answers judged as responses. beaten: ids of samples whose reference scores below an answer.

    at_top: share with the best reward of the range; where_labelled: the same where the labels give an answer the best
    """

    run: str
    compared: int
    failed: int
    best: Estimate
    at_top: Estimate
    where_labelled: Estimate
    beaten: Sequence[str]


@dataclass(frozen=True, slots=True)
class Audit:
    """The whole answer. `level` is that of every interval: 95%, or what the ledger leaves to this `look` at a test split."""

    verdict: Verdict
    exit_code: int
    strict: bool
    run: Mapping[str, Any]
    rubric: Mapping[str, Any]
    formula: str
    split: str
    truth: str
    seed: int
    group_size: int
    counts: Mapping[str, int]
    findings: Sequence[Finding]
    quality: Quality | None
    signal: Signal
    rollouts: Signal | None
    noise: Noise | None
    references: References | None
    warnings: Sequence[str]
    bars: Mapping[str, Bar]
    level: float = LEVEL
    look: Look | None = None
    schema: str = field(default=SCHEMA)
