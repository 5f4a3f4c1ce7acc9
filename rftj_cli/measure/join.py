"""Outcomes of a run joined with the truth: one `Unit` for each sample, item and criterion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rftj_cli.errors import InputError, nearest
from rftj_cli.files.ledger import item_hash
from rftj_cli.files.runs import Run
from rftj_cli.files.samples import Labels, Placed, SampleFile, read_labels
from rftj_cli.files.store_rows import OutcomeRow, SampleRow
from rftj_cli.judges.lexical import length_score, lexical_score
from rftj_cli.kernel.asks import names_used, rubric_for
from rftj_cli.kernel.checks import run_check
from rftj_cli.kernel.outcome import Ballot, Failure, Rating, Verdict
from rftj_cli.kernel.reward import reward_of
from rftj_cli.kernel.rubric import Criterion, Rubric, Scale
from rftj_cli.kernel.sample import Sample
from rftj_cli.measure.truth import Known, Truth, Truths, settle

NO_FIELD = "(none)"  # the slice of samples that lack the field


@dataclass(slots=True)
class Unit:
    """One thing that was judged and labelled (or one of the two). `level` None: no verdict, for the reason in `stage`."""

    sample: str
    item: str | None
    group: str
    cluster: str
    level: int | None
    value: float | None
    stage: str | None
    reason: str
    truth: Truth | None
    ballots: tuple[Ballot, ...]
    slices: Mapping[str, str]
    lexical: float
    length: float
    unanimous: float
    probability: float | None = None  # of the better of two levels: by the judge's tokens, else by its votes


@dataclass(slots=True)
class RewardRow:
    """One sample's reward by the judge and by the labels; None where there is none."""

    sample: str
    split: str
    group: str
    cluster: str
    judge: float | None
    truth: float | None
    lexical: float
    length: float
    metrics: Mapping[str, object]  # what production recorded, of the metrics that are asked for
    verdict: bool  # the judge's reward comes from a verdict, not from `on_failure` or a check
    failed: bool  # the judge was asked and gave no verdict: a reward is then what `on_failure` says


@dataclass(slots=True)
class Joined:
    """Everything a calibration is computed from."""

    units: dict[str, list[Unit]] = field(default_factory=dict)
    scales: dict[str, Scale] = field(default_factory=dict)
    pitfalls: dict[str, bool] = field(
        default_factory=dict
    )  # whether a criterion's weight is negative wherever it is asked
    rewards: list[RewardRow] = field(default_factory=list)
    samples: int = 0
    judged: int = 0
    stages: dict[str, int] = field(default_factory=dict)
    failures: list[tuple[str, str]] = field(default_factory=list)  # (sample, stage), without those skipped
    splits: dict[str, int] = field(default_factory=dict)
    fields: set[str] = field(default_factory=set)  # that any sample has
    hashes: dict[str, set[str]] = field(default_factory=dict)  # of the items of each split: what a look is charged for

    def hashes_of(self, split: str) -> set[str]:
        """The items of a split."""
        return self.hashes.get(split, set())


def labels_of(run: Run, file: str | None, *, wide: bool, columns: Mapping[str, str], needed: bool = True) -> Labels:
    """The labels to use: a file's, else those in the samples as they are now, each with the text that it is of.

    Without `needed`, none are an answer too.
    """
    from pathlib import Path

    if file is not None:
        return read_labels(Path(file), wide=wide, columns=columns)
    path = Path(run.manifest.samples_path)
    if not path.exists():
        if not needed:
            return Labels([])
        raise InputError(
            "the samples of this run are not where they were, so their labels cannot be read", file=path,
            hint="give labels with --labels FILE",
        )  # fmt: skip
    names, placed = names_used(run.rubric), []
    for row, sample in SampleFile(path, run.rubric.kind, {**run.manifest.columns, **columns}):
        sha = sample.fingerprint(names) if sample.labels else ""
        placed += [
            Placed(replace(label, sample_sha=label.sample_sha or sha), str(path), row) for label in sample.labels
        ]
    if not placed and needed:
        raise InputError("there are no labels: the samples carry none", file=path, hint="give them with --labels FILE")
    return Labels(placed)


def truths_of(
    run: Run, labels: Labels, *, rule: str | None, truth_rubric: Rubric | None, ignore_unknown: bool = False
) -> Truths:
    """The truth of every labelled unit of this run."""
    from pathlib import Path

    store = run.store()
    samples = {
        row.sample.id: Known.of(truth_rubric or run.rubric, row.sample, row.fingerprint) for row, _ in store.outcomes()
    }
    store.close()
    later: frozenset[str] = frozenset()
    path = Path(run.manifest.samples_path)
    if any(one.label.id not in samples for one in labels.placed) and path.exists():
        every = SampleFile(path, run.rubric.kind, run.manifest.columns)
        later = frozenset(sample.id for _, sample in every) - samples.keys()
    return replace(
        settle(labels.placed, samples, later=later, ignore_unknown=ignore_unknown, rule=rule), blank=labels.blank
    )


def join(
    run: Run,
    truths: Truths,
    *,
    split: str | None,
    by: tuple[str, ...],
    truth_rubric: Rubric | None,
    metrics: tuple[str, ...] = (),
    needed: bool = True,
) -> Joined:
    """Walk the run once and put every outcome beside its truth, and beside the metrics that production recorded."""
    joined = Joined()
    store = run.store()
    matched = 0
    for row, outcome in store.outcomes():
        joined.splits[row.split] = joined.splits.get(row.split, 0) + 1
        joined.fields.update(row.sample.fields if by or metrics else ())
        if split is None or row.split == split:
            if row.split == "test":
                joined.hashes.setdefault(row.split, set()).add(item_hash(row.sample.id, row.sample.fields))
            matched += _add(joined, run.rubric, row, outcome, truths, (by, metrics), truth_rubric)
    store.close()
    if split is not None and joined.samples == 0:
        known = ", ".join(f"{name} {count}" for name, count in sorted(joined.splits.items())) or "none"
        raise InputError(f"no judged sample is in the split {split}", expected=f"a split that has samples: {known}")
    for name in by:
        if all(unit.slices[name] == NO_FIELD for units in joined.units.values() for unit in units):
            raise InputError(
                "--by: no sample has such a field", key=name, found=name, hint=nearest(name, joined.fields)
            )
    if not matched and needed and not metrics:
        raise InputError("no label matches a judged sample", hint="do the ids of labels and samples agree?")
    return joined


def _add(
    joined: Joined,
    whole: Rubric,
    row: SampleRow,
    outcome_row: OutcomeRow,
    truths: Truths,
    names: tuple[tuple[str, ...], tuple[str, ...]],
    truth_rubric: Rubric | None,
) -> int:
    """Add one judged sample with its slices and metrics (`names`); how many labels it met."""
    sample, outcome = row.sample, outcome_row.outcome
    rubric, matched = rubric_for(whole, sample), 0
    joined.samples += 1
    if isinstance(outcome, Failure):
        joined.stages[outcome.stage] = joined.stages.get(outcome.stage, 0) + 1
        joined.failures += [] if outcome.stage == "skipped" else [(sample.id, outcome.stage)]
    else:
        joined.judged += 1
    shared = _Shared(row.group, row.cluster, _slices(sample, names[0]), _seen(whole, sample))
    for criterion in rubric.criteria:
        _one_scale(joined, criterion, sample)
        joined.pitfalls[criterion.id] = criterion.weight < 0 and joined.pitfalls.get(criterion.id, True)
        units = _units(sample, criterion, outcome, truths, shared)
        matched += sum(unit.truth is not None for unit in units)
        joined.units.setdefault(criterion.id, []).extend(units)
    truth = _truth_reward(rubric_for(truth_rubric, sample) if truth_rubric else rubric, sample, truths, outcome)
    reward = outcome_row.reward.value
    joined.rewards.append(
        RewardRow(
            sample.id, row.split, row.group, row.cluster, reward, truth, shared.lexical, shared.length,
            {name: value for name in names[1] if (value := sample.fields.get(name)) not in (None, "")},
            isinstance(outcome, Verdict), isinstance(outcome, Failure) and outcome.stage != "skipped",
        )
    )  # fmt: skip
    return matched + (truth is not None)


def _one_scale(joined: Joined, criterion: Criterion, sample: Sample) -> None:
    """Keep a criterion's scale; samples may bring criteria of their own, but one id is one scale."""
    known = joined.scales.setdefault(criterion.id, criterion.scale)
    if known != criterion.scale:
        raise InputError(
            f"sample {sample.id} brings a criterion with another scale than samples before it",
            key=f"criteria.{criterion.id}.scale", found=list(criterion.scale.names), expected=", ".join(known.names),
            hint="give one of the two another id",
        )  # fmt: skip


class _Shared:
    """What the units of one sample have in common; baseline scores are computed once."""

    def __init__(self, group: str, cluster: str, slices: dict[str, str], seen: dict[str, object]) -> None:
        self.group, self.cluster, self.slices = group, cluster, slices
        self.lexical, self.length = lexical_score(seen), length_score(seen)


def _seen(rubric: Rubric, sample: Sample) -> dict[str, object]:
    return sample.seen(names_used(rubric))


def _slices(sample: Sample, by: tuple[str, ...]) -> dict[str, str]:
    return {name: str(sample.fields[name]) if name in sample.fields else NO_FIELD for name in by}


def _units(
    sample: Sample, criterion: Criterion, outcome: Verdict | Failure, truths: Truths, shared: _Shared
) -> list[Unit]:
    ratings: dict[str | None, Rating] = {}
    if isinstance(outcome, Verdict):
        ratings = {rating.item: rating for rating in outcome.ratings if rating.criterion == criterion.id}
    items: dict[str | None, None] = dict.fromkeys(ratings)
    if criterion.on == "response":
        items.setdefault(None)
    else:  # an item that is labelled but was not judged (its sample failed) counts as failed
        items.update(dict.fromkeys(truths.items.get((sample.id, criterion.id), ()) if not ratings else ()))
    units = []
    for item in items:
        rating = ratings.get(item)
        stage = outcome.stage if isinstance(outcome, Failure) else None if rating else "skipped"
        reason = outcome.reason if isinstance(outcome, Failure) else rating.reason if rating else "not judged"
        ballots = tuple(b for b in outcome.ballots if b.criterion == criterion.id and b.item == item)
        level = None if rating is None else criterion.scale.names.index(rating.level)
        units.append(
            Unit(
                sample.id, item, shared.group, shared.cluster, level,
                None if rating is None else rating.value, stage, reason,
                truths.of.get((sample.id, item, criterion.id)), ballots, shared.slices, shared.lexical, shared.length,
                1.0 if rating is None else rating.unanimous, _probability(criterion, rating, ballots),
            )
        )  # fmt: skip
    return units


def _probability(criterion: Criterion, rating: Rating | None, ballots: tuple[Ballot, ...]) -> float | None:
    """How likely the judge holds the better of two levels to be."""
    names = criterion.scale.names
    if rating is None or len(names) != 2:
        return None
    if rating.probabilities:
        return min(1.0, max(0.0, rating.probabilities.get(names[1], 0.0)))
    cast = [ballot.level == names[1] for ballot in ballots if ballot.level is not None]
    return sum(cast) / len(cast) if len(cast) > 1 else None


def _truth_reward(rubric: Rubric, sample: Sample, truths: Truths, outcome: Verdict | Failure) -> float | None:
    """The reward that the labels give, where every criterion with values (and every judged item of it) has a truth."""
    ratings = []
    for criterion in (one for one in rubric.criteria if one.scale.valued):
        items: tuple[str | None, ...] = (None,)
        if criterion.on == "item":
            items = truths.items.get((sample.id, criterion.id), ())
            judged = {b.item for b in outcome.ballots if b.criterion == criterion.id}
            if not items or not judged <= set(items):
                return None
        for item in items:
            truth = truths.of.get((sample.id, item, criterion.id))
            if truth is None or not truth.decided:
                return None
            name, number = truth.name(criterion.scale.names), truth.number(criterion.scale)
            ratings.append(Rating(criterion.id, item, name, number))
    response = str(sample.fields.get("response"))
    checks = [run_check(check, response, sample.fields.get("reference")) for check in rubric.checks]
    # A learned map carries the judge's score to the labels' scale: the labels' own reward is on it already.
    plain = replace(rubric, reward=replace(rubric.reward, map=()))
    return reward_of(plain, Verdict(tuple(ratings), ()), checks).value


def criteria_of(joined: Joined) -> list[str]:
    """The criteria that have at least one label, in the rubric's order."""
    return [id for id, units in joined.units.items() if any(unit.truth is not None for unit in units)]
