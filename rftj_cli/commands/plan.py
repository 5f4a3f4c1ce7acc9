"""`rftj plan`: how many labels, and which samples to label next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rftj_cli.commands import (
    IgnoreUnknownOption,
    JsonOption,
    LabelsOption,
    MapLabelsOption,
    MapOption,
    MarkdownOption,
    SeedOption,
    TruthOption,
    WideOption,
)


def plan(
    run: Annotated[
        str | None, typer.Argument(help="A run folder, or @last; without it, assumptions.", metavar="[RUN]")
    ] = None,
    labels: LabelsOption = None,
    wide: WideOption = False,
    map_: MapOption = None,
    map_labels: MapLabelsOption = None,
    ignore_unknown: IgnoreUnknownOption = False,
    truth: TruthOption = None,
    half_width: Annotated[float, typer.Option(help="The wanted half-width of the interval.")] = 0.1,
    kappa: Annotated[float | None, typer.Option(help="Without RUN: the kappa to expect.", show_default="0.6")] = None,
    pass_rate: Annotated[
        float | None, typer.Option(help="Without RUN: the share of labels that pass.", show_default="0.5")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Without RUN: the judge's rate on a class.", show_default="0.9")
    ] = None,
    above: Annotated[float | None, typer.Option(help="Without RUN: the bound to clear.", show_default="0.8")] = None,
    gain: Annotated[
        float | None, typer.Option(help="Without RUN: the gain between two judges.", show_default="0.05")
    ] = None,
    discordance: Annotated[
        float | None, typer.Option(help="Without RUN: share of samples that tell two judges apart.", show_default="0.2")
    ] = None,
    next_: Annotated[
        int | None,
        typer.Option("--next", help="Draw this many samples to label next, by verdict and group.", metavar="N"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="With --next: the labels file to fill in, .jsonl or .csv.", metavar="FILE")
    ] = None,
    criterion: Annotated[str | None, typer.Option(help="With --next: only this criterion.", metavar="ID")] = None,
    seed: SeedOption = 0,
    markdown: MarkdownOption = False,
    json: JsonOption = False,
) -> int:
    """How many labels a wanted interval or decision takes, and which samples to label next.

    Without RUN from assumptions; with RUN from its labels. --next writes a labels file: the labels there are, and rows to
    fill in, with the weights that later estimates use.
    """
    from rftj_cli.measure.planning import Wish, make_plan
    from rftj_cli.report import plan_report

    wish = Wish(
        run=run, labels=labels, wide=wide, map=tuple(map_ or ()), map_labels=tuple(map_labels or ()),
        ignore_unknown=ignore_unknown, truth=truth, half_width=half_width, kappa=kappa, pass_rate=pass_rate, rate=rate, above=above, gain=gain, discordance=discordance,
        next=next_, out=out, criterion=criterion, seed=seed,
    )  # fmt: skip
    plan_report.show(make_plan(wish), json=json, markdown=markdown)
    return 0
