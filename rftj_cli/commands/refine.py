"""`rftj refine`: propose edits of a prompt, test each, keep what holds up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rftj_cli.commands import (
    BaseUrlOption,
    FrozenOption,
    IgnoreUnknownOption,
    JsonOption,
    LabelsOption,
    MapLabelsOption,
    MapOption,
    MarkdownOption,
    PricesOption,
    QuietOption,
    RegionOption,
    RubricArgument,
    SamplesArgument,
    SeedOption,
    ShowTextOption,
    TruthOption,
    WideOption,
    WorkersOption,
)


def refine(
    rubric: RubricArgument,
    samples: SamplesArgument,
    proposer: Annotated[
        str, typer.Option(help="The model that proposes edits, BACKEND:MODEL; it is shown samples and labels.")
    ],
    labels: LabelsOption = None,
    wide: WideOption = False,
    map_: MapOption = None,
    map_labels: MapLabelsOption = None,
    ignore_unknown: IgnoreUnknownOption = False,
    truth: TruthOption = None,
    max_candidates: Annotated[int, typer.Option(help="Candidates to try, at most.", min=1, max=200)] = 6,
    max_cost: Annotated[
        float | None, typer.Option(help="US dollars that judges and proposer may spend together.", min=0)
    ] = None,
    search: Annotated[
        str, typer.Option(help="plain: one edit at a time; gepa: evolution (pip install rftj[refine]).")
    ] = "plain",
    on: Annotated[
        str | None, typer.Option(help="What decides: a criterion, reward or 'all criteria'.", metavar="NAME")
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(help="A field: an edit that breaks one of its slices is rejected.", metavar="FIELD"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The new rubric file. Default: NAME-refined.yaml beside the old.", metavar="FILE"),
    ] = None,
    test: Annotated[
        bool, typer.Option("--test/--no-test", help="The held-out verdict at the end, one look at the test split.")
    ] = True,
    frozen: FrozenOption = False,
    workers: WorkersOption = None,
    base_url: BaseUrlOption = None,
    proposer_url: Annotated[
        str | None, typer.Option(help="Endpoint of an openai: proposer, where it is another.")
    ] = None,
    region: RegionOption = None,
    prices: PricesOption = None,
    seed: SeedOption = 0,
    markdown: MarkdownOption = False,
    show_text: ShowTextOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Propose edits for the judge's errors on dev, judge and compare each, keep what holds up.

    Writes a new rubric beside the old, never over it, and says at the end what samples say that no edit was made on. The
    same command goes on where it stopped.
    """
    from rftj_cli.files.maps import read_maps
    from rftj_cli.measure.calibrate import Question
    from rftj_cli.measure.sides import Judging
    from rftj_cli.refine.door import Wish
    from rftj_cli.refine.door import refine as run_refine
    from rftj_cli.report import progress, refine_report

    maps = read_maps(map_ or (), map_labels or (), labels, samples)
    question = Question(
        labels=labels, wide=wide, columns=maps.samples, label_columns=maps.labels, truth=truth, seed=seed,
        ignore_unknown=ignore_unknown,
    )  # fmt: skip
    shown = progress.chooser(quiet=quiet or json)
    judging = Judging(workers=workers, base_url=base_url, region=region, prices=prices, progress=shown)
    wish = Wish(
        rubric=rubric,
        samples=samples,
        proposer=proposer,
        question=question,
        judging=judging,
        most=max_candidates,
        on=on,
        max_cost=max_cost,
        out=out,
        search=search,
        by=tuple(by or ()),
        test=test,
        frozen=frozen,
        proposer_url=proposer_url,
        told=refine_report.told if not (quiet or json) else refine_report.silent,
    )
    found = run_refine(wish)
    refine_report.show(found, json=json, markdown=markdown, text=show_text)
    return found.exit_code
