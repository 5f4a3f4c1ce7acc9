"""`rftj rft prepare`: samples or prompts to the data set of a reinforcement fine-tuning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from rftj_cli.commands import JsonOption, MapOption, QuietOption, SetOption


def prepare(
    samples: Annotated[Path, typer.Argument(help="Prompts or samples: .jsonl, .csv or .parquet.", show_default=False)],
    out: Annotated[
        Path, typer.Option(help="The folder to write: train.jsonl, eval.jsonl, prepare.json.", metavar="DIR")
    ],
    rubric: Annotated[
        Path | None, typer.Option(help="Prove that its judge reads from an event what it reads here.", metavar="FILE")
    ] = None,
    system: Annotated[
        str | None, typer.Option(help="System message, a template; @FILE reads one.", metavar="TEXT")
    ] = None,
    prompt_template: Annotated[
        Path | None, typer.Option(help="User message: a Jinja template over the row's fields.", metavar="FILE")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="This split (train, dev, test, anchor) becomes eval.jsonl.", metavar="NAME")
    ] = None,
    eval_: Annotated[
        Path | None, typer.Option("--eval", help="Samples of their own for eval.jsonl.", metavar="FILE")
    ] = None,
    target: Annotated[
        Literal["bedrock", "sagemaker", "hyperpod"], typer.Option(help="Where the training runs.")
    ] = "bedrock",
    keep: Annotated[
        list[str] | None,
        typer.Option(help="With --rubric: a field to keep that its judge does not need.", metavar="FIELD"),
    ] = None,
    max_prompt_length: Annotated[int, typer.Option(help="Tokens: the training drops longer prompts.", min=1)] = 8192,
    drop_faulty: Annotated[bool, typer.Option("--drop-faulty", help="Leave faulty rows out, and count them.")] = False,
    set_: SetOption = None,
    map_: MapOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Make the training data, one record a prompt, and check every rule that the service has.

    Nothing is written while an error is left (exit 2). Calls nobody and costs nothing.
    """
    from rftj_cli.files.maps import read_map
    from rftj_cli.files.rubrics import load_rubric
    from rftj_cli.report import rft_data_report
    from rftj_cli.rft.dataset import Wish
    from rftj_cli.rft.prepare import prepare as run_prepare
    from rftj_cli.rft.templates import read_template

    loaded = None if rubric is None else load_rubric(rubric, tuple(set_ or ()))
    wish = Wish(
        samples, out, loaded, read_template(system, prompt_template), read_map(map_ or []), split, eval_, target,
        tuple(keep or ()), max_prompt_length, drop_faulty,
    )  # fmt: skip
    prepared = run_prepare(wish)
    rft_data_report.show(prepared, json=json, quiet=quiet)
    return prepared.exit_code
