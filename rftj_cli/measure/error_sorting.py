"""Disagreements sorted: the judge does not repeat itself, the label may be wrong, or the judge is wrong and stays so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from rftj_cli.errors import InputError
from rftj_cli.files.runs import Run
from rftj_cli.kernel.outcome import Ballot, Verdict
from rftj_cli.kernel.rubric import Scale
from rftj_cli.kernel.sample import STANDARD
from rftj_cli.measure.error_values import ErrorUnit, Second, Sort
from rftj_cli.measure.gather import truth_level
from rftj_cli.measure.join import Unit
from rftj_cli.measure.truth import ADJUDICATED, Key


@dataclass(frozen=True, slots=True)
class Evidence:
    """What there is beside the run's own verdicts: further replies of the same judge, and verdicts of a second one."""

    again: Mapping[Key, Sequence[Ballot]] = field(default_factory=dict)
    second: Mapping[Key, str] = field(default_factory=dict)


def sorted_unit(criterion: str, scale: Scale, unit: Unit, evidence: Evidence) -> ErrorUnit:
    """One disagreement with its sort and what that rests on."""
    key: Key = (unit.sample, unit.item, criterion)
    cast = [b for b in (*unit.ballots, *evidence.again.get(key, ())) if b.level is not None]
    assert unit.level is not None and unit.truth is not None
    verdict, truth = scale.names[unit.level], scale.names[truth_level(unit)]
    sort, why = _sort(cast, scale, unit, evidence.second.get(key))
    counts = Counter(ballot.level or "" for ballot in cast)
    raters = {rater: "cannot_tell" if at is None else scale.names[at] for rater, at in unit.truth.raters.items()}
    return ErrorUnit(
        unit.sample, unit.item, criterion, truth, verdict, sort, why,
        {name: counts[name] for name in scale.names if counts[name]}, raters, unit.reason, unit.truth.reason,
    )  # fmt: skip


def _sort(cast: Sequence[Ballot], scale: Scale, unit: Unit, second: str | None) -> tuple[Sort, str]:
    by_order: dict[str, list[str]] = {}
    for ballot in cast:
        by_order.setdefault(ballot.order, []).append(ballot.level or "")
    if any(len(set(levels)) > 1 for levels in by_order.values()):
        return "unstable", "its replies differ: " + "; ".join(_counted(levels) for levels in by_order.values())
    if not by_order or any(len(levels) < 2 for levels in by_order.values()):
        return "not repeated", "the judge was asked once"
    times = f"the same in {min(len(levels) for levels in by_order.values())} replies"
    assert unit.level is not None
    if second == scale.names[unit.level]:
        return "suspected", f"{times}, and the second judge agrees with it"
    if _raters_allow(unit):
        return "suspected", f"{times}, and the raters disagree with each other"
    return "stable", times


def _raters_allow(unit: Unit) -> bool:
    """Whether the raters differ, and the verdict lies within what they said."""
    assert unit.truth is not None and unit.level is not None
    said = [at for rater, at in unit.truth.raters.items() if at is not None and rater != ADJUDICATED]
    return len(set(said)) > 1 and min(said) <= unit.level <= max(said)


def _counted(levels: Sequence[str]) -> str:
    return ", ".join(f"{count} x {level}" for level, count in Counter(levels).most_common())


def ballots_by_unit(run: Run) -> dict[Key, list[Ballot]]:
    """Every reply of a run, by the unit that it is about."""
    found: dict[Key, list[Ballot]] = {}
    store = run.store()
    for row, outcome in store.outcomes():
        for ballot in outcome.outcome.ballots:
            found.setdefault((row.sample.id, ballot.item, ballot.criterion), []).append(ballot)
    store.close()
    return found


def second_verdicts(run: Run, second: Run, scales: Mapping[str, Scale], samples: frozenset[str]) -> dict[Key, str]:
    """The verdicts of a second judge on these samples, as levels of the run's scales.

    Raises `InputError` where it is the same judge, judged other texts, or shares no criterion or sample.
    """
    _refuse_same_judge(run, second)
    shared = {id for id, scale in scales.items() if _same_scale(second, id, scale)}
    if not shared:
        raise InputError(
            "--second: the two judges share no criterion on one scale", file=second.folder,
            found=[one.id for one in second.rubric.criteria], expected="one of " + ", ".join(scales),
        )  # fmt: skip
    texts = _texts(run, samples)
    found: dict[Key, str] = {}
    met, store = 0, second.store()
    for row, outcome in store.outcomes():
        own = texts.get(row.sample.id)
        if own is None:
            continue
        met += 1
        if own != _seen(row.sample.fields):
            raise InputError("--second: it judged another text of this sample", file=second.folder, key="id",
                             found=row.sample.id, expected="a run on the same samples")  # fmt: skip
        for rating in outcome.outcome.ratings if isinstance(outcome.outcome, Verdict) else ():
            if rating.criterion in shared:
                found[row.sample.id, rating.item, rating.criterion] = rating.level
    store.close()
    if texts and not met:
        raise InputError("--second: it judged none of the samples on which judge and labels differ",
                         file=second.folder, expected="a run on the same samples")  # fmt: skip
    return found


def second_of(run: Run, second: Run, units: Sequence[ErrorUnit], said: Mapping[Key, str]) -> Second:
    """How far the second judge says what the judge says, of the disagreements."""
    both = [(unit.verdict, level) for unit in units if (level := said.get((*unit.id, unit.criterion))) is not None]
    model = second.manifest.model
    return Second(
        str(second.folder), model, model == run.manifest.model, len(both), sum(a == b for a, b in both)
    )  # fmt: skip


def _refuse_same_judge(run: Run, second: Run) -> None:
    if _plain_judge(run) == _plain_judge(second):
        raise InputError(
            "--second: this is the same judge, which cannot vouch for itself", file=second.folder,
            found=f"{second.manifest.model}, the same prompt and criteria",
            expected="a run of another model, or at least of another prompt",
        )  # fmt: skip


def _plain_judge(run: Run) -> object:
    """What determines verdicts, but for how often and with which seed it was asked."""
    default = replace(run.rubric.judge, votes=1, vote="majority", votes_tie="failure", seed=None)
    return replace(run.rubric, judge=default).judge_content


def _same_scale(second: Run, id: str, scale: Scale) -> bool:
    other = second.rubric.criterion(id)
    return other is not None and other.scale.names == scale.names


def _texts(run: Run, samples: frozenset[str]) -> dict[str, dict[str, object]]:
    store = run.store()
    found = {id: _seen(store.fields(id)) for id in sorted(samples)}
    store.close()
    return found


def _seen(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if name in STANDARD}
