"""What a calibration says of slices, clusters, failures, votes, comparisons, rewards, baselines and rows."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from making import write_rubric
from reporting import binary, calibrated, labels, refused, scored, succeed, truth_labels

TABLE = [[12, 8], [5, 35]]


def estimates(report: dict[str, Any], criterion: str = "quality") -> dict[str, Any]:
    found: dict[str, Any] = report["criteria"][criterion]["estimates"]
    return found


def same(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Equal figures; the notes may differ."""
    for key in ("value", "low", "high", "n"):
        assert one[key] == other[key] or math.isclose(one[key], other[key]), (key, one, other)


def test_each_slice_is_the_calibration_of_that_slice_alone(home: Path) -> None:
    truth, verdicts = binary(TABLE)
    rows = [{"id": id, "response": id, "domain": "abc"[i % 3]} for i, id in enumerate(truth)]
    run = scored(home, verdicts, rows=rows)
    sliced = calibrated(run, "--labels", truth_labels(home, truth), "--by", "domain")["slices"]["domain"]
    assert set(sliced) == set("abc")
    for value, part in sliced.items():
        alone = {row["id"] for row in rows if row["domain"] == value}
        file = truth_labels(home, {id: level for id, level in truth.items() if id in alone}, f"{value}.jsonl")
        whole = estimates(calibrated(run, "--labels", file))
        assert part["quality"]["n"] == len(alone)
        for name, one in part["quality"]["estimates"].items():
            same(one, whole[name])


def test_the_numbers_of_a_slice_stand_beside_the_n_they_rest_on(home: Path) -> None:
    """Of 12 labels, 2 samples failed; 3 of the other 10 pass, so `tpr` rests on 3, `tnr` on 7 and kappa on 10."""
    truth = {f"s{i}": "pass" if i in (0, 4, 5, 6) else "fail" for i in range(12)}
    verdicts = {id: None if id in ("s0", "s1") else level for id, level in truth.items()}
    rows = [{"id": id, "prompt": f"p {id}", "response": f"r {id}", "kind": "all"} for id in truth]
    run = scored(home, verdicts, rows=rows)
    said = succeed("calibrate", run, "--labels", truth_labels(home, truth), "--by", "kind", "--full").out
    heads, cells = (line.split() for line in said[said.index("Slices by kind") :].splitlines()[1:3])
    assert heads == ["tpr", "n", "tnr", "n", "kappa", "n"]
    assert [cells[index] for index in (4, 8, 12)] == ["3", "7", "10"]


def test_a_slice_by_an_unknown_field_names_the_nearest(home: Path) -> None:
    truth, verdicts = binary([[1, 0], [0, 1]])
    run = scored(home, verdicts, rows=[{"id": id, "response": id, "domain": "x"} for id in truth])
    error = refused("calibrate", run, "--labels", truth_labels(home, truth), "--by", "domian")
    assert error["key"] == "domian" and error["hint"] == "did you mean `domain`?"


def test_intervals_allow_for_clusters(home: Path) -> None:
    truth, verdicts = binary(TABLE)
    alone = [{"id": id, "response": id, "group": f"g{i}"} for i, id in enumerate(truth)]
    tied = [{**row, "cluster": f"c{i // 4}"} for i, row in enumerate(alone)]
    file = truth_labels(home, truth)
    plain = calibrated(scored(home, verdicts, rows=alone, name="plain"), "--labels", file)
    clustered = calibrated(scored(home, verdicts, rows=tied, name="tied"), "--labels", file)
    assert (plain["counts"]["clusters"], clustered["counts"]["clusters"]) == (60, 15)
    for name in ("kappa", "agreement", "tpr", "mcc"):
        one, other = estimates(plain)[name], estimates(clustered)[name]
        assert one["value"] == other["value"]
        assert other["high"] - other["low"] > one["high"] - one["low"], name
        assert "deff" in other["method"]


def test_a_perfect_table_keeps_a_width(home: Path) -> None:
    truth, verdicts = binary([[15, 0], [0, 15]])
    found = estimates(calibrated(scored(home, verdicts), "--labels", truth_labels(home, truth)))
    for name in ("kappa", "agreement", "tpr", "tnr", "ac1", "balanced_accuracy"):
        assert found[name]["value"] == 1 and found[name]["low"] < 0.95, name


def test_kappa_of_labels_that_are_all_one_class_is_null_and_said(home: Path) -> None:
    truth, verdicts = binary([[0, 0], [0, 50]])
    report = calibrated(scored(home, verdicts), "--labels", truth_labels(home, truth))
    kappa = estimates(report)["kappa"]
    assert (kappa["value"], kappa["low"], kappa["high"]) == (None, None, None)
    assert "one class" in kappa["note"]
    assert estimates(report)["tnr"]["value"] is None and estimates(report)["mcc"]["value"] is None
    assert any("every label is pass" in text for text in report["warnings"])


def test_failures_are_read_in_both_ways_and_counted(home: Path) -> None:
    truth = {f"s{i}": "pass" for i in range(8)} | {"s8": "fail", "s9": "fail"}
    verdicts = {id: ("pass" if i < 6 else "fail") for i, id in enumerate(truth)}
    verdicts |= {"s0": None, "s9": None}  # right so far: s1..s5, s8; wrong: s6, s7; failed: s0, s9
    report = calibrated(scored(home, verdicts), "--labels", truth_labels(home, truth))
    found = estimates(report)
    assert found["agreement"]["value"] == 6 / 8 and found["agreement"]["n"] == 8
    assert found["agreement_failures_wrong"]["value"] == 6 / 10 and found["agreement_failures_wrong"]["n"] == 10
    assert found["coverage"]["value"] == 8 / 10
    assert report["counts"] | {"samples": 10, "judged": 8, "failed": 2, "labelled": 10, "used": 8} == report["counts"]
    assert any("2 of 10 labelled samples have no verdict (2 unparsed)" in text for text in report["warnings"])


def test_votes_that_are_not_unanimous_are_flips(home: Path) -> None:
    votes = {"s0": "ppp", "s1": "ppf", "s2": "fff", "s3": "pff"}
    level = {"p": "pass", "f": "fail"}
    replies = [
        {"id": id, "vote": vote, "text": json.dumps({"quality": level[said]})}
        for id, cast in votes.items()
        for vote, said in enumerate(cast)
    ]
    rows = [{"id": id, "response": id} for id in votes]
    judge = {"model": "replay:recorded", "votes": 3, "temperature": 1}
    run = scored(home, votes, rows=rows, replies=replies, judge=judge)
    truth = {"s0": "pass", "s1": "pass", "s2": "fail", "s3": "fail"}
    found = estimates(calibrated(run, "--labels", truth_labels(home, truth)))
    assert found["flips"]["value"] == 2 / 4 and found["flips"]["n"] == 4
    assert found["agreement"]["value"] == 1


def pair_run(home: Path, cast: dict[str, tuple[str | None, str | None]]) -> Path:
    """A preference run; a verdict names the place, as the judge sees it: (in the order given, in the swapped one)."""
    rows = [{"id": id, "prompt": id, "response_a": f"{id} a", "response_b": f"{id} b"} for id in cast]
    replies = [
        {"id": id, "order": order, "text": "?" if said is None else json.dumps({"preference": said})}
        for id, both in cast.items()
        for order, said in zip(("given", "swapped"), both, strict=True)
    ]
    prompt = {"user": "{{ response_a }} {{ response_b }}"}
    return scored(home, {}, rows=rows, replies=replies, kind="preference", criteria=None, prompt=prompt)


def test_comparisons_by_hand(home: Path) -> None:
    run = pair_run(
        home,
        {
            "p0": ("A", "B"),  # A in both orders
            "p1": ("A", "A"),  # the first place: a tie
            "p2": ("B", "A"),  # B in both
            "p3": ("A", None),  # one reply failed: no verdict
            "p4": ("tie", "tie"),
            "p5": ("B", "A"),  # B in both
        },
    )
    truth = {"p0": "A", "p1": "B", "p2": "A", "p3": "A", "p4": "tie", "p5": "B"}
    report = calibrated(run, "--labels", truth_labels(home, truth))
    assert report["criteria"]["preference"]["table"] == [[1, 0, 1], [0, 1, 0], [0, 1, 1]]
    found = estimates(report, "preference")
    # Winners over the pairs with both replies: p0 same, p1 not, p2 same, p4 same, p5 same.
    assert found["order_agreement"]["value"] == 4 / 5 and found["order_agreement"]["n"] == 5
    assert found["first_place_wins"]["value"] == 1
    # Replies on decided pairs: p0 2 of 2, p1 1 of 2, p2 0 of 2, p3 1 of 1 (and 1 failed), p5 2 of 2.
    assert found["reply_accuracy"]["value"] == pytest.approx(6 / 9) and found["reply_accuracy"]["n"] == 9
    assert found["reply_accuracy_failures_wrong"]["value"] == pytest.approx(6 / 10)
    # Decided pairs with a verdict: p0 right, p1 tie, p2 wrong, p5 right.
    assert found["pair_accuracy"]["value"] == pytest.approx(2.5 / 4)
    assert found["coverage"]["value"] == pytest.approx(5 / 6)
    assert report["reward"] is None


WEIGHED: dict[str, Any] = {
    "criteria": [
        {"id": "sound", "question": "?", "weight": 3, "essential": True},
        {"id": "grade", "question": "?", "weight": 1, "scale": [{"level": "low"}, {"level": "mid"}, {"level": "top"}]},
    ],
    "checks": [{"id": "short", "type": "max_words", "max": 3, "weight": 1}],
}


def test_the_reward_of_the_labels_by_hand(home: Path) -> None:
    texts = {"s0": "one two", "s1": "one two three four", "s2": "one", "s3": "one"}
    rows = [{"id": id, "prompt": "p", "response": text, "group": "g"} for id, text in texts.items()]
    judge = {id: {"sound": "pass", "grade": "top"} for id in texts} | {"s3": None}
    run = scored(home, judge, rows=rows, **WEIGHED)
    told = {"s0": ("pass", "top"), "s1": ("pass", "mid"), "s2": ("fail", "top"), "s3": ("pass", "low")}
    file = labels(home, [{"id": id, "sound": sound, "grade": grade} for id, (sound, grade) in told.items()])
    report = calibrated(run, "--labels", file, "--wide")
    # By the labels: s0 (3 + 1 + 1)/5, s1 (3 + .5 + 0)/5, s2 0 (essential), s3 without a verdict (3 + 0 + 1)/5.
    truth, reward = [1, 0.7, 0], [1, 0.8, 1]
    found = report["reward"]["estimates"]
    assert found["mae"]["value"] == pytest.approx(np.abs(np.subtract(truth, reward)).mean())
    assert found["bias"]["value"] == pytest.approx(np.subtract(reward, truth).mean())
    assert found["coverage"]["value"] == 3 / 4
    # Pairs: s0 > s1 right, s0 > s2 tied, s1 > s2 wrong.
    assert (report["reward"]["pairs"], report["reward"]["right"], report["reward"]["tied"]) == (3, 1, 1)
    assert found["pair_accuracy"]["value"] == pytest.approx(1.5 / 3)
    assert report["reward"]["formula"] == "weighted_mean(3 x sound, 1 x grade, 1 x short) in [0, 1], 0 if sound fails"


def test_labels_that_answer_another_rubric(home: Path) -> None:
    scale = {"min": 1, "max": 10, "step": 1}
    rows = [{"id": f"s{i}", "prompt": "p", "response": f"r{i}", "group": "g"} for i in range(3)]
    run = scored(
        home,
        {"s0": "9", "s1": "3", "s2": "3"},
        rows=rows,
        criteria=[{"id": "quality", "question": "?", "scale": scale}],
    )
    labelled_by = write_rubric(home, "labelled.yaml", criteria=[{"id": "ok", "question": "?"}])
    told = [{"id": f"s{i}", "criterion": "ok", "value": value, "source": "model"} for i, value in enumerate([1, 0, 1])]
    file = labels(home, told)
    assert "--truth-rubric" in refused("calibrate", run, "--labels", file)["hint"]
    report = calibrated(run, "--labels", file, "--truth-rubric", labelled_by)
    assert report["criteria"] == {}
    assert (report["reward"]["pairs"], report["reward"]["right"], report["reward"]["tied"]) == (2, 1, 1)
    assert any("made by a model" in text for text in report["warnings"])


def test_a_score_without_information_gives_a_baseline_near_zero(home: Path) -> None:
    """Cut points and direction come from other folds: a baseline never profits from the labels it is tested on."""
    chance = random.Random(3)
    truth = {f"s{i}": chance.choice(["fail", "pass"]) for i in range(400)}
    rows = [{"id": id, "prompt": id, "response": "x " * chance.randint(1, 500)} for id in truth]
    run = scored(home, dict(truth), rows=rows)
    one = calibrated(run, "--labels", truth_labels(home, truth))["criteria"]["quality"]
    kappas = {b["name"]: b["estimates"]["kappa"]["value"] for b in one["baselines"]}
    assert kappas["majority"] == pytest.approx(0, abs=1e-9)
    assert abs(kappas["length"]) < 0.12


def test_a_baseline_that_knows_the_labels_is_found_and_warned_of(home: Path) -> None:
    truth, verdicts = binary(TABLE)
    rows = [{"id": id, "prompt": id, "response": "x " * (50 if truth[id] == "pass" else 1) + id} for id in truth]
    report = calibrated(scored(home, verdicts, rows=rows), "--labels", truth_labels(home, truth))
    length = next(b for b in report["criteria"]["quality"]["baselines"] if b["name"] == "length")
    assert length["estimates"]["kappa"]["value"] == 1
    assert any("a rule without a judge (length) agrees as well" in text for text in report["warnings"])


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.parquet"])
def test_the_joined_rows_can_be_counted_again(home: Path, name: str) -> None:
    truth, verdicts = binary(TABLE)
    file = truth_labels(home, truth)
    succeed("calibrate", scored(home, {**verdicts, "s0": None}), "--labels", file, "--rows", home / name)
    read = {"csv": pandas.read_csv, "parquet": pandas.read_parquet}.get(name.split(".")[1])
    table = pandas.read_json(home / name, lines=True) if read is None else read(home / name)
    counted = table.groupby(["truth", "verdict"]).size().to_dict()
    assert counted == {("fail", "fail"): 11, ("fail", "pass"): 8, ("pass", "fail"): 5, ("pass", "pass"): 35}
    assert table.loc[table["id"] == "s0", "failure"].tolist() == ["unparsed"]
    assert set(table["label_anna"]) == {"pass", "fail"}


@pytest.mark.parametrize("name", ["rows.txt", "nowhere/rows.csv"])
def test_rows_that_cannot_be_written_are_refused(home: Path, name: str) -> None:
    run = scored(home, {"s0": "pass"})
    assert (
        "--rows" in refused("calibrate", run, "--labels", truth_labels(home, {"s0": "pass"}), "--rows", name)["problem"]
    )


def test_a_partial_run_says_so(home: Path) -> None:
    run = scored(home, {"s0": "pass", "s1": "pass"})
    manifest = json.loads((run / "run.json").read_text())
    manifest["status"], manifest["counts"]["samples"] = "partial", 5
    (run / "run.json").write_text(json.dumps(manifest))
    report = calibrated(run, "--labels", truth_labels(home, {"s0": "pass"}))
    assert "this run is not complete: 3 samples not judged yet" in report["warnings"]


def test_criteria_of_the_samples_with_two_scales_under_one_id_are_refused(home: Path) -> None:
    scale = [{"level": "a"}, {"level": "b"}]
    own = [[{"id": "own", "question": "?"}], [{"id": "own", "question": "?", "scale": scale}]]
    rows = [{"id": f"s{i}", "response": "r", "criteria": criteria} for i, criteria in enumerate(own)]
    verdicts = {"s0": {"quality": "pass", "own": "pass"}, "s1": {"quality": "pass", "own": "b"}}
    run = scored(home, verdicts, rows=rows)
    file = labels(home, [{"id": "s0", "criterion": "quality", "value": "pass"}])
    assert "another scale" in refused("calibrate", run, "--labels", file)["problem"]


def test_the_same_seed_gives_the_same_bytes(home: Path) -> None:
    truth, verdicts = binary(TABLE)
    run, file = scored(home, verdicts), truth_labels(home, truth)
    one, two, other = (succeed("calibrate", run, "--labels", file, "--json", "--seed", seed).out for seed in (7, 7, 8))
    assert one == two and "seed 7" in one
    assert other != one
