"""A samples file that is written again while it is judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from making import some_rows, write_rows, write_rubric
from reporting import refused, succeed

from rftj_cli.files.runs import open_run
from rftj_cli.testing import FakeJudgeServer

GOOD = '{"quality": {"reason": "fine", "level": "pass"}}'


@pytest.mark.parametrize("how", ["replaced", "in place", "cut", "broken", "gone"])
def test_a_file_that_changes_in_mid_run_ends_it_and_keeps_what_was_judged(tmp_path: Path, how: str) -> None:
    rubric, rows = write_rubric(tmp_path), some_rows(3000)
    samples, run = write_rows(tmp_path / "samples.jsonl", rows), tmp_path / "run"
    asked: list[int] = []

    def reply(body: Any) -> str:
        asked.append(1)
        if len(asked) == 5:
            change(samples, rows, how)
        return GOOD

    with FakeJudgeServer(reply) as fake:
        command = ("score", rubric, samples, "--run", run, "--workers", 4, "--base-url", fake.base_url)
        error = refused(*command)
        assert error["problem"] == "the samples file was written again during the run" and str(samples) in error["file"]
        counts = open_run(str(run)).manifest.counts
        assert counts["judged"] == fake.requests < 3000 and counts["failed"] == 0
        write_rows(samples, rows[:50])
        succeed(*command, "--quiet")
        assert fake.requests == max(50, counts["judged"])


def change(path: Path, rows: list[dict[str, Any]], how: str) -> None:
    if how == "gone":
        path.unlink()
    elif how == "replaced":
        write_rows(path.with_suffix(".new"), rows[:100]).replace(path)
    else:
        with path.open("r+") as file:
            if how == "cut":
                file.truncate(2000)
            else:
                file.write("{" if how == "in place" else '{"id": "s0", broken')
