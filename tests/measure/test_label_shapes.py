"""Labels in the samples, in files, wide, renamed, of items: every shape gives the same truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from making import write_rows
from reporting import calibrated, labels, refused, scored, succeed

VERDICTS = {"s0": "pass", "s1": "fail"}
TABLE = [[1, 0], [0, 1]]
INLINE = [
    ("label", "pass", "fail"),
    ("label", True, False),
    ("label", 1, 0),
    ("label", "Pass", " fail "),
    ("label", {"quality": "pass"}, {"quality": "fail"}),
    ("labels", {"quality": 1}, {"quality": 0}),
    ("labels", [{"rater": "ann", "value": "pass"}], [{"rater": "ann", "criterion": "quality", "value": "fail"}]),
]


def rows(*values: Any, key: str = "label") -> list[dict[str, Any]]:
    return [
        {"id": f"s{i}", "prompt": f"task s{i}", "response": f"answer s{i}", key: value}
        for i, value in enumerate(values)
    ]


def quality(report: dict[str, Any]) -> Any:
    return report["criteria"]["quality"]["table"]


@pytest.mark.parametrize(("key", "good", "bad"), INLINE, ids=str)
def test_labels_in_the_samples(home: Path, key: str, good: Any, bad: Any) -> None:
    assert quality(calibrated(scored(home, VERDICTS, rows=rows(good, bad, key=key)))) == TABLE


def test_labels_may_be_added_to_the_samples_after_the_run(home: Path) -> None:
    run = scored(home, VERDICTS)
    assert "no labels" in refused("calibrate", run)["problem"]
    write_rows(home / "run.jsonl", rows("pass", "pass"))
    assert quality(calibrated(run)) == [[0, 0], [1, 1]]


def test_labels_of_a_changed_text_are_refused(home: Path) -> None:
    run = scored(home, VERDICTS, rows=rows("pass", "fail"))
    changed = rows("pass", "fail")
    changed[1]["response"] = "another answer"
    write_rows(home / "run.jsonl", changed)
    error = refused("calibrate", run)
    assert (error["row"], error["key"]) == (2, "sample_sha") and "another text" in error["problem"]


def test_a_label_of_another_column_is_mapped(home: Path) -> None:
    run = scored(home, VERDICTS, rows=rows("pass", "fail", key="human"))
    assert quality(calibrated(run, "--map", "label=human")) == TABLE
    assert "no column `humam`" in refused("calibrate", run, "--map", "label=humam")["problem"]


@pytest.mark.parametrize("name", ["labels.jsonl", "labels.csv", "labels.parquet"])
def test_a_labels_file_of_each_format(home: Path, name: str) -> None:
    run = scored(home, VERDICTS)
    file = labels(
        home, [{"id": "s0", "rater": "ann", "value": "pass"}, {"id": "s1", "rater": "ann", "value": "fail"}], name
    )
    assert quality(calibrated(run, "--labels", file)) == TABLE


TWO = {"criteria": [{"id": "one", "question": "?"}, {"id": "two", "question": "?"}]}


def test_a_wide_file_has_one_column_a_criterion(home: Path) -> None:
    verdicts = {"s0": {"one": "pass", "two": "fail"}, "s1": {"one": "fail", "two": "fail"}}
    run = scored(home, verdicts, **TWO)
    wide = [{"id": "s0", "rater": "ann", "one": "pass", "two": "fail"}, {"id": "s1", "rater": "ann", "one": "fail"}]
    file = labels(home, wide, "labels.csv")
    report = calibrated(run, "--labels", file, "--wide")
    assert report["criteria"]["one"]["table"] == TABLE
    assert report["criteria"]["two"]["table"] == [[1, 0], [0, 0]]
    error = refused("calibrate", run, "--labels", file)
    assert error["key"] == "one" and "--wide" in error["hint"]


def test_wide_needs_a_labels_file(home: Path) -> None:
    assert "--wide" in refused("calibrate", scored(home, VERDICTS, rows=rows("pass", "fail")), "--wide")["problem"]


def test_columns_of_a_labels_file_are_mapped(home: Path) -> None:
    run = scored(home, VERDICTS)
    file = labels(home, [{"sample": "s0", "verdict": "pass"}, {"sample": "s1", "verdict": "fail"}], "labels.csv")
    assert quality(calibrated(run, "--labels", file, "--map-labels", "id=sample,value=verdict")) == TABLE


def test_map_is_about_the_samples_alone(home: Path) -> None:
    """In a report on a run, whose labels stand in a file of their own, no column of the samples is read."""
    run = scored(home, VERDICTS)
    file = labels(home, [{"sample": "s0", "verdict": "pass"}, {"sample": "s1", "verdict": "fail"}], "labels.csv")
    error = refused("calibrate", run, "--labels", file, "--map", "id=sample,value=verdict")
    assert "--map names columns of the samples" in error["problem"] and error["file"] == str(file)
    assert error["expected"] == "--map-labels id=sample,value=verdict"
    assert "--map-labels" in refused("calibrate", run, "--map-labels", "id=sample")["problem"]


RENAMED = [
    {"key": "s0", "prompt": "task", "answer": "answer s0", "split": "dev"},
    {"key": "s1", "prompt": "task", "answer": "answer s1", "split": "dev"},
]
BOTH = ("check", "score", "refine", "diff-prompts", "reward audit")


@pytest.mark.parametrize("command", BOTH)
def test_samples_and_labels_have_a_map_each(home: Path, command: str) -> None:
    """A column that only the other file has is refused by name of the option that it belongs to."""
    scored(home, VERDICTS)
    samples = str(write_rows(home / "renamed.jsonl", RENAMED))
    file = labels(home, [{"sample": "s0", "value": "pass"}, {"sample": "s1", "value": "fail"}], "other.csv")
    rubric = str(next(iter(home.glob("*.yaml"))))
    sides = (rubric, rubric) if command == "diff-prompts" else (rubric,)
    more = {"score": ("--only", "failing", "--from", "run"), "refine": ("--proposer", "openai:x")}.get(command, ())
    given = (*command.split(), *sides, samples, "--labels", file, *more)
    error = refused(*given, "--map", "id=sample,response=answer")
    assert error["problem"] == "--map names columns of the samples, and only this file has them", error
    assert (error["file"], error["expected"]) == (str(file), "--map-labels id=sample")
    error = refused(*given, "--map", "id=key,response=answer", "--map-labels", "id=key")
    assert "--map-labels names columns of the labels file" in error["problem"], error
    assert (error["file"], error["expected"]) == (samples, "--map id=key")


def test_check_reads_both_files_by_their_maps(home: Path) -> None:
    scored(home, VERDICTS)
    samples = str(write_rows(home / "renamed.jsonl", RENAMED))
    file = labels(home, [{"sample": "s0", "value": "pass"}, {"sample": "s1", "value": "fail"}], "other.csv")
    rubric = str(next(iter(home.glob("*.yaml"))))
    maps = ("--map", "id=key,response=answer", "--map-labels", "id=sample")
    assert succeed("check", rubric, samples, "--labels", file, *maps, "--json").document["labels"] == 2


ITEMS = {
    "items": {"path": "$.comments", "id": "id", "empty": "pass"},
    "criteria": [{"id": "quality", "question": "?", "on": "item"}],
    "prompt": {"user": "{{ item }}"},
}


def response(*ids: str) -> str:
    return json.dumps({"comments": [{"id": id, "text": "t"} for id in ids]})


def test_items_are_labelled_one_by_one(home: Path) -> None:
    given = [{"id": "s0", "response": response("a", "b")}, {"id": "s1", "response": "no JSON"}]
    replies = [
        {"id": "s0", "item": "a", "text": '{"quality": "pass"}'},
        {"id": "s0", "item": "b", "text": '{"quality": "fail"}'},
    ]
    run = scored(home, {}, rows=given, replies=replies, **ITEMS)
    told = [{"id": "s0", "item": item, "value": "pass"} for item in "ab"] + [{"id": "s1", "item": "x", "value": "fail"}]
    report = calibrated(run, "--labels", labels(home, told))
    one = report["criteria"]["quality"]
    assert one["unit"] == "item" and one["table"] == [[0, 0], [1, 1]]
    assert one["failed"] == 0  # the response holds no items: the judge was not asked, so it did not fail
    assert report["run"]["stages"] == {"skipped": 1}
    assert "not put to the judge: 1 sample that a check or the response itself settled" in report["warnings"]
    assert [d["item"] for d in report["disagreements"]] == ["b"]


def test_a_label_of_an_item_that_the_response_does_not_hold_is_refused(home: Path) -> None:
    replies = [{"id": "s0", "item": "first", "text": '{"quality": "pass"}'}]
    run = scored(home, {}, rows=[{"id": "s0", "response": response("first")}], replies=replies, **ITEMS)
    told = [{"id": "s0", "item": "first", "value": "pass"}, {"id": "s0", "item": "frist", "value": "pass"}]
    error = refused("calibrate", run, "--labels", labels(home, told))
    assert (error["row"], error["key"], error["found"]) == (2, "item", "'frist'")
    assert error["hint"] == "did you mean `first`?"
    assert refused("calibrate", run, "--labels", labels(home, [{"id": "s0", "value": "pass"}]))["expected"] == "an item"


def test_two_samples_of_one_id_are_refused_not_counted_twice(home: Path) -> None:
    run = scored(home, VERDICTS, rows=rows("pass", "fail"))
    write_rows(home / "run.jsonl", [*rows("pass", "fail"), rows("pass")[0]])
    error = refused("calibrate", run)
    assert (error["row"], error["key"], error["found"]) == (3, "id", "'s0'") and "row 1" in error["problem"]


def test_samples_that_moved_away(home: Path) -> None:
    run = scored(home, VERDICTS, rows=rows("pass", "fail"))
    (home / "run.jsonl").unlink()
    assert "--labels" in refused("calibrate", run)["hint"]
    file = labels(home, [{"id": "s0", "value": "pass"}])
    assert quality(calibrated(run, "--labels", file)) == [[0, 0], [0, 1]]
