"""What a user asks to be measured, a run or a table, to its `Calibration`: the door for `calibrate` and `gate`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rftj_cli.errors import InputError, nearest
from rftj_cli.files.rows import read_map
from rftj_cli.files.rubrics import load_rubric
from rftj_cli.files.runs import open_run
from rftj_cli.kernel.sample import SPLITS
from rftj_cli.measure.calibrate import Question, calibrate
from rftj_cli.measure.table_scale import TableColumns
from rftj_cli.measure.tables import calibrate_table
from rftj_cli.measure.values import Calibration, Terms

__all__ = ["Source", "TableColumns", "measure"]


NO_COLUMNS = TableColumns()
OPTION = {"metrics": "metric"}  # where the option is not spelled like the value


@dataclass(frozen=True, slots=True)
class Source:
    """The command line of a measurement, as it was given."""

    run: str | None
    table: Path | None = None
    columns: TableColumns = NO_COLUMNS
    labels: str | None = None
    wide: bool = False
    map: tuple[str, ...] = ()
    truth: str | None = None
    truth_rubric: Path | None = None
    split: str | None = None
    by: tuple[str, ...] = ()
    seed: int = 0
    rows: Path | None = None
    ignore_unknown: bool = False
    frozen: bool = False
    metrics: tuple[str, ...] = ()


def measure(source: Source) -> Calibration:
    """The calibration of a run or a table. Raises `InputError` for options that do not belong together."""
    if source.split is not None and source.split not in SPLITS:
        hint = nearest(source.split, SPLITS)
        raise InputError("--split: unknown split", found=source.split, expected=", ".join(SPLITS), hint=hint)
    if (source.run is None) == (source.table is None):
        raise InputError(
            "give a run, or --table FILE", expected="rftj calibrate RUN, or --table FILE --judge COL --human COL"
        )
    if source.table is not None:
        for name in (
            "labels",
            "wide",
            "map",
            "truth",
            "truth_rubric",
            "split",
            "rows",
            "ignore_unknown",
            "frozen",
            "metrics",
        ):
            if getattr(source, name) not in (None, False, ()):
                raise InputError(f"--{OPTION.get(name, name.replace('_', '-'))} belongs to a run, not to --table")
        return calibrate_table(source.table, source.columns, by=source.by, terms=Terms(source.seed))
    for name in ("judge", "human", "levels", "positive", "group", "no_verdict"):
        if getattr(source.columns, name) is not None:
            raise InputError(f"--{name.replace('_', '-')} belongs to --table, not to a run")
    if source.wide and source.labels is None:
        raise InputError("--wide describes a labels file", expected="--labels FILE --wide")
    question = Question(
        labels=source.labels,
        wide=source.wide,
        columns=read_map(list(source.map)),
        truth=source.truth,
        truth_rubric=None if source.truth_rubric is None else load_rubric(source.truth_rubric),
        split=source.split,
        by=source.by,
        seed=source.seed,
        ignore_unknown=source.ignore_unknown,
        frozen=source.frozen,
        metrics=tuple(dict.fromkeys(source.metrics)),
    )
    run = open_run(source.run or "")
    if source.rows is not None:
        from rftj_cli.measure.frame import write_rows

        given = (None if source.labels is None else Path(source.labels), source.truth_rubric)
        write_rows(run, question, source.rows, inputs=[one for one in given if one is not None])
    return calibrate(run, question)
