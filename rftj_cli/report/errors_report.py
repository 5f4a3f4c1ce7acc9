"""An `ErrorReport` for people: how many and of which sort, the clusters by what mending could gain, what to do next."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rftj_cli.errors import counted
from rftj_cli.measure.error_values import (
    SORTS,
    Cluster,
    CriterionErrors,
    Direction,
    ErrorReport,
    ErrorUnit,
    SliceRate,
    Sort,
)
from rftj_cli.report.blocks import Block, Entries, Facts, Grid, Heading, Lines, to_markdown
from rftj_cli.report.documents import show_json
from rftj_cli.report.words import cut, interval, number, percent

FIRST, LISTED = 5, 200  # clusters on the first screen; disagreements under --full
LONGEST = 160  # characters of a reason or a response
SHORT = {"kappa_quadratic": "quadratic kappa", "balanced_accuracy": "balanced accuracy"}
SPLITS = {"all": "all labels", "dev": "split dev", "train": "split train"}


def show(report: ErrorReport, *, json: bool, markdown: bool, full: bool, text: bool | None, quiet: bool) -> None:
    """Print a report in the wanted form. Without `text` no words of samples or judges are shown.

    None shows text except where CI keeps logs that others read (the environment variable CI is set).
    """
    text = "CI" not in os.environ if text is None else text
    if json:
        show_json(report if text else _without_text(report))
        return
    blocks = list(_blocks(report, full=full, text=text))
    if markdown:
        sys.stdout.write(to_markdown(blocks))
        return
    from rftj_cli.report import console

    console.show(blocks)
    if report.units and not full and not quiet:
        print("\neverything else: --full (all clusters, disagreements, slices), --json", file=sys.stderr)


def _without_text(report: ErrorReport) -> ErrorReport:
    return replace(
        report,
        units=tuple(map(_bare, report.units)),
        clusters=tuple(replace(one, terms=(), examples=tuple(map(_bare, one.examples))) for one in report.clusters),
    )


def _bare(unit: ErrorUnit) -> ErrorUnit:
    return replace(unit, reason="", label_reason="", response="")


def _blocks(report: ErrorReport, *, full: bool, text: bool) -> Iterator[Block]:
    yield Facts(_about(report))
    yield Heading("Disagreements, by what is behind them")
    yield _sorts(report)
    if report.directions:
        yield Heading("Which way they go, label -> judge")
        yield _directions(report)
        yield Lines(_reading(report))
    if report.clusters:
        shown = report.clusters if full else report.clusters[:FIRST]
        more = "" if len(shown) == len(report.clusters) else f" (the first {len(shown)} of {len(report.clusters)})"
        yield Heading(f"Clusters, by what mending them could gain at most{more}")
        yield _clusters(report, shown, text)
        yield Heading("Examples, label -> judge")
        yield from _examples(shown, text, full)
    yield from _slices(report, full=full)
    if full and report.units:
        yield from _listed(report, text)
    if full and report.failures:
        yield Heading("Labelled samples without a verdict")
        yield Facts([(one.sample, one.stage) for one in report.failures[:LISTED]])
    if report.warnings:
        yield Heading("Warnings")
        yield Lines(report.warnings)
    if report.next:
        yield Heading("Next")
        yield Lines(report.next)


def _about(report: ErrorReport) -> list[tuple[str, str]]:
    run = report.run
    rows = [("run", str(run["folder"])), ("judge", str(run["model"]))]
    raters = counted(len(run["raters"]), "rater")
    rows.append(("truth", f"{report.truth} ({raters}), {SPLITS[report.split]}, seed {report.seed}"))
    if report.rejudged is not None:
        one = report.rejudged
        rows.append(
            (
                "repeats",
                f"{counted(one.votes, 'more reply')} for each of {counted(one.samples, 'sample')}, in {one.run}",
            )
        )
    elif report.repeated:
        rows.append(("repeats", f"the {run['votes']} votes of this run"))
    if report.second is not None:
        two = report.second
        rows.append(
            (
                "second",
                f"{two.model} ({two.run}) agrees with the judge on {two.agrees:,} of {two.compared:,} disagreements",
            )
        )
    if report.queue is not None:
        queue = report.queue
        rows.append(
            (
                "queue",
                f"{queue.file}: {counted(queue.suspected, 'suspected label')} and {counted(queue.controls, 'control')}, in random order",
            )
        )
    return rows


def _sorts(report: ErrorReport) -> Block:
    if not report.units:
        return Lines([_agree(one) for one in report.criteria.values()])
    known: Sequence[Sort] = [sort for sort in SORTS if any(one.sorts[sort] for one in report.criteria.values())]
    rows = [
        [one.id, f"{one.compared:,}", f"{one.wrong:,}", *(f"{one.sorts[sort]:,}" for sort in known)]
        for one in report.criteria.values()
    ]
    return Grid(["", "compared", "differ", *known], rows)


def _directions(report: ErrorReport) -> Grid:
    rows = [
        [
            f"{one.criterion}: {_way(report, one.criterion, one.name)}",
            f"{one.units:,} of {one.possible:,}",
            interval(one.rate),
            _change(one),
        ]
        for one in report.directions
    ]
    return Grid(["", "errors", "weighted rate" if report.run["weighted"] else "rate", "at most"], rows)


def _way(report: ErrorReport, criterion: str, direction: str) -> str:
    """`pass -> fail`; of a pitfall, whose higher level is the bad one, which error that is."""
    return direction + report.criteria[criterion].meaning(direction)


def _change(one: Direction | Cluster) -> str:
    """The headline now, and with all of these right."""
    (name, gain), *_ = one.gains.items()
    then = one.then[name]
    return "-" if gain.value is None or then is None else f"{number(then - gain.value)} -> {number(then)}"


def _agree(one: CriterionErrors) -> str:
    if not one.compared:
        return f"{one.id}: no {one.unit} has both a verdict and a label"
    return f"{one.id}: judge and labels agree on all {counted(one.compared, one.unit)}"


def _clusters(report: ErrorReport, clusters: Sequence[Cluster], text: bool) -> Grid:
    rows = []
    for place, one in enumerate(clusters, 1):
        rows.append(
            [str(place), f"{one.criterion}: {_way(report, one.criterion, one.direction)}", f"{len(one.units):,}", percent(one.share), _known(one),
             interval(one.gain), _name(one, text)]
        )  # fmt: skip
    heads = ["", "", "units", "share", "stable", "gain, at most", "what they share"]
    if all(one.sorts["not repeated"] == len(one.units) for one in clusters):
        heads, rows = [*heads[:4], *heads[5:]], [[*row[:4], *row[5:]] for row in rows]
    return Grid(heads, rows, left=2, tail=1)


def _known(one: Cluster) -> str:
    """How many are stable, of those that are known to be or not to be."""
    return f"{one.sorts['stable']:,}" if one.sorts["not repeated"] < len(one.units) else "-"


def _name(one: Cluster, text: bool) -> str:
    where = "; ".join(f"more in {each.field} {cut(each.value, 40)} ({each.units:,})" for each in one.slices)
    if one.others:
        words = f"others: like no other {_noun(one)}"
    elif not one.by:
        words = "there is no text to compare"
    elif not one.terms:
        words = "no word tells them apart"
    else:
        words = ", ".join(one.terms) if text else f"a cluster of {one.by}"
    return f"{words}; {where}" if where else words


def _noun(one: Cluster) -> str:
    return one.by.removesuffix("s") or "unit"


def _reading(report: ErrorReport) -> list[str]:
    """How to read the columns of the clusters."""
    by_name: dict[str, list[str]] = {}
    for one in report.criteria.values():
        if one.wrong:
            by_name.setdefault(next(iter(one.now)), []).append(f"{one.id} {interval(next(iter(one.now.values())))} now")
    names = "; ".join(f"{SHORT.get(name, name.replace('_', ' '))} ({', '.join(ids)})" for name, ids in by_name.items())
    kept = [sort for sort in ("unstable", "suspected") if report.of_sort(sort)]
    which = f" (but for the {' and the '.join(kept)})" if kept else ""
    lines = [f"measured by {names}"] if names else []
    lines.append(
        f"at most is an upper bound, not a forecast: as if all these errors{which} were right, and all else as it is"
    )
    none = [one for one in report.clusters if one.gain.value is None]
    return lines + sorted({f"{one.criterion}: no gain can be told: {one.gain.note}" for one in none})


def _examples(clusters: Sequence[Cluster], text: bool, full: bool) -> Iterator[Block]:
    rows: list[tuple[str, Sequence[str]]] = []
    for place, one in enumerate(clusters, 1):
        shown = one.examples if full else one.examples[:1]
        for unit in shown:
            rows.append((f"{place}  {_headline(unit)}", _said(unit, text)))
        rest = [_id(unit) for unit in one.examples[len(shown) :]]
        if rest:
            name, said = rows[-1]
            rows[-1] = name, [*said, f"also: {', '.join(rest)}"]
    yield Entries(rows)


def _headline(unit: ErrorUnit) -> str:
    return f"{_id(unit)}  {unit.criterion}: {unit.truth} -> {unit.verdict} ({unit.sort})"


def _id(unit: ErrorUnit) -> str:
    return unit.sample if unit.item is None else f"{unit.sample} / {unit.item}"


def _said(unit: ErrorUnit, text: bool) -> list[str]:
    """The reasons of judge and labels, else the response."""
    if not text:
        return []
    said = [f"judge: {cut(unit.reason, LONGEST)}"] if unit.reason.strip() else []
    said += [f"label: {cut(unit.label_reason, LONGEST)}"] if unit.label_reason.strip() else []
    return said or ([f"response: {cut(unit.response, LONGEST)}"] if unit.response.strip() else [])


def _slices(report: ErrorReport, *, full: bool) -> Iterator[Block]:
    tested = sum(len(one.slices) for one in report.directions)
    untested = sum(one.untested for one in report.directions)
    if not tested and not untested:
        return
    few = f"; {counted(untested, 'other')} had too few units" if untested else ""
    yield Heading(f"Slices in which an error is more frequent ({tested:,} tested{few})")
    rows = [
        [
            f"{one.criterion}: {_way(report, one.criterion, one.name)}",
            f"{rate.field} {cut(rate.value, 40)}",
            *_rates(rate),
        ]
        for one in report.directions
        for rate in sorted(one.slices, key=lambda rate: rate.p_holm)
        if full or rate.higher
    ]
    if rows:
        yield Grid(["", "slice", "errors inside", "outside", "p (Holm)"], rows, left=2)
    else:
        yield Lines(["none clearly: no p-value is under .05 once Holm allows for all of them"])
    methods = dict.fromkeys(rate.p.method for one in report.directions for rate in one.slices)
    if methods and (full or rows):
        yield Lines([f"rates are of the units on which the error was possible; {'; '.join(methods)}"])


def _rates(rate: SliceRate) -> list[str]:
    p = "<.001" if rate.p_holm < 0.001 else number(rate.p_holm, 3)
    return [interval(rate.inside), interval(rate.outside), p]


def _listed(report: ErrorReport, text: bool) -> Iterator[Block]:
    shown = report.units[:LISTED]
    more = (
        "" if len(shown) == len(report.units) else f" (the first {len(shown):,} of {len(report.units):,}; all: --json)"
    )
    yield Heading(f"All disagreements, label -> judge{more}")
    yield Entries([(_headline(unit), [unit.why, *_said(unit, text)]) for unit in shown])
