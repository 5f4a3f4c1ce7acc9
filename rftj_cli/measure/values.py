"""What a calibration says, as values: reports render it, the gate decides on it, nothing in it is computed again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rftj_cli.files.ledger import Look
from rftj_cli.stats.alt_test import EPSILON
from rftj_cli.stats.corrected import Corrected
from rftj_cli.stats.estimate import LEVEL, Estimate
from rftj_cli.stats.probability import Probabilities
from rftj_cli.stats.repeatability import Components, Retest, Votes
from rftj_cli.stats.threshold import Threshold

SCHEMA = "rftj.calibration/1"
Estimates = Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms numbers are computed: the seed of everything with chance in it, the level of every interval."""

    seed: int = 0
    level: float = LEVEL
    epsilon: float = EPSILON  # of the alternative annotator test


@dataclass(frozen=True, slots=True)
class Counts:
    """How many samples there are, and what the numbers rest on.

    `judged` have a verdict, `failed` do not, `skipped` of which no judge was asked about; `labelled` have a truth or at least a label; `used` have both a verdict
    and a truth for at least one criterion. `undecided` have both a verdict and a label, and no truth: their raters differ.
    `votes_lost` counts votes without a verdict in samples that have one from their other votes.
    """

    samples: int
    judged: int
    failed: int
    labelled: int
    used: int
    raters: int
    groups: int
    clusters: int
    undecided: int = 0
    votes_lost: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A sample without a verdict, and the stage at which it failed."""

    sample: str
    stage: str


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a rule that needs no judge would score on the same samples."""

    name: str
    what: str
    estimates: Estimates


@dataclass(frozen=True, slots=True)
class Trust:
    """Whether the bounds clear the bars: `yes`, `no` or `not shown`, and what decides it."""

    answer: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Repeats:
    """The judge against itself, over samples with several votes, labelled or not.

    votes: cast for a sample; components: of the levels' values; worth: what the mean of more votes would repeat; right: share
    of labelled units that the majority of v votes gets right, v = 1, 3, ... (two levels)
    """

    votes: int
    retest: Retest
    components: Components | None
    worth: Votes | None
    right: Mapping[int, Estimate]


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion: the table, its estimates, and what stands beside them.

    `table[h][j]` counts the units whose truth is level h and whose verdict is level j. `unit` names what is counted
    (samples, items, pairs). `undecided` have labels but no truth, `cannot_tell` are labels of that value.
    `failed` have a truth and no verdict, by stage in `stages`. `clusters` are independent of each other (of the units in the table). `population` reads the pass rate (or mean) of all judged
    units, where some have no label; `probability` and `threshold` need a judge that says how sure it is; `repeats` votes.
    Of a `pitfall` (negative weight) the higher level is the bad one. `weighted`: the labels have weights, which the estimates
    use and the table does not.
    """

    id: str
    scale: str
    levels: Sequence[str]
    unit: str
    table: Sequence[Sequence[int]]
    estimates: Estimates
    baselines: Sequence[Baseline]
    raters: Mapping[str, Any] | None
    sources: Mapping[str, int]
    failed: int
    stages: Mapping[str, int]
    undecided: int
    cannot_tell: int
    population: Corrected | None = None
    probability: Probabilities | None = None
    threshold: Threshold | None = None
    repeats: Repeats | None = None
    clusters: int = 0
    sentence: str = ""
    pitfall: bool = False
    weighted: bool = False

    @property
    def together(self) -> int:
        """The clusters, where units of the table share them; 0 where each unit is its own, or it is not known."""
        units = sum(map(sum, self.table))
        return self.clusters if self.clusters < units or not units else 0


@dataclass(frozen=True, slots=True)
class RewardReport:
    """The judge's reward against the reward that the labels give, over samples where both exist."""

    estimates: Estimates
    pairs: int
    right: int
    tied: int
    groups: int
    formula: str
    baselines: Sequence[Baseline] = ()
    clusters: int = 0


@dataclass(frozen=True, slots=True)
class Along:
    """The samples whose score lies in [low, high]: the metric's rate or mean, and that over the one of all (`lift`)."""

    low: float
    high: float
    outcome: Estimate
    lift: Estimate


@dataclass(frozen=True, slots=True)
class MetricRow:
    """What one score (the reward, a criterion, length alone) says of a metric, and the metric along the score.

    `n` samples have both the score and the metric.
    """

    n: int
    estimates: Estimates
    along: Sequence[Along]


@dataclass(frozen=True, slots=True)
class MetricReport:
    """Agreement with what production recorded. `kind` is yes/no or number; `missing` samples have no such field.

    `failures` of the samples that have it got their reward without a verdict, from `on_failure`. They count in the row
    `reward with failures` alone.
    """

    name: str
    kind: str
    n: int
    missing: int
    rows: Mapping[str, MetricRow]
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One unit on which judge and truth differ, with what both said. `distance` is in shares of the scale."""

    sample: str
    item: str | None
    criterion: str
    truth: str
    verdict: str
    distance: float
    reason: str
    label_reason: str
    response: str


@dataclass(frozen=True, slots=True)
class Calibration:
    """The whole report of one run (or table) against its labels.

    `level` is that of every interval: 95%, or what the ledger leaves to this `look` at a test split.
    """

    rubric: Mapping[str, Any]
    run: Mapping[str, Any]
    split: str
    truth: str
    seed: int
    counts: Counts
    criteria: Mapping[str, Criterion]
    reward: RewardReport | None
    slices: Mapping[str, Mapping[str, Any]]
    disagreements: Sequence[Disagreement]
    findings: Sequence[str]
    warnings: Sequence[str]
    next: Sequence[str] = field(default=())
    level: float = LEVEL
    look: Look | None = None
    trust: Mapping[str, Trust] = field(default_factory=dict)
    metrics: Mapping[str, MetricReport] = field(default_factory=dict)
    failures: Sequence[Unjudged] = ()
    schema: str = SCHEMA
