"""`rftj rft stop`: stop a training job."""

from __future__ import annotations

from typing import Annotated

import typer

from rftj_cli.commands import JsonOption, QuietOption


def stop(
    job: Annotated[str, typer.Argument(help="Its name, its ARN, or the folder of its data.", metavar="JOB|DIR")],
    region: Annotated[str | None, typer.Option(help="AWS region. Default: the job's own.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Stop a training job. What it has cost so far is lost; a job that has ended stays as it is."""
    from rftj_cli.report import asking, rft_job_report
    from rftj_cli.rft import jobs

    del quiet  # every command takes it, and this one says nothing but errors and its question on stderr
    wanted = jobs.named(job, region)
    ask = jobs.connected(wanted)
    before = jobs.status_of(wanted, ask)
    if before.under_way:
        asking.confirm(f"Stop {before.name}?", yes=yes, json=json)
    rft_job_report.show_stopped(before, jobs.stop(wanted, before, ask), json=json)
    return 0
