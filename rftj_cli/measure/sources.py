"""What a user asks to be measured, a run or a table, to its `Calibration`: the door for `calibrate` and `gate`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import cast

from rftj_cli.errors import InputError, nearest
from rftj_cli.files.maps import read_maps
from rftj_cli.files.rubrics import load_rubric
from rftj_cli.files.runs import Run, open_run
from rftj_cli.kernel.rubric import SAMPLINGS
from rftj_cli.kernel.sample import SPLITS
from rftj_cli.measure.calibrate import Question, calibrate
from rftj_cli.measure.recalibrate import Recalibration, recalibrate
from rftj_cli.measure.table_scale import TableColumns
from rftj_cli.measure.tables import calibrate_table, read_table
from rftj_cli.measure.values import Calibration, Terms
from rftj_cli.stats.alt_test import EPSILON
from rftj_cli.stats.corrected import Sampling

__all__ = ["Source", "TableColumns", "measure"]


OF_RUN = (
    "labels", "wide", "map", "map_labels", "truth", "truth_rubric", "split", "ignore_unknown", "frozen", "metrics", "sampling",
    "costs",
)  # fmt: skip
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
    map_labels: tuple[str, ...] = ()
    truth: str | None = None
    truth_rubric: Path | None = None
    split: str | None = None
    by: tuple[str, ...] = ()
    seed: int = 0
    rows: Path | None = None
    ignore_unknown: bool = False
    frozen: bool = False
    metrics: tuple[str, ...] = ()
    sampling: str | None = None
    costs: str | None = None
    epsilon: float | None = None
    samples: Path | None = None  # that the command itself reads


def measure(source: Source, accept: Callable[[Calibration], object] | None = None) -> Calibration:
    """The calibration of a run or a table. Raises `InputError` for options that do not belong together.

    `accept` may refuse a run's report before a look at the test split is charged.
    """
    if source.split is not None and source.split not in SPLITS:
        hint = nearest(source.split, SPLITS)
        raise InputError("--split: unknown split", found=source.split, expected=", ".join(SPLITS), hint=hint)
    if (source.run is None) == (source.table is None):
        raise InputError(
            "give a run, or --table FILE", expected="rftj calibrate RUN, or --table FILE --judge COL --human COL"
        )
    return _with_epsilon(_measured(source, accept), source.epsilon)


def _measured(source: Source, accept: Callable[[Calibration], object] | None) -> Calibration:
    if source.table is not None:
        for name in OF_RUN:
            if getattr(source, name) not in (None, False, ()):
                raise InputError(f"--{OPTION.get(name, name.replace('_', '-'))} belongs to a run, not to --table")
        return _measure_table(source, source.table)
    run, question = opened(source)
    accept = _accepting(question, accept)
    if source.rows is None:
        return calibrate(run, question, accept)
    from rftj_cli.measure.frame import frame, refuse_overwriting, write_rows

    refuse_overwriting(source.rows, run.folder)
    report = calibrate(run, question, accept)
    write_rows(frame(run, question), source.rows)
    return report


def _measure_table(source: Source, path: Path) -> Calibration:
    """The calibration of a table; its rows are written once nothing can be wrong with the input any more."""
    terms = Terms(source.seed, epsilon=EPSILON if source.epsilon is None else source.epsilon)
    if source.rows is None:
        return calibrate_table(read_table(path, source.columns, source.by), terms)
    from rftj_cli.measure.frame import refuse_overwriting, table_frame, write_rows

    refuse_overwriting(source.rows)
    table = read_table(path, source.columns, source.by)
    report = calibrate_table(table, terms)
    write_rows(table_frame(table), source.rows)
    return report


def _with_epsilon(report: Calibration, epsilon: float | None) -> Calibration:
    """The report, with a warning where the user chose an epsilon and no test used it."""
    raters = [one.raters for one in report.criteria.values() if one.raters is not None]
    if epsilon is None or any(one["alt_test"]["tested"] for one in raters):
        return report
    why = raters[0]["alt_test"]["omega"].note if raters else "it takes two raters or more"
    return replace(report, warnings=[*report.warnings, f"--epsilon has no effect, there is no alt-test: {why}"])


def _accepting(question: Question, accept: Callable[[Calibration], object] | None) -> Callable[[Calibration], object]:
    """`accept`, and that costs have a threshold to choose."""

    def check(report: Calibration) -> None:
        if question.costs is not None and all(one.threshold is None for one in report.criteria.values()):
            raise InputError(
                "--costs chooses a threshold on the judge's probabilities, and no criterion here has any", key="--costs",
                expected="a criterion with two levels and labels, judged with several votes or with token probabilities",
            )  # fmt: skip
        if accept is not None:
            accept(report)

    return check


def remap(source: Source, out: Path | None) -> Recalibration:
    """Learn a map of a run's reward and write the rubric that has it."""
    if source.run is None or source.table is not None:
        raise InputError("--recalibrate takes a run", expected="rftj calibrate RUN --recalibrate")
    for name in ("metrics", "by", "rows", "costs", "sampling", "epsilon"):
        if getattr(source, name) not in (None, ()):
            raise InputError(f"--{OPTION.get(name, name)} and --recalibrate do not go together")
    return recalibrate(*opened(source), out)


def opened(source: Source) -> tuple[Run, Question]:
    """The run, and what is asked of it."""
    for name in (field.name for field in fields(TableColumns)):
        if getattr(source.columns, name) not in (None, ()):
            raise InputError(f"--{name.replace('_', '-')} belongs to --table, not to a run")
    if source.wide and source.labels is None:
        raise InputError("--wide describes a labels file", expected="--labels FILE --wide")
    maps = read_maps(source.map, source.map_labels, source.labels, source.samples)
    question = Question(
        truth_rubric_file=source.truth_rubric,
        labels=source.labels,
        wide=source.wide,
        columns=maps.samples,
        label_columns=maps.labels,
        truth=source.truth,
        truth_rubric=None if source.truth_rubric is None else load_rubric(source.truth_rubric),
        split=source.split,
        by=source.by,
        seed=source.seed,
        ignore_unknown=source.ignore_unknown,
        frozen=source.frozen,
        metrics=tuple(dict.fromkeys(source.metrics)),
        sampling=_sampling(source.sampling),
        costs=_costs(source.costs),
        epsilon=source.epsilon,
    )
    return open_run(source.run or ""), question


def _sampling(word: str | None) -> Sampling | None:
    if word is not None and word not in SAMPLINGS:
        hint = nearest(word, SAMPLINGS)
        raise InputError("--sampling: unknown word", found=word, expected=", ".join(SAMPLINGS), hint=hint)
    return cast("Sampling | None", word)


def _costs(text: str | None) -> tuple[float, float] | None:
    """`10:1`: what a false pass and a false fail cost."""
    if text is None:
        return None
    try:
        false_pass, false_fail = (float(part) for part in text.split(":"))
        if not (min(false_pass, false_fail) >= 0 and 0 < max(false_pass, false_fail) < math.inf):
            raise ValueError
    except ValueError:
        expected = "FALSE_PASS:FALSE_FAIL, two numbers that are not negative and not both 0, for example 10:1"
        raise InputError("--costs", found=text, expected=expected) from None
    return false_pass, false_fail
