"""`calibrate`: a run and its labels to a `Calibration`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rftj_cli.errors import InputError
from rftj_cli.files.runs import Run
from rftj_cli.files.samples import Placed
from rftj_cli.kernel.rubric import Rubric, Scale
from rftj_cli.measure import findings
from rftj_cli.measure.join import Joined, RewardRow, Unit, criteria_of, join, labels_of, truths_of
from rftj_cli.measure.levels import Levels, criterion_report, slice_report
from rftj_cli.measure.preference import by_reply, orders
from rftj_cli.measure.truth import ADJUDICATED, Truths
from rftj_cli.measure.values import Baseline, Calibration, Counts, Disagreement, RewardReport
from rftj_cli.stats.arrays import Ints
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.groups import pair_accuracy
from rftj_cli.stats.numeric import numeric_agreement
from rftj_cli.stats.shares import share

MOST_SLICES = 200
WORST = 50  # disagreements kept in the report


@dataclass(frozen=True, slots=True)
class Question:
    """What to calibrate against what: labels file (else those in the samples), truth rule, split, slices, seed."""

    labels: str | None = None
    wide: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)
    truth: str | None = None
    truth_rubric: Rubric | None = None
    split: str | None = None
    by: tuple[str, ...] = ()
    seed: int = 0
    ignore_unknown: bool = False


def calibrate(run: Run, question: Question) -> Calibration:
    """Agreement of a run's verdicts and rewards with its labels. Raises `InputError` for labels that fit nothing."""
    placed = labels_of(run, question.labels, wide=question.wide, columns=question.columns)
    truths = truths_of(
        run,
        placed,
        rule=question.truth,
        truth_rubric=question.truth_rubric,
        ignore_unknown=question.ignore_unknown,
    )
    joined = join(run, truths, split=question.split, by=question.by, truth_rubric=question.truth_rubric)
    used = () if question.truth_rubric else criteria_of(joined)
    reports = {
        id: criterion_report(_levels(id, joined.scales[id], joined.units[id], truths, placed), question.seed)
        for id in used
    }
    rubric = question.truth_rubric or run.rubric
    reward = None if run.rubric.kind == "preference" else _reward(joined.rewards, rubric, question.seed)
    return findings.add(
        Calibration(
            rubric={
                "name": run.rubric.name,
                "kind": run.rubric.kind,
                "criteria": [criterion.id for criterion in run.rubric.criteria],
                "judge_fingerprint": run.rubric.judge_fingerprint,
                "reward_fingerprint": run.rubric.reward_fingerprint,
            },
            run=_about(run, joined, truths, question),
            split=question.split or "all labels",
            truth=truths.rule,
            seed=question.seed,
            counts=_counts(joined, truths, used),
            criteria=reports,
            reward=reward,
            slices=_slices(joined, used, question),
            disagreements=_disagreements(run, joined, used),
            findings=(),
            warnings=(),
        )
    )


def _about(run: Run, joined: Joined, truths: Truths, question: Question) -> dict[str, Any]:
    """Where the run and its labels come from, and how complete they are."""
    manifest = run.manifest
    return {
        "folder": str(run.folder),
        "model": manifest.model,
        "source": manifest.source,
        "status": manifest.status,
        "waiting": max(0, manifest.counts.get("samples", 0) - sum(joined.splits.values())),
        "samples_path": manifest.samples_path,
        "rubric_path": manifest.rubric_path,
        "stages": joined.stages,
        "labels": question.labels,
        "label_sources": dict(Counter(source for truth in truths.of.values() for source in sorted(truth.sources))),
        "labels_passed_over": truths.passed_over,
    }


def _levels(id: str, scale: Scale, units: Sequence[Unit], truths: Truths, placed: Sequence[Placed]) -> Levels:
    # What a check or the response itself settled was never put to the judge: it is no failure of the judge.
    asked = [unit for unit in units if unit.stage != "skipped"]
    decided = [unit for unit in asked if unit.truth is not None and unit.truth.level is not None]
    labelled = [unit.truth for unit in units if unit.truth is not None]
    cluster, group = _codes([unit.cluster for unit in decided]), _codes([unit.group for unit in decided])
    raters = tuple(rater for rater in truths.raters if rater != ADJUDICATED)
    truth = np.array([_truth_level(unit) for unit in decided], dtype=np.int64)
    items = any(unit.item is not None for unit in units)
    kind = Levels.kind_of(scale)
    return Levels(
        id=id,
        kind=kind,
        scale=scale.kind,
        levels=scale.names,
        values=None if kind in ("binary", "preference") else scale.values,
        truth=truth,
        judge=np.array([-1 if unit.level is None else unit.level for unit in decided], dtype=np.int64),
        unit="pair" if kind == "preference" else "item" if items else "sample",
        cluster=cluster,
        group=group,
        scores={
            "length": np.array([unit.length for unit in decided], dtype=np.float64),
            "lexical": np.array([unit.lexical for unit in decided], dtype=np.float64),
        },
        raters=raters,
        matrix=_matrix(decided, raters),
        sources=dict(Counter(source for truth_ in labelled for source in truth_.sources)),
        stages=dict(Counter(unit.stage or "" for unit in decided if unit.level is None)),
        undecided=sum(one.level is None and any(v is not None for v in one.raters.values()) for one in labelled),
        cannot_tell=sum(value is None for one in labelled for value in one.raters.values()),
        extra=_extra(kind, truth, decided, cluster),
    )


def _truth_level(unit: Unit) -> int:
    assert unit.truth is not None and unit.truth.level is not None
    return unit.truth.level


def _codes(keys: Sequence[str]) -> Ints:
    return np.unique(np.array(keys, dtype=object), return_inverse=True)[1].astype(np.int64)


def _matrix(units: Sequence[Unit], raters: tuple[str, ...]) -> Ints | None:
    if len(raters) < 2:
        return None
    rows = [[-1 if (v := unit.truth.raters.get(r)) is None else v for r in raters] for unit in units if unit.truth]
    return np.array(rows, dtype=np.int64).reshape(len(rows), len(raters))


def _extra(kind: str, truth: Ints, units: Sequence[Unit], cluster: Ints) -> dict[str, Estimate]:
    """Estimates that need the single replies: orders of a comparison, unanimity of votes."""
    cast = [unit.ballots for unit in units]
    found: dict[str, Estimate] = {}
    if kind == "preference" and any(cast):
        found |= by_reply(truth, cast, cluster) | orders(cast, cluster)
    voted = [(unit.unanimous < 1, int(code)) for unit, code in zip(units, cluster, strict=True) if _votes(unit) > 1]
    if voted:
        found["flips"] = share(
            [v for v, _ in voted], clusters=[c for _, c in voted], note="votes that are not unanimous"
        )
    return found


def _votes(unit: Unit) -> int:
    return len({ballot.vote for ballot in unit.ballots}) if unit.level is not None else 0


def _reward(rows: Sequence[RewardRow], rubric: Rubric, seed: int) -> RewardReport | None:
    both = [row for row in rows if row.judge is not None and row.truth is not None]
    if not both:
        return None
    judge = np.array([row.judge for row in both], dtype=np.float64)
    truth = np.array([row.truth for row in both], dtype=np.float64)
    groups, clusters = [row.group for row in both], [row.cluster for row in both]
    pairs = pair_accuracy(groups, truth, judge, clusters=clusters)
    estimates = {
        "pair_accuracy": pairs.estimate,
        "pair_accuracy_by_group": pairs.by_group,
        "tie_rate": pairs.tie_rate,
        **numeric_agreement(truth, judge, clusters=clusters),
        "coverage": share([row.judge is not None for row in rows if row.truth is not None]),
        **_verdicts_alone(both),
    }
    baselines = []
    for name in ("length", "lexical"):
        score = np.array([getattr(row, name) for row in both], dtype=np.float64)
        found = pair_accuracy(groups, truth, score, clusters=clusters).estimate
        baselines.append(Baseline(name, f"ranks by {name}", {"pair_accuracy": found}))
    return RewardReport(estimates, pairs.pairs, pairs.right, pairs.tied, pairs.groups, formula(rubric), baselines)


def _verdicts_alone(rows: Sequence[RewardRow]) -> dict[str, Estimate]:
    """The other reading where failures have a reward (`on_failure`, a failed check): pair accuracy without them."""
    judged = [row for row in rows if row.verdict]
    if len(judged) == len(rows) or not judged:
        return {}
    found = pair_accuracy(
        [row.group for row in judged],
        np.array([row.truth for row in judged], dtype=np.float64),
        np.array([row.judge for row in judged], dtype=np.float64),
        clusters=[row.cluster for row in judged],
    ).estimate
    return {"pair_accuracy_verdicts_alone": found}


def formula(rubric: Rubric) -> str:
    """How the reward is made, in one line."""
    parts = [(one.id, one.weight, one.essential) for one in rubric.criteria]
    parts += [(one.id, one.weight, one.essential) for one in rubric.checks]
    signed = [f"{weight:g} x {id}" for id, weight, _ in parts if weight]
    essential = [id for id, _, gates in parts if gates]
    text = f"{rubric.reward.combine}({', '.join(signed)}) in [{rubric.reward.low:g}, {rubric.reward.high:g}]"
    return text + (f", {rubric.reward.low:g} if {' or '.join(essential)} fails" if essential else "")


def _counts(joined: Joined, truths: Truths, used: Sequence[str]) -> Counts:
    labelled = {unit.sample for units in joined.units.values() for unit in units if unit.truth is not None}
    labelled |= {row.sample for row in joined.rewards if row.truth is not None}
    both = {
        unit.sample
        for id in used
        for unit in joined.units[id]
        if unit.level is not None and unit.truth is not None and unit.truth.level is not None
    }
    both |= {row.sample for row in joined.rewards if row.truth is not None and row.judge is not None and row.verdict}
    places = [row for row in joined.rewards if row.sample in both]
    return Counts(
        samples=joined.samples,
        judged=joined.judged,
        failed=joined.samples - joined.judged,
        labelled=len(labelled),
        used=len(both),
        raters=len([rater for rater in truths.raters if rater != ADJUDICATED]) or len(truths.raters),
        groups=len({row.group for row in places}),
        clusters=len({row.cluster for row in places}),
    )


def _slices(joined: Joined, used: Sequence[str], question: Question) -> dict[str, dict[str, Any]]:
    """field -> value -> criterion -> estimates, for every `--by`."""
    found: dict[str, dict[str, Any]] = {}
    for name in question.by:
        for id in used:
            parts: dict[str, list[Unit]] = {}
            for unit in joined.units[id]:
                parts.setdefault(unit.slices[name], []).append(unit)
            if len(parts) > MOST_SLICES:
                expected = f"at most {MOST_SLICES} values: intervals on a handful of samples say nothing"
                raise InputError("--by: this field has too many values", key=name, found=len(parts), expected=expected)
            for value in sorted(parts):
                levels = _levels(id, joined.scales[id], parts[value], Truths({}, {}, 0, (), ""), [])
                if levels.truth.size:
                    found.setdefault(name, {}).setdefault(value, {})[id] = slice_report(levels, question.seed)
    return found


def _disagreements(run: Run, joined: Joined, used: Sequence[str]) -> list[Disagreement]:
    """The worst first: distance on the scale, then criteria in the rubric's order."""
    ranked: list[tuple[float, int, str, Unit]] = []
    for place, id in enumerate(used):
        scale = joined.scales[id]
        for unit in joined.units[id]:
            if unit.level is None or unit.truth is None or unit.truth.level in (None, unit.level):
                continue
            distance = abs(scale.share(scale.values[unit.level]) - scale.share(scale.values[_truth_level(unit)]))
            ranked.append((-distance, place, id, unit))
    ranked.sort(key=lambda one: (one[0], (one[3].level or 0) < _truth_level(one[3]), one[1]))  # too high before too low
    store = run.store()
    found = [_disagreement(store.fields(unit.sample), -far, id, joined, unit) for far, _, id, unit in ranked[:WORST]]
    store.close()
    return found


def _disagreement(fields: Mapping[str, object], distance: float, id: str, joined: Joined, unit: Unit) -> Disagreement:
    names = joined.scales[id].names
    text = fields.get("response")
    if text is None:
        text = f"A: {fields.get('response_a')}\nB: {fields.get('response_b')}"
    assert unit.level is not None and unit.truth is not None
    return Disagreement(
        unit.sample, unit.item, id, names[_truth_level(unit)], names[unit.level], distance, unit.reason,
        unit.truth.reason, str(text),
    )  # fmt: skip
