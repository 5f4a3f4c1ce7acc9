"""`rftj reward export`: the rubric as a RewardPrompt of SageMaker or as metrics of Bedrock Evaluations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rftj_cli.commands import JsonOption, ModelOption, QuietOption, RubricArgument, SetOption, overrides


def export(
    rubric: RubricArgument,
    to: Annotated[str, typer.Option("--to", help="sagemaker or bedrock-evaluations.", metavar="FORM")],
    out: Annotated[Path, typer.Option(help="The file to write.", metavar="FILE")],
    variable: Annotated[
        list[str] | None,
        typer.Option(help="Another name of a variable in a RewardPrompt: response=prediction.", metavar="FIELD=NAME"),
    ] = None,
    evaluator: Annotated[
        str | None,
        typer.Option(help="The evaluator model of Bedrock Evaluations. Default: the rubric's judge.", metavar="MODEL"),
    ] = None,
    model: ModelOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Write the rubric's prompt for an AWS judge that is not rftj's. What is lost is said line by line.

    A rubric that does not fit is refused with all reasons. What is exported is another judge than the one that was
    measured.
    """
    from rftj_cli.files.rubrics import load_rubric
    from rftj_cli.report import export_report
    from rftj_cli.reward.export import export as run_export
    from rftj_cli.reward.export import write_export

    exported = run_export(load_rubric(rubric, overrides(set_, model)), to, tuple(variable or ()), evaluator)
    write_export(exported, out)
    export_report.show(exported, rubric, out, json=json)
    return 0
