"""Verdicts and rewards again from stored replies: what works without a call, what is refused, and what stays as it is."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from making import LEVELS, pair_data, some_rows, write_rows, write_rubric
from reporting import calibrated, refused, reply_of, rftj, scored, succeed, truth_labels
from scoring import Project, outcomes

from rftj_cli.files.runs import open_run, read_manifest
from rftj_cli.files.store import Store
from rftj_cli.files.store_rows import ReplyRow
from rftj_cli.kernel.outcome import CallError, Reply
from rftj_cli.testing import FakeJudgeServer

JUDGE = {"model": "replay:recorded"}
SCALE = [{"id": "quality", "question": "Is it good?", "scale": LEVELS}]


def voted(folder: Path, votes: Mapping[str, Sequence[Any]], **changes: Any) -> Path:
    """A run in which each sample got these votes; "" is a call that the service broke off."""
    count = max(map(len, votes.values()))
    replies = [
        {"id": id, "vote": vote, **({"text": None, "stop": "error"} if level == "" else {"text": reply_of(level)})}
        for id, levels in votes.items()
        for vote, level in enumerate(levels)
    ]
    judge = {**JUDGE, "votes": count, **changes.pop("judge", {})}
    return scored(folder, dict.fromkeys(votes), replies=replies, judge=judge, **changes)


def again(run: Path, *arguments: object) -> dict[str, Any]:
    return succeed("rescore", run, *arguments, "--json").document


def verdicts(document: Mapping[str, Any]) -> dict[str, str]:
    return outcomes(open_run(document["run"]))


def rewards(run: str) -> list[float | None]:
    store = open_run(run).store()
    return [row.reward.value for _, row in store.outcomes()]


def test_fewer_votes_are_counted_again_without_a_call(home: Path) -> None:
    run = voted(home, {"s0": ["pass", "pass", "fail", "fail", "fail"], "s1": ["pass"] * 5})
    assert outcomes(open_run(str(run))) == {"s0": "fail", "s1": "pass"}
    done = again(run, "--set", "judge.votes=3")
    assert verdicts(done) == {"s0": "pass", "s1": "pass"}
    assert done["verdicts"] == {"compared": 2, "changed": 1, "moved": 0}
    assert done["rewards"]["changed"] == 1 and done["rewards"]["before"]["mean"] == 0.5
    assert [flip["before"] for flip in done["worst"][0]["flips"]] == ["fail"]
    assert done["rubric"]["changed"] == ["judge.votes: 5 -> 3"]
    store = open_run(done["run"]).store()
    assert store.count("replies") == 6 and store.spent() == (0.0, 0, 0, 0)


def test_ties_and_means_of_votes_are_settled_again(home: Path) -> None:
    run = voted(home, {"s0": ["vague", "ready"], "s1": ["ready", "ready"]}, criteria=SCALE)
    assert outcomes(open_run(str(run)))["s0"] == "unparsed"
    worst = again(run, "--set", "judge.votes_tie=worst")
    assert verdicts(worst) == {"s0": "vague", "s1": "ready"}
    assert worst["failures"] == {"mended": 1, "new": 0, "other_stage": 0}
    assert worst["worst"][0]["before_failure"] == "unparsed"
    assert verdicts(again(run, "--set", "judge.vote=mean")) == {"s0": "usable", "s1": "ready"}


def test_other_values_of_the_levels_move_values_and_no_levels(home: Path) -> None:
    run = scored(home, {"s0": "usable", "s1": "ready"}, criteria=SCALE)
    assert rewards(str(run)) == [0.5, 1.0]
    levels = [{"level": level, "value": value} for level, value in zip(LEVELS, (0, 1, 10), strict=True)]
    rubric = write_rubric(home, "new.yaml", judge=JUDGE, criteria=[{**SCALE[0], "scale": levels}])
    done = again(run, "--rubric", rubric)
    assert done["verdicts"] == {"compared": 2, "changed": 0, "moved": 2} and rewards(done["run"]) == [0.1, 1.0]


def test_a_mean_that_leaves_the_level_is_counted_as_moved(home: Path) -> None:
    run = voted(home, {"s0": ["usable", "usable", "ready"]}, criteria=SCALE)
    done = again(run, "--set", "judge.vote=mean")
    assert done["verdicts"] == {"compared": 1, "changed": 0, "moved": 1} and done["rewards"]["changed"] == 1


def test_another_parser_reads_the_same_replies(home: Path) -> None:
    parse = {"regex": "Verdict: (\\w+)", "map": {"good": "pass", "bad": "fail"}}
    replies = [{"id": "s0", "text": "Verdict: good\nFinal: bad"}, {"id": "s1", "text": "Final: good"}]
    run = scored(home, {"s0": None, "s1": None}, replies=replies, parse=parse)
    assert outcomes(open_run(str(run))) == {"s0": "pass", "s1": "unparsed"}
    rubric = write_rubric(home, "new.yaml", judge=JUDGE, parse={**parse, "regex": "Final: (\\w+)"})
    done = again(run, "--rubric", rubric)
    assert verdicts(done) == {"s0": "fail", "s1": "pass"}
    assert done["failures"]["mended"] == 1
    assert done["run"].startswith("runs/tested-"), "the default folder of the new judge"
    back = again(Path(done["run"]), "--rubric", home / "run.yaml", "--run", "back")
    assert back["failures"] == {"mended": 0, "new": 1, "other_stage": 0}
    assert back["worst"][0]["sample"] == "s1", "what is lost stands first"


REWARDS = [
    ({"criteria": [{"id": "a", "question": "?", "weight": 3}, {"id": "b", "question": "?"}]}, [0.75, 0.25]),
    ({"criteria": [{"id": "a", "question": "?"}, {"id": "b", "question": "?", "essential": True}]}, [0.0, 0.5]),
    ({"reward": {"combine": "all_pass"}}, [0.0, 0.0]),
    ({"reward": {"combine": "minimum"}}, [0.0, 0.0]),
    ({"reward": {"range": [-1, 1]}}, [0.0, 0.0]),
    ({"checks": [{"id": "short", "type": "max_words", "max": 1, "weight": 2}]}, [0.25, 0.25]),
    ({"checks": [{"id": "short", "type": "max_words", "max": 1, "essential": True}]}, [0.0, 0.0]),
]


@pytest.mark.parametrize(("change", "expected"), REWARDS)
def test_a_change_of_the_reward_costs_nothing(home: Path, change: dict[str, Any], expected: list[float]) -> None:
    criteria = [{"id": "a", "question": "?"}, {"id": "b", "question": "?"}]
    run = scored(home, {"s0": {"a": "pass", "b": "fail"}, "s1": {"a": "fail", "b": "pass"}}, criteria=criteria)
    assert rewards(str(run)) == [0.5, 0.5]
    rubric = write_rubric(home, "new.yaml", **{"judge": JUDGE, "criteria": criteria, **change})
    done = again(run, "--rubric", rubric)
    assert rewards(done["run"]) == expected and done["rewards"]["after"]["mean"] == sum(expected) / 2


def test_the_reward_of_failures_is_set_again(home: Path) -> None:
    run = scored(home, {"s0": "pass", "s1": None})
    assert rewards(str(run)) == [1.0, None]
    done = again(run, "--set", "reward.on_failure={service: error, content: 0}")
    assert rewards(done["run"]) == [1.0, 0.0]
    assert (done["rewards"]["before"]["without"], done["rewards"]["after"]["without"]) == (1, 0)


def test_items_are_combined_again(home: Path) -> None:
    items = {"path": "$.parts", "id": "n", "combine": "mean", "empty": "error"}
    criteria = [{"id": "quality", "question": "?", "on": "item"}]
    rows = [
        {"id": "s0", "response": json.dumps({"parts": [{"n": "x"}, {"n": "y"}]})},
        {"id": "s1", "response": json.dumps({"parts": []})},
    ]
    replies = [{"id": "s0", "item": "x", "text": reply_of("pass")}, {"id": "s0", "item": "y", "text": reply_of("fail")}]
    about = {"criteria": criteria, "prompt": {"user": "{{ response }} {{ item }}"}}
    run = scored(home, {}, rows=rows, replies=replies, items=items, **about)
    assert rewards(str(run)) == [0.5, None]
    new = write_rubric(home, "new.yaml", judge=JUDGE, items={**items, "combine": "minimum", "empty": "pass"}, **about)
    done = again(run, "--rubric", new)
    assert rewards(done["run"]) == [0.0, 1.0]
    assert done["skipped"] == {"before": 1, "after": 0} and done["failures"]["mended"] == 0


def test_failed_calls_stay_the_failures_that_they_are(home: Path) -> None:
    run = voted(home, {"s0": ["", "", "pass"], "s1": ["", "pass", "pass"], "s2": ["pass", "fail", ""]})
    before = {row.sample: row.outcome for _, row in open_run(str(run)).store().outcomes()}
    done = again(run)
    after = {row.sample: row.outcome for _, row in open_run(done["run"]).store().outcomes()}
    assert before == after
    assert outcomes(open_run(done["run"])) == {"s0": "call", "s1": "pass", "s2": "unparsed"}
    assert done["samples_changed"] == 0 and done["worst"] == []
    twice = again(Path(done["run"]))
    assert {row.sample: row.outcome for _, row in open_run(twice["run"]).store().outcomes()} == before


def test_a_failed_call_that_was_mended_later_counts_as_mended(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.sqlite", write=True)
    answers: list[Reply | CallError] = [
        CallError("throttled", "once"), Reply("first"), Reply("second"), CallError("timeout", "later")
    ]  # fmt: skip
    store.write([ReplyRow("k", "s0", None, "given", 0, "quality", one, None, False) for one in answers])
    store.write([ReplyRow("k", "s1", None, "given", 0, "quality", answers[0], None, False)])
    store.write([ReplyRow("k", "s1", None, "given", 0, "quality", answers[3], None, False)])
    assert store.answer("s0", "k") == Reply("first")
    failed = store.answer("s1", "k")
    assert isinstance(failed, CallError) and (failed.stage, failed.reason) == ("timeout", "later")
    assert store.answer("s2", "k") is None
    assert store.answer_at("s0", None, "given", 0, "quality") == Reply("first")
    assert store.answer_at("s0", "item", "given", 0, "quality") is None


MISSES = [
    ("prompt.user=Other {{ response }}", "prompt.user"),
    ("judge.model=replay:other", "judge.model: 'replay:recorded' -> 'replay:other'"),
    ("judge.votes=2", "judge.votes: 1 -> 2"),
    ("judge.temperature=1", "judge.temperature: 0.0 -> 1"),
    ("judge.calls=per_criterion", "judge.calls"),
]


@pytest.mark.parametrize(("change", "named"), MISSES)
def test_what_asks_for_another_request_is_refused(home: Path, change: str, named: str) -> None:
    criteria = [{"id": "a", "question": "?"}, {"id": "b", "question": "?"}]
    run = scored(home, {f"s{i}": {"a": "pass", "b": "fail"} for i in range(3)}, criteria=criteria)
    error = refused("rescore", run, "--set", change)
    assert "about sample s0 and 2 others" in error["problem"] and named in error["problem"]
    assert "rftj score" in error["hint"]
    assert not (home / "runs").exists(), "nothing is written"


def test_a_check_that_no_longer_spares_a_call_needs_one(home: Path) -> None:
    checks = [{"id": "short", "type": "max_words", "max": 1, "essential": True}]
    run = scored(home, {"s0": "pass"}, checks=checks)
    assert outcomes(open_run(str(run))) == {"s0": "skipped"}
    error = refused("rescore", run, "--set", "checks=[]")
    assert "sample s0" in error["problem"] and "checks" in error["problem"]


def test_an_undefined_name_is_found_before_anything_is_written(home: Path) -> None:
    run = scored(home, {"s0": "pass"})
    error = refused("rescore", run, "--rubric", write_rubric(home, "new.yaml", prompt={"user": "{{ respons }}"}))
    assert error["problem"].startswith("sample s0: ") and error["file"].endswith("new.yaml")
    assert not (home / "runs").exists()


def test_a_rubric_of_another_kind_is_refused(home: Path) -> None:
    run = scored(home, {"s0": "pass"})
    (home / "pair.yaml").write_text(json.dumps(pair_data()))
    error = refused("rescore", run, "--rubric", home / "pair.yaml")
    assert (error["key"], error["found"], error["expected"]) == ("kind", "'preference'", "rubric")


def test_orders_of_a_comparison_are_counted_again(home: Path) -> None:
    rows = [{"id": "s0", "response_a": "x", "response_b": "y"}]
    both = [{"id": "s0", "order": order, "text": '{"preference": "A"}'} for order in ("given", "swapped")]
    run = scored(home, {}, rows=rows, replies=both, **{**pair_data(), "criteria": None, "judge": JUDGE})
    assert outcomes(open_run(str(run))) == {"s0": "tie"}
    assert verdicts(again(run, "--set", "orders=given")) == {"s0": "A"}


def state(folder: Path) -> dict[str, str]:
    """The content of a run's files; what SQLite lays beside a store that is read is none of it."""
    files = [one for one in folder.rglob("*") if one.is_file() and one.suffix not in (".sqlite-shm", ".sqlite-wal")]
    return {str(one): hashlib.sha256(one.read_bytes()).hexdigest() for one in files}


def test_the_run_itself_is_never_changed_and_new_folders_have_clear_names(home: Path) -> None:
    run = scored(home, {"s0": "pass"})
    before = state(run)
    names = [again(run, "--set", "reward.combine=minimum")["run"] for _ in range(3)]
    assert names[0].startswith("runs/tested-")
    assert names[1:] == [str(home / "run-rescored"), str(home / "run-rescored-2")]
    assert state(run) == before
    first = state(home / "run-rescored")
    assert refused("rescore", run, "--run", run)["key"] == "--run"
    assert refused("rescore", run, "--run", home / "run-rescored")["key"] == "--run"
    assert refused("rescore", run, "--run", run / "inside")["key"] == "--run"
    assert state(run) == before and state(home / "run-rescored") == first
    (home / "mine").mkdir()
    (home / "mine" / "notes.txt").write_text("mine")
    assert refused("rescore", run, "--run", home / "mine")["key"] == "--run"
    assert sorted(one.name for one in (home / "mine").iterdir()) == ["notes.txt"]


def test_a_run_named_from_within_gets_no_folder_inside_itself(home: Path) -> None:
    run = scored(home, {"s0": "pass"})
    before = state(run)
    os.chdir(run)
    assert again(Path("."))["run"] == str(home.resolve() / "run-rescored")
    assert state(run) == before


def test_a_run_in_its_default_folder_is_not_written_over(home: Path) -> None:
    rubric = write_rubric(home, judge=JUDGE)
    samples = write_rows(home / "samples.jsonl", some_rows(2))
    replies = write_rows(home / "r.jsonl", [{"id": f"s{i}", "text": reply_of("pass")} for i in range(2)])
    run = succeed("score", rubric, samples, "--import-replies", replies, "--json").document["run"]
    assert again(Path(run))["run"] == f"{run}-rescored"
    assert again(Path("@last"))["run"] == f"{run}-rescored-rescored"


def test_the_samples_file_may_be_gone(home: Path) -> None:
    run = scored(home, {"s0": "pass", "s1": "fail"})
    (home / "run.jsonl").unlink()
    (home / "run.yaml").unlink()
    assert verdicts(again(run)) == {"s0": "pass", "s1": "fail"}


def test_the_new_run_is_a_run_as_any(home: Path) -> None:
    run = voted(home, {f"s{i}": ["pass", "fail", "fail"] if i % 2 else ["pass"] * 3 for i in range(20)})
    done = again(run, "--set", "judge.votes=1")
    assert read_manifest(Path(done["run"])).source == f"rescore of {run}"  # type: ignore[union-attr]
    labels = truth_labels(home, {f"s{i}": "fail" if i % 2 else "pass" for i in range(20)})
    assert calibrated(done["run"], "--labels", labels)["criteria"]["quality"]["table"] == [[0, 10], [0, 10]]
    (home / "gate.yaml").write_text("min: {agreement: 0.9}\n")
    assert rftj("gate", done["run"], "--labels", labels, "--rules", home / "gate.yaml").code == 1
    rubric = write_rubric(home, "one.yaml", judge={**JUDGE, "votes": 1})
    more = succeed("score", rubric, home / "run.jsonl", "--run", done["run"], "--json").document
    assert more["this_command"]["judged"] == 0 and more["counts"]["judged"] == 20


def test_failures_of_the_service_are_tried_again_in_the_new_run(project: Project) -> None:
    project.change(judge={"model": "openai:fake", "votes": 3})
    project.rows(some_rows(2))
    old = project.score(run="old")
    store = Store(old.run.folder / "store.sqlite", write=True)
    rows = [one for _, one in store.outcomes()]
    asked = project.server.requests
    store.close()
    done = again(old.run.folder, "--set", "judge.votes=1", "--run", "new")
    assert verdicts(done) == {row.sample: "pass" for row in rows}
    project.rows(some_rows(3))
    project.change()
    project.score(run="new")
    assert project.server.requests == asked + 1, "only the new sample is asked"


def test_votes_that_were_never_asked_are_not_missing(home: Path, server: FakeJudgeServer) -> None:
    rubric = write_rubric(home, judge={"model": "openai:fake", "votes": 5})
    samples = write_rows(home / "samples.jsonl", some_rows(3))
    succeed("score", rubric, samples, "--base-url", server.base_url, "--adaptive-votes", "--run", "run")
    assert open_run("run").store().count("replies") == 9
    done = again(Path("run"), "--set", "reward.combine=all_pass")
    assert set(verdicts(done).values()) == {"pass"}
    error = refused("rescore", "run", "--set", "judge.vote=mean")
    assert "sample s0 and 2 others" in error["problem"]
    assert "sample s0" in refused("rescore", "run", "--set", "judge.votes=7")["problem"]


def test_a_run_that_is_not_complete_stays_so(home: Path) -> None:
    run = scored(home, {"s0": "pass", "s1": "fail", "s2": "pass", "s3": "pass"})
    part = succeed(
        "score", home / "run.yaml", home / "run.jsonl", "--replay", run, "--sample", 2, "--run", "part", "--json"
    )
    assert part.document["status"] == "partial"
    done = again(Path("part"))
    assert (done["status"], done["counts"]["samples"], done["counts"]["judged"]) == ("partial", 4, 2)
    assert read_manifest(Path(done["run"])).selections == read_manifest(Path("part")).selections  # type: ignore[union-attr]


def test_samples_that_the_store_cannot_keep_to_the_letter_keep_their_replies(home: Path) -> None:
    table = pyarrow.table({"id": ["s0", "s1"], "response": ["x", "y"], "day": [datetime(2026, 1, 2, 3, 4)] * 2})
    pyarrow.parquet.write_table(table, home / "samples.parquet")
    rubric = write_rubric(home, judge=JUDGE, prompt={"user": "{{ day }} {{ response }}"})
    replies = write_rows(home / "r.jsonl", [{"id": f"s{i}", "text": reply_of("pass")} for i in range(2)])
    succeed("score", rubric, home / "samples.parquet", "--import-replies", replies, "--run", "run")
    assert verdicts(again(Path("run"))) == {"s0": "pass", "s1": "pass"}
    error = refused("rescore", "run", "--set", "prompt.user='{{ day }}: {{ response }}'")
    assert "about sample s0 and 1 others" in error["problem"]


def test_what_is_printed_holds_no_text_of_samples(home: Path) -> None:
    rows = [{"id": f"s{i}", "response": f"SECRET {i}"} for i in range(12)]
    run = scored(home, {f"s{i}": "pass" if i % 2 else None for i in range(12)}, rows=rows)
    change = ("--set", "reward.on_failure={service: error, content: 0}", "--set", "reward.range=[0, 2]")
    for options in ((), ("--markdown",), ("--json",)):
        said = succeed("rescore", run, *change, *options)
        assert "SECRET" not in said.out + said.err
    plain = succeed("rescore", run, *change)
    assert "12 changed; mean 1.00 -> 1.00; without one: 6 -> 0" in plain.out
    assert "Changed most (10 of 12 samples)" in plain.out
    assert plain.err.startswith("next: rftj calibrate ")
    assert succeed("rescore", run, "--quiet").err == ""


@pytest.mark.parametrize(
    ("arguments", "says"), [(("nowhere",), "no such run"), (("run", "--rubric", "no.yaml"), "rubric")]
)
def test_bad_input_is_refused(home: Path, arguments: tuple[str, ...], says: str) -> None:
    scored(home, {"s0": "pass"})
    assert says in refused("rescore", *arguments)["message"]
    assert not (home / "runs").exists()


def test_a_changed_reward_leaves_the_place_of_the_old_rubric_free(home: Path) -> None:
    run = scored(home, {"s0": "pass", "s1": "fail", "s2": "pass"})
    done = again(run, "--set", "reward.combine=all_pass")
    changed = open_run(done["run"]).manifest
    name = f"quality-{changed.judge_fingerprint[:8]}-{changed.reward_fingerprint[:8]}"
    assert Path(done["run"]).name == name.replace("quality", str(changed.rubric["name"]))
    truth_labels(home, {"s0": "pass", "s1": "fail", "s2": "fail"})
    replies = home / "run-replies.jsonl"
    old = ("score", home / "run.yaml", home / "run.jsonl", "--import-replies", replies, "--quiet")
    succeed(*old)  # the old rubric into its default folder
    said = rftj(
        "diff-prompts", home / "run.yaml", done["run"], home / "run.jsonl", "--labels", home / "labels.jsonl",
        "--split", "all", "--json",
    )  # fmt: skip
    assert said.code in (0, 3) and "schema" in said.document, said.err
