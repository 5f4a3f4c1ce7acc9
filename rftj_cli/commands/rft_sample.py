"""`rftj rft sample`: the answers of the model that is to be trained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rftj_cli.commands import JsonOption, MapOption, MaxCostOption, PricesOption, QuietOption, WorkersOption


def sample(
    prompts: Annotated[Path, typer.Argument(help="Prompts or samples: .jsonl, .csv or .parquet.", show_default=False)],
    model: Annotated[str, typer.Option(help="The model that is to be trained, BACKEND:MODEL.", metavar="MODEL")],
    out: Annotated[
        Path | None,
        typer.Option(help="The samples file to write. Default: PROMPTS-rollouts.jsonl, here.", metavar="FILE"),
    ] = None,
    n: Annotated[int, typer.Option("-n", "--n", help="Answers to each prompt.", min=1, max=1000)] = 8,
    temperature: Annotated[float, typer.Option(help="As the training will sample.", min=0, max=2)] = 1.0,
    max_tokens: Annotated[int, typer.Option(help="The longest answer, in tokens.", min=1)] = 2048,
    system: Annotated[
        str | None, typer.Option(help="System message, a template; @FILE reads one.", metavar="TEXT")
    ] = None,
    prompt_template: Annotated[
        Path | None, typer.Option(help="User message: a Jinja template over the row's fields.", metavar="FILE")
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="Folder of the rollouts. Default: rollouts/PROMPTS-<settings>.", metavar="DIR")
    ] = None,
    map_: MapOption = None,
    workers: WorkersOption = None,
    rpm: Annotated[
        float | None, typer.Option(help="Requests a minute, at most. Default: what the service lets through.", min=0.1)
    ] = None,
    tpm: Annotated[
        float | None, typer.Option(help="Tokens a minute, at most. Default: what the service lets through.", min=1)
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(help="Endpoint of an openai: model.", envvar="OPENAI_BASE_URL")
    ] = None,
    region: Annotated[str | None, typer.Option(help="AWS region of a bedrock: model.")] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds for one call with its retries. Default: 120.", min=0.1)
    ] = None,
    max_cost: MaxCostOption = None,
    prices: PricesOption = None,
    max_failures: Annotated[
        float, typer.Option(help="Share of failures beyond which to exit with 3.", min=0, max=1)
    ] = 0.1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the answers, where the service takes one.")] = 0,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Let the model that is to be trained answer each prompt several times, and write the answers as samples.

    The same command goes on where it stopped. `rftj score` judges the file as it is.
    """
    from rftj_cli.files.maps import read_map
    from rftj_cli.report import progress, rollouts_report
    from rftj_cli.rft import rollouts
    from rftj_cli.rft.rollout_order import Wish
    from rftj_cli.rft.templates import read_template

    wish = Wish(
        prompts, out or Path(f"{prompts.stem}-rollouts.jsonl"), model, n, temperature, max_tokens, seed, read_template(system, prompt_template),
        read_map(map_ or []), run, workers, rpm, tpm, timeout, base_url, region, max_cost, prices,
        progress.sampling(quiet=quiet or json),
    )  # fmt: skip
    sampled = rollouts.sample(wish)
    rollouts_report.show(sampled, json=json, quiet=quiet)
    sampled.refuse_failures(max_failures)
    return 0
