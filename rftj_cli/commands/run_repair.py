"""`rftj run repair`: what can still be read of a damaged run, in a new folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rftj_cli.commands import JsonOption, QuietOption, RunArgument


def repair(
    run: RunArgument,
    to: Annotated[
        Path | None, typer.Option("--to", help="The new run folder. Default: RUN-repaired.", metavar="DIR")
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Save what can be read of a damaged run store into a new run folder.

    Calls nobody and leaves the damaged run as it is. `rftj score --run` goes on with the new one: what was lost is
    made again, without a call where the reply was saved.
    """
    from rftj_cli.files.runs import open_run
    from rftj_cli.report import repair_report
    from rftj_cli.running.repair import repair as run_repair

    repair_report.show(run_repair(open_run(run), to), json=json, quiet=quiet)
    return 0
