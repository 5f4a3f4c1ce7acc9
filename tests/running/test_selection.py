"""Judging a part of the samples: by split, by what came out in other runs, at random; and what the run says of itself."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from making import pair_data, rubric, some_rows, write_rows, write_rubric
from reporting import labels, refused, reply_of, scored, succeed, truth_labels
from scoring import outcomes

from rftj_cli.files.runs import Selection, open_run, read_manifest, write_manifest
from rftj_cli.files.samples import SampleFile
from rftj_cli.kernel.sample import split_of
from rftj_cli.running.selection import Choice, Part, select

VERDICTS = {"s0": "pass", "s1": "fail", "s2": None, "s3": "pass", "s4": "fail"}
TRUTH = {"s0": "pass", "s1": "pass", "s2": "pass", "s3": "fail", "s4": "fail"}


@pytest.fixture
def run(home: Path) -> Path:
    """A run with two wrong verdicts (s1, s3) and one failure (s2), and its labels."""
    truth_labels(home, TRUTH)
    return scored(home, VERDICTS)


def part(home: Path, *arguments: object, name: str = "part") -> dict[str, Any]:
    """A command over a part of the samples of `run`, by another judge that fails everything."""
    rubric = write_rubric(home, "other.yaml", judge={"model": "replay:recorded", "max_tokens": 7})
    replies = write_rows(home / "all.jsonl", [{"id": id, "text": reply_of("fail")} for id in VERDICTS])
    line = ("score", rubric, home / "run.jsonl", "--import-replies", replies, "--run", name, *arguments, "--json")
    return succeed(*line).document


def ids(document: dict[str, Any]) -> list[str]:
    return sorted(outcomes(open_run(document["run"])))


def test_failing_are_those_that_the_labels_contradict(home: Path, run: Path) -> None:
    done = part(home, "--only", "failing", "--from", run, "--labels", home / "labels.jsonl")
    assert ids(done) == ["s1", "s3"]
    assert done["selection"] == {
        "chosen": 2, "of": 5, "only": "failing", "runs": [str(run)], "split": None, "sample": None, "seed": 0,
    }  # fmt: skip


def test_failures_are_samples_without_a_verdict(home: Path, run: Path) -> None:
    assert ids(part(home, "--only", "failures", "--from", run)) == ["s2"]


def test_skipped_samples_are_no_failures(home: Path) -> None:
    checks = [{"id": "short", "type": "max_words", "max": 2, "essential": True}]
    run = scored(home, VERDICTS, rows=[{"id": f"s{i}", "response": "a " * (1 + i)} for i in range(5)], checks=checks)
    assert outcomes(open_run(str(run)))["s4"] == "skipped"
    done = part(home, "--only", "failures", "--from", run)
    assert done["run"] is None and not (home / "part").exists()


def test_flipped_between_two_runs(home: Path, run: Path) -> None:
    other = scored(home, {**VERDICTS, "s0": "fail", "s2": "pass", "s4": None}, name="other-run")
    done = part(home, "--only", "flipped", "--from", run, "--from", other)
    assert ids(done) == ["s0"], "a verdict that is missing on one side is no flip"


def test_flipped_within_a_run_are_votes_that_disagree(home: Path) -> None:
    votes = {
        "s0": ["pass"] * 3,
        "s1": ["pass", "fail", "pass"],
        "s2": ["pass", "fail", None],
        "s3": [None, "pass", "pass"],
    }
    replies = [
        {"id": id, "vote": i, "text": reply_of(one)} for id, these in votes.items() for i, one in enumerate(these)
    ]
    run = scored(home, dict.fromkeys(votes), replies=replies, judge={"model": "replay:recorded", "votes": 3})
    assert outcomes(open_run(str(run)))["s2"] == "unparsed", "a lost majority is a disagreement all the same"
    assert ids(part(home, "--only", "flipped", "--from", run)) == ["s1", "s2"]


def test_flipped_within_a_comparison_are_orders_that_disagree(home: Path) -> None:
    rows = [{"id": f"s{i}", "response_a": "x", "response_b": "y"} for i in range(2)]
    says = {("s0", "given"): "A", ("s0", "swapped"): "A", ("s1", "given"): "A", ("s1", "swapped"): "B"}
    replies = [{"id": id, "order": order, "text": json.dumps({"preference": one})} for (id, order), one in says.items()]
    judge = {"model": "replay:recorded"}
    run = scored(
        home, {}, rows=rows, replies=replies, **{**pair_data(), "name": "run", "criteria": None, "judge": judge}
    )
    line = ("score", home / "run.yaml", home / "run.jsonl", "--replay", run, "--run", "part", "--json")
    assert ids(succeed(*line, "--only", "flipped", "--from", run).document) == ["s0"]


def test_labels_may_stand_in_the_samples(home: Path) -> None:
    rows = [{"id": id, "response": id, "label": TRUTH[id]} for id in VERDICTS]
    run = scored(home, VERDICTS, rows=rows)
    assert ids(part(home, "--only", "failing", "--from", run)) == ["s1", "s3"]


def test_the_truth_rule_counts(home: Path, run: Path) -> None:
    rows = [{"id": id, "rater": rater, "value": value} for id, value in TRUTH.items() for rater in ("anna", "bert")]
    for row in rows:
        if row["rater"] == "bert":
            row["value"] = VERDICTS[row["id"]] or "pass"
    file = labels(home, rows, "two.jsonl")
    assert ids(part(home, "--only", "failing", "--from", run, "--labels", file, "--truth", "anna")) == ["s1", "s3"]
    nothing = part(home, "--only", "failing", "--from", run, "--labels", file, "--truth", "bert", name="none")
    assert nothing["run"] is None and nothing["selection"]["chosen"] == 0


def test_items_and_any_criterion_count(home: Path) -> None:
    criteria = [{"id": "a", "question": "?"}, {"id": "b", "question": "?", "on": "item"}]
    rows = [{"id": f"s{i}", "response": json.dumps(["x", "y"])} for i in range(3)]
    replies = [{"id": f"s{i}", "text": '{"a": "pass"}'} for i in range(3)]
    replies += [{"id": f"s{i}", "item": str(n), "text": '{"b": "pass"}'} for i in range(3) for n in range(2)]
    about = {"criteria": criteria, "items": {"path": "$"}, "prompt": {"user": "{{ response }} {{ item }}"}}
    run = scored(home, {}, rows=rows, replies=replies, **about)
    marks = [{"id": f"s{i}", "criterion": "a", "value": "fail" if i == 0 else "pass"} for i in range(3)]
    marks += [{"id": f"s{i}", "item": "1", "criterion": "b", "value": "fail" if i == 1 else "pass"} for i in range(3)]
    line = ("score", home / "run.yaml", home / "run.jsonl", "--replay", run, "--run", "part", "--json")
    done = succeed(*line, "--only", "failing", "--from", run, "--labels", labels(home, marks))
    assert ids(done.document) == ["s0", "s1"]


def chosen(rows: Sequence[dict[str, Any]], folder: Path, **choice: Any) -> list[str]:
    file = SampleFile(write_rows(folder / "some.jsonl", rows), "rubric")
    found: Part = select(file, rubric(), Choice(**choice), (), None)
    return sorted(sample.id for _, sample in found.samples)


def test_the_random_part_hangs_on_the_seed_and_not_on_the_order_of_the_file(tmp_path: Path) -> None:
    rows = some_rows(200)
    ten = chosen(rows, tmp_path, sample=10, seed=3)
    shuffled = random.Random(0).sample(rows, k=200)
    assert chosen(shuffled, tmp_path, sample=10, seed=3) == ten and len(ten) == 10
    assert chosen(rows, tmp_path, sample=10, seed=4) != ten
    assert set(ten) < set(chosen(rows, tmp_path, sample=20, seed=3)), "a larger part holds the smaller"
    fewer = [row for row in rows if row["id"] in ten or int(row["id"][1:]) % 2]
    assert chosen(fewer, tmp_path, sample=10, seed=3) == ten, "samples that go move no other"


def test_every_sample_has_the_same_chance(tmp_path: Path) -> None:
    rows, counts = some_rows(20), dict.fromkeys((f"s{i}" for i in range(20)), 0)
    for seed in range(400):
        for id in chosen(rows, tmp_path, sample=5, seed=seed):
            counts[id] += 1
    assert all(60 < count < 145 for count in counts.values()), counts  # 100 expected, 5 standard deviations


def test_a_split_is_that_of_the_samples(tmp_path: Path) -> None:
    rows = [{**row, "group": row["id"]} for row in some_rows(50)]
    rows[0]["split"] = "anchor"
    expected = sorted(row["id"] for row in rows[1:] if split_of(row["group"]) == "dev")
    assert chosen(rows, tmp_path, split="dev") == expected
    assert chosen(rows, tmp_path, split="anchor") == ["s0"]


def test_choices_combine(home: Path) -> None:
    verdicts = {f"s{i}": "pass" for i in range(60)}
    rows = [
        {"id": id, "response": id, "split": "dev" if int(id[1:]) < 30 else "test", "label": "fail"} for id in verdicts
    ]
    run = scored(home, verdicts, rows=rows)
    line = ("score", home / "run.yaml", home / "run.jsonl", "--replay", run, "--run", "part", "--json")
    line = (*line, "--only", "failing", "--from", run, "--split", "dev", "--sample", 5, "--seed", 2)
    done = succeed(*line).document
    assert len(ids(done)) == 5 and all(int(id[1:]) < 30 for id in ids(done))
    assert (done["selection"]["split"], done["selection"]["sample"], done["selection"]["seed"]) == ("dev", 5, 2)


def test_a_partial_run_claims_no_more_than_it_judged(home: Path, run: Path) -> None:
    part(home, "--only", "failures", "--from", run)
    manifest = open_run("part").manifest
    assert (manifest.status, manifest.counts["samples"], manifest.counts["judged"]) == ("partial", 5, 1)
    assert manifest.selections == (Selection(1, 5, "failures", (str(run),)),)
    plain = succeed("score", home / "run.yaml", home / "run.jsonl", "--replay", run, "--sample", 3, "--seed", 1, "--run", "few",
                    "--max-failures", 1)  # fmt: skip
    assert re.search(r"^chosen +at most 3 at random \(seed 1\): 3 of 5$", plain.out, re.MULTILINE)
    assert "judged     3 of 5 samples" in plain.out


def test_choices_add_up_until_all_samples_are_judged(home: Path, run: Path) -> None:
    part(home, "--only", "failures", "--from", run)
    more = part(home, "--sample", 2, "--seed", 1)
    assert [one.only for one in open_run("part").manifest.selections] == ["failures", None]
    assert more["status"] == "partial" and more["this_command"]["samples_not_in_file"] == 0
    part(home, "--sample", 2, "--seed", 1)
    assert len(open_run("part").manifest.selections) == 2, "the same choice is told once"
    whole = part(home)
    assert whole["status"] == "complete" and open_run("part").manifest.selections == ()
    part(home, "--only", "failures", "--from", run)
    assert open_run("part").manifest.selections == (), "a run that holds all samples is no part"


def test_a_number_that_leaves_nothing_out_is_no_choice(home: Path, run: Path) -> None:
    done = part(home, "--sample", 50)
    assert done["selection"] is None and done["status"] == "complete"


def test_replies_of_samples_that_were_not_chosen_are_not_called_strangers(home: Path, run: Path) -> None:
    assert part(home, "--sample", 2)["this_command"]["replies_without_sample"] is None
    assert part(home, name="whole")["this_command"]["replies_without_sample"] == 0


def test_manifests_of_before_are_read(home: Path, run: Path) -> None:
    data = json.loads((run / "run.json").read_text())
    del data["selections"]
    (run / "run.json").write_text(json.dumps(data))
    manifest = read_manifest(run)
    assert manifest is not None and manifest.selections == () and manifest.wanted == 5
    write_manifest(run, manifest)
    assert read_manifest(run) == manifest


def test_nothing_left_is_said_and_writes_nothing(home: Path, run: Path) -> None:
    clean = scored(home, {"s0": "pass"}, name="clean")
    line = ("score", home / "clean.yaml", home / "clean.jsonl", "--replay", clean, "--run", "part")
    said = succeed(*line, "--only", "failures", "--from", clean)
    assert said.out == f"nothing to judge: failures of {clean}: 0 of 1\n"
    assert succeed(*line, "--only", "failures", "--from", clean, "--json").document["status"] == "nothing to judge"
    assert not (home / "part").exists()


def test_chosen_samples_that_the_file_lacks_are_told(home: Path, run: Path) -> None:
    rows = [{"id": id, "prompt": f"task {id}", "response": f"answer {id}"} for id in ("s0", "s1")]
    write_rows(home / "few.jsonl", rows)
    said = succeed(
        "score", home / "run.yaml", home / "few.jsonl", "--replay", run, "--run", "part", "--only", "failing",
        "--from", run, "--labels", home / "labels.jsonl", "--ignore-unknown",
    )  # fmt: skip
    assert "1 more that are failing are not in" in said.out and "failing of" in said.out


FAULTS = [
    (("--only", "failing"), "no --from"),
    (("--from", "run"), "--from belongs to --only"),
    (("--only", "failures", "--from", "run", "--from", "run"), "2 --from"),
    (("--only", "flipped", "--from", "run", "--from", "run"), "the same run twice"),
    (("--only", "flipped", "--from", "run"), "nothing in it can disagree"),
    (("--only", "failing", "--from", "rum"), "no such run"),
    (("--only", "failing", "--from", "run.jsonl"), "no such run"),
    (("--only", "wrong", "--from", "run"), "--only"),
    (("--only", "failing", "--from", "run"), "no label is of a sample that this run judged"),
    (("--only", "failing", "--from", "run", "--labels", "no.jsonl"), "no such labels file"),
    (("--only", "failing", "--from", "run", "--labels", "strange.jsonl"), "a label for an unknown sample"),
    (("--only", "failing", "--from", "run", "--labels", "labels.jsonl", "--truth", "ann"), "no label is by this rater"),
    (("--only", "failing", "--from", "run", "--wide"), "--wide describes a labels file"),
    (("--only", "failing", "--from", "elsewhere", "--labels", "labels.jsonl"), "label"),
    (("--only", "failures", "--from", "elsewhere"), "judged none of these samples"),
    (("--only", "failures", "--from", "changed"), "judged other content under this id"),
    (("--only", "flipped", "--from", "run", "--from", "elsewhere"), "no sample in common"),
    (("--only", "flipped", "--from", "run", "--from", "renamed"), "no criterion in common"),
    (("--sample", "0"), "--sample"),
    (("--sample", "-3"), "--sample"),
    (("--split", "dve"), "did you mean `dev`?"),
    (("--split", "anchor"), "no sample is in the split anchor"),
    (("--labels", "labels.jsonl"), "--labels belongs to --only failing and to --watch"),
    (("--only", "failures", "--from", "run", "--truth", "anna"), "--truth belongs"),
]


@pytest.mark.parametrize(("arguments", "says"), FAULTS, ids=[" ".join(one[0]) for one in FAULTS])
def test_bad_choices_are_refused_and_write_nothing(
    home: Path, run: Path, arguments: tuple[str, ...], says: str
) -> None:
    labels(home, [{"id": "nobody", "value": "pass"}], "strange.jsonl")
    if "elsewhere" in arguments:
        scored(home, {"t0": None, "t1": "pass"}, name="elsewhere")
    if "changed" in arguments:
        rows = [{"id": id, "prompt": "task", "response": f"another {id}"} for id in VERDICTS]
        scored(home, {**VERDICTS, "s1": "pass"}, name="changed", rows=rows)
    if "renamed" in arguments:
        other = [{"id": "style", "question": "?"}]
        scored(home, {id: {"style": "pass"} for id in VERDICTS}, name="renamed", criteria=other)
    error = refused("score", home / "run.yaml", home / "run.jsonl", "--replay", run, "--run", "part", *arguments)
    assert says in error["message"]
    assert not (home / "part").exists()
