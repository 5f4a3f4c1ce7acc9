"""What production recorded beside the judge's scores: which score ranks it, also at equal length, and the curve."""

from __future__ import annotations

from collections.abc import Iterator

from rftj_cli.measure.production import LENGTH, WITH_FAILURES
from rftj_cli.measure.values import MetricReport, MetricRow
from rftj_cli.report.blocks import Block, Grid, Heading, Lines
from rftj_cli.report.words import interval, number
from rftj_cli.stats.estimate import Estimate, percent


def first(report: MetricReport, level: float) -> Iterator[Block]:
    """One row for the reward and for each criterion, and how the metric rises along the first of them."""
    left = f"; {report.missing:,} without it are left out" if report.missing else ""
    yield Heading(f"{report.name}, as production recorded it ({report.n:,} samples{left}), {percent(level)} intervals")
    name = "auc" if report.kind == "yes/no" else "spearman"
    heads = ["", "n", name.upper() if name == "auc" else name, "at equal length", "rank correlation\nwith length"]
    rows = [
        [id, f"{row.n:,}", *(_cell(row, key) for key in (name, f"{name}_at_equal_length", "length_correlation"))]
        for id, row in report.rows.items()
    ]
    yield Grid(heads, rows, strong=frozenset({0}))
    yield Lines(list(_said(report, name)))
    id = next(iter(report.rows))
    if report.rows[id].along:
        yield Heading(f"{report.name} along {id}")
        yield _along(report.rows[id], report.kind)


def rest(report: MetricReport) -> Iterator[Block]:
    """The same curve for every other score."""
    for id, row in list(report.rows.items())[1:]:
        if row.along:
            yield Heading(f"{report.name} along {id}")
            yield _along(row, report.kind)


def _cell(row: MetricRow, name: str) -> str:
    one = row.estimates.get(name)
    return "-" if one is None else interval(one)


def _along(row: MetricRow, kind: str) -> Grid:
    word = "rate" if kind == "yes/no" else "mean"
    rows = [
        [
            number(one.low) if one.low == one.high else f"{number(one.low)} to {number(one.high)}",
            f"{one.outcome.n:,}", interval(one.outcome), interval(one.lift),
        ]
        for one in row.along
    ]  # fmt: skip
    return Grid(["score", "n", word, "lift"], rows)


def _said(report: MetricReport, name: str) -> Iterator[str]:
    """Which scores carry the outcome, and whether length does it as well."""
    chance = 0.5 if name == "auc" else 0.0
    rows = {id: row for id, row in report.rows.items() if id != WITH_FAILURES}
    for id, row in rows.items():
        one, equal = row.estimates[name], row.estimates.get(f"{name}_at_equal_length")
        if one.value is None:
            yield f"{id}: {one.note}"
        elif _holds(one, chance) and equal is not None and not _holds(equal, chance):
            yield f"{id}: what it says of {report.name} is not shown to hold among answers of like length"
        elif equal is not None and one.high is not None and one.high < chance:
            yield f"{id} ranks against {report.name}: what production likes, it scores lower"
    judged = [id for id in rows if id != LENGTH]
    shown = [id for id in rows if _holds(report.rows[id].estimates[name], chance)]
    if judged and not set(judged) & set(shown):
        alone = f"; the length of the answer is: {interval(rows[LENGTH].estimates[name])}" if LENGTH in shown else ""
        yield f"no score of the judge is shown to rank {report.name} better than chance{alone}"


def _holds(one: Estimate, chance: float) -> bool:
    return one.low is not None and one.low > chance
