"""`rftj score`: run the judge over the samples and keep every reply."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rftj_cli.commands import (
    BaseUrlOption,
    IgnoreUnknownOption,
    JsonOption,
    LabelsOption,
    MapLabelsOption,
    MapOption,
    MaxCostOption,
    ModelOption,
    PricesOption,
    QuietOption,
    RegionOption,
    RubricArgument,
    SamplesArgument,
    SeedOption,
    SetOption,
    TruthOption,
    WideOption,
    overrides,
)

if TYPE_CHECKING:
    from rftj_cli.files.samples import SampleFile
    from rftj_cli.measure.failing import Given
    from rftj_cli.running.order import Order
    from rftj_cli.running.selection import Choice


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
    model: ModelOption = None,
    set_: SetOption = None,
    map_: MapOption = None,
    map_labels: MapLabelsOption = None,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Calls at the same time. Default: 64 on Bedrock, 16 elsewhere, 1 in this process.", min=1, max=1024
        ),
    ] = None,
    rpm: Annotated[
        float | None, typer.Option(help="Requests a minute, at most. Default: what the service lets through.", min=0.1)
    ] = None,
    tpm: Annotated[
        float | None, typer.Option(help="Tokens a minute, at most. Default: what the service lets through.", min=1)
    ] = None,
    adaptive_votes: Annotated[
        bool, typer.Option("--adaptive-votes", help="Ask for no more votes once the majority stands.")
    ] = False,
    base_url: BaseUrlOption = None,
    region: RegionOption = None,
    transport: Annotated[
        Literal["auto", "boto3"], typer.Option(help="How a bedrock: judge is called; boto3 is slower.")
    ] = "auto",
    timeout: Annotated[
        float | None,
        typer.Option(help="Seconds for one call with its retries, its turn not counted. Default: 120.", min=0.1),
    ] = None,
    max_cost: MaxCostOption = None,
    max_failures: Annotated[
        float, typer.Option(help="Share of failures beyond which to exit with 3.", min=0, max=1)
    ] = 0.1,
    prices: PricesOption = None,
    only: Annotated[
        Literal["failing", "failures", "flipped"] | None,
        typer.Option(help="Judge only samples that RUN got wrong, that failed in it, or whose verdicts differ."),
    ] = None,
    from_: Annotated[
        list[str] | None,
        typer.Option("--from", help="The run that --only looks into; twice for --only flipped.", metavar="RUN"),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Judge only train, dev, test or anchor.", metavar="SPLIT")] = None,
    sample: Annotated[
        int | None, typer.Option(help="Judge at most this many, drawn at random.", min=1, metavar="N")
    ] = None,
    seed: SeedOption = 0,
    labels: LabelsOption = None,
    wide: WideOption = False,
    truth: TruthOption = None,
    ignore_unknown: IgnoreUnknownOption = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Judge again whenever the rubric is saved, and show what changed.")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Judge samples and keep every reply and outcome in a run folder.

    The same command goes on where it stopped. Nothing is judged twice; new samples extend the run; a changed rubric
    or sample is refused. Failures of the service are tried again by the next call, all other outcomes stand.
    """
    from rftj_cli.files.maps import read_maps
    from rftj_cli.files.samples import SampleFile
    from rftj_cli.measure.failing import Given, part_of
    from rftj_cli.report import progress, score_report
    from rftj_cli.running.order import Order
    from rftj_cli.running.recordings import chosen
    from rftj_cli.running.selection import Choice

    order = Order(
        rubric, overrides(set_, model), progress.chooser(quiet=quiet or json), folder=run,
        replay=chosen(replay, import_replies), fresh=fresh, workers=workers, rpm=rpm, tpm=tpm, adaptive=adaptive_votes,
        base_url=base_url, region=region, transport=transport, timeout=timeout, max_cost=max_cost, prices=prices,
    )  # fmt: skip
    loaded = order.load()
    choice = Choice(only, tuple(from_ or ()), split, sample, seed)
    maps = read_maps(map_ or (), map_labels or (), labels, samples)
    given = Given(labels, wide, truth, ignore_unknown, maps.labels)
    file = SampleFile(samples, loaded.kind, maps.samples)
    if watch:
        return _watch(order, file, choice, given, json=json, quiet=quiet)
    given.refuse_unused(only)
    part = part_of(loaded, file, choice, given)
    if part.empty:
        score_report.show_nothing(part, json=json)
        return 0
    scored = order.judge(loaded, part)
    score_report.show(scored, given, json=json, quiet=quiet)
    scored.refuse_failures(max_failures)
    return 0


def _watch(order: Order, file: SampleFile, choice: Choice, given: Given, *, json: bool, quiet: bool) -> int:
    from rftj_cli.measure.failing import part_of
    from rftj_cli.measure.watch import Watch, refuse
    from rftj_cli.report import score_report, watch_report

    refuse(order, json=json)
    part = part_of(order.load(), file, choice.for_watching(), given)
    if part.empty:
        score_report.show_nothing(part, json=False)
        return 0
    watch = Watch(order, part, given)
    watch_report.begin(watch, part, choice, quiet=quiet)
    for one in watch:
        watch_report.show(one, watch, quiet=quiet)
    watch_report.end(watch, quiet=quiet)
    return 0
