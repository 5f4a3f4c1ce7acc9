"""The questions of the audit, each answered from the measured values, and the verdict that they add up to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from rftj_cli.errors import counted
from rftj_cli.files.runs import Run
from rftj_cli.files.typed import score_command
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.measure.trust import ONE_CLUSTER, bars_of, of_criterion
from rftj_cli.measure.values import Calibration
from rftj_cli.measure.values import Criterion as Calibrated
from rftj_cli.reward.audit_bars import BARS, held, prompts_to_plan
from rftj_cli.reward.audit_values import Decision, Finding, Noise, Part, Quality, References, Signal, Verdict
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.exact import exactly

KAPPA_POINT: Final = 0.60
ONE_PROMPT: Final = "all answers are of one cluster (by default the group): judge answers to other prompts"
LEADS: Final = 0.25  # of the weight, pitfalls included: what a criterion with so much of it misses, training will find


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that the findings are made from. `no_references`: why these were not measured; None: there are none."""

    run: Run
    report: Calibration
    quality: Quality | None
    signal: Signal
    rollouts: Signal | None
    noise: Noise | None
    references: References | None
    no_references: str | None
    size: int
    clusters: Mapping[str, int]  # independent ones, of the samples and of the rollouts


def findings_of(of: Measured) -> list[Finding]:
    """All findings, those about labels first."""
    found = [*_labelled(of), *_agreement(of.run.rubric, of.report)]
    basis = of.rollouts or of.signal
    found += [*_signal(basis, of.size), *_parts(basis), *_reliability(of, basis)]
    return [_one_cluster(one, of) for one in found]


def _one_cluster(one: Finding, of: Measured) -> Finding:
    """Where everything is of one cluster, more of it settles nothing."""
    if one.decision != "INSUFFICIENT DATA" or one.estimate.value is None or of.clusters.get(one.on, 2) != 1:
        return one
    return replace(one, needed=None, do=ONE_CLUSTER if one.on == "labels" else ONE_PROMPT)


def verdict_of(findings: Sequence[Finding]) -> Verdict:
    """FAIL before INSUFFICIENT DATA before WEAK (what was not measured is a reservation too) before PASS."""
    decisions = {one.decision for one in findings}
    if "FAIL" in decisions:
        return "FAIL"
    if "INSUFFICIENT DATA" in decisions:
        return "INSUFFICIENT DATA"
    return "WEAK" if decisions & {"WEAK", "NOT MEASURED"} else "PASS"


def _labelled(of: Measured) -> Iterator[Finding]:
    quality = of.quality
    if quality is None or quality.estimates["pair_accuracy_by_group"].value is None:
        n = 0 if quality is None else quality.answers
        reason = (
            "no answer has a reward and a label for every criterion"
            if not n
            else "no prompt has two answers that the labels tell apart"
        )
        plan = f"label two answers or more of about {prompts_to_plan()} prompts (`rftj plan`), or give labels with --labels"
        yield replace(
            held("pair_accuracy", "labels", Estimate.missing(n, reason), says=reason), do=plan, needed=prompts_to_plan()
        )
        return
    by_group = quality.estimates["pair_accuracy_by_group"]
    squared = quality.estimates["within_phi_squared"].value
    says = "" if squared is None else f"{squared:.0%} of an advantage's variance is signal"
    yield held("pair_accuracy", "labels", by_group, says=says)
    yield _knows(quality)
    yield _best_of_n(quality, of.size)
    if quality.estimates["length_gap"].value is not None:
        yield held(
            "length_gap",
            "labels",
            quality.estimates["length_gap"],
            says="SD of the reward a doubling of the words, beyond the labels",
        )


def _knows(quality: Quality) -> Finding:
    bar, pooled = BARS["pooled_pair_accuracy"], quality.estimates["pooled_pair_accuracy"]
    inside = quality.estimates["pair_accuracy_by_group"]
    says = f"{_short(pooled)} over all pairs, {_short(inside)} inside prompts"
    told = None not in (pooled.low, pooled.high, inside.low, inside.high)
    decision: Decision = "WEAK" if quality.knows_the_prompt else "PASS" if told else "NOT SHOWN"
    do = bar.do if decision == "WEAK" else ""
    return Finding("pooled_pair_accuracy", bar.name, "labels", pooled, None, decision, says, do)


def _best_of_n(quality: Quality, size: int) -> Finding:
    bar, curve = BARS["best_of_n"], quality.curve
    if curve is None:
        return held("best_of_n", "labels", Estimate.missing(quality.answers, "no prompt has two labelled answers"))
    top, gain = curve.steps[-1].n, curve.steps[-1].gain
    says = f"best at n = {curve.peak} of {top}"
    says += f"; groups are too small for n = {size}" if top < size else ""
    if quality.falling:
        says += f": the true quality falls by {_short(curve.fall)}"
        return Finding("best_of_n", bar.name, "labels", gain, bar, "FAIL", says, bar.do)
    return replace(held("best_of_n", "labels", gain, says=says), name=f"best of {top} beats a random answer")


def _agreement(rubric: Rubric, report: Calibration) -> Iterator[Finding]:
    """Each labelled criterion against the bars of `rftj calibrate`."""
    total = sum(abs(weight) for weight in [*(c.weight for c in rubric.criteria), *(c.weight for c in rubric.checks)])
    for id, one in report.criteria.items():
        own = rubric.criterion(id)
        if not one.table or own is None:
            continue
        leads = own.essential or len(rubric.criteria) == 1 or (total > 0 and abs(own.weight) / total >= LEADS)
        exact = replace(one, estimates=exactly(one.estimates, report.level))
        trust = of_criterion(exact)
        for name, limit in bars_of(one):
            point = KAPPA_POINT if name.startswith("kappa") else None
            bar = replace(BARS["criterion"], limit=limit, point=point, critical=leads, unit=_unit(name, one))
            words = {"tnr": f"{id}: fails what is bad (tnr)", "tpr": f"{id}: passes what is good (tpr)"}
            if one.pitfall:
                words = {"tpr": f"{id}: finds what is bad (tpr)", "tnr": f"{id}: clears what is good (tnr)"}
            found = held(
                "criterion",
                "labels",
                exact.estimates[name],
                bar=bar,
                clusters=one.together,
                name=words.get(name, f"{id}: {name.replace('_', ' ')}"),
            )
            found = replace(found, id=f"{id}.{name}")
            if found.decision not in ("PASS", "NOT MEASURED") and trust is not None and trust.answer == "yes":
                found = replace(found, decision="PASS", says="; ".join(trust.reasons), do="", needed=None)
            if found.decision != "NOT MEASURED":
                yield found


def _unit(name: str, one: Calibrated) -> str:
    return f"labels that are {one.levels[name == 'tpr']}" if name in ("tpr", "tnr") else f"labelled {one.unit}s"


def _signal(basis: Signal, size: int) -> Iterator[Finding]:
    of = basis.estimates
    zero = held("zero_variance", basis.on, of["expected_zero_variance"], says=f"of groups of {size}")
    if zero.decision != "PASS" and basis.largest < size:
        zero = replace(
            zero,
            do=f"sample {size} answers a prompt from the model to be trained (`rftj rft sample`) and give them with --rollouts: "
            f"{'no prompt has two answers' if not basis.groups else f'groups of {basis.largest} leave it open'}",
            needed=None,
        )
    yield zero
    yield held("mean_reward", basis.on, of["mean_reward"], says="of the range, mean reward")
    none = of["positive"].value == 0
    yield held(
        "positive",
        basis.on,
        of["positive"],
        says="not one answer has a reward above the lowest" if none else "above the lowest",
    )


def _parts(basis: Signal) -> Iterator[Finding]:
    if not basis.parts:
        return
    flagged = [one for one in basis.parts if one.state in ("dead", "nearly dead") and one.weight]
    yield _counted("dead_parts", basis, len(flagged), "WEAK" if flagged else "PASS", "; ".join(map(_dead, flagged)))
    shown = [one for one in basis.redundant if _surely(one.phi, BARS["redundant_parts"].limit)]
    says = "; ".join(f"{one.first} and {one.second}, phi {_short(one.phi)}" for one in basis.redundant)
    yield _counted("redundant_parts", basis, len(basis.redundant), "WEAK" if shown else "PASS", says)


def _surely(phi: Estimate, limit: float) -> bool:
    """Whether the whole interval of a correlation lies beyond the limit, on either side; 1 and -1 have none."""
    ends = [abs(one) for one in (phi.low, phi.high) if one is not None]
    return not ends or min(ends) > limit


def _counted(id: str, basis: Signal, count: int, decision: Decision, says: str) -> Finding:
    estimate = Estimate(float(count), None, None, len(basis.parts), "counted")
    return Finding(
        id, BARS[id].name, basis.on, estimate, None, decision, says, BARS[id].do if decision != "PASS" else ""
    )


def _dead(one: Part) -> str:
    how = "never varies" if one.state == "dead" else "hardly varies"
    return f"{one.id} {how}: mean {_short(one.base_rate)}"


def _reliability(of: Measured, basis: Signal) -> Iterator[Finding]:
    yield from _failures(basis)
    if basis is not of.signal:  # failures on the samples are the judge's too
        own = (one for one in _failures(of.signal) if one.decision in ("WEAK", "FAIL"))
        yield from (replace(one, name=f"{one.name} ({one.on})") for one in own)
    yield _flips(of)
    if of.references is not None:
        beaten = len(of.references.beaten)
        says = (
            f"{beaten:,} of {of.references.compared:,} score below an answer" if beaten else "of their prompt's answers"
        )
        yield _softened(held("references", "references", of.references.best, says=says))
    elif of.no_references is not None:
        yield _unmeasured("references", "references", "the references were not judged", of.no_references)


def _failures(of: Signal) -> Iterator[Finding]:
    rate = of.estimates["failure_rate"]
    if rate.value is not None:
        stages = ", ".join(f"{stage} {count:,}" for stage, count in sorted(of.stages.items()))
        yield held("failure_rate", of.on, rate, says=stages)


def _softened(one: Finding) -> Finding:
    """References may be few and of mixed worth: an open question about them is a reservation, no more."""
    return replace(one, decision="WEAK") if one.decision == "INSUFFICIENT DATA" else one


def _flips(of: Measured) -> Finding:
    if of.noise is None:
        again = f"`{score_command(of.run.manifest, fresh=True)} --run RUN2` and --repeat RUN2"
        do = f"judge with several votes (--set judge.votes=3), or a second time: {again}"
        return _unmeasured("flips", "repeat", "one vote a sample: repeat noise was not measured", do)
    most = next((id for id, one in of.noise.by.items() if one is of.noise.flips), "")
    votes = of.run.rubric.judge.votes
    says = f"{most} flips most, between two {'single votes' if of.noise.on == 'votes' else 'runs'}"
    says += f"; a verdict of this run rests on {votes}" if of.noise.on == "votes" else ""
    return held("flips", of.noise.on, of.noise.flips, says=says)


def _unmeasured(id: str, on: str, reason: str, do: str) -> Finding:
    return Finding(id, BARS[id].name, on, Estimate.missing(0, reason), BARS[id], "NOT MEASURED", reason, do)


def _short(one: Estimate) -> str:
    if one.value is None:
        return "-"
    return (
        f"{one.value:.2f}"
        if one.low is None or one.high is None
        else f"{one.value:.2f} [{one.low:.2f}, {one.high:.2f}]"
    )


def complete(report: Calibration) -> Iterator[Finding]:
    """A finding where the run is not whole."""
    waiting = int(report.run.get("waiting", 0))
    if waiting:
        estimate = Estimate.missing(report.counts.samples, f"{counted(waiting, 'sample')} not judged yet")
        yield Finding(
            "complete",
            "the run is complete",
            "samples",
            estimate,
            None,
            "INSUFFICIENT DATA",
            f"{counted(waiting, 'sample')} not judged yet",
            "`rftj score` goes on where it stopped",
        )
