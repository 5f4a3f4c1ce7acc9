"""`rftj check`: validate everything before anything is paid for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rftj_cli.commands import (
    JsonOption,
    LabelsOption,
    MapLabelsOption,
    MapOption,
    ModelOption,
    PricesOption,
    QuietOption,
    RubricArgument,
    SetOption,
    WideOption,
    overrides,
)


def check(
    rubric: RubricArgument,
    samples: Annotated[Path | None, typer.Argument(help="Samples: .jsonl, .csv or .parquet.")] = None,
    labels: LabelsOption = None,
    wide: WideOption = False,
    model: ModelOption = None,
    set_: SetOption = None,
    map_: MapOption = None,
    map_labels: MapLabelsOption = None,
    prices: PricesOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if a known fault is found.")] = False,
    show_text: Annotated[
        bool | None,
        typer.Option("--show-text/--no-text", help="Show the first prompt. Default: yes, and no in CI."),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Validate a rubric, its samples and labels; show a prompt; forecast calls, tokens and cost.

    Calls nobody and costs nothing. Also names known faults of judge prompts, such as text that is not fenced or
    context that the judge is never shown.
    """
    from rftj_cli.files.maps import read_maps
    from rftj_cli.files.prices import price_of
    from rftj_cli.files.rubrics import load_rubric
    from rftj_cli.files.samples import SampleFile
    from rftj_cli.measure.labelled import validated_labels
    from rftj_cli.report import check_report
    from rftj_cli.running.checking import check as run_check

    loaded = load_rubric(rubric, overrides(set_, model))
    maps = read_maps(map_ or (), map_labels or (), labels, samples)
    file = None if samples is None else SampleFile(samples, loaded.kind, maps.samples)
    placed = validated_labels(loaded, file, labels, wide=wide, columns=maps.labels)
    checked = run_check(loaded, file, placed, price_of(loaded.judge.model, prices, loaded.judge.tier))
    check_report.show(checked, json=json, text=show_text)
    return 1 if strict and checked.warnings else 0
