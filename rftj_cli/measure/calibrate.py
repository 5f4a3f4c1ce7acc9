"""`calibrate`: a run and its labels to a `Calibration`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rftj_cli.errors import InputError
from rftj_cli.files.ledger import Look, find_ledger, take_look
from rftj_cli.files.runs import Run
from rftj_cli.files.typed import score_command, typed
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.measure import findings
from rftj_cli.measure.disagreements import disagreements
from rftj_cli.measure.gather import About, independent, levels_of
from rftj_cli.measure.join import Joined, Unit, criteria_of, join, labels_of, truths_of
from rftj_cli.measure.levels import criterion_report, slice_report
from rftj_cli.measure.means import between_levels, continuous_report, continuous_slice
from rftj_cli.measure.production import metric_report, recorded
from rftj_cli.measure.rewards import reward_report
from rftj_cli.measure.truth import ADJUDICATED, Truths
from rftj_cli.measure.values import Calibration, Counts, Criterion, Terms, Unjudged
from rftj_cli.stats.alt_test import EPSILON
from rftj_cli.stats.corrected import Sampling
from rftj_cli.stats.estimate import LEVEL
from rftj_cli.stats.looks import level_of_look

MOST_SLICES = 200
CHARGED = "test"  # the split whose looks are counted


@dataclass(frozen=True, slots=True)
class Question:
    """What to calibrate against what: labels file (else those in the samples), truth rule, split, slices, seed.

    `columns` of the samples and `label_columns` of the labels file are by rftj's names for them.
    `frozen`: a look at the test split is counted and not written to the ledger. `sampling`: how the labelled samples were
    chosen (default: what the rubric says). Without `needed`, a run without labels is no error. `costs`: of a false pass and of a false fail. `epsilon`:
    of the alternative annotator test, None for its default. `elsewhere`:
    criteria of other judges, whose labels are passed over.
    """

    labels: str | None = None
    wide: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)
    label_columns: Mapping[str, str] = field(default_factory=dict)
    truth: str | None = None
    truth_rubric: Rubric | None = None
    truth_rubric_file: Path | None = None
    split: str | None = None
    by: tuple[str, ...] = ()
    seed: int = 0
    ignore_unknown: bool = False
    frozen: bool = False
    metrics: tuple[str, ...] = ()
    needed: bool = True
    sampling: Sampling | None = None
    costs: tuple[float, float] | None = None
    epsilon: float | None = None
    elsewhere: frozenset[str] = frozenset()

    @property
    def options(self) -> str:
        """What says which labels are read and how, as it would be typed again, with a space before each option."""
        columns = {"map": self.columns, "map_labels": self.label_columns}
        which = {"truth": self.truth, "truth_rubric": self.truth_rubric_file, "ignore_unknown": self.ignore_unknown}
        return typed(labels=self.labels, wide=self.wide, **columns, **which, split=self.split, frozen=self.frozen)


def calibrate(run: Run, question: Question, accept: Callable[[Calibration], object] | None = None) -> Calibration:
    """Agreement of a run's verdicts and rewards with its labels. Raises `InputError` for labels that fit nothing.

    `accept` is shown the report before a look at the test split is charged, and may raise: what is refused costs no look.
    """
    truths, joined = joined_of(run, question)
    look = _look(run, joined, replace(question, frozen=True))
    report = _report(run, question, truths, joined, look)
    if accept is not None:
        accept(report)
    if look is None or question.frozen:
        return report
    charged = _look(run, joined, question)  # once nothing can be wrong with the input any more
    if charged is not None and charged.number != look.number:  # another judge met the items meanwhile
        return _report(run, question, truths, joined, charged)
    return replace(report, look=charged)


def _report(run: Run, question: Question, truths: Truths, joined: Joined, look: Look | None) -> Calibration:
    """Everything that is measured, with the intervals that this look leaves."""
    metrics = [recorded(joined, name) for name in question.metrics]
    epsilon = EPSILON if question.epsilon is None else question.epsilon
    terms = Terms(question.seed, LEVEL if look is None else level_of_look(look.number), epsilon)
    used = () if question.truth_rubric else criteria_of(joined)
    about = About(question.sampling or run.rubric.sampling, question.costs)
    criteria = {id: _criterion(id, joined, truths, terms, about) for id in used}
    rubric = question.truth_rubric or run.rubric
    return findings.add(
        Calibration(
            rubric=_rubric(run.rubric),
            run=_about(run, joined, truths, question),
            split=question.split or "all labels",
            truth=truths.rule,
            seed=question.seed,
            counts=_counts(joined, truths, used),
            criteria=criteria,
            reward=None
            if run.rubric.kind == "preference"
            else reward_report(joined.rewards, rubric, run.rubric, terms),
            slices=_slices(joined, used, question.by, terms),
            disagreements=disagreements(run, joined, used),
            findings=(),
            warnings=(),
            level=terms.level,
            look=look,
            metrics={one.name: metric_report(joined, one, terms) for one in metrics},
            failures=[Unjudged(*one) for one in joined.failures],
        )
    )


def _criterion(id: str, joined: Joined, truths: Truths, terms: Terms, about: About) -> Criterion:
    pitfall = joined.pitfalls.get(id, False)
    if between_levels(joined.units[id]):
        return replace(continuous_report(id, joined.scales[id], joined.units[id], terms), pitfall=pitfall)
    levels = levels_of(id, joined.scales[id], joined.units[id], truths, terms, about)
    return replace(criterion_report(levels, terms), clusters=independent(levels), pitfall=pitfall)


def joined_of(run: Run, question: Question) -> tuple[Truths, Joined]:
    """The labels of a run as truths, and every outcome beside its truth."""
    labels = labels_of(
        run,
        question.labels,
        wide=question.wide,
        columns=question.columns if question.labels is None else question.label_columns,
        needed=question.needed and not question.metrics,
    )
    if question.elsewhere:
        own = {criterion.id for criterion in (question.truth_rubric or run.rubric).criteria}
        other = question.elsewhere - own
        labels = replace(labels, placed=[one for one in labels.placed if one.label.criterion not in other])
    truths = truths_of(
        run, labels, rule=question.truth, truth_rubric=question.truth_rubric, ignore_unknown=question.ignore_unknown
    )
    joined = join(
        run,
        truths,
        split=question.split,
        by=question.by,
        truth_rubric=question.truth_rubric,
        metrics=question.metrics,
        needed=question.needed,
    )
    return truths, joined


def _rubric(rubric: Rubric) -> dict[str, Any]:
    return {
        "name": rubric.name,
        "kind": rubric.kind,
        "criteria": [criterion.id for criterion in rubric.criteria],
        "judge_fingerprint": rubric.judge_fingerprint,
        "reward_fingerprint": rubric.reward_fingerprint,
    }


def _look(run: Run, joined: Joined, question: Question) -> Look | None:
    """The look at a test split that this measurement is."""
    if question.split != CHARGED:
        return None
    return take_look(
        find_ledger(), judge=run.rubric.judge_fingerprint, rubric=run.rubric.name, split=CHARGED, items=joined.hashes_of(CHARGED),
        frozen=question.frozen,
    )  # fmt: skip


def _about(run: Run, joined: Joined, truths: Truths, question: Question) -> dict[str, Any]:
    """Where the run and its labels come from, and how complete they are."""
    manifest = run.manifest
    return {
        "folder": str(run.folder),
        "model": manifest.model,
        "source": manifest.source,
        "status": manifest.status,
        "selections": list(manifest.selections),
        "waiting": max(0, manifest.wanted - sum(joined.splits.values())),
        "samples_path": manifest.samples_path,
        "rubric_path": manifest.rubric_path,
        "stages": joined.stages,
        "labels": question.labels,
        "options": question.options.strip(),
        "command": score_command(manifest, run=run.folder),
        "label_sources": dict(Counter(source for truth in truths.of.values() for source in sorted(truth.sources))),
        "labels_passed_over": truths.passed_over,
        "labels_blank": truths.blank,
    }


def _counts(joined: Joined, truths: Truths, used: Sequence[str]) -> Counts:
    labelled = {unit.sample for units in joined.units.values() for unit in units if unit.truth is not None}
    labelled |= {row.sample for row in joined.rewards if row.truth is not None}
    both = {
        unit.sample
        for id in used
        for unit in joined.units[id]
        if unit.level is not None and unit.truth is not None and unit.truth.decided
    }
    both |= {row.sample for row in joined.rewards if row.truth is not None and row.judge is not None and row.verdict}
    places = [row for row in joined.rewards if row.sample in both]
    judged = {unit.sample for id in used for unit in joined.units[id] if unit.level is not None}
    open_ = {
        unit.sample
        for id in used
        for unit in joined.units[id]
        if unit.truth is not None
        and unit.truth.level is None
        and any(v is not None for v in unit.truth.raters.values())
    }
    return Counts(
        samples=joined.samples,
        judged=joined.judged,
        failed=joined.samples - joined.judged,
        skipped=joined.stages.get("skipped", 0),
        labelled=len(labelled),
        used=len(both),
        raters=len([rater for rater in truths.raters if rater != ADJUDICATED]) or len(truths.raters),
        groups=len({row.group for row in places}),
        clusters=len({row.cluster for row in places}),
        undecided=len((open_ & judged) - both),
        votes_lost=sum(ballot.level is None for unit in _voted(joined) for ballot in unit.ballots),
    )


def _voted(joined: Joined) -> list[Unit]:
    """The units that have a verdict."""
    return [unit for units in joined.units.values() for unit in units if unit.level is not None]


def _slices(joined: Joined, used: Sequence[str], by: Sequence[str], terms: Terms) -> dict[str, dict[str, Any]]:
    """field -> value -> criterion -> estimates, for every `--by`."""
    found: dict[str, dict[str, Any]] = {}
    for name in by:
        for id in used:
            parts: dict[str, list[Unit]] = {}
            for unit in joined.units[id]:
                parts.setdefault(unit.slices[name], []).append(unit)
            if len(parts) > MOST_SLICES:
                expected = f"at most {MOST_SLICES} values: intervals on a handful of samples say nothing"
                raise InputError("--by: this field has too many values", key=name, found=len(parts), expected=expected)
            between = between_levels(joined.units[id])
            for value in sorted(parts):
                if between:
                    part = continuous_slice(joined.scales[id], parts[value], terms)
                    found.setdefault(name, {}).setdefault(value, {}).update({} if part is None else {id: part})
                    continue
                levels = levels_of(id, joined.scales[id], parts[value], Truths({}, {}, 0, (), ""), terms)
                if levels.truth.size:
                    found.setdefault(name, {}).setdefault(value, {})[id] = slice_report(levels, terms)
    return found
