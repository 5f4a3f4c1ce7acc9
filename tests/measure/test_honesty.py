"""What a report rests on is said: failures, skipped samples, unfinished runs, clusters that are labelled."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from making import write_rows
from reporting import binary, calibrated, refused, rftj, scored, truth_labels

from rftj_cli.files.runs import read_manifest, write_manifest


def test_a_failed_sample_is_not_used_even_where_its_failure_has_a_reward(home: Path) -> None:
    truth, verdicts = binary([[10, 2], [3, 25]])
    some = {id: None if index < 8 else verdict for index, (id, verdict) in enumerate(verdicts.items())}
    run = scored(home, some, reward={"on_failure": {"content": 0}})
    report = calibrated(run, "--labels", truth_labels(home, truth))
    assert report["counts"]["used"] == 32 and report["counts"]["labelled"] == 40


def test_both_readings_of_the_reward_are_given_where_failures_have_one(home: Path) -> None:
    rows = [{"id": f"s{i}", "group": f"g{i // 2}", "prompt": "q", "response": f"r{i}"} for i in range(40)]
    truth = {f"s{i}": "pass" if i % 2 else "fail" for i in range(40)}
    verdicts = {id: None if id in ("s1", "s3", "s5") else level for id, level in truth.items()}
    run = scored(home, verdicts, rows=rows, reward={"on_failure": {"content": 0}})
    report = calibrated(run, "--labels", truth_labels(home, truth))
    estimates = report["reward"]["estimates"]
    assert estimates["pair_accuracy"]["value"] == (17 + 1.5) / 20  # three good answers count 0, as bad ones do
    assert estimates["pair_accuracy_verdicts_alone"]["value"] == 1.0
    assert any("1.000 without them" in text for text in report["warnings"])


def test_clusters_are_counted_where_there_are_labels(home: Path) -> None:
    rows = [{"id": f"s{i}", "group": f"g{i // 4}", "prompt": "q", "response": f"r{i}"} for i in range(200)]
    run = scored(home, {f"s{i}": "pass" if i % 3 else "fail" for i in range(200)}, rows=rows)
    report = calibrated(run, "--labels", truth_labels(home, {f"s{i}": "pass" if i % 3 else "fail" for i in range(16)}))
    assert (report["counts"]["groups"], report["counts"]["clusters"]) == (4, 4)
    assert any("only 4 independent clusters" in text for text in report["warnings"])


def test_a_skewed_judge_is_not_excused_by_the_labels(home: Path) -> None:
    truth, verdicts = binary([[3, 47], [0, 94]])
    report = calibrated(scored(home, verdicts), "--labels", truth_labels(home, truth))
    assert "quality: the judge says pass to 98%, the most frequent label is on 65%" in report["warnings"]
    assert not any("kappa says little" in text for text in report["warnings"])


def test_a_gate_does_not_pass_what_mostly_failed(home: Path) -> None:
    truth, verdicts = binary([[60, 0], [0, 60]])
    some = {id: verdict if index % 3 else None for index, (id, verdict) in enumerate(verdicts.items())}
    run = scored(home, some)
    (home / "gate.yaml").write_text("min: {kappa: 0.5}\n")
    said = rftj("gate", run, "--labels", truth_labels(home, truth), "--rules", home / "gate.yaml", "--json")
    assert said.code == 1
    assert [one["estimate"] for one in said.document["rulings"] if one["decision"] == "FAIL"] == ["failures"]


def test_a_gate_does_not_pass_an_unfinished_run(home: Path) -> None:
    truth, verdicts = binary([[60, 0], [0, 60]])
    run = scored(home, verdicts)
    manifest = read_manifest(run)
    assert manifest is not None
    write_manifest(run, replace(manifest, status="running", counts={"samples": 500, "judged": 0}))
    (home / "gate.yaml").write_text("min: {kappa: 0.5}\n")
    said = rftj("gate", run, "--labels", truth_labels(home, truth), "--rules", home / "gate.yaml", "--json")
    assert said.code == 3
    assert any("380 samples not judged yet" in (one["note"] or "") for one in said.document["rulings"])


def test_samples_that_a_check_settles_are_no_failures_of_the_judge(home: Path) -> None:
    rows = [{"id": f"s{i}", "prompt": f"q{i}", "response": "word " * (9 if i < 30 else 1)} for i in range(100)]
    verdicts = {f"s{i}": "pass" if i % 2 else "fail" for i in range(100)}
    check = [{"id": "short", "type": "max_words", "max": 5, "essential": True}]
    run = scored(home, verdicts, rows=rows, checks=check)
    (home / "gate.yaml").write_text("min: {kappa: 0.5}\nmax_failures: 0.01\n")
    labelled = truth_labels(home, verdicts)
    assert rftj("gate", run, "--labels", labelled, "--rules", home / "gate.yaml").code == 0
    assert calibrated(run, "--labels", labelled)["criteria"]["quality"]["failed"] == 0


def test_slices_of_too_many_values_are_refused_and_missing_fields_are_a_slice(home: Path) -> None:
    rows = [{"id": f"s{i}", "prompt": "q", "response": f"r{i}", "n": str(i)} for i in range(250)]
    rows[3] = {**rows[3], "kind": "a"}
    verdicts = {f"s{i}": "pass" if i % 2 else "fail" for i in range(250)}
    run, labelled = scored(home, verdicts, rows=rows), truth_labels(home, verdicts)
    assert "too many values" in refused("calibrate", run, "--labels", labelled, "--by", "n")["message"]
    assert set(calibrated(run, "--labels", labelled, "--by", "kind")["slices"]["kind"]) == {"(none)", "a"}
    assert "no sample has such a field" in refused("calibrate", run, "--labels", labelled, "--by", "knd")["message"]


def test_a_row_is_compared_with_a_judge_and_not_with_itself(home: Path) -> None:
    table = write_rows(home / "t.jsonl", [{"h": 1, "j": 1}, {"h": 2, "j": 2}])
    assert "the same column" in refused("calibrate", "--table", table, "--human", "h", "--judge", "h")["message"]


def test_judge_values_beyond_all_labels_are_warned_of(home: Path) -> None:
    rows = [{"h": 1 + i % 4, "j": -1 if i % 9 == 0 else 1 + i % 4} for i in range(60)]
    table = write_rows(home / "t.jsonl", rows)
    report = json.loads(rftj("calibrate", "--table", table, "--human", "h", "--judge", "j", "--json").out)
    assert any("-1" in text and "--no-verdict" in text for text in report["warnings"])
