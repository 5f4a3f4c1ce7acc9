"""`--rows FILE`: written whole or not at all, over nothing that is there, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pandas
import pytest
from making import write_rubric
from reporting import labels, refused, rftj, scored, succeed, truth_labels

from rftj_cli.files.escapes import restored


@pytest.mark.parametrize(
    "name", ["labels.jsonl", "run.jsonl", "linked.jsonl", "run/new.jsonl", "old.csv", ".rftj/ledger.jsonl"]
)
def test_nothing_that_is_there_is_overwritten(home: Path, name: str) -> None:
    """Not the inputs, not the run, and no other file either, such as the ledger or labels by hand."""
    run, file = scored(home, {"s0": "pass", "s1": "fail"}), truth_labels(home, {"s0": "pass", "s1": "fail"})
    (home / "linked.jsonl").symlink_to(file)
    (home / "old.csv").write_text("labels by hand")
    (home / ".rftj").mkdir(exist_ok=True)
    (home / ".rftj" / "ledger.jsonl").write_text("")
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    problem = refused("calibrate", run, "--labels", file, "--rows", home / name)["problem"]
    assert problem in ("this file exists; nothing is overwritten", "--rows would write into the run")
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before


def test_rows_leave_nothing_beside_them(home: Path) -> None:
    run, file = scored(home, {"s0": "pass"}), truth_labels(home, {"s0": "pass"})
    before = sorted(home.iterdir())
    succeed("calibrate", run, "--labels", file, "--rows", home / "rows.csv")
    assert (home / "rows.csv").read_text().startswith('"id",')
    assert sorted(home.iterdir()) == sorted([*before, home / "rows.csv"])


def test_a_refused_question_writes_no_rows(home: Path) -> None:
    """Else the corrected command would be refused as well, since the file is there."""
    rows = [{"id": f"s{i}", "response": f"r{i}", "n": str(i)} for i in range(250)]
    run = scored(home, {f"s{i}": "pass" for i in range(250)}, rows=rows)
    file = truth_labels(home, {f"s{i}": "pass" for i in range(250)})
    error = refused("calibrate", run, "--labels", file, "--by", "n", "--rows", home / "rows.csv")
    assert "too many values" in error["problem"] and not (home / "rows.csv").exists()


def test_a_place_that_is_no_file_is_refused(home: Path) -> None:
    run, file = scored(home, {"s0": "pass"}), truth_labels(home, {"s0": "pass"})
    (home / "folder.csv").mkdir()
    for name in ("folder.csv", "nowhere/rows.csv", f"{'x' * 300}.csv"):
        said = rftj("calibrate", run, "--labels", file, "--rows", home / name)
        assert said.code in (2, 3) and "Traceback" not in said.err, said.err


def test_no_cell_is_a_formula(home: Path) -> None:
    reason = {"s0": '=HYPERLINK("http://e")', "s1": "-1", "s2": "@SUM(A1)"}
    replies = [
        {"id": id, "text": json.dumps({"quality": {"level": "pass", "reason": said}})} for id, said in reason.items()
    ]
    rows = [{"id": id, "response": "r", "=slice": "+1+1"} for id in reason]
    run = scored(home, {}, rows=rows, replies=replies)
    file = labels(home, [{"id": id, "value": "pass"} for id in reason])
    succeed("calibrate", run, "--labels", file, "--by", "=slice", "--rows", home / "rows.csv")
    with (home / "rows.csv").open(newline="") as written:
        found = list(csv.DictReader(written))
    assert [one["reason"] for one in found] == ['\'=HYPERLINK("http://e")', "-1", "'@SUM(A1)"]
    assert {one["'=slice"] for one in found} == {"'+1+1"}


def test_rows_of_hostile_reasons_are_the_rows_that_pandas_reads(home: Path) -> None:
    """A carriage return in a reason split a row in two, the second of them `=1+1`."""
    reasons = [
        "a\r=1+1",
        "a\r\nb",
        "nul\x00",
        "\u202egnp",
        "x\u2028y",
        "\ufeffz",
        '"',
        "=cmd|' /C calc'!A0",
        "y" * 40_000,
    ]
    ids = [f"s{number}" for number in range(len(reasons))]
    replies = [
        {"id": id, "text": json.dumps({"quality": {"level": "pass", "reason": reason}})}
        for id, reason in zip(ids, reasons, strict=True)
    ]
    run = scored(home, {}, rows=[{"id": id, "response": "r"} for id in ids], replies=replies)
    file = truth_labels(home, dict.fromkeys(ids, "pass"))
    for name in ("rows.csv", "rows.jsonl"):
        succeed("calibrate", run, "--labels", file, "--rows", home / name)
    kept = [json.loads(line)["reason"] for line in (home / "rows.jsonl").read_text().split("\n") if line]
    found = pandas.read_csv(home / "rows.csv")
    assert [*found["id"]] == ids and len((home / "rows.csv").read_text().splitlines()) == len(ids) + 1
    assert [restored(text) for text in found["reason"]] == kept
    assert not any(text.startswith("=") for column in found for text in found[column].map(str))


def test_labels_of_another_rubric_keep_its_levels(home: Path) -> None:
    """The run rates 1 to 10, the labels pass or fail: the rows show what the labels say, not a level of the run."""
    run = scored(
        home,
        {"s0": {"quality": 7}, "s1": {"quality": 2}},
        criteria=[{"id": "quality", "question": "Good?", "scale": {"min": 1, "max": 10}}],
    )
    truth = write_rubric(home, "truth.yaml")
    labelled = truth_labels(home, {"s0": "pass", "s1": "fail"})
    succeed("calibrate", run, "--labels", labelled, "--truth-rubric", truth, "--rows", home / "rows.jsonl")
    rows = [json.loads(line) for line in (home / "rows.jsonl").read_text().splitlines()]
    assert [(row["truth"], row["verdict"]) for row in rows] == [("pass", "7"), ("fail", "2")]


def test_the_rows_of_a_table(home: Path) -> None:
    """One row per row of the table and judge, with what each rater said."""
    (home / "t.csv").write_text(
        "id,r1,r2,a,b,g\nx,pass,pass,pass,fail,1\n,fail,pass,fail,,1\nz,cannot_tell,fail,fail,fail,\n"
    )
    options = ("--judge", "a", "--judge", "b", "--human", "r1", "--human", "r2", "--group", "g", "--rows")
    succeed("calibrate", "--table", home / "t.csv", *options, home / "rows.csv")
    with (home / "rows.csv").open() as file:
        rows = [list(row.values()) for row in csv.DictReader(file)]
    assert rows == [
        ["x", "a", "pass", "pass", "1", "pass", "pass"],
        ["row 3", "a", "", "fail", "1", "fail", "pass"],
        ["z", "a", "fail", "fail", "", "", "fail"],
        ["x", "b", "pass", "fail", "1", "pass", "pass"],
        ["row 3", "b", "", "", "1", "fail", "pass"],
        ["z", "b", "fail", "fail", "", "", "fail"],
    ]
    assert "exists" in refused("calibrate", "--table", home / "t.csv", *options, home / "rows.csv")["problem"]
