"""`rftj reward audit`: is the judge fit to be a reward?"""

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
    MaxCostOption,
    ModelOption,
    PricesOption,
    QuietOption,
    RegionOption,
    SeedOption,
    SetOption,
    SplitOption,
    TruthOption,
    TruthRubricOption,
    WideOption,
    WorkersOption,
    overrides,
)


def audit(
    of: Annotated[
        list[str],
        typer.Argument(help="A run, or a rubric and its samples.", metavar="RUN | RUBRIC SAMPLES", show_default=False),
    ],
    labels: LabelsOption = None,
    wide: WideOption = False,
    map_: MapOption = None,
    map_labels: MapLabelsOption = None,
    ignore_unknown: IgnoreUnknownOption = False,
    truth: TruthOption = None,
    truth_rubric: TruthRubricOption = None,
    split: SplitOption = None,
    frozen: FrozenOption = False,
    group_size: Annotated[
        int, typer.Option(help="Answers a prompt that training will sample.", min=2, max=1024, metavar="N")
    ] = 8,
    rollouts: Annotated[
        str | None,
        typer.Option(
            help="Unlabelled answers of the model to be trained: a file to judge, or a run.", metavar="FILE|RUN"
        ),
    ] = None,
    references: Annotated[
        str | None,
        typer.Option(help="A run of the reference answers. Default: RUN-references, if it is there.", metavar="RUN"),
    ] = None,
    repeat: Annotated[
        str | None,
        typer.Option(help="A second run of the judge (score --fresh): how much it differs from itself.", metavar="RUN"),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 for WEAK too.")] = False,
    run: Annotated[
        Path | None, typer.Option(help="RUBRIC SAMPLES: the run folder. Default: as rftj score.", metavar="DIR")
    ] = None,
    replay: Annotated[
        Path | None, typer.Option(help="Take every reply from a run, or a file keyed by request.", metavar="RUN|FILE")
    ] = None,
    import_replies: Annotated[
        Path | None, typer.Option(help="Take every reply from a JSONL file keyed by sample id.", metavar="FILE")
    ] = None,
    model: ModelOption = None,
    set_: SetOption = None,
    workers: WorkersOption = None,
    base_url: BaseUrlOption = None,
    region: RegionOption = None,
    max_cost: MaxCostOption = None,
    prices: PricesOption = None,
    seed: SeedOption = 0,
    full: Annotated[bool, typer.Option("--full", help="Every estimate, with n and method.")] = False,
    markdown: MarkdownOption = False,
    html: Annotated[Path | None, typer.Option(help="Write everything to one HTML page.", metavar="FILE")] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Is the judge fit to be a reward? PASS, WEAK (both exit 0), FAIL (1) or INSUFFICIENT DATA (3).

    Measured inside prompts, as group-relative training sees it: right on pairs of answers, variance, saturation, best of
    n, length, repeat noise, references, failures. RUBRIC SAMPLES judges first, references and rollouts too.
    """
    from rftj_cli.measure.sources import Source
    from rftj_cli.report import audit_report, progress
    from rftj_cli.reward.audit import Asked, Options, audit
    from rftj_cli.running.order import Order

    order = Order(
        Path(of[0]), overrides(set_, model), progress.chooser(quiet=quiet or json), folder=run, workers=workers,
        base_url=base_url, region=region, max_cost=max_cost, prices=prices,
    )  # fmt: skip
    asked = Asked(order, replay, import_replies, references, rollouts)
    source = Source(
        None, labels=labels, wide=wide, map=tuple(map_ or ()), map_labels=tuple(map_labels or ()), truth=truth,
        truth_rubric=truth_rubric, split=split, seed=seed, ignore_unknown=ignore_unknown, frozen=frozen,
    )  # fmt: skip
    found = audit(of, asked, Options(source, group_size, repeat, strict))
    audit_report.show(found, json=json, markdown=markdown, full=full, page=html, quiet=quiet)
    return found.exit_code
