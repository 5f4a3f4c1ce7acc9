"""`rftj demo`: run once without the local model; its figures, its commands, and what a second run leaves alone."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from making import write_rows, write_rubric
from reporting import refused, rftj

from rftj_cli.demo import run_command
from rftj_cli.files.runs import read_manifest
from rftj_cli.testing import FakeJudgeServer


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """(folder, what was printed) of one demo in a machine without the local model."""
    home = tmp_path_factory.mktemp("demo")
    done = run(home, "demo")
    assert done.returncode == 0, done.stderr
    return home / "rftj-demo", done.stdout


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("RFTJ_CACHE", "CI")}
    environment = {**kept, "XDG_CACHE_HOME": str(home / "cache"), "HOME": str(home), "COLUMNS": "300"}
    line = [sys.executable, "-m", "rftj_cli", *arguments]
    return subprocess.run(line, cwd=home, capture_output=True, text=True, env=environment, timeout=600, check=False)


def test_it_tells_the_figures_that_its_commands_found(demo: tuple[Path, str]) -> None:
    _, out = demo
    assert "passes 141 of 144 comments on grounding" in out and "47 of the 50 that the labels fail" in out
    assert "0 of 50 bad comments pass" in out
    assert ".879" in out
    assert "made by a language model, not by lawyers" in out
    assert "FAIL" in out and "PASS" in out
    assert "rftj local install" in out  # what is missing, and how to get it


def test_the_figures_stand_in_the_runs_that_it_left(demo: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = demo
    monkeypatch.chdir(folder)
    labels = ("--labels", "datasets/contract-review/labels.jsonl", "--json")
    table = rftj("calibrate", "runs/no-contract", *labels).document["criteria"]["grounding"]["table"]
    assert table[0][1] + table[1][1] == 141 and table[0][1] == 47
    table = rftj("calibrate", "runs/brief", *labels).document["criteria"]["grounding"]["table"]
    assert table[0] == [50, 0]
    truth = ("--truth-rubric", "prompts/contract-review/defined.yaml")
    reward = rftj("calibrate", "runs/rating-1-10", *labels, *truth).document["reward"]
    assert round(reward["estimates"]["pair_accuracy"]["value"], 3) == 0.879


def test_the_commands_that_it_lists_run_again(demo: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, out = demo
    monkeypatch.chdir(folder)
    listed = [shlex.split(line)[1:] for line in out.splitlines() if line.startswith("  rftj ")]
    assert len(listed) >= 13 and {line[0] for line in listed} == {"score", "calibrate", "gate"}
    for arguments in listed:
        said = rftj(*arguments)
        assert said.code in ((0, 1, 3) if arguments[0] == "gate" else (0,)), (arguments, said.err)


def test_a_second_demo_keeps_edits_and_calls_nobody(demo: tuple[Path, str]) -> None:
    folder, _ = demo
    rules = folder / "gate.yaml"
    rules.write_text(rules.read_text() + "# mine\n")
    done = run(folder.parent, "demo", "--json", "--quiet")
    assert done.returncode == 0 and done.stderr == ""
    assert json.loads(done.stdout)["schema"] == "rftj.demo/1"
    assert rules.read_text().endswith("# mine\n")


def test_it_leaves_a_foreign_folder_alone(home: Path) -> None:
    (home / "mine").mkdir()
    (home / "mine" / "thesis.txt").write_text("words")
    (home / "mine" / "gate.yaml").write_text("min: {kappa: 0.5}")
    error = refused("demo", home / "mine")
    assert "not empty" in error["problem"] and "rftj demo DIR" in error["hint"]
    assert sorted(path.name for path in (home / "mine").iterdir()) == ["gate.yaml", "thesis.txt"]
    (home / "file").write_text("words")
    assert "not a folder" in refused("demo", home / "file")["problem"]
    assert refused("demo", home / "file" / "inside")["file"]


def test_a_command_that_takes_too_long_is_stopped_and_keeps_what_it_has(tmp_path: Path) -> None:
    """The small model on a busy machine; here a slow service."""
    write_rubric(tmp_path, judge={"model": "openai:slow"})
    write_rows(tmp_path / "samples.jsonl", [{"id": f"s{i}", "response": f"number {i}"} for i in range(10_000)])
    with FakeJudgeServer(latency=0.2) as server:
        line = (
            "score",
            "rubric.yaml",
            "samples.jsonl",
            "--base-url",
            server.base_url,
            "--workers",
            "1",
            "--run",
            "run",
        )
        said = run_command(tmp_path, line, seconds=5.0)
    assert said == {} or (said["schema"], said["exit_code"]) == ("rftj.error/1", 130)
    manifest = read_manifest(tmp_path / "run")
    assert manifest is None or manifest.status in ("running", "partial")
