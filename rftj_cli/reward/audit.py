"""`rftj reward audit`: is the judge fit to be a reward? A run (with references, rollouts, a repeat) to an `Audit`.

run -----------> calibrate (charges a look at test), answers -> quality (labels), signal (label-free), noise (votes)
references ----> the reward of the reference answers            |
rollouts ------> signal on what training would see              +--> findings against the bars --> verdict
repeat --------> noise between two runs                         |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rftj_cli.errors import InputError
from rftj_cli.kernel.reward import refuse_without_reward
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.measure.calibrate import Question, calibrate, joined_of
from rftj_cli.measure.join import Joined
from rftj_cli.measure.rewards import formula
from rftj_cli.measure.sources import Source
from rftj_cli.measure.sources import opened as question_of
from rftj_cli.measure.trust import refuse_chosen
from rftj_cli.measure.values import Calibration, Terms
from rftj_cli.reward.audit_answers import Answer, alike, answers_of
from rftj_cli.reward.audit_bars import BARS
from rftj_cli.reward.audit_findings import Measured, complete, findings_of, verdict_of
from rftj_cli.reward.audit_noise import of_repeat, of_votes
from rftj_cli.reward.audit_opening import Asked, Opened, opened
from rftj_cli.reward.audit_quality import quality_of
from rftj_cli.reward.audit_references import references_of
from rftj_cli.reward.audit_signal import signal_of
from rftj_cli.reward.audit_values import Audit, Noise, References

CODES = {"PASS": 0, "WEAK": 0, "FAIL": 1, "INSUFFICIENT DATA": 3}


@dataclass(frozen=True, slots=True)
class Options:
    """The command line of an audit: where labels come from (`source`; its run is filled in), and what is planned."""

    source: Source
    group_size: int = 8
    repeat: str | None = None
    strict: bool = False


def audit(names: Sequence[str], asked: Asked, options: Options) -> Audit:
    """Audit a run, or a rubric and samples, which are judged first. Raises `InputError` for what cannot be audited."""
    given = opened(names, asked, options.source)
    samples = Path(names[1]) if len(names) == 2 else None
    source = replace(options.source, run=str(given.run.folder), samples=samples)
    run, question = question_of(source)
    refuse_without_reward(run.rubric, run.folder)
    refuse_chosen(run, "an audit")
    repeat = None if options.repeat is None else alike(run, options.repeat, "--repeat")
    question = replace(question, needed=source.labels is not None)
    _, joined = joined_of(run, question)

    def whole(report: Calibration) -> Audit:
        terms = Terms(question.seed, report.level)
        noise = of_votes(joined, terms) if repeat is None else of_repeat(run, repeat, terms)
        return _audit(*_measured(given, joined, report, noise, question, options.group_size), options, question)

    # What is refused is refused before a look at the test split is charged.
    return whole(calibrate(run, question, whole if question.split is not None else None))


def _measured(
    given: Opened, joined: Joined, report: Calibration, noise: Noise | None, question: Question, size: int
) -> tuple[Measured, list[Answer]]:
    run, level, labels = given.run, report.level, question.truth_rubric or given.run.rubric
    truth = {row.sample: row.truth for row in joined.rewards}
    answers = answers_of(run, truth=truth, only=truth.keys())
    rollouts, sampled = None, list[Answer]()
    if given.rollouts is not None:
        sampled = answers_of(given.rollouts, truth={}, only=given.rollout_ids)
        rollouts = signal_of("rollouts", str(given.rollouts.folder), sampled, run.rubric, size, level)
    return Measured(
        run=run,
        report=report,
        quality=quality_of(answers, run.rubric, labels, size, level),
        signal=signal_of("samples", str(run.folder), answers, run.rubric, size, level),
        rollouts=rollouts,
        noise=noise,
        references=_references(given, answers, labels, level),
        no_references=given.no_references,
        size=size,
        clusters=_clusters(answers, sampled),
    ), answers


def _clusters(answers: Sequence[Answer], sampled: Sequence[Answer]) -> dict[str, int]:
    own = len({one.cluster for one in answers})
    return {"labels": own, "samples": own, "rollouts": len({one.cluster for one in sampled})}


def _references(given: Opened, answers: Sequence[Answer], labels: Rubric, level: float) -> References | None:
    if given.references is None:
        return None
    judged = answers_of(given.references, truth={}, only=given.reference_ids)
    found = references_of(given.references, judged, answers, given.run.rubric, labels, level)
    if not found.compared and not found.failed and given.named_references:
        raise InputError(
            "--references: no reference in this run is of a prompt that was answered", file=given.references.folder,
            expected="a run of the reference answers, with the groups of the run that is audited",
        )  # fmt: skip
    return found


def _audit(of: Measured, answers: Sequence[Answer], options: Options, question: Question) -> Audit:
    findings = [*complete(of.report), *findings_of(of)]
    verdict, report, run = verdict_of(findings), of.report, of.run
    code = 1 if verdict == "WEAK" and options.strict else CODES[verdict]
    return Audit(
        verdict=verdict,
        exit_code=code,
        strict=options.strict,
        run=report.run,
        rubric=report.rubric,
        formula=formula(run.rubric),
        split=report.split,
        truth=report.truth,
        seed=question.seed,
        group_size=of.size,
        counts=_counts(of, answers),
        findings=findings,
        quality=of.quality,
        signal=of.signal,
        rollouts=of.rollouts,
        noise=of.noise,
        references=of.references,
        warnings=report.warnings,
        bars=BARS,
        level=report.level,
        look=report.look,
    )


def _counts(of: Measured, answers: Sequence[Answer]) -> dict[str, int]:
    return {
        "answers": len(answers),
        "prompts": of.signal.prompts,
        "groups": of.signal.groups,
        "with_reward": len(answers) - of.signal.without,
        "labelled": sum(one.truth is not None for one in answers),
        "used": 0 if of.quality is None else of.quality.answers,
        "clusters": len({one.cluster for one in answers}),
    }


__all__ = ["Asked", "Options", "audit"]
