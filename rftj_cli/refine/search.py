"""The plain search: one edit for one cluster of errors at a time, the largest possible gain first, each tested alone.

    the largest cluster left --propose--> edit --judge on dev--> against the incumbent --kept?--> the new incumbent

It ends where nothing is left that the labels of dev could show, where the candidates or the money are used up, or where the
judge agrees with the raters as well as they do with each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from rftj_cli.errors import CannotTell
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.measure.comparison import Against
from rftj_cli.measure.error_values import Cluster, ErrorReport
from rftj_cli.measure.errors import Found
from rftj_cli.measure.join import Joined, Unit
from rftj_cli.refine.bench import Bench, right_on
from rftj_cli.refine.cases import cases_of, right_cases
from rftj_cli.refine.edits import Refused, edited, parts_of
from rftj_cli.refine.proposer import Assignment, Proposer
from rftj_cli.refine.values import Candidate, Edit, Fate, Step, Target
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.verdicts import ALPHA, replaces

TRIES = 2  # judged proposals for one cluster of one incumbent
PATIENCE = 4  # where some of them are refused; a refused one costs half of a judged one
Z = 1.959964


@dataclass(slots=True)
class Search:
    """What the search has come to: the incumbent, every step, why it stopped; `units` of every candidate for the front."""

    incumbent: Candidate
    steps: list[Step] = field(default_factory=list)
    stopped: str = ""
    targets: dict[str, Target] = field(default_factory=dict)
    judged: list[tuple[Candidate, Joined]] = field(default_factory=list)
    cut: bool = False  # the proposer, the judge or the money ended before the search did

    def knows(self, rubric: Rubric) -> bool:
        """Whether this judge was tried already."""
        return any(one.rubric.judge_fingerprint == rubric.judge_fingerprint for one, _ in self.judged)


def search(
    bench: Bench, proposer: Proposer, base: Candidate, most: int, told: Callable[[Step], None] = lambda step: None
) -> Search:
    """Up to `most` candidates; `told` hears of each step."""
    state = Search(base)
    report, found = bench.errors(base)
    state.judged.append((base, bench.joined(base)))
    done, tries = bench.at_ceiling(base), Counter[tuple[str, ...]]()
    while not state.stopped:
        refused = sum(step.fate == "refused" for step in state.steps)
        if refused > 2 * most:
            state.stopped = f"{refused} proposals could not be used"
            break
        own = frozenset(criterion.id for criterion in base.rubric.criteria)
        cluster, state.stopped = _next(report, own - done, tries, len(state.steps) - refused, most)
        if cluster is None:
            break
        try:
            step, candidate = _step(bench, proposer, state, (cluster, report, found))
        except CannotTell as error:  # no proposal could be had
            state.stopped, state.cut = str(error), True
            break
        tries[_key(cluster)] += 1 if step.fate == "refused" else PATIENCE // TRIES
        state.steps.append(step)
        told(step)
        if step.fate == "not_judged":
            state.stopped, state.cut = step.why, True
        elif candidate is not None:
            state.judged.append((candidate, bench.joined(candidate)))
            if step.fate == "kept":
                state.incumbent = candidate
                tries.clear()
                report, found = bench.errors(candidate)
                done = bench.at_ceiling(candidate)
    return state


def _key(cluster: Cluster) -> tuple[str, ...]:
    return cluster.criterion, cluster.direction, *(f"{sample}\0{item}" for sample, item in cluster.units)


def _next(
    report: ErrorReport, wanted: frozenset[str], tries: Counter[tuple[str, ...]], judged: int, most: int
) -> tuple[Cluster | None, str]:
    """The cluster to mend next, of the criteria `wanted` (the rubric's own below their ceiling), or why there is none."""
    if judged >= most:
        return None, f"--max-candidates {most} reached"
    if not report.clusters:
        return None, "no disagreement is left on dev"
    mendable = [one for one in report.clusters if one.mendable]
    if not mendable:
        return None, "what is left is unstable, or the labels may be wrong: no edit mends that"
    open_ = [one for one in mendable if one.criterion in wanted]
    if not open_:
        return None, "the judge agrees with the raters as well as one rater with the others"
    worth = [one for one in open_ if (one.gain.value or 0.0) > _half(report, one)]
    if not worth:
        best = max(one.gain.value or 0.0 for one in open_)
        return None, (
            f"the most that is left to gain ({best:.2f}) lies inside the interval that the dev labels allow: "
            "more labels would help, not more edits"
        )
    left = [one for one in worth if tries[_key(one)] < PATIENCE]
    if not left:
        return None, "every cluster of errors was tried"
    return min(left, key=lambda one: (tries[_key(one)], -(one.gain.value or 0.0))), ""


def _half(report: ErrorReport, cluster: Cluster) -> float:
    """Half the width of the interval of the number that the cluster's gain is about."""
    now = next(iter(report.criteria[cluster.criterion].now.values()))
    return 0.0 if now.low is None or now.high is None else (now.high - now.low) / 2


def _step(
    bench: Bench, proposer: Proposer, state: Search, at: tuple[Cluster, ErrorReport, Found]
) -> tuple[Step, Candidate | None]:
    """Propose, guard, judge and compare one candidate. Raises `CannotTell` where no proposal can be had."""
    cluster, report, found = at
    number = len(state.steps) + 1
    target = Target(cluster.criterion, cluster.direction, cluster.terms, cluster.units, cluster.gain)
    state.targets.setdefault(_name(target), target)
    assignment = _assignment(state, cluster, report, found)
    edit: Edit | None = None
    try:
        edit = proposer.edit(assignment)
        rubric = edited(state.incumbent.rubric, edit, bench.quotable)
        if state.knows(rubric):
            raise Refused("this edit was tried already")
    except Refused as refusal:
        return Step(number, target, edit, "refused", str(refusal), 0, None, None, 0), None
    words = _words(rubric) - _words(state.incumbent.rubric)
    try:
        candidate = bench.judge(f"edit {number}", rubric)
    except CannotTell as error:
        return Step(number, target, edit, "not_judged", str(error), 0, None, None, words), None
    (against,) = bench.compare(state.incumbent, candidate).candidates
    keep, why = holds_up(against)
    mended = right_on(cluster.units, bench.joined(candidate).units.get(cluster.criterion, []))
    fate: Fate = "kept" if keep else "rejected"
    return Step(number, target, edit, fate, why, mended, str(candidate.run.folder), against, words), candidate


def _words(rubric: Rubric) -> int:
    return sum(len(text.split()) for text in parts_of(rubric).values())


def _name(target: Target) -> str:
    return f"{target.criterion}, {target.direction}" + (f" ({', '.join(target.terms[:3])})" if target.terms else "")


def _assignment(state: Search, cluster: Cluster, report: ErrorReport, found: Found) -> Assignment:
    tried = [_tried(step) for step in state.steps if step.fate in ("rejected", "refused")]
    agreeing: list[Unit] = found.agreeing().get(cluster.criterion, [])
    return Assignment(
        parts=parts_of(state.incumbent.rubric),
        criterion=cluster.criterion,
        direction=cluster.direction + report.criteria[cluster.criterion].meaning(cluster.direction),
        terms=cluster.terms,
        count=len(cluster.units),
        compared=report.criteria[cluster.criterion].compared,
        cases=cases_of(found, report, cluster),
        right=right_cases(found, cluster, agreeing),
        tried=tried[-5:],
    )


def _tried(step: Step) -> str:
    """A proposal that came to nothing, for the next one: also so that the same question is not put twice."""
    if step.edit is None:
        return f"an answer that could not be used ({step.number}): {step.why}"
    return f"{step.edit.part}: {step.edit.find!r} -> {step.edit.replace!r}: {step.why}"


def holds_up(against: Against) -> tuple[bool, str]:
    """The rule by which an edit is kept on dev: better by more than one standard error, and nothing else gets worse.

    The Ladder's rule (Blum and Hardt 2015) keeps the search from climbing on noise. A slice in which it clearly breaks more than it
    mends rejects it, and so do new failures.
    """
    before, after = (one.failed - one.skipped for one in (against.before, against.after))
    if after > before + max(1, round(0.02 * against.after.compared)):
        return False, f"failures rise from {before} to {after}"
    answer = against.answer
    if answer is None:
        return False, "no label tells which verdicts are right"
    worse = [id for id, one in against.criteria.items() if one.change is not None and one.change.word == "worse"]
    if worse:
        return False, f"worse on {', '.join(worse)}"
    for one in against.slices:
        fell = one.right.difference.value is not None and one.right.difference.value < 0
        if fell and one.right.p_holm is not None and one.right.p_holm <= ALPHA:
            return False, f"what it breaks lies in {one.field} {one.value} ({one.criterion})"
    difference, se = answer.difference, standard_error(answer.difference)
    if se is None or not replaces(difference, se):
        told = "-" if difference.value is None else f"{difference.value:+.3f}"
        return False, f"{told} by {answer.on}, not more than one standard error ({'?' if se is None else f'{se:.3f}'})"
    return True, f"{difference.value:+.3f} by {answer.on}, more than one standard error ({se:.3f})"


def standard_error(estimate: Estimate) -> float | None:
    """That of a 95% interval, a normal one assumed."""
    if estimate.low is None or estimate.high is None:
        return None
    return (estimate.high - estimate.low) / (2 * Z)
