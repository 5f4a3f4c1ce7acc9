"""A `Calibration` for people: the first screen answers whether the judge can be trusted, `full` adds the rest."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from shlex import quote
from typing import Any

from rftj_cli.errors import counted
from rftj_cli.measure.values import Calibration, Criterion, Disagreement
from rftj_cli.report import beyond_report, judges_report, metric_report
from rftj_cli.report.blocks import Block, Entries, Facts, Grid, Heading, Lines, to_markdown
from rftj_cli.report.documents import show_json
from rftj_cli.report.words import cut, failures_of, interval, look_in_words, number
from rftj_cli.stats.estimate import Estimate

WORST = 3
LISTED = 200  # samples that failed, under --full
LONGEST = 120  # characters of a reason or a response
LONGEST_NAME = 40  # of a level, in a line that names two
SLICED = 3
SLICE_FIRST = ("tpr", "tnr", "kappa", "kappa_quadratic", "pair_accuracy", "order_agreement", "agreement")


def show(report: Calibration, *, json: bool, markdown: bool, full: bool, text: bool | None, quiet: bool) -> None:
    """Print a calibration in the wanted form. Without `text` no words of samples or judges are shown.

    None shows text except where CI keeps logs that others read (the environment variable CI is set).
    """
    text = "CI" not in os.environ if text is None else text
    if json:
        show_json(report if text else _without_text(report))
        return
    blocks = [*first_screen(report, text=text), *(rest(report, text=text) if full else ())]
    if markdown:
        sys.stdout.write(to_markdown(blocks))
        return
    from rftj_cli.report import console

    console.show(blocks)
    if not full and not quiet:
        print("\neverything else: --full (tables, all estimates, methods), --json", file=sys.stderr)


def _without_text(report: Calibration) -> Calibration:
    bare = [replace(one, reason="", label_reason="", response="") for one in report.disagreements]
    return replace(report, disagreements=bare)


def first_screen(report: Calibration, *, text: bool) -> Iterator[Block]:
    """Findings, the judge next to baselines and raters, pair accuracy, failures, worst disagreements, what next."""
    yield Facts(_about(report))
    if report.trust:
        yield Heading("Can this judge be trusted?")
        yield Facts([(id, f"{one.answer}: {'; '.join(one.reasons)}") for id, one in report.trust.items()])
    if report.criteria:
        yield Heading("Finding")
        yield Facts([(id, one.sentence) for id, one in report.criteria.items()])
        yield from judges_report.first(report)
    if report.reward is not None:
        yield Heading("Reward: does it rank the responses to one task as the labels do?")
        yield Facts(list(_reward(report)))
    yield from beyond_report.first(report)
    for metric in report.metrics.values():
        yield from metric_report.first(metric, report.level)
    yield Heading("Failures and warnings")
    yield Lines([_failures(report), *report.warnings])
    if report.disagreements:
        shown = report.disagreements[:WORST]
        yield Heading(f"Worst disagreements ({len(shown)} of {_disagreeing(report):,}), label -> judge")
        yield from _disagreements(report, shown, text)
    if report.next:
        yield Heading("Next")
        yield Lines(report.next)


def rest(report: Calibration, *, text: bool) -> Iterator[Block]:
    """Everything else: tables, every estimate with n and method, raters, slices, more disagreements."""
    for id, one in report.criteria.items():
        if one.table:
            yield Heading(f"{id}: labels in rows, verdicts in columns")
            rows = [[level, *map(str, row)] for level, row in zip(one.levels, one.table, strict=True)]
            yield Grid(["", *one.levels], rows)
        yield Heading(f"{id}: estimates")
        yield _estimates(one.estimates)
        yield from beyond_report.rest(one)
        for baseline in one.baselines:
            yield Heading(f"{id}: {baseline.name} ({baseline.what})")
            yield _estimates(baseline.estimates)
        if one.raters is not None:
            yield Heading(f"{id}: raters ({', '.join(one.raters['names'])})")
            yield _estimates(judges_report.estimates(one.raters))
            yield Facts([("alt-test", judges_report.alternative(one.raters["alt_test"]))])
    if report.reward is not None:
        yield Heading(f"Reward: {report.reward.formula}")
        yield _estimates(report.reward.estimates)
    for metric in report.metrics.values():
        yield from metric_report.rest(metric)
    for field, values in report.slices.items():
        yield from _slices(field, values, report.criteria)
    if report.failures:
        yield Heading(f"Samples that failed ({len(report.failures):,})")
        yield Facts([(one.sample, one.stage) for one in report.failures[:LISTED]])
        if len(report.failures) > LISTED:
            yield Lines([f"the first {LISTED:,}; all: `rftj show {quote(report.run['folder'])} --failures --limit 0`"])
    if len(report.disagreements) > WORST:
        yield Heading("More disagreements, label -> judge")
        yield from _disagreements(report, report.disagreements[WORST:], text)


def _about(report: Calibration) -> list[tuple[str, str]]:
    run, counts = report.run, report.counts
    where = run.get("folder") or run.get("table")
    rows = [("table" if "table" in run else "run", str(where)), ("judge", str(run["model"]))]
    source = run.get("source")
    if source and source != run["model"]:
        rows[-1] = ("judge", f"{run['model']} ({source})")
    groups = f", {counted(counts.groups, 'group')}" if counts.groups not in (counts.samples, counts.used) else ""
    clusters = (
        f", {counted(counts.clusters, 'cluster')}"
        if counts.clusters not in (counts.groups, counts.samples, counts.used)
        else ""
    )
    if counts.labelled:
        both = counts.used + counts.undecided
        open_ = f"; the raters of {counts.undecided:,} differ, {counts.used:,} have a truth" if counts.undecided else ""
        rows.append(("samples", f"{both:,} of {counts.samples:,} have a verdict and a label{open_}{groups}{clusters}"))
        rows.append(
            ("truth", f"{report.truth} ({counted(counts.raters, 'rater')}), {report.split}, seed {report.seed}")
        )
    else:
        rows.append(
            ("samples", f"{counts.judged:,} of {counts.samples:,} have a verdict, none a label, {report.split}")
        )
    if report.look is not None:
        rows.append(("look", look_in_words(report.look, report.level)))
    return rows


def _reward(report: Calibration) -> Iterator[tuple[str, str]]:
    reward = report.reward
    assert reward is not None
    estimate = reward.estimates["pair_accuracy"]
    if estimate.value is None:
        yield "pairs", estimate.note or "cannot be computed"
        return
    right = f"right on {reward.right:,} of {reward.pairs:,} pairs in {counted(reward.groups, 'group')}"
    yield "judge", f"{interval(estimate)}: {right}, {counted(reward.tied, 'tie')} counting half"
    for baseline in reward.baselines:
        yield baseline.name, interval(baseline.estimates["pair_accuracy"])


def _failures(report: Calibration) -> str:
    counts = report.counts
    if not counts.failed:
        return f"no failures: all {counts.judged:,} have a verdict"
    stages = report.run.get("stages") or {}
    of_run = stages and "table" not in report.run
    return f"{counts.failed:,} of {counts.samples:,} have no verdict" + (f": {failures_of(stages)}" if of_run else "")


def _disagreeing(report: Calibration) -> int:
    tables = [one.table for one in report.criteria.values()]
    return sum(count for table in tables for h, row in enumerate(table) for j, count in enumerate(row) if h != j)


def _disagreements(report: Calibration, shown: Sequence[Disagreement], text: bool) -> Iterator[Block]:
    rows = []
    for one in shown:
        name = one.sample if one.item is None else f"{one.sample} / {one.item}"
        said = [f"judge: {cut(one.reason, LONGEST)}"] if one.reason and text else []
        said += [f"label: {cut(one.label_reason, LONGEST)}"] if one.label_reason and text else []
        if text and not said and one.response:
            said = [f"response: {cut(one.response, LONGEST)}"]
        truth, verdict = (cut(level, LONGEST_NAME) for level in (one.truth, one.verdict))
        rows.append(
            (f"{name}  {one.criterion}: {truth} -> {verdict}{_pitfall(report.criteria[one.criterion], one)}", said)
        )
    yield Entries(rows)


def _pitfall(criterion: Criterion, one: Disagreement) -> str:
    """What a disagreement is where the better level is the one that is not there."""
    if not criterion.pitfall:
        return ""
    place = list(criterion.levels)
    return " (missed)" if place.index(one.verdict) < place.index(one.truth) else " (false alarm)"


def _estimates(estimates: Mapping[str, Estimate]) -> Grid:
    rows = []
    for name, one in estimates.items():
        low = "" if one.low is None or one.high is None else f"[{number(one.low, 3)}, {number(one.high, 3)}]"
        how = "; ".join(part for part in (one.method, one.note) if part)
        rows.append([name, number(one.value, 3), low, f"{one.n:,}", how])
    return Grid(["", "value", "interval", "n", "method"], rows, tail=1)


def _slices(field: str, values: Mapping[str, Any], criteria: Mapping[str, Criterion]) -> Iterator[Block]:
    """A table for each criterion: one row a slice."""
    for id in dict.fromkeys(id for criteria in values.values() for id in criteria):
        parts = {value: criteria[id] for value, criteria in values.items() if id in criteria}
        names = list(dict.fromkeys(name for part in parts.values() for name in part["estimates"] if name != "coverage"))
        names = sorted(names, key=lambda name: SLICE_FIRST.index(name) if name in SLICE_FIRST else 99)[:SLICED]
        heads = ["", *(head for name in names for head in (name.replace("_", " "), "n"))]
        rows = [[value, *_slice(part["estimates"], names)] for value, part in parts.items()]
        each = [
            Grid([heads[0], *heads[at : at + 2]], [[r[0], *r[at : at + 2]] for r in rows])
            for at in range(1, len(heads), 2)
        ]
        yield Heading(f"Slices by {field}: {id}" + (" (values weighted, n counted)" if criteria[id].weighted else ""))
        yield Grid(heads, rows, instead=tuple(each))


def _slice(estimates: Mapping[str, Estimate], names: Sequence[str]) -> Iterator[str]:
    """Each number with the n that it rests on: of a rate on one class that is not the number of labels."""
    for name in names:
        one = estimates.get(name)
        yield from ("-", "") if one is None else (interval(one), f"{one.n:,}")
