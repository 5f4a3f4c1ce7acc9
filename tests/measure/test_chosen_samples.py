"""Reports on runs whose samples were chosen: no estimate of agreement is claimed where the choice was by what came out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from reporting import calibrated, refused, rftj, scored, succeed, truth_labels

RULES = "min: {agreement: 0.1}\nmax_failures: 0.5\n"


@pytest.fixture
def run(home: Path) -> Path:
    """Forty verdicts, ten of them wrong, and their labels."""
    truth_labels(home, {f"s{i}": "fail" if i % 2 else "pass" for i in range(40)})
    (home / "rules.yaml").write_text(RULES)
    rows = [
        {"id": f"s{i}", "prompt": f"task {i}", "response": f"answer {i}", "split": "dev" if i < 20 else "test"}
        for i in range(40)
    ]
    return scored(home, {f"s{i}": "fail" if i % 2 and i % 4 == 1 else "pass" for i in range(40)}, rows=rows)


def part(home: Path, run: Path, *arguments: object) -> None:
    line = ("score", home / "run.yaml", home / "run.jsonl", "--replay", run, "--run", home / "part")
    succeed(*line, *arguments, "--quiet")


def failing(home: Path, run: Path) -> None:
    part(home, run, "--only", "failing", "--from", run, "--labels", home / "labels.jsonl")


def report(home: Path) -> dict[str, Any]:
    return calibrated(home / "part", "--labels", home / "labels.jsonl")


def test_a_run_of_failing_samples_warns_and_shows_no_trust(home: Path, run: Path) -> None:
    failing(home, run)
    found = report(home)
    first = found["warnings"][0]
    assert first.startswith(
        f"samples chosen by what came out (failing of {run}: 10 of 40): agreement on them says nothing"
    )
    assert "moves to the mean by itself" in first
    assert {one["answer"] for one in found["trust"].values()} == {"not shown"}
    assert "chosen by what came out" in found["trust"]["quality"]["reasons"][0]
    assert found["run"]["selections"][0]["only"] == "failing" and found["run"]["waiting"] == 0
    assert first in " ".join(succeed("calibrate", home / "part", "--labels", home / "labels.jsonl").out.split())


def test_gate_comparison_and_audit_refuse_samples_chosen_by_outcome(home: Path, run: Path) -> None:
    failing(home, run)
    labels = ("--labels", home / "labels.jsonl", "--ignore-unknown")
    for line in (
        ("gate", home / "part", *labels, "--rules", home / "rules.yaml"),
        ("diff-prompts", run, home / "part", *labels),
        ("diff-prompts", run, run.parent / "other", *labels, "--repeat", home / "part"),
        ("reward", "audit", home / "part", *labels),
    ):
        if "--repeat" in line:
            succeed("rescore", run, "--run", run.parent / "other")
        found = refused(*line)
        assert found["key"] == "--only" and "chosen by what came out" in found["message"]
        assert found["expected"] == "a run of all samples, or of a random part of them"


def test_nothing_is_learned_or_drawn_from_samples_chosen_by_outcome(home: Path, run: Path) -> None:
    failing(home, run)
    labels = ("--labels", home / "labels.jsonl")
    assert refused("calibrate", home / "part", *labels, "--recalibrate")["key"] == "--only"
    assert refused("plan", home / "part", *labels, "--next", 2, "--out", home / "next.jsonl")["key"] == "--only"
    assert not (home / "next.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--split", "dev"), "split dev: 20 of 40"),
        (("--sample", 25, "--seed", 1), "at most 25 at random (seed 1): 25 of 40"),
    ],
)
def test_a_part_that_no_outcome_chose_is_measured_as_such(
    home: Path, run: Path, arguments: tuple[object, ...], words: str
) -> None:
    part(home, run, *arguments)
    found = report(home)
    assert f"this run holds a part of its samples ({words})" in found["warnings"]
    assert not [one for one in found["warnings"] if "not complete" in one or "what came out" in one]
    assert found["run"]["waiting"] == 0
    said = rftj("gate", home / "part", "--labels", home / "labels.jsonl", "--rules", home / "rules.yaml")
    assert said.code == 0 and "this run holds a part of its samples" in " ".join(said.out.split())


def test_once_all_samples_are_judged_the_warning_is_gone(home: Path, run: Path) -> None:
    failing(home, run)
    part(home, run)
    found = report(home)
    assert found["run"]["selections"] == [] and found["counts"]["samples"] == 40
    assert not [one for one in found["warnings"] if "chosen" in one]


def test_a_choice_that_was_not_judged_to_its_end_is_not_complete(home: Path, run: Path) -> None:
    part(home, run, "--sample", 10)
    path = home / "part" / "run.json"
    data = json.loads(path.read_text())
    data["selections"][0]["chosen"] = 12  # as it stands after a kill
    path.write_text(json.dumps(data))
    assert "this run is not complete: 2 of the chosen samples not judged yet" in report(home)["warnings"]
    said = rftj("gate", home / "part", "--labels", home / "labels.jsonl", "--rules", home / "rules.yaml")
    assert said.code == 3
