"""Memory does not grow with the number of samples."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from making import write_rubric


def peak(folder: Path, samples: int) -> float:
    """Megabytes that `rftj score` took at most."""
    with (folder / f"{samples}.jsonl").open("w", encoding="utf-8") as file:
        for i in range(samples):
            file.write(f'{{"id": "s{i}", "prompt": "p{i}", "response": "r{i}"}}\n')
    command = [sys.executable, "-m", "rftj_cli", "score", "rubric.yaml", f"{samples}.jsonl", "--run", f"run-{samples}"]
    process = subprocess.Popen([*command, "--quiet"], cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024 * 1024)


@pytest.fixture(autouse=True)
def rubric(tmp_path: Path) -> None:
    write_rubric(tmp_path, judge={"model": "lexical"})


def test_forty_thousand_samples_take_hardly_more_than_ten(tmp_path: Path) -> None:
    assert peak(tmp_path, 40_000) < peak(tmp_path, 10_000) + 20


@pytest.mark.slow
def test_a_million_samples_fit_in_300_megabytes(tmp_path: Path) -> None:
    assert peak(tmp_path, 1_000_000) < 300
