"""What `rftj reward watch` finds, as values: windows, changes, signs, the judge's drift, and the whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rftj_cli.files.reward_logs import Bad
from rftj_cli.stats.estimate import Estimate

SCHEMA = "rftj.watch/1"
EARLY, MIDDLE, LATE = "early", "middle", "late"


@dataclass(frozen=True, slots=True)
class Version:
    """One reward: the judge's fingerprint and the reward's, and when results had them."""

    judge_fingerprint: str
    reward_fingerprint: str
    results: int
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time of one version. `merged` windows of the asked length stand in it; `part` is early, middle, late or
    None (not compared); `histogram` counts rewards in ten equal bins of the log's reward range."""

    start: str
    end: str
    version: int
    part: str | None
    merged: int
    results: int
    prompts: int
    groups: int
    estimates: Mapping[str, Estimate]
    quartiles: tuple[float, float, float] | None
    histogram: tuple[int, ...]
    stages: Mapping[str, int]
    parts: Mapping[str, Estimate]
    latency_ms: Mapping[str, float | None]
    tokens: Mapping[str, float | None]
    throttled: int


@dataclass(frozen=True, slots=True)
class Moved:
    """A number in the early and in the late windows, how it differs, and its mean in each compared window.

    `kind` is how to read it: mean, share, or ratio (`difference` is then late over early).
    """

    name: str
    kind: str
    early: float | None
    late: float | None
    difference: Estimate
    by_window: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Pointer:
    """A result to look at."""

    id: object
    prompt_sha256: str
    response_sha256: str
    reward: float | None
    at: str
    place: int = field(repr=False, default=-1)


@dataclass(frozen=True, slots=True)
class Sign:
    """A sign of reward hacking: what it is, the numbers that moved, the p-value after Holm, where it shows from on."""

    name: str
    part: str | None
    what: str
    moved: tuple[Moved, ...]
    early: tuple[str, str]
    late: tuple[str, str]
    since: str | None
    p: float
    p_holm: float
    samples: tuple[Pointer, ...]


@dataclass(frozen=True, slots=True)
class Drift:
    """Whether the judge scores the samples of a run as it did then. `stopped`: scores seen when the bet was won."""

    run: str
    anchors: int
    matched: int
    results: int
    failed: int
    same_judge: bool
    drifted: bool
    e_value: float
    p: float
    stopped: int | None
    alpha: float
    difference: Estimate
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was written for labelling."""

    file: str
    rows: int
    suspicious: int
    random: int
    seed: int
    joined: int | None = None


@dataclass(frozen=True, slots=True)
class Watched:
    """All of it. `compared` is the version whose windows were compared; `needed` says what is missing where none were."""

    source: Mapping[str, Any]
    counts: Mapping[str, int]
    bad_lines: tuple[Bad, ...]
    other_lines: Mapping[str, int]
    versions: tuple[Version, ...]
    compared: int | None
    groups: Mapping[str, Any]
    windows: tuple[Window, ...]
    moved: tuple[Moved, ...]
    signs: tuple[Sign, ...]
    tested: int
    level: float
    needed: str | None
    trends: Mapping[str, Estimate]
    drift: Drift | None
    chosen: Chosen | None
    warnings: tuple[str, ...]
    seed: int
    schema: str = SCHEMA
