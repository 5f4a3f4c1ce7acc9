"""`rftj demo`: the whole loop on a bundled example, offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rftj_cli.commands import JsonOption, QuietOption


def demo(
    folder: Annotated[Path, typer.Argument(help="Where to put the example and its runs.", metavar="[DIR]")] = Path(
        "rftj-demo"
    ),
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Run the whole loop on a bundled example: no account, no network.

    Scores, calibrates and gates four prompts of a recorded large judge, the lexical baseline and (where installed)
    the small local model live, and says what the figures mean.
    """
    from rftj_cli.demo import tour
    from rftj_cli.report import demo_report, progress

    demo_report.show(tour(folder, progress.steps(quiet=quiet or json)), json=json)
    return 0
