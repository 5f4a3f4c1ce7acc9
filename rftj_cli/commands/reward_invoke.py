"""`rftj reward invoke`: run the zip on this machine, as AWS Lambda would."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rftj_cli.commands import JsonOption, QuietOption


def invoke(
    zip_: Annotated[Path, typer.Argument(help="The zip that Lambda is to run.", metavar="ZIP", show_default=False)],
    event: Annotated[
        Path, typer.Argument(help="The event, a JSON file; - for standard input.", metavar="EVENT", show_default=False)
    ],
    times: Annotated[int, typer.Option(help="Invoke it this many times.", min=1, metavar="N")] = 1,
    parallel: Annotated[
        int,
        typer.Option(help="Invocations at the same time, each in a process of its own.", min=1, max=128, metavar="P"),
    ] = 1,
    timeout: Annotated[
        float, typer.Option(help="Seconds that an invocation may take.", min=0.1, max=900, metavar="S")
    ] = 60,
    memory: Annotated[int, typer.Option(help="MB of memory.", min=128, max=10_240, metavar="MB")] = 512,
    env: Annotated[
        list[str] | None, typer.Option(help="Set an environment variable of the function.", metavar="NAME=VALUE")
    ] = None,
    pass_credentials: Annotated[
        bool, typer.Option("--pass-credentials", help="Let the function use your AWS credentials and endpoints.")
    ] = False,
    replies: Annotated[
        Path | None,
        typer.Option(help="A run folder or a file of replies, from which it answers, not the judge.", metavar="RUN"),
    ] = None,
    handler: Annotated[
        str, typer.Option(help="The function in the zip.", metavar="MODULE.FUNCTION")
    ] = "lambda_function.lambda_handler",
    raw: Annotated[bool, typer.Option("--raw", help="Print the response byte by byte as it came.")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Run the zip on this machine as AWS Lambda would: same runtime client, same limits, same errors; no Docker.

    The response goes to standard output; times, memory and the log to standard error. The function sees its zip, boto3,
    the standard library, and nothing else of this machine's packages and variables. Exit code 3 where it fails.
    """
    from rftj_cli.errors import InputError
    from rftj_cli.report import invoke_report
    from rftj_cli.reward.invoking import Order, invoke_all
    from rftj_cli.reward.local import Limits

    if raw and json:
        raise InputError("--raw and --json are two forms of one answer", expected="one of them")
    limits = Limits(timeout=timeout, memory=memory, concurrency=parallel)
    order = Order(
        zip_, event, limits, times=times, environment=tuple(env or ()), pass_credentials=pass_credentials,
        replies=replies, handler=handler,
    )  # fmt: skip
    invoked = invoke_all(order)
    invoke_report.show(invoked, raw=raw, json=json, quiet=quiet)
    return invoked.exit_code
