"""`rftj diff-prompts`: what changed between judges, what that did to their verdicts, and which is better."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rftj_cli.commands import (
    BaseUrlOption,
    ByOption,
    FrozenOption,
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
    SeedOption,
    SetOption,
    ShowTextOption,
    TruthOption,
    WideOption,
    WorkersOption,
    overrides,
)


def diff_prompts(
    sides: Annotated[
        list[str],
        typer.Argument(
            help="Rubric files, runs, or REVISION:PATH in git; then the samples.", metavar="A B [C...] [SAMPLES]"
        ),
    ],
    labels: LabelsOption = None,
    wide: WideOption = False,
    map_: MapOption = None,
    map_labels: MapLabelsOption = None,
    ignore_unknown: IgnoreUnknownOption = False,
    truth: TruthOption = None,
    split: Annotated[
        str, typer.Option(help="Compare on dev, test, train, anchor or all samples.", metavar="SPLIT")
    ] = "dev",
    frozen: FrozenOption = False,
    baseline: Annotated[
        str | None, typer.Option(help="Which side the others are held against. Default: the first.", metavar="SIDE")
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(help="What the answer is about: a criterion, reward, or 'all criteria'.", metavar="NAME"),
    ] = None,
    margin: Annotated[
        float | None, typer.Option(help="The largest difference that does not matter. Default: .03, of kappa .05.")
    ] = None,
    by: ByOption = None,
    repeat: Annotated[
        list[str] | None,
        typer.Option(
            help="A second run of a side's judge (score --fresh): how much it differs from itself.", metavar="RUN"
        ),
    ] = None,
    set_: SetOption = None,
    workers: WorkersOption = None,
    base_url: BaseUrlOption = None,
    region: RegionOption = None,
    max_cost: MaxCostOption = None,
    prices: PricesOption = None,
    seed: SeedOption = 0,
    full: Annotated[bool, typer.Option("--full", help="All numbers, slices and flips.")] = False,
    markdown: MarkdownOption = False,
    html: Annotated[Path | None, typer.Option(help="Write everything to one HTML page.", metavar="FILE")] = None,
    show_text: ShowTextOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Compare judges on the same samples: what changed, what flipped, and whether it is better.

    Sides without verdicts are judged first, on the wanted split. Exit code 3 where the labels cannot decide.
    """
    from rftj_cli.measure.compare import CompareQuestion, compare
    from rftj_cli.measure.sides import Judging, judged, opened
    from rftj_cli.report import diff_report, progress

    given = opened(sides, overrides(set_, None), baseline)
    maps = given.maps(map_ or (), map_labels or (), labels)
    question = CompareQuestion(
        labels=labels,
        wide=wide,
        columns=maps.samples,
        label_columns=maps.labels,
        truth=truth,
        ignore_unknown=ignore_unknown,
        split=split,
        by=tuple(by or ()),
        seed=seed,
        frozen=frozen,
        margin=margin,
        on=on,
        repeats=tuple(repeat or ()),
    )
    judging = Judging(
        workers=workers,
        base_url=base_url,
        region=region,
        prices=prices,
        max_cost=max_cost,
        progress=progress.chooser(quiet=quiet or json),
    )
    found = compare(judged(given, judging, question), question)
    diff_report.show(found, json=json, markdown=markdown, full=full, text=show_text, page=html, quiet=quiet)
    return found.exit_code
