"""What the command line of `rftj errors` asks, to an `ErrorReport`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from rftj_cli.files.runs import open_run
from rftj_cli.measure.error_findings import next_steps
from rftj_cli.measure.error_values import ErrorReport
from rftj_cli.measure.errors import Found, find, refuse_split, report_of, witness_of
from rftj_cli.measure.next_labels import refuse_target
from rftj_cli.measure.rejudge import Again, rejudge, validate
from rftj_cli.measure.relabel import write_queue
from rftj_cli.measure.sources import Source, opened


@dataclass(frozen=True, slots=True)
class ErrorWish:
    """The options, as they were given. `source.split` is dev, train or all."""

    source: Source
    again: Again
    second: str | None = None
    relabel: Path | None = None


def find_errors(wish: ErrorWish) -> ErrorReport:
    """Everything that `rftj errors` does: validates all of it first, then asks the judge again, then reports."""
    refuse_split(wish.source.split)
    if wish.relabel is not None:
        refuse_target(wish.relabel, "--relabel")
    run, question = opened(wish.source)
    recordings = validate(run, wish.again)
    found = find(run, question)
    # All input is looked at before anything is paid for.
    witness = None if wish.second is None else witness_of(found, open_run(wish.second))
    asked = wish.again.votes and found.wrong
    again = rejudge(run, found.wrong, wish.again, recordings) if asked else None
    report = report_of(found, again=again, asked=wish.again.options, witness=witness)
    return report if wish.relabel is None else _queued(report, found, wish.relabel)


def _queued(report: ErrorReport, found: Found, out: Path) -> ErrorReport:
    """The report with the queue of suspected labels written, where there are any."""
    suspected = report.of_sort("suspected")
    if not suspected:
        return replace(report, warnings=(*report.warnings, f"{out} was not written: no label is suspected"))
    report = replace(report, queue=write_queue(out, suspected, found.agreeing(), report.seed))
    return replace(report, next=tuple(next_steps(report)))
