"""The answers of a run as the audit sees them: reward, group, length, parts, and why there was no verdict."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rftj_cli.errors import InputError, listed
from rftj_cli.files.runs import Run, open_run
from rftj_cli.files.store_rows import OutcomeRow, SampleRow
from rftj_cli.files.typed import score_command
from rftj_cli.kernel.outcome import Failure
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.running.changes import rubric_changes
from rftj_cli.stats.arrays import Floats


@dataclass(frozen=True, slots=True)
class Answer:
    """One judged sample. `stage`: why the judge, who was asked, gave no verdict; `constant`: its reward is `on_failure`'s.

    `parts` holds u in [0, 1] of every criterion and check that was judged.
    """

    sample: str
    group: str
    cluster: str
    reward: float | None
    truth: float | None
    words: int
    stage: str | None
    asked: bool
    constant: bool
    parts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Rewarded:
    """Answers that have a reward, as arrays: reward and truth in shares of the range, log2 of the words."""

    group: Any
    cluster: Any
    reward: Floats
    words: Floats

    @property
    def n(self) -> int:
        return int(self.reward.size)


def answers_of(run: Run, *, truth: Mapping[str, float | None], only: Collection[str] | None = None) -> list[Answer]:
    """All answers of a run, or those of `only`, with the rewards that their labels give."""
    store = run.store()
    found = [
        _answer(row, outcome, truth.get(row.sample.id))
        for row, outcome in store.outcomes()
        if only is None or row.sample.id in only
    ]
    store.close()
    return found


def _answer(row: SampleRow, given: OutcomeRow, truth: float | None) -> Answer:
    outcome, reward = given.outcome, given.reward
    stage = outcome.stage if isinstance(outcome, Failure) and outcome.stage != "skipped" else None
    gated = isinstance(outcome, Failure) and any(part.essential and part.u == 0 for part in reward.parts)
    return Answer(
        sample=row.sample.id,
        group=row.group,
        cluster=row.cluster,
        reward=reward.value,
        truth=truth,
        words=len(str(row.sample.fields.get("response", "")).split()),
        stage=stage,
        asked=not (isinstance(outcome, Failure) and outcome.stage == "skipped"),
        constant=isinstance(outcome, Failure) and reward.value is not None and not gated,
        parts={part.id: part.u for part in reward.parts if part.u is not None},
    )


def rewarded(answers: Sequence[Answer], rubric: Rubric) -> Rewarded:
    """The answers that have a reward, in shares of the rubric's range."""
    have = [one for one in answers if one.reward is not None]
    return Rewarded(
        np.array([one.group for one in have], dtype=object).astype(str),
        np.array([one.cluster for one in have], dtype=object).astype(str),
        shares([one.reward for one in have], rubric),
        np.log2(np.maximum(np.array([one.words for one in have], dtype=np.float64), 1.0)),
    )


def shares(rewards: Sequence[float | None], rubric: Rubric) -> Floats:
    """Rewards in shares of the rubric's range."""
    low, high = rubric.reward.low, rubric.reward.high
    return (np.array(rewards, dtype=np.float64) - low) / (high - low)


def attainable(rubric: Rubric) -> tuple[float, float]:
    """The lowest and the highest reward that there can be: the ends of the range, or of a learned map."""
    knots = rubric.reward.map
    if knots and knots[0][1] < knots[-1][1]:
        return knots[0][1], knots[-1][1]
    return rubric.reward.low, rubric.reward.high


def alike(run: Run, name: str, option: str) -> Run:
    """The run `name`, which must have been judged by the same rubric as `run`."""
    other = open_run(name)
    if other.folder.resolve() == run.folder.resolve():
        raise InputError(f"{option}: this is the run itself", file=other.folder, expected="another run of this rubric")
    changed = rubric_changes(run.rubric, other.rubric)
    if changed:
        raise InputError(
            f"{option}: this run was judged by another rubric; changed: {listed(changed)}", file=other.folder,
            expected=f"a run of the judge {run.rubric.judge_fingerprint[:8]} with the same reward",
            hint=f"`{score_command(run.manifest, samples='SAMPLES')} --run DIR` makes one",
        )  # fmt: skip
    return other
