"""`rftj score`: run the judge over the samples and keep every reply."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rftj_cli.commands import (
    JsonOption,
    MapOption,
    PricesOption,
    QuietOption,
    RubricArgument,
    SamplesArgument,
    SetOption,
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
    set_: SetOption = None,
    map_: MapOption = None,
    workers: Annotated[
        int | None, typer.Option(help="Calls at the same time. Default: 16, and 1 for a local: judge.", min=1, max=1024)
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(help="Endpoint of an openai: judge.", envvar="OPENAI_BASE_URL")
    ] = None,
    region: Annotated[str | None, typer.Option(help="AWS region of a bedrock: judge.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds for one call, retries included.", min=0.1)] = 120.0,
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
    from rftj_cli.running.score import Settings
    from rftj_cli.running.score import score as run_score

    loaded = load_rubric(rubric, tuple(set_ or ()))
    at_once = workers or default_workers(loaded.judge)
    endpoint = Endpoint(loaded.judge, workers=at_once, base_url=base_url, region=region, timeout=timeout)
    settings = Settings(
        make_judge=endpoint.connect,
        source=endpoint.name,
        folder=run,
        replay=chosen(replay, import_replies),
        fresh=fresh,
        workers=at_once,
        price=price_of(loaded.judge.model, prices),
        max_cost=max_cost,
        progress=progress.chooser(quiet=quiet or json),
    )
    scored = run_score(loaded, rubric, SampleFile(samples, loaded.kind, read_map(map_ or [])), settings)
    score_report.show(scored, json=json, quiet=quiet)
    scored.refuse_failures(max_failures)
    return 0
