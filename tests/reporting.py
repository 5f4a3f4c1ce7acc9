"""Runs with hand-written verdicts, and the CLI in process: what a command prints, and its exit code."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas
from making import write_rows, write_rubric

from rftj_cli.main import run as run_cli

Verdicts = Mapping[str, Any]


@dataclass(frozen=True)
class Said:
    """What one command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


def rftj(*arguments: object) -> Said:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run_cli([str(argument) for argument in arguments])
    return Said(code, out.getvalue(), err.getvalue())


def succeed(*arguments: object) -> Said:
    said = rftj(*arguments)
    assert said.code == 0, said.err + said.out
    return said


def refused(*arguments: object) -> dict[str, Any]:
    """The error document of a command that is refused as wrong input."""
    said = rftj(*arguments, "--json")
    assert said.code == 2, said.err + said.out
    assert said.document["schema"] == "rftj.error/1"
    return said.document


def calibrated(*arguments: object) -> dict[str, Any]:
    return succeed("calibrate", *arguments, "--json").document


def reply_of(verdict: Any) -> str:
    """A judge's reply: a level of `quality`, or levels by criterion; None for one that cannot be read."""
    if verdict is None:
        return "I would rather not say."
    return json.dumps({"quality": verdict} if isinstance(verdict, str) else verdict)


def scored(
    folder: Path,
    verdicts: Verdicts,
    *,
    name: str = "run",
    rows: Sequence[Mapping[str, Any]] | None = None,
    replies: Sequence[Mapping[str, Any]] | None = None,
    **changes: Any,
) -> Path:
    """A run at folder/name in which the judge said `verdicts` (sample id -> level, or criterion -> level, or None)."""
    rubric = write_rubric(folder, f"{name}.yaml", **{"judge": {"model": "replay:recorded"}, **changes})
    if rows is None:
        rows = [{"id": id, "prompt": f"task {id}", "response": f"answer {id}"} for id in verdicts]
    samples = write_rows(folder / f"{name}.jsonl", rows)
    texts = replies or [{"id": id, "text": reply_of(verdict)} for id, verdict in verdicts.items()]
    recorded = write_rows(folder / f"{name}-replies.jsonl", texts)
    run = folder / name
    succeed("score", rubric, samples, "--import-replies", recorded, "--run", run, "--max-failures", 1, "--quiet")
    return run


def labels(folder: Path, rows: Sequence[Mapping[str, Any]], name: str = "labels.jsonl") -> Path:
    """A labels file; the ending of `name` chooses its format."""
    path = folder / name
    if path.suffix == ".csv":
        pandas.DataFrame(rows).to_csv(path, index=False)
    elif path.suffix == ".parquet":
        pandas.DataFrame(rows).to_parquet(path, index=False)
    else:
        write_rows(path, rows)
    return path


def truth_labels(folder: Path, truth: Mapping[str, Any], name: str = "labels.jsonl") -> Path:
    """One rater's label of each sample."""
    return labels(folder, [{"id": id, "rater": "anna", "value": value} for id, value in truth.items()], name)


def binary(table: Sequence[Sequence[int]]) -> tuple[dict[str, str], dict[str, str]]:
    """(truth, verdicts) by sample id whose 2 x 2 table is `table`: rows the labels fail, pass; columns the verdicts."""
    truth: dict[str, str] = {}
    verdicts: dict[str, str] = {}
    for h, row in enumerate(table):
        for j, count in enumerate(row):
            for _ in range(count):
                id = f"s{len(truth)}"
                truth[id], verdicts[id] = ("fail", "pass")[h], ("fail", "pass")[j]
    return truth, verdicts
