"""`rftj rft submit`: upload a prepared data set, and start the training job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rftj_cli.commands import JsonOption, PricesOption, QuietOption


def submit(
    data: Annotated[
        Path, typer.Argument(help="The folder that rftj rft prepare wrote.", metavar="DIR", show_default=False)
    ],
    name: Annotated[str, typer.Option(help="Name of the job.", metavar="JOB")],
    role: Annotated[str, typer.Option(help="The role that Bedrock works with.", metavar="ARN")],
    reward: Annotated[str, typer.Option(help="The reward function, with its version.", metavar="ARN")],
    s3: Annotated[str, typer.Option(help="Where the data is uploaded to.", metavar="s3://BUCKET/PREFIX")],
    output: Annotated[
        str | None, typer.Option(help="Where the job writes to. Default: the --s3 place, /output.", metavar="s3://...")
    ] = None,
    base_model: Annotated[
        str, typer.Option(help="The model to train.", metavar="MODEL")
    ] = "amazon.nova-2-lite-v1:0:256k",
    model_name: Annotated[
        str | None, typer.Option(help="Name of the new model. Default: the job's.", metavar="NAME")
    ] = None,
    epochs: Annotated[int, typer.Option(help="Passes over the data, 1 to 50.")] = 1,
    batch_size: Annotated[int, typer.Option(help="Prompts a step, 16 to 512.")] = 128,
    samples_per_prompt: Annotated[int, typer.Option(help="Answers to each prompt, 2 to 16.")] = 8,
    max_prompt_length: Annotated[
        int | None, typer.Option(help="Tokens: longer prompts are dropped. Default: as prepared.")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="1e-7 to 1e-3. Default: the service's.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Tokens of an answer. Default: the service's.")] = None,
    reasoning_effort: Annotated[str | None, typer.Option(help="low, medium or high. Default: the service's.")] = None,
    eval_interval: Annotated[int | None, typer.Option(help="Steps, 1 to 100. Default: the service's.")] = None,
    kms_key: Annotated[
        str | None, typer.Option(help="Encrypt the uploads with this KMS key.", metavar="ID|ARN")
    ] = None,
    bucket_owner: Annotated[
        str | None, typer.Option(help="Account that owns the bucket. Default: the role's.", metavar="ACCOUNT")
    ] = None,
    region: Annotated[str | None, typer.Option(help="AWS region. Default: the reward's.")] = None,
    run: Annotated[str | None, typer.Option(help="A run of the judge that measures its tokens.", metavar="RUN")] = None,
    prices: PricesOption = None,
    max_cost: Annotated[float | None, typer.Option(help="US dollars that the judge may cost, as forecast.")] = None,
    allow_unpinned: Annotated[
        bool, typer.Option("--allow-unpinned", help="Take a reward that names no version.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan; needs no credentials.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Upload the data and start the reinforcement fine-tuning on Amazon Bedrock, once what it costs is accepted.

    The data must be as `rftj rft prepare` wrote it, the reward a published version. The same command starts no second
    job.
    """
    from rftj_cli.cloud import Cloud
    from rftj_cli.report import asking, rft_job_report
    from rftj_cli.rft import submit as submitting
    from rftj_cli.rft.settings import Hyper

    hyper = Hyper(
        epochs, batch_size, samples_per_prompt, max_prompt_length, learning_rate, max_tokens, reasoning_effort, eval_interval
    )  # fmt: skip
    plan = submitting.plan_job(submitting.JobWish(
        data, name, role, reward, s3, output, base_model, model_name, kms_key, bucket_owner, hyper, region, run, prices,
        allow_unpinned,
    ))  # fmt: skip
    rft_job_report.show_plan(plan, json=json)
    plan.forecast.refuse_beyond(max_cost)
    if dry_run:
        rft_job_report.show_submitted(submitting.Submitted(plan, None), json=json, quiet=quiet)
        return 0
    asking.confirm("Upload the data and start this job?", yes=yes, json=json)
    done = submitting.execute(plan, Cloud(plan.region), asking.teller(quiet=quiet or json))
    rft_job_report.show_submitted(done, json=json, quiet=quiet)
    return 0
