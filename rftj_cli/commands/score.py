"""`rftj score`: run the judge over the samples and keep every reply."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from rftj_cli.commands import (
    JsonOption,
    MapOption,
    ModelOption,
    PricesOption,
    QuietOption,
    RubricArgument,
    SamplesArgument,
    SetOption,
    overrides,
)


def score(
    rubric: RubricArgument,
    samples: SamplesArgument,
    run: Annotated[Path | None, typer.Option(help="The run folder. Default: runs/NAME-<judge>.", metavar="DIR")] = None,
    replay: Annotated[
        Path | None, typer.Option(help="Take every reply from a run, or a file keyed by request.", metavar="RUN|FILE")
    ] = None,
    import_replies: Annotated[
        Path | None, typer.Option(help="Take every reply from a JSONL file keyed by sample id.", metavar="FILE")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Reuse no replies of other runs.")] = False,
    model: ModelOption = None,
    set_: SetOption = None,
    map_: MapOption = None,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Calls at the same time. Default: 64 on Bedrock, 16 elsewhere, 1 in this process.", min=1, max=1024
        ),
    ] = None,
    rpm: Annotated[
        float | None, typer.Option(help="Requests a minute, at most. Default: what the service lets through.", min=0.1)
    ] = None,
    tpm: Annotated[
        float | None, typer.Option(help="Tokens a minute, at most. Default: what the service lets through.", min=1)
    ] = None,
    adaptive_votes: Annotated[
        bool, typer.Option("--adaptive-votes", help="Ask for no more votes once the majority stands.")
    ] = False,
    base_url: Annotated[
        str | None, typer.Option(help="Endpoint of an openai: judge.", envvar="OPENAI_BASE_URL")
    ] = None,
    region: Annotated[str | None, typer.Option(help="AWS region of a bedrock: judge.")] = None,
    transport: Annotated[
        Literal["auto", "boto3"], typer.Option(help="How a bedrock: judge is called; boto3 is slower.")
    ] = "auto",
    timeout: Annotated[
        float | None,
        typer.Option(help="Seconds for one call with its retries, its turn not counted. Default: 120.", min=0.1),
    ] = None,
    max_cost: Annotated[float | None, typer.Option(help="US dollars this command may spend.", min=0)] = None,
    max_failures: Annotated[
        float, typer.Option(help="Share of failures beyond which to exit with 3.", min=0, max=1)
    ] = 0.1,
    prices: PricesOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Judge samples and keep every reply and outcome in a run folder.

    The same command goes on where it stopped. Nothing is judged twice; new samples extend the run; a changed rubric
    or sample is refused. Failures of the service are tried again by the next call, all other outcomes stand.
    """
    from rftj_cli.files.prices import price_of
    from rftj_cli.files.rows import read_map
    from rftj_cli.files.rubrics import load_rubric
    from rftj_cli.files.samples import SampleFile
    from rftj_cli.report import progress, score_report
    from rftj_cli.running.live import Endpoint, default_workers
    from rftj_cli.running.recordings import chosen
    from rftj_cli.running.score import FIRST_TIMEOUT, Settings
    from rftj_cli.running.score import score as run_score

    loaded = load_rubric(rubric, overrides(set_, model))
    at_once = workers or default_workers(loaded.judge)
    endpoint = Endpoint(loaded.judge, at_once, base_url, region, timeout or FIRST_TIMEOUT, transport)
    settings = Settings(
        make_judge=endpoint.connect,
        source=endpoint.name,
        folder=run,
        replay=chosen(replay, import_replies),
        fresh=fresh,
        workers=at_once,
        timeout=timeout,
        rpm=rpm,
        tpm=tpm,
        adaptive=adaptive_votes,
        price=price_of(loaded.judge.model, prices, loaded.judge.tier),
        max_cost=max_cost,
        progress=progress.chooser(quiet=quiet or json),
    )
    scored = run_score(loaded, rubric, SampleFile(samples, loaded.kind, read_map(map_ or [])), settings)
    score_report.show(scored, json=json, quiet=quiet)
    scored.refuse_failures(max_failures)
    return 0
