"""The joined rows as a pandas frame, for notebooks and for whoever wants to count again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rftj_cli.errors import InputError
from rftj_cli.files.runs import Run
from rftj_cli.measure.calibrate import Question
from rftj_cli.measure.join import join, labels_of, truths_of

if TYPE_CHECKING:
    import pandas


def frame(run: Run, question: Question) -> pandas.DataFrame:
    """One row for each sample, item and criterion: truth, verdict, labels, reason, group, cluster, rewards."""
    import pandas

    placed = labels_of(run, question.labels, wide=question.wide, columns=question.columns)
    truths = truths_of(
        run, placed, rule=question.truth, truth_rubric=question.truth_rubric, ignore_unknown=question.ignore_unknown
    )
    joined = join(run, truths, split=question.split, by=question.by, truth_rubric=question.truth_rubric)
    rewards = {row.sample: row for row in joined.rewards}
    rows = []
    for criterion, units in joined.units.items():
        names = joined.scales[criterion].names
        for unit in units:
            truth = None if unit.truth is None or unit.truth.level is None else names[unit.truth.level]
            row: dict[str, object] = {
                "id": unit.sample, "item": unit.item, "criterion": criterion, "truth": truth,
                "verdict": None if unit.level is None else names[unit.level], "failure": unit.stage,
                "reason": unit.reason, "group": unit.group, "cluster": unit.cluster,
                "reward": rewards[unit.sample].judge, "reward_truth": rewards[unit.sample].truth, **unit.slices,
            }  # fmt: skip
            for rater, level in (unit.truth.raters if unit.truth else {}).items():
                row[f"label_{rater}"] = "cannot_tell" if level is None else names[level]
            rows.append(row)
    return pandas.DataFrame(rows)


def write_rows(run: Run, question: Question, path: Path) -> None:
    """Write the joined rows. The ending of the file chooses the format."""
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet", ".jsonl"):
        raise InputError("--rows: unknown kind of file", found=str(path), expected=".csv, .jsonl or .parquet")
    table = frame(run, question)
    try:
        if suffix == ".csv":
            table.to_csv(path, index=False)
        elif suffix == ".parquet":
            table.to_parquet(path, index=False)
        else:
            table.to_json(path, orient="records", lines=True, force_ascii=False)
    except OSError as error:
        raise InputError(f"--rows: cannot write: {error.strerror or error}", file=path) from None
