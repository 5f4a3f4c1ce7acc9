"""The joined rows as a pandas frame, for notebooks and for whoever wants to count again."""

from __future__ import annotations

import os
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

from rftj_cli.errors import InputError
from rftj_cli.files.escapes import csv_text
from rftj_cli.files.runs import Run
from rftj_cli.measure.calibrate import Question, joined_of
from rftj_cli.measure.table_scale import TableScale
from rftj_cli.measure.tables import VerdictTable
from rftj_cli.stats.arrays import Floats, Ints

_ENDINGS = (".csv", ".parquet", ".jsonl")

if TYPE_CHECKING:
    import pandas


def frame(run: Run, question: Question) -> pandas.DataFrame:
    """One row for each sample, item and criterion: truth, verdict, labels, reason, group, cluster, rewards."""
    import pandas

    _, joined = joined_of(run, question)
    rewards = {row.sample: row for row in joined.rewards}
    rows = []
    for criterion, units in joined.units.items():
        names = joined.scales[criterion].names
        answered = None if question.truth_rubric is None else question.truth_rubric.criterion(criterion)
        said = names if answered is None else answered.scale.names  # the labels may be on another rubric's scale
        for unit in units:
            truth = None if unit.truth is None or not unit.truth.decided else unit.truth.name(said)
            row: dict[str, object] = {
                "id": unit.sample, "item": unit.item, "criterion": criterion, "truth": truth,
                "verdict": None if unit.level is None else names[unit.level], "failure": unit.stage,
                "reason": unit.reason, "group": unit.group, "cluster": unit.cluster,
                "reward": rewards[unit.sample].judge, "reward_truth": rewards[unit.sample].truth, **unit.slices,
            }  # fmt: skip
            for rater, level in (unit.truth.raters if unit.truth else {}).items():
                row[f"label_{rater}"] = "cannot_tell" if level is None else said[level]
            for rater, number in (unit.truth.numbers if unit.truth else {}).items():
                row[f"label_{rater}"] = f"{number:g}"
            rows.append(row)
    return pandas.DataFrame(rows)


def table_frame(table: VerdictTable) -> pandas.DataFrame:
    """The rows of a `--table`, once per judge: truth, verdict and the labels of several raters, as levels or numbers."""
    import pandas

    parts = []
    for criterion, rows in table.rows.items():
        count = rows.truth.size
        columns: dict[str, object] = {
            "id": [table.name(index) for index in range(count)], "criterion": criterion,
            "truth": _said(rows.truth, rows.scale), "verdict": _said(rows.judge, rows.scale),
        }  # fmt: skip
        if table.group is not None:
            columns["group"] = [table.group.values[code] or None for code in table.group.codes]
        columns |= {name: [by.values[code] for code in by.codes] for name, by in table.by.items()}
        ratings = () if rows.ratings is None else rows.ratings.T
        columns |= {f"label_{rater}": _said(of, rows.scale) for rater, of in zip(rows.raters, ratings, strict=True)}
        parts.append(pandas.DataFrame(columns))
    return pandas.concat(parts, ignore_index=True)


def _said(values: Ints | Floats, scale: TableScale) -> list[object]:
    """Codes as the names of their levels, numbers as they are, None where there is none."""
    names: list[object] = [*scale.names, None]
    return (
        [names[code] for code in values.astype(int)]
        if scale.names
        else [None if isnan(x) else float(x) for x in values]
    )


def refuse_overwriting(path: Path, folder: Path | None = None) -> None:
    """Raise `InputError` where `path` cannot be written, lies in the run's `folder`, or is there already."""
    if path.suffix.lower() not in _ENDINGS:
        raise InputError("--rows: unknown kind of file", found=str(path), expected=".csv, .jsonl or .parquet")
    if not path.parent.is_dir():
        raise InputError("--rows: no such folder", file=path.parent)
    if path.exists() or path.is_symlink():
        raise InputError("this file exists; nothing is overwritten", file=path, hint="name another with --rows")
    if folder is not None and path.resolve().is_relative_to(folder.resolve()):
        raise InputError("--rows would write into the run", file=path, hint="choose another folder")


def write_rows(table: pandas.DataFrame, path: Path) -> None:
    """Write joined rows, whole or not at all. The ending of the file chooses the format; nothing is overwritten.

    CSV as `files/escapes.py` writes it: one line a row, and no cell that a spreadsheet would run.
    """
    refuse_overwriting(path)
    suffix, target = path.suffix.lower(), path.resolve()
    beside = target.with_name(f".rftj-{os.getpid()}-{target.name}")
    try:
        if suffix == ".csv":
            cells = table.astype(object).where(table.notna(), None).to_numpy().tolist()
            beside.write_text(csv_text([*table.columns], cells), encoding="utf-8", newline="")
        elif suffix == ".parquet":
            table.to_parquet(beside, index=False)
        else:
            table.to_json(beside, orient="records", lines=True, force_ascii=False)
        os.replace(beside, target)
    except OSError as error:
        raise InputError(f"--rows: cannot write: {error.strerror or error}", file=path) from None
    finally:
        beside.unlink(missing_ok=True)
