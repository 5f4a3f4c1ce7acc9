"""`rftj show`: one sample of a run from its prompt to its reward, or a list of samples to pick one from."""

from __future__ import annotations

from typing import Annotated

import typer

from rftj_cli.commands import (
    IgnoreUnknownOption,
    JsonOption,
    LabelsOption,
    MapLabelsOption,
    MapOption,
    QuietOption,
    RunArgument,
    ShowTextOption,
    TruthOption,
    WideOption,
)
from rftj_cli.errors import InputError


def show(
    run: RunArgument,
    sample: Annotated[str | None, typer.Argument(help="A sample's id. Without it: a list.", metavar="[SAMPLE]")] = None,
    failures: Annotated[bool, typer.Option("--failures", help="List samples whose judging failed.")] = False,
    skipped: Annotated[
        bool, typer.Option("--skipped", help="List samples that a check or the response settled without the judge.")
    ] = False,
    disagreements: Annotated[
        bool, typer.Option("--disagreements", help="List samples on which judge and labels differ.")
    ] = False,
    flips: Annotated[
        str | None, typer.Option(help="List samples whose verdict was another in this run.", metavar="OTHER")
    ] = None,
    criterion: Annotated[
        str | None, typer.Option(help="List the levels of this criterion, or only its differences.", metavar="ID")
    ] = None,
    limit: Annotated[int, typer.Option(help="Samples in the list; 0: all.", min=0)] = 20,
    labels: LabelsOption = None,
    wide: WideOption = False,
    map_: MapOption = None,
    map_labels: MapLabelsOption = None,
    ignore_unknown: IgnoreUnknownOption = False,
    truth: TruthOption = None,
    show_text: ShowTextOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Show one sample: the prompt as sent, every reply, verdict, checks, labels, reward. Without SAMPLE: list samples.

    The lists can be combined: --flips OTHER --criterion ID, --failures --flips OTHER. Calls nobody.
    """
    from rftj_cli.measure.listing import Wanted, list_samples
    from rftj_cli.measure.shown import show_sample
    from rftj_cli.measure.sources import Source, opened
    from rftj_cli.report import show_report

    wanted = Wanted(failures, skipped, disagreements, flips, criterion, limit)
    source = Source(
        run=run, labels=labels, wide=wide, map=tuple(map_ or ()), map_labels=tuple(map_labels or ()), truth=truth,
        ignore_unknown=ignore_unknown,
    )  # fmt: skip
    if sample is not None and wanted.words:
        raise InputError(f"a list ({wanted.words}) or a sample: give one of the two", found=sample)
    if sample is None and not disagreements and (labels is not None or truth is not None):
        raise InputError("labels are read for a SAMPLE and for --disagreements", expected="--disagreements")
    found, question = opened(source)
    if sample is None:
        listing = list_samples(found, wanted, question)
        show_report.show_list(listing, question.options, json=json, text=show_text, quiet=quiet)
    else:
        show_report.show(show_sample(found, sample, question), json=json, text=show_text)
    return 0
