"""Where a run's replies came from, and which run `@last` is: what made no call changes neither."""

from __future__ import annotations

import json
from pathlib import Path

from making import some_rows, write_rows, write_rubric
from reporting import calibrated, refused, reply_of, rftj, scored, succeed, truth_labels

from rftj_cli.files.runs import open_run, read_manifest
from rftj_cli.testing import FakeJudgeServer


def order(home: Path, run: str, *arguments: object) -> None:
    succeed("score", home / "run.yaml", home / "run.jsonl", "--run", run, "--quiet", *arguments)


def live(home: Path, server: FakeJudgeServer) -> str:
    """A finished run by a live judge; its URL."""
    write_rubric(home, "run.yaml", judge={"model": "openai:some-model"})
    write_rows(home / "run.jsonl", some_rows(8))
    order(home, "runs/1", "--base-url", server.base_url)
    return server.base_url


def test_a_command_without_calls_changes_no_source(home: Path, server: FakeJudgeServer) -> None:
    url = live(home, server)
    before = open_run("runs/1").manifest
    order(home, "runs/1")
    order(home, "runs/1", "--base-url", "http://never.example/v1")
    after = open_run("runs/1").manifest
    assert before.source == after.source == f"openai:some-model at {url}" and after.sources == (before.source,)
    assert [one["source"] for one in after.history][1:] == [
        "openai:some-model", "openai:some-model at http://never.example/v1",
    ]  # fmt: skip
    order(home, "runs/2", "--base-url", url)
    assert len(server.bodies) == 8 and open_run("runs/2").manifest.calls == 0


def test_a_host_that_did_not_answer_is_no_source(home: Path, server: FakeJudgeServer) -> None:
    url = live(home, server)
    path = home / "run.jsonl"
    path.write_text(path.read_text() + json.dumps({"id": "new", "response": "another answer"}) + "\n")
    with FakeJudgeServer(api_key="another") as closed:
        said = rftj("score", home / "run.yaml", path, "--run", "runs/1", "--base-url", closed.base_url, "--quiet")
    assert said.code == 3 and open_run("runs/1").manifest.source == f"openai:some-model at {url}"


def test_all_services_that_answered_are_named(home: Path, server: FakeJudgeServer) -> None:
    url = live(home, server)
    path = home / "run.jsonl"
    path.write_text(path.read_text() + json.dumps({"id": "new", "response": "another answer"}) + "\n")
    with FakeJudgeServer(reply_of("pass")) as other:
        order(home, "runs/1", "--base-url", other.base_url)
        source = open_run("runs/1").manifest.source
        assert source == f"openai:some-model at {url} and openai:some-model at {other.base_url}"
    truth_labels(home, {"s0": "pass"})
    assert calibrated("runs/1", "--labels", home / "labels.jsonl", "--ignore-unknown")["run"]["source"] == source


def test_runs_of_older_versions_tell_their_source_by_their_history(home: Path, server: FakeJudgeServer) -> None:
    url = live(home, server)
    path = home / "runs" / "1" / "run.json"
    data = json.loads(path.read_text())
    del data["sources"], data["internal"]
    data["source"] = "openai:some-model"  # as a command without calls left it behind
    path.write_text(json.dumps(data))
    order(home, "runs/2", "--base-url", url)
    assert len(server.bodies) == 8


def test_repeats_of_errors_are_not_the_last_run_and_decide_nothing(home: Path) -> None:
    verdicts = {f"s{i}": "pass" if i % 2 else "fail" for i in range(20)}
    truth_labels(home, {id: "pass" for id in verdicts})
    (home / "runs").mkdir()
    run = scored(home / "runs", verdicts, name="made")
    again = [{"id": id, "vote": vote, "text": reply_of("fail")} for id in verdicts for vote in range(3)]
    (home / "again.jsonl").write_text("".join(json.dumps(one) + "\n" for one in again))
    labels = ("--labels", home / "labels.jsonl")
    succeed("errors", run, *labels, "--rejudge", 3, "--import-replies", home / "again.jsonl", "--split", "all")
    made = run.with_name("made-again-3")
    manifest = read_manifest(made)
    assert manifest is not None and manifest.internal and manifest.by_outcome[0].only == "disagreeing"
    assert open_run("@last").folder.resolve() == run.resolve()
    (home / "rules.yaml").write_text("min: {agreement: 0.1}\n")
    for line in (
        ("gate", made, *labels, "--rules", home / "rules.yaml", "--ignore-unknown"),
        ("diff-prompts", run, made, *labels, "--split", "all"),
        ("reward", "audit", made, *labels, "--ignore-unknown"),
    ):
        found = refused(*line)
        assert found["key"] == "--only" and "chosen by what came out" in found["message"], found


def test_a_run_that_the_user_scores_himself_is_his(home: Path, server: FakeJudgeServer) -> None:
    live(home, server)
    path = home / "runs" / "1" / "run.json"
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, "internal": True}))
    assert refused("calibrate", "@last")["message"].startswith("runs: there is no run yet")
    order(home, "runs/1")
    assert open_run("@last").folder == Path("runs/1")
