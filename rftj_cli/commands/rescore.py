"""`rftj rescore`: verdicts and rewards once more from a run's own replies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rftj_cli.commands import (
    JsonOption,
    MarkdownOption,
    QuietOption,
    RunArgument,
    SetOption,
    overrides,
)


def rescore(
    run: RunArgument,
    rubric: Annotated[
        Path | None, typer.Option(help="The rubric to apply. Default: the run's own, as it was.", metavar="FILE")
    ] = None,
    set_: SetOption = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--run", help="The new run folder. Default: runs/NAME-<judge>[-<reward>], else RUN-rescored.", metavar="DIR"
        ),
    ] = None,
    markdown: MarkdownOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Compute verdicts and rewards again from the replies of a run, without a call, into a new run.

    For a rubric whose parsing, votes, checks, weights or reward changed. Failed calls stay failed. A changed prompt or
    model needs the judge: the command says so, and which sample has no reply.
    """
    from rftj_cli.files.rubrics import load_rubric, recompiled
    from rftj_cli.files.runs import open_run
    from rftj_cli.report import rescore_report
    from rftj_cli.running.rescore import rescore as run_rescore

    source, changed = open_run(run), overrides(set_, None)
    loaded = recompiled(source.manifest.rubric, changed) if rubric is None else load_rubric(rubric, changed)
    path = Path(source.manifest.rubric_path) if rubric is None else rubric
    rescore_report.show(run_rescore(source, loaded, path, folder), json=json, markdown=markdown, quiet=quiet)
    return 0
