"""What `rftj rft submit`, `status` and `stop` print: the plan of a job, the job, and how it goes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from shlex import quote
from typing import Any

from rftj_cli.cloud import Call
from rftj_cli.errors import counted
from rftj_cli.report.blocks import Block, Entries, Facts, Heading, Lines
from rftj_cli.report.copied import advise
from rftj_cli.report.documents import show_json
from rftj_cli.report.words import duration, money
from rftj_cli.rft.jobs import JobStatus
from rftj_cli.rft.submit import JobPlan, Submitted

SCHEMA = "rftj.rft-job/1"
STATUS_SCHEMA = "rftj.rft-status/1"
_WORDS = {
    "InProgress": "in progress", "Completed": "completed", "Failed": "failed", "Stopping": "stopping", "Stopped": "stopped"
}  # fmt: skip


def show_plan(plan: JobPlan, *, json: bool) -> None:
    """Print the plan. With `json` the one document comes at the end."""
    if json:
        return
    from rftj_cli.report import console

    console.show(list(_plan(plan)))


def show_submitted(done: Submitted, *, json: bool, quiet: bool) -> None:
    """Print the job that was started, or that nothing was."""
    if json:
        show_json(document(done))
        return
    from rftj_cli.report import console

    folder = done.plan.wish.folder
    if done.job_arn is None:
        console.show([Lines(["nothing was sent: this was a dry run"])])
        return
    what = "submitted before, and not again" if done.again else "submitted"
    rows = [(what, done.job_arn)]
    if done.version is not None:
        rows.append(("reward", f"version {done.version} of {done.plan.reward.function}"))
    console.show([Facts([*rows, ("noted in", f"{folder}/job.json"), *(("warning", one) for one in done.warnings)])])
    if not quiet:
        advise("next", f"rftj rft status {quote(str(folder))} --watch")


def document(done: Submitted) -> dict[str, Any]:
    """A plan and what came of it, as plain data."""
    plan = done.plan
    return {
        "schema": SCHEMA,
        "job_arn": done.job_arn,
        "submitted_before": done.again,
        "reward_version": done.version,
        "region": plan.region,
        "rubric": plan.manifest.get("rubric"),
        "forecast": plan.forecast,
        "plan": [_call(one) for one in plan.calls],
        "warnings": [*plan.warnings, *done.warnings],
    }


def _call(call: Call) -> dict[str, Any]:
    """A call without the text that it uploads."""
    shown = {
        name: f"<{len(value):,} bytes>" if isinstance(value, bytes) else value
        for name, value in call.parameters.items()
    }
    return {"service": call.service, "operation": call.operation, "parameters": shown}


def _plan(plan: JobPlan) -> Iterator[Block]:
    create = plan.calls[-1].parameters
    hyper = ", ".join(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
                      for name, value in plan.wish.hyper.parameters.items())  # fmt: skip
    rows = [("job", f"{create['jobName']} in {plan.region}, makes {create['customModelName']}")]
    rows.append(("trains", str(create["baseModelIdentifier"])))
    for name, part in plan.manifest["parts"].items():
        rows.append((name, f"{counted(part['records'], 'record')}, sha256 {part['sha256'][:12]}"))
    rubric = plan.manifest.get("rubric")
    if rubric:
        fingerprints = f"judge {rubric['judge_fingerprint'][:8]}, reward {rubric['reward_fingerprint'][:8]}"
        rows.append(("rubric", f"{rubric['name']}, {fingerprints}"))
    rows += [("reward", plan.wish.reward), ("settings", hyper)]
    yield Facts(rows)
    yield Heading("What the judge will do")
    yield Facts(_forecast(plan))
    yield Heading("Calls")
    yield Entries([(f"{one.service} {one.operation}", [_brief(one)]) for one in plan.calls])
    if plan.warnings:
        yield Heading("Warnings")
        yield Lines(plan.warnings)


def _brief(call: Call) -> str:
    given = call.parameters
    if call.service == "s3":
        key = f" ({given['SSEKMSKeyId']})" if "SSEKMSKeyId" in given else ""
        size = f"{len(given['Body']):,} bytes, encrypted with {given['ServerSideEncryption']}{key}"
        return f"s3://{given['Bucket']}/{given['Key']}: {size}"
    return f"{given['customizationType']} as {given['roleArn']}, writes to {given['outputDataConfig']['s3Uri']}"


def _forecast(plan: JobPlan) -> list[tuple[str, str]]:
    judge = plan.forecast
    answers = f"{judge.train_answers:,} in {counted(judge.steps, 'step')}"
    if judge.evaluations:
        answers += f", {judge.eval_answers:,} in {counted(judge.evaluations, 'evaluation')}"
    rows = [("answers", answers)]
    if judge.calls is not None:
        tokens = ""
        if judge.input_tokens is not None and judge.output_tokens is not None:
            tokens = f", about {judge.input_tokens:,} tokens in and {judge.output_tokens:,} out"
        rows.append(("calls", f"{judge.calls:,} of {judge.model or 'the judge'}{tokens}"))
        rows.append(("tokens", judge.method))
    priced = f" (prices: {judge.price})" if judge.cost is not None else ""
    without = "" if judge.answers_counted or judge.cost is None else " without the answers' own tokens"
    rows.append(("cost", f"{money(judge.cost)}{without}{priced}; the training itself is billed beside it"))
    rows.append(("note", judge.note))
    return rows


def follow(changes: Iterator[JobStatus], *, quiet: bool) -> JobStatus:
    """Tell each change on standard error; the last state."""
    last = next(changes)
    for one in _told([last], changes):
        if not quiet:
            print(_line(one), file=sys.stderr)
        last = one
    return last


def _told(first: list[JobStatus], rest: Iterator[JobStatus]) -> Iterator[JobStatus]:
    yield from first
    yield from rest


def _line(job: JobStatus) -> str:
    phases = "".join(f", {name}: {state}" for name, state in job.phases.items())
    return f"{job.name}: {_WORDS.get(job.status, job.status)} after {duration(job.seconds)}{phases}"


def show_status(job: JobStatus, *, json: bool) -> None:
    """Print how a job goes."""
    if json:
        show_json({"schema": STATUS_SCHEMA, **_plain(job)})
        return
    from rftj_cli.report import console

    console.show([Facts(_rows(job))])


def show_stopped(before: JobStatus, now: JobStatus, *, json: bool) -> None:
    """Print what stopping a job came to."""
    if json:
        show_json({"schema": STATUS_SCHEMA, **_plain(now), "status_before": before.status})
        return
    from rftj_cli.report import console

    note = (
        [] if before.status == "InProgress" else [("note", f"it was {_WORDS.get(before.status, before.status)} before")]
    )
    console.show([Facts([*_rows(now), *note])])


def _plain(job: JobStatus) -> dict[str, Any]:
    return {name: getattr(job, name) for name in JobStatus.__dataclass_fields__}


def _rows(job: JobStatus) -> list[tuple[str, str]]:
    took = "" if job.seconds is None else f" after {duration(job.seconds)}"
    phases = ", ".join(f"{name}: {state}" for name, state in job.phases.items())
    hyper = ", ".join(f"{name} {value}" for name, value in job.hyper_parameters.items())
    times = [f"created {job.created}"] if job.created else []
    times += [f"ended {job.ended}"] if job.ended else [f"changed {job.modified}"] if job.modified else []
    rows = [
        ("job", job.name), ("status", f"{_WORDS.get(job.status, job.status)}{took}"), ("phases", phases),
        ("times", ", ".join(times)), ("failure", job.failure or ""), ("model", job.model_arn or ""),
        ("trains", job.base_model or ""), ("reward", job.reward or ""), ("settings", hyper),
        ("metrics", f"under {job.output}" if job.output else ""), ("arn", job.arn),
    ]  # fmt: skip
    return [(name, text) for name, text in rows if text]
