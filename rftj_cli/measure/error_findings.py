"""What a report on disagreements rests on, and what to do next, in plain sentences."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from rftj_cli.errors import counted, listed
from rftj_cli.measure.error_values import ErrorReport
from rftj_cli.measure.findings import FEW_CLUSTERS
from rftj_cli.measure.truth import ADJUDICATED

REPEATS = 3


def warnings(report: ErrorReport, capped: bool) -> Iterator[str]:
    """What to know before anything is edited."""
    run = report.run
    if run["made_by_model"]:
        yield "labels were made by a model: these are disagreements with a model, not with people"
    if run["held"]:
        yield (
            f"{run['held']:,} of these samples are of the test or anchor split: once the prompt is edited after them, "
            "agreement on them claims nothing any more"
        )
    failed, ids = sum(one.failed for one in report.criteria.values()), [one.sample for one in report.failures]
    if failed:
        yield f"labelled, but without a verdict: {failed:,}; failures are no disagreements, and are not shown here: {listed(ids)}"
    if report.units and run["clusters"] < FEW_CLUSTERS:
        yield f"only {counted(run['clusters'], 'independent cluster')}: below {FEW_CLUSTERS}, intervals may be too narrow"
    if run["weighted"]:
        yield "the labels have weights: rates and gains weigh them, counts do not"
    if run["between"]:
        yield f"left out because they lie between the levels, as means of raters do: {counted(run['between'], 'label')}"
    if run["undecided"]:
        yield f"left out because their raters differ and nothing decides: {run['undecided']:,}"
    yield from _about_sorting(report)
    if capped:
        yield "too many texts to compare each with each: 1,000 were, the others joined the cluster they are nearest to"
    if report.units and not report.repeated:
        yield (
            "samples that are chosen for being wrong once are partly bad luck: some would be right the next time "
            "without any edit (regression to the mean)"
        )
    elif report.units:
        yield (
            "stable errors were chosen for being wrong: agreement on them rises by itself when they are judged again, "
            "so test an edit on all of dev, not on them"
        )


def _about_sorting(report: ErrorReport) -> Iterator[str]:
    if report.units and not report.repeated:
        yield "the judge was asked once, so stable and unstable errors could not be told apart"
    elif waiting := len(report.of_sort("not repeated")):
        yield f"asked once, or without a second readable reply: {waiting:,} disagreements; nobody knows whether they are stable"
    if report.rejudged is not None and report.rejudged.lost:
        yield f"re-judging: {report.rejudged.lost:,} ratings could not be had or read"
    second = report.second
    if second is not None and second.same_model:
        yield "the second judge is the same model with another prompt: it may share the judge's blind spots"
    if second is not None and second.compared < len(report.units):
        missing = len(report.units) - second.compared
        yield f"the second judge has no verdict on {missing:,} of the {len(report.units):,} disagreements"
    if report.units and second is None and not _several_raters(report):
        yield "no label can be suspected: that takes a second judge (--second), or several raters"


def _several_raters(report: ErrorReport) -> bool:
    return len([rater for rater in report.run["raters"] if rater != ADJUDICATED]) > 1


def next_steps(report: ErrorReport) -> Iterator[str]:
    """Commands that take the work on."""
    run, folder = report.run, quote(report.run["folder"])
    if report.failures:
        yield f"rftj show {folder} --failures   # which samples have no verdict, and why"
    if not report.units:
        return
    again = f"rftj errors {folder} {run['options']}".rstrip()
    if report.of_sort("not repeated") and report.rejudged is None:
        samples = len({unit.sample for unit in report.units})
        yield f"{again} --rejudge {REPEATS}{run['place']}   # which errors are stable? {REPEATS} more replies for each of {samples:,} samples"
    place = run["place"]  # else the judge would be asked at another place
    repeat = f" --rejudge {report.rejudged.votes}{report.rejudged.options}" if report.rejudged is not None else ""
    if report.second is None and not _several_raters(report):
        repeat_or = repeat or ("" if report.repeated == len(report.units) else f" --rejudge {REPEATS}{place}")
        yield f"{again}{repeat_or} --second RUN2   # which labels may be wrong? RUN2: another judge on these samples"
    if report.of_sort("suspected") and report.queue is None:
        known = f" --second {quote(report.second.run)}" if report.second is not None else ""
        yield f"{again}{repeat}{known} --relabel relabel.jsonl   # the suspected labels, among controls, to label again"
    if report.queue is not None:
        yield f"label {report.queue.file} again, blind; then add its rows to the labels as rater `{ADJUDICATED}`"
    split = "" if report.split == "dev" or "--split" in run["options"] else f" --split {report.split}"
    compared = f"rftj diff-prompts {folder} NEW.yaml {run['options']}".rstrip() + split
    yield f"{compared}{place}   # NEW.yaml: the prompt, edited for one cluster. Better, or worse?"
