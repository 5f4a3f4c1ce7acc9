"""`rftj calibrate`: how well the judge agrees with the labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rftj_cli.commands import (
    ByOption,
    FrozenOption,
    IgnoreUnknownOption,
    JsonOption,
    LabelsOption,
    MapLabelsOption,
    MapOption,
    MarkdownOption,
    QuietOption,
    SeedOption,
    ShowTextOption,
    SplitOption,
    TruthOption,
    TruthRubricOption,
    WideOption,
)
from rftj_cli.errors import InputError


def calibrate(
    run: Annotated[str | None, typer.Argument(help="A run folder, or @last.", metavar="[RUN]")] = None,
    labels: LabelsOption = None,
    wide: WideOption = False,
    map_: MapOption = None,
    map_labels: MapLabelsOption = None,
    ignore_unknown: IgnoreUnknownOption = False,
    truth: TruthOption = None,
    truth_rubric: TruthRubricOption = None,
    split: SplitOption = None,
    frozen: FrozenOption = False,
    by: ByOption = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(help="What production recorded: a number or a yes/no in this field.", metavar="FIELD"),
    ] = None,
    sampling: Annotated[
        str | None,
        typer.Option(help="How the labelled samples were chosen: random, balanced or other.", metavar="WORD"),
    ] = None,
    costs: Annotated[
        str | None,
        typer.Option(help="Cost of a false pass and of a false fail, for the threshold: 10:1.", metavar="A:B"),
    ] = None,
    epsilon: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Alt-test: .1 if the raters are crowd workers, .15 if skilled, .2 if experts (default).",
            metavar="X",
        ),
    ] = None,
    recalibrate: Annotated[
        bool, typer.Option("--recalibrate", help="Learn a map of the reward on dev, test it, write a new rubric.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="With --recalibrate: the new rubric file (default: beside the old).", metavar="FILE"),
    ] = None,
    table: Annotated[
        Path | None, typer.Option(help="Instead of a run: a table of verdicts made elsewhere.", metavar="FILE")
    ] = None,
    judge: Annotated[
        list[str] | None, typer.Option(help="With --table: a judge's column; repeat it to compare.", metavar="COL")
    ] = None,
    human: Annotated[
        list[str] | None, typer.Option(help="With --table: a rater's column; repeat it for several.", metavar="COL")
    ] = None,
    levels: Annotated[str | None, typer.Option(help="With --table: the levels, worst first.", metavar="A,B,C")] = None,
    positive: Annotated[str | None, typer.Option(help="With --table: the better of two levels.")] = None,
    group: Annotated[str | None, typer.Option(help="With --table: the column of the group.", metavar="COL")] = None,
    no_verdict: Annotated[
        str | None, typer.Option(help="With --table: judge values that are failures.", metavar="A,B")
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Option(help="With --table: read one value as another; an empty one is none.", metavar="VALUE=LEVEL"),
    ] = None,
    id_: Annotated[
        str | None,
        typer.Option("--id", help="With --table: the column that names rows (default: id, if there).", metavar="COL"),
    ] = None,
    delimiter: Annotated[
        str | None,
        typer.Option(help="With --table: what separates columns (default: , or a tab in .tsv).", metavar="CHAR"),
    ] = None,
    seed: SeedOption = 0,
    full: Annotated[bool, typer.Option("--full", help="Everything, not only the first screen.")] = False,
    markdown: MarkdownOption = False,
    show_text: ShowTextOption = None,
    rows: Annotated[
        Path | None, typer.Option(help="Write the joined rows to a .csv, .jsonl or .parquet file.", metavar="FILE")
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Measure how well the judge agrees with the labels, with intervals.

    The first screen answers whether the judge can be trusted; --full prints the rest. RUN is a run folder or @last;
    with --table, verdicts made elsewhere are measured in the same way.
    """
    from rftj_cli.measure.sources import Source, TableColumns, measure, remap
    from rftj_cli.report import calibration_report

    columns = TableColumns(
        judge=tuple(judge or ()), human=tuple(human or ()), levels=levels, positive=positive, group=group,
        no_verdict=no_verdict, id=id_, values=tuple(values or ()), delimiter=delimiter,
    )  # fmt: skip
    source = Source(
        run=run,
        table=table,
        columns=columns,
        labels=labels,
        wide=wide,
        map=tuple(map_ or ()),
        map_labels=tuple(map_labels or ()),
        truth=truth,
        truth_rubric=truth_rubric,
        split=split,
        by=tuple(by or ()),
        seed=seed,
        ignore_unknown=ignore_unknown,
        frozen=frozen,
        rows=rows,
        metrics=tuple(metric or ()),
        sampling=sampling,
        costs=costs,
        epsilon=epsilon,
    )
    if recalibrate:
        from rftj_cli.report import recalibration_report

        recalibration_report.show(remap(source, out), json=json, markdown=markdown)
        return 0
    if out is not None:
        raise InputError("--out belongs to --recalibrate", expected="rftj calibrate RUN --recalibrate --out FILE")
    report = measure(source)
    calibration_report.show(report, json=json, markdown=markdown, full=full, text=show_text, quiet=quiet)
    return 0
