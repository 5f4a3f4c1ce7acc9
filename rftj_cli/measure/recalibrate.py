"""`calibrate --recalibrate`: a monotone map of the reward, learned on dev, tested on test, and written into a new rubric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rftj_cli.errors import CannotTell, InputError
from rftj_cli.files.ledger import Look, find_ledger, take_look
from rftj_cli.files.rubrics import load_rubric, with_reward_map
from rftj_cli.files.runs import Run
from rftj_cli.files.text import write_whole
from rftj_cli.kernel.reward import refuse_without_reward
from rftj_cli.measure.calibrate import CHARGED, Question, joined_of
from rftj_cli.measure.join import RewardRow
from rftj_cli.measure.trust import refuse_chosen
from rftj_cli.stats.arrays import Floats, Ints
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.groups import pair_accuracy
from rftj_cli.stats.looks import level_of_look
from rftj_cli.stats.scoremap import ScoreMap, choose_fit, cross_fitted, map_gain

SCHEMA = "rftj.recalibration/1"
LEARN, LEAST, DIGITS = "dev", 20, 4
RANKING = (
    "a monotone map cannot change the ranking within a prompt, so training that compares the answers of a group does not gain "
    "by it; it changes the spacing of rewards, what a threshold means, and comparisons between prompts"
)


@dataclass(frozen=True, slots=True)
class Part:
    """The samples of one split: rewards by the judge and by the labels (n,), groups and clusters."""

    judge: Floats
    truth: Floats
    group: Ints
    cluster: Ints

    @property
    def n(self) -> int:
        return int(self.truth.size)


@dataclass(frozen=True, slots=True)
class Recalibration:
    """The map and what it gained. `dev` is cross-fitted, `test` the claim; `written` None where nothing was gained."""

    rubric: Mapping[str, Any]
    run: str
    method: str
    map: Sequence[tuple[float, float]]
    dev: Mapping[str, Estimate]
    test: Mapping[str, Estimate]
    level: float
    look: Look
    seed: int
    written: str | None
    sentences: Sequence[str]
    schema: str = SCHEMA


def recalibrate(run: Run, question: Question, out: Path | None) -> Recalibration:
    """Learn, test, write. Raises `InputError` for a rubric that cannot take a map, `CannotTell` for too few labels."""
    refuse_chosen(run, "a map")
    path = _source(run)
    target = _target(path, out)
    if question.split is not None:
        raise InputError(f"--recalibrate learns on {LEARN} and tests on {CHARGED}", found=f"--split {question.split}")
    _, joined = joined_of(run, replace(question, split=None, metrics=(), by=()))
    dev, test = (_part(joined.rewards, split) for split in (LEARN, CHARGED))
    for name, part in ((LEARN, dev), (CHARGED, test)):
        if part.n < LEAST:
            raise CannotTell(
                f"only {part.n} samples of the split {name} have a verdict and a label for every criterion; "
                f"a map takes {LEAST} to learn, and as many to test"
            )
    low, high = run.rubric.reward.low, run.rubric.reward.high
    fit = choose_fit(dev.judge, low, high)
    learned = _rounded(fit(dev.judge, dev.truth), low, high)
    look = _look(run, joined.hashes_of(CHARGED), question)
    level = level_of_look(look.number)
    crossed = cross_fitted(dev.judge, dev.truth, fit, clusters=dev.cluster, seed=question.seed)
    of_test = map_gain(test.truth, test.judge, learned.apply(test.judge), clusters=test.cluster, level=level)
    gain = of_test["mse_gain"]
    useful = gain.value is not None and gain.value > 0
    if useful:
        _write(path, target, learned)
    return Recalibration(
        rubric={"name": run.rubric.name, "judge_fingerprint": run.rubric.judge_fingerprint,
                "reward_fingerprint": run.rubric.reward_fingerprint},
        run=str(run.folder),
        method=learned.method,
        map=learned.knots,
        dev=map_gain(dev.truth, dev.judge, crossed, clusters=dev.cluster),
        test=of_test | _pairs(test, learned, level),
        level=level,
        look=look,
        seed=question.seed,
        written=str(target) if useful else None,
        sentences=(_verdict(gain, useful), RANKING),
    )  # fmt: skip


def _source(run: Run) -> Path:
    """The rubric file that the run was judged by, as it was then."""
    path = Path(run.manifest.rubric_path)
    refuse_without_reward(run.rubric, path)
    if run.rubric.reward.map:
        raise InputError(
            "this rubric has a map already", file=path, key="reward.map",
            hint="recalibrate the rubric that it was learned for, without the map",
        )  # fmt: skip
    now = load_rubric(path)
    same = (now.judge_fingerprint, now.reward_fingerprint)
    if same != (run.rubric.judge_fingerprint, run.rubric.reward_fingerprint):
        raise InputError(
            "this rubric is not the one that the run was judged by any more (or --set changed it for the run)", file=path,
            hint="score again, so that the map is learned for the rubric that gets it",
        )  # fmt: skip
    return path


def _target(path: Path, out: Path | None) -> Path:
    target = path.with_name(f"{path.stem}-recalibrated{path.suffix}") if out is None else out
    if target.exists():
        raise InputError("this file exists; nothing is overwritten", file=target, hint="name another with --out")
    if not target.parent.is_dir():
        raise InputError("--out: no such folder", file=target.parent)
    return target


def _part(rows: Sequence[RewardRow], split: str) -> Part:
    # Rewards that `on_failure` or a failed check gave are no score of the judge's: the map never meets them.
    use = [r for r in rows if r.split == split and r.verdict and r.judge is not None and r.truth is not None]
    group, cluster = (np.unique(np.array(keys, dtype=object), return_inverse=True)[1].astype(np.int64)
                      for keys in ([r.group for r in use], [r.cluster for r in use]))  # fmt: skip
    return Part(
        np.array([r.judge for r in use], np.float64), np.array([r.truth for r in use], np.float64), group, cluster
    )


def _rounded(learned: ScoreMap, low: float, high: float) -> ScoreMap:
    """The map as it is written: few digits, inside the range, scores still rising."""
    knots: list[tuple[float, float]] = []
    for x, y in learned.knots:
        one = (round(min(high, max(low, x)), DIGITS), round(min(high, max(low, y)), DIGITS))
        if knots and one[0] <= knots[-1][0]:
            continue
        knots.append((one[0], max(one[1], knots[-1][1]) if knots else one[1]))
    return ScoreMap(tuple(knots), learned.method)


def _look(run: Run, hashes: set[str], question: Question) -> Look:
    return take_look(
        find_ledger(), judge=run.rubric.judge_fingerprint, rubric=run.rubric.name, split=CHARGED, items=hashes,
        frozen=question.frozen,
    )  # fmt: skip


def _pairs(test: Part, learned: ScoreMap, level: float) -> dict[str, Estimate]:
    """Pair accuracy before and after: equal, but for ties where the map is flat."""
    scores = {"before": test.judge, "after": learned.apply(test.judge)}
    return {
        f"pair_accuracy_{name}": pair_accuracy(
            test.group, test.truth, score, clusters=test.cluster, level=level
        ).estimate
        for name, score in scores.items()
    }


def _verdict(gain: Estimate, useful: bool) -> str:
    if not useful:
        return "on test the map is no nearer to the labels than the reward is without it: nothing was written"
    if gain.low is not None and gain.low > 0:
        return f"on test the mean squared error falls by {gain.value:.3f}, at least {gain.low:.3f}"
    return (
        f"on test the mean squared error falls by {gain.value:.3f}, which the labels do not show to be more than luck"
    )


def _write(path: Path, target: Path, learned: ScoreMap) -> None:
    """The new rubric: the old file's text with the map in its reward, and nothing else changed."""
    before = load_rubric(path)
    write_whole(target, with_reward_map(path, learned.knots))
    try:
        after = load_rubric(target)
        if after.judge_fingerprint != before.judge_fingerprint or after.reward.map != learned.knots:
            raise InputError("the map cannot be written into this rubric", file=path, key="reward")
    except InputError:
        target.unlink(missing_ok=True)
        raise
