"""`--table`: verdicts made elsewhere, measured like a run. The levels are found, or named by the user; never guessed."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rftj_cli.errors import InputError, listed, nearest
from rftj_cli.files.columns import Column, read_columns
from rftj_cli.measure import findings
from rftj_cli.measure.levels import KINDS, Levels, criterion_report, slice_report
from rftj_cli.measure.values import Calibration, Counts, Criterion, Disagreement
from rftj_cli.stats.arrays import Bools, Floats, Ints
from rftj_cli.stats.groups import pair_accuracy
from rftj_cli.stats.numeric import numeric_agreement
from rftj_cli.stats.shares import share

PAIRS = (
    ("fail", "pass"), ("no", "yes"), ("false", "true"), ("bad", "good"), ("incorrect", "correct"), ("wrong", "right"),
    ("reject", "accept"), ("rejected", "accepted"), ("unsafe", "safe"), ("negative", "positive"), ("n", "y"), ("f", "t"),
    ("failed", "passed"),
)  # fmt: skip
MOST_LEVELS, MOST_FRACTIONS, WORST = 101, 12, 50


@dataclass(frozen=True, slots=True)
class TableColumns:
    """Which columns hold what, and what is known of the levels. Lists are separated by commas."""

    judge: str | None = None
    human: str | None = None
    levels: str | None = None
    positive: str | None = None
    group: str | None = None
    no_verdict: str | None = None


@dataclass(frozen=True, slots=True)
class _Scale:
    """The levels that the two columns use, worst first; no levels: continuous numbers."""

    scale: str
    names: tuple[str, ...]
    values: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """The rows to compare (n,): codes of levels, -1 where there is none, or numbers, nan where there is none."""

    id: str
    scale: _Scale
    truth: Ints | Floats
    judge: Ints | Floats
    group: Ints | None

    def labelled(self) -> Bools:
        return _given(self.truth)

    def judged(self) -> Bools:
        return _given(self.judge)

    def where(self, use: Bools) -> _Rows:
        if use.all():
            return self
        group = None if self.group is None else self.group[use]
        return replace(self, truth=self.truth[use], judge=self.judge[use], group=group)


def calibrate_table(path: Path, columns: TableColumns, *, by: tuple[str, ...], seed: int) -> Calibration:
    """Agreement of the judge's column with the label's column."""
    if columns.judge is None or columns.human is None:
        raise InputError("--table needs --judge COL and --human COL")
    names = [columns.human, columns.judge, *([columns.group] if columns.group else []), *by]
    read = read_columns(path, names)
    rows = _read_rows(read, columns, path)
    labelled, judged = rows.labelled(), rows.judged()
    if not labelled.any():
        raise InputError("no row has a label", file=path, key=columns.human)
    count = int(labelled.size)
    clusters = count if columns.group is None else len(read[columns.group].values)
    both = int((labelled & judged).sum())
    counts = Counts(
        count, int(judged.sum()), int((~judged).sum()), int(labelled.sum()), both, 1, clusters, clusters
    )  # fmt: skip
    return findings.add(
        Calibration(
            rubric={"name": columns.human, "kind": "table"},
            run={"table": str(path), "judge": columns.judge, "human": columns.human, "group": columns.group, "model": columns.judge},
            split="all labels",
            truth=columns.human,
            seed=seed,
            counts=counts,
            criteria={columns.human: _report(rows.where(labelled), seed)},
            reward=None,
            slices={name: _slices(read[name], rows, labelled, seed) for name in by},
            disagreements=_worst(rows),
            findings=(),
            warnings=(),
        )
    )  # fmt: skip


def _read_rows(read: dict[str, Column], columns: TableColumns, path: Path) -> _Rows:
    human, judge = read[columns.human or ""], read[columns.judge or ""]
    group = None if columns.group is None else read[columns.group].codes.astype(np.int64)
    scale = _scale(human, judge, columns, path)
    if scale.names:
        return _Rows(human.name, scale, _codes(human, scale), _codes(judge, scale), group)
    return _Rows(human.name, scale, _numbers(human, set()), _numbers(judge, _skipped(columns)), group)


def _given(values: Ints | Floats) -> Bools:
    """Where there is a level or a number: -1 and nan stand for none."""
    return np.asarray(~np.isnan(values) if values.dtype.kind == "f" else values >= 0)


def _skipped(columns: TableColumns) -> set[str]:
    return {value.strip().casefold() for value in (columns.no_verdict or "").split(",") if value.strip()}


def _scale(human: Column, judge: Column, columns: TableColumns, path: Path) -> _Scale:
    skipped = _skipped(columns)
    labels = _spellings(human, set())
    verdicts = _spellings(judge, skipped)
    found = _named(columns, path) or _numeric(labels, verdicts, human, judge, path) or _words(labels, verdicts, columns)
    known = {name.casefold() for name in found.names}
    for column, used in ((human, labels), (judge, verdicts)):
        stray = [used[key] for key in used if found.names and _key(key, found) not in known]
        if stray:
            place = [
                code for code, value in enumerate(column.values) if value.strip().casefold() == stray[0].casefold()
            ]
            row = int(np.flatnonzero(column.codes == place[0])[0]) + 2
            raise InputError(
                f"this value is no level ({int(np.isin(column.codes, place).sum())} rows)", file=path, row=row, key=column.name,
                found=stray[0], expected="one of " + listed(found.names),
                hint="--levels names all levels, worst first"
                + (f"; --no-verdict {stray[0]!r} counts it as a failure" if column is judge else ""),
            )  # fmt: skip
    return found


def _spellings(column: Column, skipped: set[str]) -> dict[str, str]:
    """The distinct values, case aside, as they are first written."""
    found: dict[str, str] = {}
    for value in column.values:
        if value and value.casefold() not in skipped:
            found.setdefault(value.casefold(), value)
    return found


def _named(columns: TableColumns, path: Path) -> _Scale | None:
    if columns.levels is None:
        return None
    names = tuple(name.strip() for name in columns.levels.split(",") if name.strip())
    if len({name.casefold() for name in names}) != len(names) or len(names) < 2:
        raise InputError("--levels: at least two different levels", found=columns.levels)
    if columns.positive is not None:
        raise InputError(
            "--positive and --levels exclude each other", hint="levels stand worst first: the last is positive"
        )
    if tuple(name.casefold() for name in names) == ("a", "tie", "b"):
        return _Scale("preference", names)
    numbers = [_number(name) for name in names]
    values = None if any(math.isnan(value) for value in numbers) else tuple(numbers)
    return _Scale("pass_fail" if len(names) == 2 else "levels", names, values)


def _numeric(
    labels: dict[str, str], verdicts: dict[str, str], human: Column, judge: Column, path: Path
) -> _Scale | None:
    """Levels of numbers: by value; many fractions are a continuous score."""
    if not labels or any(math.isnan(_number(value)) for value in labels):
        return None
    stray = [value for key, value in verdicts.items() if math.isnan(_number(key))]
    values = sorted({_number(value) for value in (*labels, *verdicts) if not math.isnan(_number(value))})
    whole = all(value.is_integer() for value in values)
    if not whole and len(values) > MOST_FRACTIONS or len(values) > MOST_LEVELS:
        if stray:
            row = int(np.flatnonzero(judge.codes == judge.values.index(stray[0]))[0]) + 2
            hint = f"--no-verdict {stray[0]!r} counts it as a failure"
            raise InputError("not a number", file=path, row=row, key=judge.name, found=stray[0], hint=hint)
        return _Scale("continuous", ())
    if len(values) < 2:
        values = sorted({*values, 0.0, 1.0}) if set(values) <= {0.0, 1.0} else [*values, values[0] + 1]
    return _Scale("pass_fail" if len(values) == 2 else "numeric", tuple(f"{v:g}" for v in values), tuple(values))


def _words(labels: dict[str, str], verdicts: dict[str, str], columns: TableColumns) -> _Scale:
    used = {**verdicts, **labels}
    if columns.positive is not None:
        other = [key for key in labels if key != columns.positive.casefold()]
        if columns.positive.casefold() not in used or len(other) != 1:
            hint = nearest(columns.positive, labels.values())
            expected = "one of two levels: " + listed(list(labels.values()))
            raise InputError("--positive", found=columns.positive, expected=expected, hint=hint)
        return _Scale("pass_fail", (labels[other[0]], used[columns.positive.casefold()]))
    if set(labels) <= {"a", "b", "tie"} and {"a", "b"} & set(labels):
        return _Scale("preference", ("A", "tie", "B"))
    for pair in PAIRS:
        if set(labels) <= set(pair):
            return _Scale("pass_fail", tuple(used.get(word, word) for word in pair))
    return _Scale("nominal", tuple(labels[key] for key in sorted(labels)) if len(labels) > 1 else tuple(used.values()))


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _key(text: str, scale: _Scale) -> str:
    """How a value is looked up: numbers by value, words by their letters."""
    number = _number(text)
    return text.casefold() if scale.values is None or math.isnan(number) else f"{number:g}".casefold()


def _codes(column: Column, scale: _Scale) -> Ints:
    place = {_key(name, scale): index for index, name in enumerate(scale.names)}
    into = np.array([place.get(_key(value, scale), -1) for value in column.values], dtype=np.int64)
    return into[column.codes]


def _numbers(column: Column, skipped: set[str]) -> Floats:
    into = np.array([_number(value) if value.casefold() not in skipped else math.nan for value in column.values])
    return into[column.codes]


def _report(rows: _Rows, seed: int) -> Criterion:
    """Everything that is said of rows that have a label."""
    return criterion_report(_levels(rows), seed) if rows.scale.names else _continuous(rows, seed)


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


def _continuous(rows: _Rows, seed: int) -> Criterion:
    judged = rows.judged()
    both = rows.where(judged)
    estimates = numeric_agreement(both.truth, both.judge, clusters=both.group, seed=seed)
    if both.group is not None:
        estimates["pair_accuracy"] = pair_accuracy(both.group, both.truth, both.judge).estimate
    estimates["coverage"] = share(judged, clusters=rows.group)
    return Criterion(
        id=rows.id, scale="continuous", levels=(), unit="row", table=(), estimates=estimates, baselines=(), raters=None,
        sources={}, failed=int((~judged).sum()), stages=_stages(rows), undecided=0, cannot_tell=0,
    )  # fmt: skip


def _slices(by: Column, rows: _Rows, labelled: Bools, seed: int) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for code, value in enumerate(by.values):
        use = labelled & (by.codes == code)
        if use.any():
            part = rows.where(use)
            if rows.scale.names:
                found[value] = {rows.id: slice_report(_levels(part), seed)}
            else:
                found[value] = {rows.id: {"n": int(use.sum()), "estimates": _continuous(part, seed).estimates}}
    return found


def _worst(rows: _Rows) -> list[Disagreement]:
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
            f"row {int(wrong[i]) + 2}", None, rows.id, scale.names[truth[wrong[i]]], scale.names[verdict[wrong[i]]],
            float(far[i]), "", "", "",
        )
        for i in order
    ]  # fmt: skip
