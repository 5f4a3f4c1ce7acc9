"""`errors`: the disagreements of a run with its labels, sorted, clustered, and by what mending them could gain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rftj_cli.errors import InputError, nearest
from rftj_cli.files.runs import Run
from rftj_cli.files.typed import place_of, typed
from rftj_cli.kernel.sample import SPLITS
from rftj_cli.measure.calibrate import Question, joined_of
from rftj_cli.measure.error_clusters import (
    Compared,
    clustered_errors,
    comparable,
    differs,
    headline_functionals,
    in_slices,
)
from rftj_cli.measure.error_findings import next_steps, warnings
from rftj_cli.measure.error_slices import adjusted
from rftj_cli.measure.error_sorting import Evidence, ballots_by_unit, second_of, second_verdicts, sorted_unit
from rftj_cli.measure.error_texts import Responses
from rftj_cli.measure.error_values import SORTS, Cluster, CriterionErrors, Direction, ErrorReport, Rejudged
from rftj_cli.measure.gather import levels_of
from rftj_cli.measure.join import Joined, Unit, criteria_of
from rftj_cli.measure.levels import Levels
from rftj_cli.measure.truth import Key, Truths
from rftj_cli.measure.values import Terms, Unjudged
from rftj_cli.stats.agreement import agreement
from rftj_cli.stats.clusters import Clusters
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.table import cross_table

ALL, USUAL = "all", "dev"
FROZEN = ("test", "anchor")


@dataclass(frozen=True, slots=True)
class Witness:
    """A second judge, and what it says of the samples on which judge and truth differ."""

    run: Run
    said: Mapping[Key, str]


@dataclass(frozen=True, slots=True)
class Found:
    """The units of a run in the splits that are looked at, beside their truths; `held` of them are not to be edited on."""

    run: Run
    question: Question
    truths: Truths
    joined: Joined
    split: str
    held: int

    @property
    def wrong(self) -> frozenset[str]:
        """The samples on which judge and truth differ anywhere."""
        return frozenset(unit.sample for units in self.joined.units.values() for unit in units if differs(unit))

    def agreeing(self) -> dict[str, list[Unit]]:
        """The units on which judge and truth agree, by criterion."""
        return {
            id: [unit for unit in units if comparable(unit) and not differs(unit)]
            for id, units in self.joined.units.items()
        }


def errors_of(run: Run, question: Question, *, again: Run | None = None, second: Run | None = None) -> ErrorReport:
    """The disagreements of a run with its labels. `question.split`: dev, train or all (None: dev where it has labels).

    again: a run of the same judge on the same samples, whose replies count as repeats; second: a run of another judge.
    Raises `InputError` for a split that is not to be edited on, and for a second judge that is none.
    """
    found = find(run, question)
    return report_of(found, again=again, witness=None if second is None else witness_of(found, second))


def find(run: Run, question: Question) -> Found:
    """Join a run with its labels and keep the split that is looked at."""
    refuse_split(question.split)
    truths, joined = joined_of(run, replace(question, split=None))
    splits = {row.sample: row.split for row in joined.rewards}
    labelled = {unit.sample for units in joined.units.values() for unit in units if comparable(unit)}
    split = question.split
    if split is None:
        split = USUAL if any(splits[sample] == USUAL for sample in labelled) else ALL
    if split != ALL:
        if not any(splits[sample] == split for sample in labelled):
            known = ", ".join(sorted({splits[sample] for sample in labelled})) or "none"
            raise InputError(
                f"no sample of the split {split} has both a verdict and a label", key="--split", found=split,
                expected=f"a split that has: {known}; or all",
            )  # fmt: skip
        joined.units = {
            id: [unit for unit in units if splits[unit.sample] == split] for id, units in joined.units.items()
        }
    held = sum(splits[sample] in FROZEN for sample in labelled) if split == ALL else 0
    return Found(run, question, truths, joined, split, held)


def refuse_split(split: str | None) -> None:
    """Raise `InputError` for a split that does not exist, or whose errors must not be looked at."""
    if split in FROZEN:
        raise InputError(
            f"the errors of the {split} split are not shown: whoever edits a prompt after them has trained on them",
            key="--split", found=split, expected="dev, train or all",
            hint=f"edit on dev, and measure on {split} with rftj calibrate --split {split}",
        )  # fmt: skip
    known = [one for one in SPLITS if one not in FROZEN] + [ALL]
    if split is not None and split not in known:
        hint = nearest(split, known)
        raise InputError("--split: unknown split", found=split, expected=", ".join(known), hint=hint)


def witness_of(found: Found, second: Run) -> Witness:
    """A second judge's verdicts. Raises `InputError` where it is the same judge, or judged other samples."""
    scales = {id: found.joined.scales[id] for id in criteria_of(found.joined)}
    return Witness(second, second_verdicts(found.run, second, scales, found.wrong))


def report_of(
    found: Found, *, again: Run | None = None, asked: str = "", witness: Witness | None = None
) -> ErrorReport:
    """The report on what `find` found; `asked` are the options with which the judge was asked again."""
    run = found.run
    said = {} if witness is None else witness.said
    evidence = Evidence({} if again is None else ballots_by_unit(again), said)
    responses = Responses(run)
    compared = {id: _compared(found, id, evidence, responses) for id in criteria_of(found.joined)}
    units = tuple(error for one in compared.values() for error in one.errors.values())
    failures = {unit.sample: unit.stage or "" for id in compared for unit in _failed(found, id)}
    directions, clusters, capped = _clustered(compared, found.question)
    responses.close()
    report = ErrorReport(
        rubric={"name": run.rubric.name, "kind": run.rubric.kind, "judge_fingerprint": run.rubric.judge_fingerprint},
        run=_about(found),
        split=found.split,
        truth=found.truths.rule,
        seed=found.question.seed,
        criteria={id: _criterion(found, one) for id, one in compared.items()},
        directions=directions,
        clusters=clusters,
        units=units,
        repeated=sum(unit.sort != "not repeated" for unit in units),
        rejudged=None if again is None else _rejudged(again, asked),
        second=None if witness is None else second_of(run, witness.run, units, said),
        failures=tuple(Unjudged(sample, stage) for sample, stage in failures.items()),
    )
    return replace(report, warnings=tuple(warnings(report, capped)), next=tuple(next_steps(report)))


def _compared(found: Found, id: str, evidence: Evidence, responses: Responses) -> Compared:
    joined, terms = found.joined, Terms(found.question.seed)
    units = [unit for unit in joined.units[id] if comparable(unit)]
    levels = levels_of(id, joined.scales[id], units, found.truths, terms)
    wrong = [unit for unit in units if differs(unit)]
    errors = {(u.sample, u.item): sorted_unit(id, joined.scales[id], u, evidence) for u in wrong}
    return Compared(units, levels, _now(levels, terms), errors, responses.of)


def _now(levels: Levels, terms: Terms) -> dict[str, Estimate]:
    """The headline numbers of a criterion, as `calibrate` has them."""
    k = len(levels.levels)
    clusters = Clusters.of(levels.cluster, levels.truth, levels.judge, k, levels.weights())
    table = cross_table(levels.truth, levels.judge, k) if clusters is None else clusters.table(k)
    every = agreement(
        table, kind=levels.kind, values=levels.values, clusters=clusters, seed=terms.seed, level=terms.level
    )
    return {name: every[name] for name in headline_functionals(levels)}


def _clustered(
    compared: Mapping[str, Compared], question: Question
) -> tuple[tuple[Direction, ...], tuple[Cluster, ...], bool]:
    parts = [part for one in compared.values() for part in clustered_errors(one, question.by, question.seed)]
    directions = adjusted([direction for direction, _, _ in parts])
    clusters = []
    for direction, (_, own, _) in zip(directions, parts, strict=True):
        units = {(unit.sample, unit.item): unit for unit in compared[direction.criterion].units}
        clusters += [in_slices(cluster, direction, units) for cluster in own]
    clusters.sort(key=lambda one: (-(one.gain.value or 0.0), -len(one.units)))  # stable: else the rubric's order
    return directions, tuple(clusters), any(capped for _, _, capped in parts)


def _failed(found: Found, id: str) -> list[Unit]:
    return [
        u for u in found.joined.units[id]
        if u.level is None and u.stage != "skipped" and u.truth is not None and u.truth.level is not None
    ]  # fmt: skip


def _criterion(found: Found, one: Compared) -> CriterionErrors:
    id, levels = one.levels.id, one.levels
    failed = _failed(found, id)
    sorts = [error.sort for error in one.errors.values()]
    return CriterionErrors(
        id=id,
        scale=levels.scale,
        levels=levels.levels,
        unit=levels.unit,
        compared=len(one.units),
        wrong=len(sorts),
        failed=len(failed),
        sorts={sort: sorts.count(sort) for sort in SORTS},
        now=one.now,
        pitfall=found.joined.pitfalls.get(id, False),
    )


def _about(found: Found) -> dict[str, Any]:
    manifest = found.run.manifest
    labels = [unit.truth for units in found.joined.units.values() for unit in units if unit.truth is not None]
    return {
        "folder": str(found.run.folder),
        "model": manifest.model,
        "source": manifest.source,
        "votes": found.run.rubric.judge.votes,
        "rubric_path": manifest.rubric_path,
        "samples_path": manifest.samples_path,
        "labels": found.question.labels,
        "options": (found.question.options + typed(by=found.question.by)).strip(),
        "place": typed(**place_of(manifest)),
        "raters": list(found.truths.raters),
        "made_by_model": sum("model" in truth.sources for truth in labels),
        "clusters": len({unit.cluster for units in found.joined.units.values() for unit in units if comparable(unit)}),
        "held": found.held,
        "weighted": len({truth.weight for truth in labels if truth.weight is not None}) > 1,
        "between": sum(truth.between for truth in labels),
        "undecided": sum(not t.decided and t.said for t in labels),
    }


def _rejudged(again: Run, asked: str) -> Rejudged:
    ballots = [ballot for cast in ballots_by_unit(again).values() for ballot in cast]
    samples = again.manifest.counts["judged"]
    lost = sum(ballot.level is None for ballot in ballots)
    return Rejudged(str(again.folder), again.rubric.judge.votes, samples, lost, again.manifest.cost, asked)
