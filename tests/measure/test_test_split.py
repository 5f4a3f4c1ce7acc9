"""Looks at the test split: charged once a judge, shown, and paid for in the width of every interval."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from making import write_rows
from reporting import binary, calibrated, labels, refused, reply_of, rftj, scored, succeed, truth_labels

from rftj_cli.files.runs import open_run
from rftj_cli.measure.calibrate import Question, calibrate

TABLE = [[20, 4], [3, 33]]
RULES = "split: test\nmin: {tnr: 0.5}\n"


@pytest.fixture
def project(home: Path) -> Path:
    """Three judges (prompts) on the same 60 samples, all of the test split, and their labels."""
    (home / ".git").mkdir()
    truth, verdicts = binary(TABLE)
    rows = [{"id": id, "prompt": "a task", "response": f"answer {id}", "split": "test", "group": id} for id in truth]
    for name in ("one", "two", "three"):
        replies = [{"id": id, "text": f"{name} says:\n{reply_of(level)}"} for id, level in verdicts.items()]
        scored(home, verdicts, name=name, rows=rows, replies=replies, prompt={"user": f"{name}: {{{{ response }}}}"})
    truth_labels(home, truth)
    return home


def look(home: Path, run: str, *more: object) -> dict[str, object]:
    found: dict[str, object] = calibrated(home / run, "--labels", home / "labels.jsonl", "--split", "test", *more)
    return found


def test_each_new_judge_claims_less_and_the_same_judge_nothing_more(project: Path) -> None:
    first, second, again, third = (look(project, run) for run in ("one", "two", "one", "three"))
    assert [found["look"]["number"] for found in (first, second, again, third)] == [1, 2, 1, 3]  # type: ignore[index]
    assert [round(found["level"], 4) for found in (first, second, third)] == [0.9696, 0.9924, 0.9966]  # type: ignore[call-overload]
    assert again == {**first, "look": {**first["look"], "charged": False}}  # type: ignore[dict-item]
    widths = []
    for found in (first, second, third):
        one = found["criteria"]["quality"]["estimates"]["tnr"]  # type: ignore[index]
        assert f"{100 * found['level']:.4g}%" in one["method"]  # type: ignore[operator]
        widths.append(one["high"] - one["low"])
    assert widths == sorted(widths) and widths[0] < widths[2]
    assert len((project / ".rftj" / "ledger.jsonl").read_text().splitlines()) == 3


def test_every_interval_of_the_report_is_at_the_level_of_the_look(project: Path) -> None:
    found = look(project, "one")
    named = [
        estimate["method"]
        for estimate in found["criteria"]["quality"]["estimates"].values()  # type: ignore[index]
        if estimate["low"] is not None
    ]
    assert len(named) > 10 and not [method for method in named if "95%" in method]
    assert all("96.96%" in method for method in named)


def test_the_first_screen_says_which_judge_this_is(project: Path) -> None:
    look(project, "one")
    said = succeed("calibrate", project / "two", "--labels", project / "labels.jsonl", "--split", "test").out
    assert "second judge to meet these test samples: intervals are 99.24% instead of 95%" in " ".join(said.split())


def test_all_labels_and_other_splits_are_never_charged(project: Path) -> None:
    report = calibrated(project / "one", "--labels", project / "labels.jsonl")
    assert report["level"] == 0.95 and report["look"] is None
    rows = [{"id": f"a{i}", "response": f"anchor {i}", "split": "anchor"} for i in range(8)]
    run = scored(project, {row["id"]: "pass" for row in rows}, name="anchors", rows=rows)
    file = labels(project, [{"id": row["id"], "value": "pass"} for row in rows], "anchors-labels.jsonl")
    assert calibrated(run, "--labels", file, "--split", "anchor")["look"] is None
    assert not (project / ".rftj" / "ledger.jsonl").exists()


def test_the_gate_pays_too_and_frozen_only_reads(project: Path) -> None:
    rules = project / "rules.yaml"
    rules.write_text(RULES)
    arguments = ("--labels", project / "labels.jsonl", "--rules", rules)
    assert rftj("gate", project / "one", *arguments, "--frozen").code == 0
    assert not (project / ".rftj" / "ledger.jsonl").exists()
    assert rftj("gate", project / "one", *arguments).code == 0
    assert rftj("gate", project / "two", *arguments, "--frozen").code == 0
    assert len((project / ".rftj" / "ledger.jsonl").read_text().splitlines()) == 1
    frozen = look(project, "two", "--frozen")
    assert frozen["look"] == {  # type: ignore[comparison-overlap]
        "number": 2, "charged": False, "recorded": False, "ledger": str(project / ".rftj" / "ledger.jsonl"),
    }  # fmt: skip


def test_an_error_in_the_question_costs_no_look(project: Path) -> None:
    refused("calibrate", project / "one", "--labels", project / "labels.jsonl", "--split", "test", "--metric", "csat")
    refused("calibrate", project / "one", "--labels", project / "nothing.jsonl", "--split", "test")
    assert not (project / ".rftj" / "ledger.jsonl").exists()


@pytest.mark.parametrize(
    "text", ["split: test\nmin: {nosuch: .5}\n", "split: test\ncriteria: {nosuch: {min: {kappa: .5}}}\n"]
)
def test_rules_that_fit_nothing_cost_no_look(project: Path, text: str) -> None:
    (project / "gate.yaml").write_text(text)
    gate = ("gate", project / "one", "--labels", project / "labels.jsonl", "--rules", project / "gate.yaml")
    assert refused(*gate)["file"] == str(project / "gate.yaml")
    assert not (project / ".rftj" / "ledger.jsonl").exists()
    (project / "gate.yaml").write_text(RULES)
    assert succeed(*gate, "--json").document["look"]["charged"]


def test_an_unknown_slice_and_a_rows_file_that_exists_cost_no_look(project: Path) -> None:
    asked = ("calibrate", project / "one", "--labels", project / "labels.jsonl", "--split", "test")
    refused(*asked, "--rows", project / "labels.jsonl")
    refused(*asked, "--by", "prmpt")
    assert not (project / ".rftj" / "ledger.jsonl").exists()


def test_a_judge_that_comes_between_takes_the_earlier_look(project: Path) -> None:
    """What is claimed in the end is paid for at the number that was charged, not at the one that was read before."""
    run, question = open_run(str(project / "one")), Question(labels=str(project / "labels.jsonl"), split="test")
    report = calibrate(run, question, accept=lambda _: look(project, "two"))
    assert report.look is not None and (report.look.number, report.look.charged) == (2, True)
    assert report.level == pytest.approx(0.9924, abs=1e-4)
    assert "99.24%" in report.criteria["quality"].estimates["tnr"].method


def test_a_project_has_one_ledger_also_from_a_folder_inside(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look(project, "one")
    (project / "sub").mkdir()
    monkeypatch.chdir(project / "sub")
    assert look(project, "two")["look"]["number"] == 2  # type: ignore[index]
    assert not (project / "sub" / ".rftj").exists()


def test_a_ledger_that_was_tampered_with_stops_the_claim(project: Path) -> None:
    look(project, "one")
    ledger = project / ".rftj" / "ledger.jsonl"
    ledger.write_text(ledger.read_text() + "{}\n")
    error = refused("calibrate", project / "two", "--labels", project / "labels.jsonl", "--split", "test")
    assert error["row"] == 2 and "git" in error["hint"]


def test_frozen_belongs_to_a_run(home: Path) -> None:
    table = write_rows(home / "t.jsonl", [{"j": "pass", "h": "pass"}])
    error = refused("calibrate", "--table", table, "--judge", "j", "--human", "h", "--frozen")
    assert "--frozen belongs to a run" in error["message"]
    assert json.dumps(error) and os.path.exists(table)
