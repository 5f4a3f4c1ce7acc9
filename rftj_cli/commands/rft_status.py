"""`rftj rft status`: how a training job goes."""

from __future__ import annotations

from typing import Annotated

import typer

from rftj_cli.commands import JsonOption, QuietOption


def status(
    job: Annotated[str, typer.Argument(help="Its name, its ARN, or the folder of its data.", metavar="JOB|DIR")],
    watch: Annotated[bool, typer.Option("--watch", help="Wait until it ends, and tell what changes.")] = False,
    every: Annotated[float, typer.Option(help="With --watch: seconds between two looks.", min=1)] = 60.0,
    region: Annotated[str | None, typer.Option(help="AWS region. Default: the job's own.")] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Say how a training job goes.

    Exit code 0 while it goes on and when it is completed, 3 where it failed or was stopped.
    """
    from rftj_cli.report import rft_job_report
    from rftj_cli.rft import jobs

    wanted = jobs.named(job, region)
    ask = jobs.connected(wanted)
    found = jobs.status_of(wanted, ask)
    if watch:
        found = rft_job_report.follow(jobs.watch(wanted, ask, every), quiet=quiet or json)
    rft_job_report.show_status(found, json=json)
    return found.exit_code
