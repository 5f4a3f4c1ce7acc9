"""Published judges, replayed: data in `<repository>/../shared`, the CLI in process, figures out of its JSON."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import yaml
from making import write_rows

from rftj_cli.main import run

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"

Estimates = Mapping[str, Mapping[str, Any]]


def shared(path: str) -> list[dict[str, Any]]:
    """The rows of a file of `shared/data`; the test is skipped where the file is absent."""
    file = SHARED / path
    if not file.exists():
        pytest.skip(f"third-party data are not in the repository, and {file} is absent")
    data = file.read_bytes()
    text = (gzip.decompress(data) if file.suffix == ".gz" else data).decode()
    return [json.loads(line) for line in text.split("\n") if line]


def rftj(*arguments: object) -> str:
    """What a command prints; it must succeed."""
    out, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(errors):
        code = run([str(argument) for argument in arguments])
    assert code == 0, errors.getvalue() + out.getvalue()
    return out.getvalue()


def calibrate(*arguments: object) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(rftj("calibrate", *arguments, "--json"))
    assert report["schema"] == "rftj.calibration/1"
    return report


def replay(folder: Path, rubric: Mapping[str, Any], samples: Sequence[Any], replies: Sequence[Any]) -> Path:
    """A run made of recorded replies."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "rubric.yaml"
    path.write_text(yaml.safe_dump(dict(rubric), allow_unicode=True), encoding="utf-8")
    rows, texts = write_rows(folder / "samples.jsonl", samples), write_rows(folder / "replies.jsonl", replies)
    rftj("score", path, rows, "--run", folder / "run", "--import-replies", texts, "--quiet")
    return folder / "run"


def value(estimates: Estimates, *names: str) -> float:
    """The first of these estimates that was made."""
    name = next(name for name in names if name in estimates)
    found = estimates[name]["value"]
    assert found is not None, estimates[name]
    return float(found)
