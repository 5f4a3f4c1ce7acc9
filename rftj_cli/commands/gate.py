"""`rftj gate`: may this judge be used? For CI."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rftj_cli.commands import (
    FrozenOption,
    IgnoreUnknownOption,
    JsonOption,
    LabelsOption,
    MapLabelsOption,
    MapOption,
    QuietOption,
    RunArgument,
    SeedOption,
    SplitOption,
    TruthOption,
    TruthRubricOption,
    WideOption,
)


def gate(
    run: RunArgument,
    rules: Annotated[Path, typer.Option(help="The rules, a YAML file.", metavar="FILE")],
    labels: LabelsOption = None,
    wide: WideOption = False,
    map_: MapOption = None,
    map_labels: MapLabelsOption = None,
    ignore_unknown: IgnoreUnknownOption = False,
    truth: TruthOption = None,
    truth_rubric: TruthRubricOption = None,
    split: SplitOption = None,
    frozen: FrozenOption = False,
    seed: SeedOption = 0,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a job summary.")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Decide whether the judge may be used: PASS (exit 0), FAIL (1) or UNDECIDED (3).

    The rules are tested against the bounds that `rftj calibrate` reports. UNDECIDED says how many labels are
    missing; `undecided: warn` in the rules lets it pass with exit 0.
    """
    from rftj_cli.files.runs import open_run
    from rftj_cli.files.yamls import located
    from rftj_cli.gate import compile_rules, decide
    from rftj_cli.measure.sources import Source, measure
    from rftj_cli.measure.trust import refuse_chosen
    from rftj_cli.measure.values import Calibration
    from rftj_cli.report import gate_report

    def refuse(report: Calibration) -> None:
        with located(rules, "rules file"):
            decide(wanted, report)

    refuse_chosen(open_run(run), "a gate")
    with located(rules, "rules file") as document:
        wanted = compile_rules(document.data)
    source = Source(
        run=run,
        labels=labels,
        wide=wide,
        map=tuple(map_ or ()),
        map_labels=tuple(map_labels or ()),
        truth=truth,
        truth_rubric=truth_rubric,
        split=split or wanted.split,
        seed=seed,
        ignore_unknown=ignore_unknown,
        frozen=frozen,
    )
    # Rules that fit no estimate are refused before the look at the test split is charged.
    result = decide(wanted, measure(source, accept=refuse))
    gate_report.show(result, json=json, markdown=markdown)
    return result.exit_code
