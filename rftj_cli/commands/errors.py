"""`rftj errors`: where judge and labels differ, sorted and clustered, for whoever edits the prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rftj_cli.commands import (
    BaseUrlOption,
    IgnoreUnknownOption,
    JsonOption,
    LabelsOption,
    MapLabelsOption,
    MapOption,
    MarkdownOption,
    MaxCostOption,
    PricesOption,
    QuietOption,
    RegionOption,
    RunArgument,
    SeedOption,
    ShowTextOption,
    TruthOption,
    WideOption,
    WorkersOption,
)


def errors(
    run: RunArgument,
    labels: LabelsOption = None,
    wide: WideOption = False,
    map_: MapOption = None,
    map_labels: MapLabelsOption = None,
    ignore_unknown: IgnoreUnknownOption = False,
    truth: TruthOption = None,
    split: Annotated[
        str | None,
        typer.Option(help="dev, train or all. Default: dev where it has labels, else all.", metavar="SPLIT"),
    ] = None,
    by: Annotated[
        list[str] | None, typer.Option(help="Test for errors that are more frequent by this field.", metavar="FIELD")
    ] = None,
    rejudge: Annotated[
        int,
        typer.Option(help="Ask the judge N more times about each disagreement (3 is good). 0: no calls.", metavar="N"),
    ] = 0,
    second: Annotated[
        str | None, typer.Option(help="A run of another judge on the same samples.", metavar="RUN2")
    ] = None,
    relabel: Annotated[
        Path | None, typer.Option(help="Write suspected labels, among controls, to label again.", metavar="FILE")
    ] = None,
    base_url: BaseUrlOption = None,
    region: RegionOption = None,
    replay: Annotated[
        Path | None, typer.Option(help="Take the repeats from a run, or a file keyed by request.", metavar="RUN|FILE")
    ] = None,
    import_replies: Annotated[
        Path | None,
        typer.Option(help="Take the repeats from a JSONL file keyed by sample id and vote.", metavar="FILE"),
    ] = None,
    workers: WorkersOption = None,
    max_cost: MaxCostOption = None,
    prices: PricesOption = None,
    seed: SeedOption = 0,
    full: Annotated[bool, typer.Option("--full", help="Every cluster and disagreement, and all slices.")] = False,
    markdown: MarkdownOption = False,
    show_text: ShowTextOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Sort and cluster the disagreements of a judge with its labels: what to change in the prompt next.

    Says which errors the judge repeats, which labels may be wrong, what errors have in common, and what mending each
    cluster could gain at most. Calls nobody unless --rejudge says so. Does not show errors of the test split.
    """
    from rftj_cli.measure.error_asking import ErrorWish, find_errors
    from rftj_cli.measure.rejudge import Again
    from rftj_cli.measure.sources import Source
    from rftj_cli.report import errors_report, progress

    source = Source(
        run=run, labels=labels, wide=wide, map=tuple(map_ or ()), map_labels=tuple(map_labels or ()), truth=truth, split=split,
        by=tuple(by or ()), seed=seed, ignore_unknown=ignore_unknown,
    )  # fmt: skip
    again = Again(
        votes=rejudge, base_url=base_url, region=region, replay=replay, import_replies=import_replies, workers=workers,
        prices=prices, max_cost=max_cost, progress=progress.chooser(quiet=quiet or json),
    )  # fmt: skip
    report = find_errors(ErrorWish(source, again, second, relabel))
    errors_report.show(report, json=json, markdown=markdown, full=full, text=show_text, quiet=quiet)
    return 0
