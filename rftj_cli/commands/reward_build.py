"""`rftj reward build`: the rubric as the zip that AWS Lambda runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from rftj_cli.commands import JsonOption, ModelOption, QuietOption, RubricArgument, SetOption, overrides


def build(
    rubric: RubricArgument,
    out: Annotated[Path | None, typer.Option(help="The zip. Default: dist/NAME-<reward>.zip.", metavar="FILE")] = None,
    target: Annotated[
        Literal["bedrock", "sagemaker", "hyperpod"], typer.Option(help="Where the training job runs.")
    ] = "bedrock",
    envelope: Annotated[
        Literal["list", "http"] | None,
        typer.Option(help="How results are wrapped. Default: http for sagemaker, else a bare list."),
    ] = None,
    concurrency: Annotated[
        int, typer.Option(help="Judge calls at the same time in one environment.", min=1, max=512)
    ] = 64,
    record: Annotated[
        str | None, typer.Option(help="Write full records, texts included, here.", metavar="s3://BUCKET/PREFIX")
    ] = None,
    record_rate: Annotated[
        float | None, typer.Option(help="The share of records. Default: 0.01.", min=0, max=1)
    ] = None,
    record_key: Annotated[
        str | None, typer.Option(help="KMS key of the records. Default: a key of S3's own.", metavar="ARN")
    ] = None,
    model: ModelOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Package a rubric as a reward function for AWS Lambda.

    The zip holds the code that `rftj score` runs, the rubric, and nothing else that scores. The same input gives the
    same bytes. It is for the runtimes python3.12 and python3.13, x86_64 and
    arm64.
    """
    from rftj_cli.files.rubrics import load_rubric
    from rftj_cli.report import bundle_report
    from rftj_cli.reward.bundle import Packing
    from rftj_cli.reward.packing import pack, record_to

    packing = Packing(target, envelope, concurrency, record_to(record, record_rate, record_key))
    made = pack(load_rubric(rubric, overrides(set_, model)), packing, out, rubric)
    bundle_report.show(made, json=json, quiet=quiet)
    return 0
