"""`rftj reward verify`: the function against the run that its judge was measured with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rftj_cli.commands import (
    JsonOption,
    MarkdownOption,
    MaxCostOption,
    PricesOption,
    QuietOption,
    RunArgument,
    SeedOption,
)


def verify(
    target: Annotated[str, typer.Argument(help="The zip, or the ARN of the deployed function.", metavar="ZIP|ARN")],
    run: RunArgument,
    zip_: Annotated[
        Path | None, typer.Option("--zip", help="The bundle that a deployed function should be.", metavar="FILE")
    ] = None,
    known: Annotated[
        Path | None,
        typer.Option(help="Known good and bad answers: samples with min_reward, max_reward.", metavar="FILE"),
    ] = None,
    live: Annotated[
        int, typer.Option(help="Ask the real judge about so many samples too. Default for an ARN: 16.", min=0, max=1000)
    ] = 0,
    repeats: Annotated[int, typer.Option(help="How often each of these is asked.", min=2, max=100)] = 3,
    prompts: Annotated[int, typer.Option(help="The job: prompts a step.", min=1, max=100_000)] = 64,
    group_size: Annotated[int, typer.Option(help="The job: answers a prompt.", min=2, max=1000)] = 8,
    batch: Annotated[int, typer.Option(help="The job: rows an invocation.", min=1, max=1000)] = 64,
    concurrency: Annotated[int, typer.Option(help="The job: invocations at the same time.", min=1, max=100_000)] = 12,
    records: Annotated[int, typer.Option(help="The job: prompts in all.", min=1, max=1_000_000_000)] = 1000,
    epochs: Annotated[int, typer.Option(help="The job: passes over them.", min=1, max=1_000_000)] = 1,
    timeout: Annotated[float, typer.Option(help="Seconds that an invocation may take.", min=1, max=900)] = 300,
    memory: Annotated[int, typer.Option(help="Memory of the function, in MB.", min=128, max=10240)] = 512,
    quota: Annotated[
        float | None, typer.Option(help="Requests a minute that the judge's quota allows.", min=1, max=1e12)
    ] = None,
    judge_latency: Annotated[
        float | None, typer.Option(help="Seconds of a judge call, where the run does not tell.", min=0.001, max=3600)
    ] = None,
    max_cost: MaxCostOption = None,
    prices: PricesOption = None,
    seed: SeedOption = 0,
    markdown: MarkdownOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Prove that a reward function scores exactly as its judge was measured: PASS (exit 0), FAIL (1) or NOT SHOWN (3).

    The zip is run on this machine with the replies that RUN recorded: its rewards must equal those of the run to the
    last bit. Every documented shape of an event and every kind of bad row is tried. A deployed function is called for
    real, and billed.
    """
    from rftj_cli.files.runs import open_run
    from rftj_cli.report import verify_report
    from rftj_cli.reward.forecast import Job
    from rftj_cli.reward.verification import Question
    from rftj_cli.reward.verify import verify_deployed, verify_zip

    job = Job(prompts, group_size, batch, concurrency, records, epochs, timeout, memory, quota)
    question = Question(job, live, repeats, known, zip_, judge_latency, seed, max_cost, prices)
    opened = open_run(run)
    tell = verify_report.teller(quiet=quiet or json)
    if target.startswith("arn:"):
        found = verify_deployed(target, opened, question, tell=tell)
    else:
        found = verify_zip(Path(target), opened, question, tell)
    verify_report.show(found, json=json, markdown=markdown, quiet=quiet)
    return found.exit_code
