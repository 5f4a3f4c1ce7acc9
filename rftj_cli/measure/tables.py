"""`--table`: verdicts made elsewhere, measured like a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rftj_cli.errors import InputError
from rftj_cli.files.columns import Column, read_columns, row_of
from rftj_cli.files.ids import Ids
from rftj_cli.kernel.sample import CANNOT_TELL
from rftj_cli.measure import findings
from rftj_cli.measure.levels import KINDS, Levels, criterion_report, slice_report
from rftj_cli.measure.table_notes import notes
from rftj_cli.measure.table_scale import TableColumns, TableScale, codes, groups, numbers, scale_of
from rftj_cli.measure.table_values import mapped, value_pairs, with_decimal_points
from rftj_cli.measure.values import Calibration, Counts, Criterion, Disagreement, Terms
from rftj_cli.stats.agreement import Kind
from rftj_cli.stats.arrays import Bools, Floats, Ints
from rftj_cli.stats.ceiling import decided
from rftj_cli.stats.groups import pair_accuracy
from rftj_cli.stats.numeric import numeric_agreement
from rftj_cli.stats.shares import share

WORST = 50
MAJORITY = "majority"


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The rows to compare (n,): codes of levels, -1 where there is none, or numbers, nan where there is none.

    `ratings` (n, raters) hold each rater's where there are several; `truth` is then what they come to.
    """

    id: str
    scale: TableScale
    truth: Ints | Floats
    judge: Ints | Floats
    group: Ints | None
    raters: tuple[str, ...]
    ratings: Ints | Floats | None
    cannot_tell: int

    def labelled(self) -> Bools:
        return given(self.truth)

    def judged(self) -> Bools:
        return given(self.judge)

    def where(self, use: Bools) -> Rows:
        if use.all():
            return self
        group = None if self.group is None else self.group[use]
        ratings = None if self.ratings is None else self.ratings[use]
        return replace(self, truth=self.truth[use], judge=self.judge[use], group=group, ratings=ratings)


@dataclass(frozen=True, slots=True, eq=False)
class VerdictTable:
    """A table as it was read: the rows for each judge, what they are called, and the columns to slice by."""

    path: Path
    columns: TableColumns
    rows: Mapping[str, Rows]  # criterion -> the rows of one judge
    judges: Mapping[str, str]  # criterion -> the judge's column
    ids: Ids
    group: Column | None
    alone: int  # rows without a group, each of which is a group of its own
    labelled: Bools  # (n,) with any label, also one that says that the rater cannot tell
    by: Mapping[str, Column]
    with_commas: tuple[str, ...]  # the columns whose numbers have decimal commas

    def name(self, index: int) -> str:
        """The id of a row, else its place in the file."""
        return self.ids.at(index) or f"row {row_of(self.path, index)}"

    @property
    def first(self) -> Rows:
        return next(iter(self.rows.values()))


def read_table(path: Path, columns: TableColumns, by: tuple[str, ...]) -> VerdictTable:
    """The columns of a table, checked, with the scale that fits all of them."""
    _check(columns)
    used = (*columns.human, *columns.judge)
    names = [*used, *([columns.group] if columns.group else []), *by]
    ids = Ids(columns.id)
    numeric = set(used) - {columns.group, *by} if columns.plain() else ()
    read = read_columns(path, names, ids=ids, delimiter=columns.delimiter, numeric=numeric)
    pairs = value_pairs(columns.values)
    pointed = [with_decimal_points(column, path) for column in mapped([read[name] for name in used], pairs, path)]
    humans, judges = (
        [column for column, _ in some] for some in (pointed[: len(columns.human)], pointed[len(columns.human) :])
    )
    said = {level.casefold() for level in pairs.values() if level}
    scale = scale_of(humans, judges, columns, said, path)
    group, alone = (None, 0) if columns.group is None else groups(read[columns.group])
    truth, ratings = _truth(humans, scale)
    unsure = [_cannot_tell(column) for column in humans]
    labelled = np.logical_or.reduce(unsure) | (given(truth) if ratings is None else given(ratings).any(1))
    shared = (group, columns.human if ratings is not None else (), ratings, sum(int(one.sum()) for one in unsure))
    several = len(used) > 2
    made = {(one.name if several else columns.human[0]): _verdicts(one, scale, columns) for one in judges}
    rows = {id: Rows(id, scale, truth, verdicts, *shared) for id, verdicts in made.items()}
    return VerdictTable(
        path, columns, rows, dict(zip(rows, columns.judge, strict=True)), ids, read.get(columns.group or ""), alone, labelled,
        {name: read[name] for name in by}, tuple(column.name for column, commas in pointed if commas),
    )  # fmt: skip


def _check(columns: TableColumns) -> None:
    if not columns.judge or not columns.human:
        raise InputError("--table needs --judge COL and --human COL")
    used = (*columns.human, *columns.judge)
    for name in used:
        if name in columns.human and name in columns.judge:
            raise InputError("--judge and --human name the same column", found=name, expected="two columns")
        if used.count(name) > 1:
            option = "--human" if name in columns.human else "--judge"
            raise InputError(f"{option} names the same column twice", found=name)


def _truth(humans: list[Column], scale: TableScale) -> tuple[Ints | Floats, Ints | Floats | None]:
    """The truth (n,) and, of several raters, the ratings (n, raters) that it is taken from."""
    if not scale.names:
        scores = [numbers(column) for column in humans]
        return (scores[0], None) if len(scores) == 1 else (_middle(np.stack(scores, 1)), np.stack(scores, 1))
    levels = [codes(column, scale) for column in humans]
    if len(levels) == 1:
        return levels[0], None
    matrix = np.stack(levels, 1)
    return decided(matrix, len(scale.names), kind_of(scale)), matrix


def _middle(scores: Floats) -> Floats:
    """The median score of each row (n,), nan where no rater gave one; two raters' is their mean."""
    found, some = np.full(scores.shape[0], np.nan), given(scores).any(1)
    found[some] = np.nanmedian(scores[some], axis=1)
    return found


def _verdicts(column: Column, scale: TableScale, columns: TableColumns) -> Ints | Floats:
    skipped = columns.skipped()
    return codes(column, scale, skipped) if scale.names else numbers(column, skipped)


def kind_of(scale: TableScale) -> Kind:
    """The statistics' name for the scale of a table."""
    return "binary" if len(scale.names) == 2 and scale.scale != "nominal" else KINDS[scale.scale]


def calibrate_table(table: VerdictTable, terms: Terms) -> Calibration:
    """Agreement of each judge's column with the labels."""
    columns, first = table.columns, table.first
    if not first.labelled().any():
        what = "no row has a label" if len(columns.human) == 1 else "no row has a label that its raters agree on"
        raise InputError(what, file=table.path, key=", ".join(columns.human))
    judges = columns.judge[0] if len(columns.judge) == 1 else list(columns.judge)
    humans = columns.human[0] if len(columns.human) == 1 else list(columns.human)
    counts = _counts(table)
    report = Calibration(
        rubric={"name": ", ".join(columns.human), "kind": "table"},
        run={"table": str(table.path), "judge": judges, "human": humans, "group": columns.group,
             "model": ", ".join(columns.judge), "without_group": table.alone},
        split="all labels",
        truth=columns.human[0] if len(columns.human) == 1 else MAJORITY,
        seed=terms.seed,
        level=terms.level,
        look=None,
        counts=counts,
        criteria={id: _criterion(rows, terms) for id, rows in table.rows.items()},
        reward=None,
        slices={name: _slices(column, table, terms) for name, column in table.by.items()},
        disagreements=_worst(table),
        findings=(),
        warnings=(),
    )  # fmt: skip
    return findings.add(replace(report, warnings=tuple(notes(report, table.with_commas))))


def _counts(table: VerdictTable) -> Counts:
    """Rows with a verdict are those with one of every judge."""
    rows = table.first
    judged = np.logical_and.reduce([one.judged() for one in table.rows.values()])
    both = judged & rows.labelled()
    clusters = _clusters(rows, both)
    return Counts(
        samples=int(judged.size), judged=int(judged.sum()), failed=int((~judged).sum()), labelled=int(table.labelled.sum()),
        used=int(both.sum()), raters=len(table.columns.human), groups=clusters, clusters=clusters,
    )  # fmt: skip


def _clusters(rows: Rows, use: Bools) -> int:
    return int(use.sum()) if rows.group is None else int(np.count_nonzero(np.bincount(rows.group[use])))


def _criterion(rows: Rows, terms: Terms) -> Criterion:
    """Everything that is said of one judge."""
    clusters, labelled = _clusters(rows, rows.labelled() & rows.judged()), rows.where(rows.labelled())
    if not rows.scale.names:
        return replace(_continuous(labelled, terms), cannot_tell=rows.cannot_tell, clusters=clusters)
    levels = replace(_levels(labelled), cannot_tell=rows.cannot_tell)
    if rows.ratings is not None:
        levels = replace(levels, **_ratings(rows))
    return replace(criterion_report(levels, terms), clusters=clusters)


def given(values: Ints | Floats) -> Bools:
    """Where there is a level or a number: -1 and nan stand for none."""
    return np.asarray(~np.isnan(values) if values.dtype.kind == "f" else values >= 0)


def _cannot_tell(human: Column) -> Bools:
    """The labels (n,) that say that the rater cannot tell."""
    if human.numbers is not None:
        return np.zeros(human.numbers.size, np.bool_)
    return np.isin(human.codes, [code for code, value in enumerate(human.values) if value.casefold() == CANNOT_TELL])


def _levels(rows: Rows) -> Levels:
    names, kind = rows.scale.names, kind_of(rows.scale)
    return Levels(
        id=rows.id, kind=kind, scale=rows.scale.scale, levels=names,
        values=None if kind != "ordinal" else rows.scale.values or tuple(float(i) for i in range(len(names))),
        truth=rows.truth.astype(np.int64, copy=False), judge=rows.judge.astype(np.int64, copy=False),
        unit="pair" if kind == "preference" else "row", cluster=rows.group, group=rows.group, stages=_stages(rows),
    )  # fmt: skip


def _ratings(rows: Rows) -> dict[str, Any]:
    """What the raters say of each other: of the rows that two or more of them rated, also where nothing decides."""
    assert rows.ratings is not None
    seen = given(rows.ratings)
    several = rows.where(seen.sum(1) > 1)
    return {
        "raters": rows.raters, "matrix": several.ratings, "rated_judge": several.judge, "rated_cluster": several.group,
        "undecided": int((seen.any(1) & ~rows.labelled()).sum()),
    }  # fmt: skip


def _stages(rows: Rows) -> dict[str, int]:
    failed = int((~rows.judged()).sum())
    return {"no verdict": failed} if failed else {}


def _continuous(rows: Rows, terms: Terms) -> Criterion:
    judged = rows.judged()
    both = rows.where(judged)
    estimates = numeric_agreement(both.truth, both.judge, clusters=both.group, level=terms.level)
    if both.group is not None:
        estimates["pair_accuracy"] = pair_accuracy(both.group, both.truth, both.judge, level=terms.level).estimate
    estimates["coverage"] = share(judged, clusters=rows.group, level=terms.level)
    return Criterion(
        id=rows.id, scale="continuous", levels=(), unit="row", table=(), estimates=estimates, baselines=(), raters=None,
        sources={}, failed=int((~judged).sum()), stages=_stages(rows), undecided=0, cannot_tell=0,
    )  # fmt: skip


def _slices(by: Column, table: VerdictTable, terms: Terms) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for id, rows in table.rows.items():
        labelled = rows.labelled()
        for code, value in enumerate(by.values):
            use = labelled & (by.codes == code)
            if use.any():
                found.setdefault(value, {})[id] = _slice(rows.where(use), terms)
    return found


def _slice(part: Rows, terms: Terms) -> dict[str, object]:
    if part.scale.names:
        return slice_report(_levels(part), terms)
    return {"n": int(part.truth.size), "estimates": _continuous(part, terms).estimates}


def _worst(table: VerdictTable) -> list[Disagreement]:
    """The rows on which a judge and the labels differ, the worst first."""
    found = [one for rows in table.rows.values() for one in _disagreements(rows, table)]
    return sorted(found, key=lambda one: -one.distance)[:WORST]


def _disagreements(rows: Rows, table: VerdictTable) -> Iterator[Disagreement]:
    scale, truth, verdict = rows.scale, rows.truth, rows.judge
    if not scale.names:
        return
    values = np.array(scale.values or range(len(scale.names)), dtype=np.float64)
    if scale.scale == "nominal":
        values = np.zeros(len(scale.names))
    wrong = np.flatnonzero((truth >= 0) & (verdict >= 0) & (truth != verdict))
    far = np.abs(values[verdict[wrong]] - values[truth[wrong]]) / (float(np.ptp(values)) or 1.0)
    for i in np.argsort(-far, kind="stable")[:WORST]:
        label, said = scale.names[truth[wrong[i]]], scale.names[verdict[wrong[i]]]
        yield Disagreement(table.name(int(wrong[i])), None, rows.id, label, said, float(far[i]), "", "", "")
