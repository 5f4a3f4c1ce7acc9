"""`--table`: verdicts made elsewhere, measured like a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rftj_cli.errors import InputError
from rftj_cli.files.columns import Column, read_columns, row_of
from rftj_cli.kernel.sample import CANNOT_TELL
from rftj_cli.measure import findings
from rftj_cli.measure.levels import KINDS, Levels, criterion_report, slice_report
from rftj_cli.measure.table_scale import TableColumns, TableScale, codes, groups, numbers, scale_of, skipped_values
from rftj_cli.measure.values import Calibration, Counts, Criterion, Disagreement, Terms
from rftj_cli.stats.arrays import Bools, Floats, Ints
from rftj_cli.stats.groups import pair_accuracy
from rftj_cli.stats.numeric import numeric_agreement
from rftj_cli.stats.shares import share

WORST = 50


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """The rows to compare (n,): codes of levels, -1 where there is none, or numbers, nan where there is none."""

    id: str
    scale: TableScale
    truth: Ints | Floats
    judge: Ints | Floats
    group: Ints | None
    alone: int = 0  # rows without a group, each of which is a group of its own

    def labelled(self) -> Bools:
        return _given(self.truth)

    def judged(self) -> Bools:
        return _given(self.judge)

    def where(self, use: Bools) -> _Rows:
        if use.all():
            return self
        group = None if self.group is None else self.group[use]
        return replace(self, truth=self.truth[use], judge=self.judge[use], group=group)


def calibrate_table(path: Path, columns: TableColumns, *, by: tuple[str, ...], terms: Terms) -> Calibration:
    """Agreement of the judge's column with the label's column."""
    if columns.judge is None or columns.human is None:
        raise InputError("--table needs --judge COL and --human COL")
    if columns.judge == columns.human:
        raise InputError("--judge and --human name the same column", found=columns.judge, expected="two columns")
    names = [columns.human, columns.judge, *([columns.group] if columns.group else []), *by]
    read = read_columns(path, names)
    rows = _read_rows(read, columns, path)
    labelled, judged = rows.labelled(), rows.judged()
    if not labelled.any():
        raise InputError("no row has a label", file=path, key=columns.human)
    count, cannot_tell, both = int(labelled.size), _cannot_tell(read[columns.human]), labelled & judged
    clusters = count if rows.group is None else int(np.count_nonzero(np.bincount(rows.group[both])))
    counts = Counts(
        count, int(judged.sum()), int((~judged).sum()), int(labelled.sum()) + cannot_tell, int(both.sum()), 1, clusters, clusters
    )  # fmt: skip
    return findings.add(
        Calibration(
            rubric={"name": columns.human, "kind": "table"},
            run={"table": str(path), "judge": columns.judge, "human": columns.human, "group": columns.group, "model": columns.judge,
                 "without_group": rows.alone},
            split="all labels",
            truth=columns.human,
            seed=terms.seed,
            level=terms.level,
            look=None,
            counts=counts,
            criteria={columns.human: replace(_report(rows.where(labelled), terms), cannot_tell=cannot_tell, clusters=min(clusters, counts.used))},
            reward=None,
            slices={name: _slices(read[name], rows, labelled, terms) for name in by},
            disagreements=_worst(rows, path),
            findings=(),
            warnings=(),
        )
    )  # fmt: skip


def _read_rows(read: dict[str, Column], columns: TableColumns, path: Path) -> _Rows:
    human, judge = read[columns.human or ""], read[columns.judge or ""]
    group, alone = (None, 0) if columns.group is None else groups(read[columns.group])
    scale, skipped = scale_of(human, judge, columns, path), skipped_values(columns)
    if scale.names:
        return _Rows(human.name, scale, codes(human, scale), codes(judge, scale, skipped), group, alone)
    return _Rows(human.name, scale, numbers(human), numbers(judge, skipped), group, alone)


def _cannot_tell(human: Column) -> int:
    """How many labels say that the rater cannot tell."""
    said = [code for code, value in enumerate(human.values) if value.casefold() == CANNOT_TELL]
    return int(np.isin(human.codes, said).sum())


def _given(values: Ints | Floats) -> Bools:
    """Where there is a level or a number: -1 and nan stand for none."""
    return np.asarray(~np.isnan(values) if values.dtype.kind == "f" else values >= 0)


def _report(rows: _Rows, terms: Terms) -> Criterion:
    """Everything that is said of rows that have a label."""
    return criterion_report(_levels(rows), terms) if rows.scale.names else _continuous(rows, terms)


def _levels(rows: _Rows) -> Levels:
    scale, names = rows.scale.scale, rows.scale.names
    kind = "binary" if len(names) == 2 and scale != "nominal" else KINDS[scale]
    return Levels(
        id=rows.id, kind=kind, scale=scale, levels=names,
        values=None if kind != "ordinal" else rows.scale.values or tuple(float(i) for i in range(len(names))),
        truth=rows.truth.astype(np.int64, copy=False), judge=rows.judge.astype(np.int64, copy=False),
        unit="pair" if kind == "preference" else "row", cluster=rows.group, group=rows.group, stages=_stages(rows),
    )  # fmt: skip


def _stages(rows: _Rows) -> dict[str, int]:
    failed = int((~rows.judged()).sum())
    return {"no verdict": failed} if failed else {}


def _continuous(rows: _Rows, terms: Terms) -> Criterion:
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


def _slices(by: Column, rows: _Rows, labelled: Bools, terms: Terms) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for code, value in enumerate(by.values):
        use = labelled & (by.codes == code)
        if use.any():
            part = rows.where(use)
            if rows.scale.names:
                found[value] = {rows.id: slice_report(_levels(part), terms)}
            else:
                found[value] = {rows.id: {"n": int(use.sum()), "estimates": _continuous(part, terms).estimates}}
    return found


def _worst(rows: _Rows, path: Path) -> list[Disagreement]:
    scale = rows.scale
    if not scale.names:
        return []
    truth, verdict = rows.truth, rows.judge
    values = np.array(scale.values or range(len(scale.names)), dtype=np.float64)
    if scale.scale == "nominal":
        values = np.zeros(len(scale.names))
    wrong = np.flatnonzero((truth >= 0) & (verdict >= 0) & (truth != verdict))
    span = float(np.ptp(values)) or 1.0
    far = np.abs(values[verdict[wrong]] - values[truth[wrong]]) / span
    order = np.argsort(-far, kind="stable")[:WORST]
    return [
        Disagreement(
            f"row {row_of(path, int(wrong[i]))}", None, rows.id, scale.names[truth[wrong[i]]], scale.names[verdict[wrong[i]]],
            float(far[i]), "", "", "",
        )
        for i in order
    ]  # fmt: skip
