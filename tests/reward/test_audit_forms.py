"""The forms of `rftj reward audit`: a run, or a rubric and samples; references, rollouts and a second run beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from auditing import Made, audit, audited, decisions, finding, noisy, rollouts_file, simulated
from making import write_rows, write_rubric
from reporting import labels, refused, reply_of, rftj, scored, succeed

from rftj_cli.files.rubrics import load_rubric
from rftj_cli.files.samples import SampleFile
from rftj_cli.reward.audit_references import as_responses, written
from rftj_cli.testing import FakeJudgeServer


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder, in which `runs/` and import bindings are made."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def project(folder: Path, *, beaten: int = 0, references: bool = True, **changes: Any) -> tuple[Path, Path, Path]:
    """(rubric, samples, replies): 40 prompts of 4 answers with a reference each; `beaten` references fail."""
    rubric = write_rubric(folder, **{"judge": {"model": "replay:recorded"}, **changes})
    rows, replies = [], []
    for prompt in range(40):
        for answer in range(4):
            id = f"p{prompt}-{answer}"
            row = {
                "id": id,
                "prompt": f"task {prompt}",
                "response": f"answer {id}",
                "label": ("fail", "pass")[answer % 2],
            }
            rows.append({**row, "reference": {"b": prompt, "a": "best"}} if references else row)
            replies.append({"id": id, "text": reply_of(("fail", "pass")[answer % 2])})
        replies.append({"id": f"p{prompt}-0-reference", "text": reply_of("fail" if prompt < beaten else "pass")})
    return rubric, write_rows(folder / "samples.jsonl", rows), write_rows(folder / "replies.jsonl", replies)


def test_a_rubric_and_samples_are_judged_with_their_references(folder: Path) -> None:
    """The references are judged as responses into a run of their own beside the first, which stays @last."""
    rubric, samples, replies = project(folder)
    found = audit(rubric, samples, "--import-replies", replies, "--run", folder / "runs" / "x").document
    assert (folder / "runs" / "x-references" / "run.json").exists()
    assert decisions(found)["references"] == "PASS" and found["references"]["compared"] == 40
    assert found["quality"]["estimates"]["pair_accuracy_by_group"]["value"] == 1.0
    assert found["references"]["where_labelled"]["n"] == 40
    again = audit(folder / "runs" / "x").document  # the run alone finds them
    assert again["references"] == found["references"] and again["verdict"] == found["verdict"]
    assert audit("@last").document["run"]["folder"] == "runs/x"


def test_references_that_lose_fail_the_judge(folder: Path) -> None:
    """A judge that gives most references less than an answer of their prompt does not know the best answer."""
    rubric, samples, replies = project(folder, beaten=20)
    found = audit(rubric, samples, "--import-replies", replies).document
    assert decisions(found)["references"] == "FAIL"
    assert found["references"]["beaten"][0] == "p0-0" and len(found["references"]["beaten"]) == 20


def test_references_that_are_not_judged_are_said_to_be_so(folder: Path) -> None:
    """A run whose samples carry references asks for them; one whose samples carry none does not."""
    rubric, samples, replies = project(folder)
    succeed("score", rubric, samples, "--import-replies", replies, "--run", "plain", "--quiet")
    found = audit("plain").document
    assert decisions(found)["references"] == "NOT MEASURED" and "--references" in finding(found, "references")["do"]
    project(folder, references=False)
    (folder / "other").mkdir()
    rubric, samples, replies = project(folder / "other", references=False)
    succeed("score", rubric, samples, "--import-replies", replies, "--run", "bare", "--quiet")
    assert "references" not in decisions(audit("bare").document)


def test_recorded_replies_without_the_references_leave_them_open(folder: Path) -> None:
    rubric, samples, replies = project(folder)
    kept = [json.loads(line) for line in replies.read_text().splitlines()]
    write_rows(replies, [one for one in kept if not one["id"].endswith("-reference")])
    found = audit(rubric, samples, "--import-replies", replies).document
    assert decisions(found)["references"] == "NOT MEASURED"
    assert "p0-0-reference" in finding(found, "references")["do"]


def test_a_reference_that_is_an_object_is_canonical_json(folder: Path) -> None:
    """One reference a task, in the group of its sample; keys sorted."""
    rubric, samples, _ = project(folder)
    held = as_responses(load_rubric(rubric), SampleFile(samples, "rubric"))
    assert len(held.rows) == 40
    first = held.rows[0][1]
    assert first.id == "p0-0-reference" and first.fields["response"] == '{"a":"best","b":0}' and not first.labels
    assert written("  ") is None and written(None) is None and written("text") == "text" and written(4) == "4"


def test_rollouts_of_a_file_are_judged_and_decide_what_needs_no_labels(folder: Path) -> None:
    """Base rates and variance are those of the rollouts where there are some; the samples stand beside them."""
    rubric, samples, replies = project(folder, references=False)
    rollouts, more = rollouts_file(folder, [[True] * 8] * 90)
    both = folder / "both.jsonl"
    both.write_text(replies.read_text() + more.read_text())
    found = audit(rubric, samples, "--import-replies", both, "--rollouts", rollouts, "--run", "r").document
    said = decisions(found)
    assert said["mean_reward"] == "FAIL" and said["zero_variance"] == "FAIL" and found["verdict"] == "FAIL"
    assert finding(found, "mean_reward")["on"] == "rollouts" and said["pair_accuracy"] == "PASS"
    assert found["rollouts"]["answers"] == 720 and found["signal"]["answers"] == 160
    assert found["signal"]["estimates"]["mean_reward"]["value"] == 0.5
    again = audit("r", "--rollouts", "r-rollouts").document
    assert again["findings"] == found["findings"]


def test_rollouts_that_are_gone_from_the_file_do_not_count(folder: Path) -> None:
    """The run of the rollouts keeps all that were judged; the audit counts those of the file."""
    rubric, samples, replies = project(folder, references=False)
    rollouts, more = rollouts_file(folder, [[True, False]] * 10)
    replies.write_text(replies.read_text() + more.read_text())
    audit(rubric, samples, "--import-replies", replies, "--rollouts", rollouts, "--run", "r")
    kept = rollouts.read_text().splitlines()[:8]
    rollouts.write_text("\n".join(kept) + "\n")
    found = audit(rubric, samples, "--import-replies", replies, "--rollouts", rollouts, "--run", "r").document
    assert found["rollouts"]["answers"] == 8


def test_a_live_judge_is_asked_for_everything(folder: Path) -> None:
    """Samples, references and rollouts go through the same runner, at the base URL that is given."""
    rubric, samples, _ = project(folder, judge={"model": "openai:fake"})
    rollouts, _ = rollouts_file(folder, [[True, True]] * 5)
    with FakeJudgeServer() as server:
        found = audit(rubric, samples, "--rollouts", rollouts, "--base-url", server.base_url, "--workers", 4).document
        assert len(server.bodies) == 160 + 40 + 10
    assert found["references"]["compared"] == 40


def test_a_second_run_measures_noise(folder: Path) -> None:
    """Flips of each criterion, rewards that change, reliability and what votes would buy."""
    made = simulated(folder, noisy(0.9, 0.9), votes=1)
    replies = [json.loads(line) for line in (folder / "run-replies.jsonl").read_text().splitlines()]
    for index, one in enumerate(replies):
        if index % 4 == 0:
            one["text"] = reply_of("fail" if "pass" in one["text"] else "pass")
    write_rows(folder / "again.jsonl", replies)
    other = ("score", folder / "run.yaml", folder / "run.jsonl", "--import-replies", folder / "again.jsonl")
    succeed(*other, "--run", folder / "again", "--quiet")
    found = audited(made, "--repeat", folder / "again")
    assert found["noise"]["on"] == "repeat" and found["noise"]["flips"]["value"] == 0.25
    assert decisions(found)["flips"] == "WEAK" and found["noise"]["rewards_changed"]["value"] == 0.25
    assert found["noise"]["components"]["icc"]["value"] < 0.7 and found["noise"]["worth"]["enough"] > 1


def test_the_same_audit_gives_the_same_bytes(folder: Path) -> None:
    made = simulated(folder, noisy(0.9, 0.9), prompts=20)
    assert audit(made.run, "--labels", made.labels).out == audit(made.run, "--labels", made.labels).out


def test_a_look_at_test_is_charged_once_and_not_for_what_is_refused(folder: Path) -> None:
    """`--split test` is entered in the ledger as by calibrate; --frozen only counts; bad options cost no look."""
    (folder / ".git").mkdir()
    made = simulated(folder, noisy(0.95, 0.95), prompts=60)
    ledger = folder / ".rftj" / "ledger.jsonl"
    refused("reward", "audit", made.run, "--labels", made.labels, "--split", "test", "--repeat", made.run)
    audit(made.run, "--labels", made.labels, "--split", "test", "--frozen")
    assert not ledger.exists()
    found = audit(made.run, "--labels", made.labels, "--split", "test").document
    assert len(ledger.read_text().splitlines()) == 1 and found["look"]["number"] == 1 and found["split"] == "test"
    audit(made.run, "--labels", made.labels, "--split", "test")
    assert len(ledger.read_text().splitlines()) == 1


def made_run(folder: Path) -> Made:
    return simulated(folder, noisy(0.9, 0.9), prompts=6, size=4, votes=1)


def test_bad_input_is_refused_in_words(folder: Path) -> None:
    """Each is exit 2 with what was found and what was expected."""
    made = made_run(folder)
    run = ("reward", "audit", made.run)
    other = scored(folder, {"a": "pass"}, name="other", prompt={"user": "Another: {{ response }}"})
    assert "no such run" in refused("reward", "audit", "nowhere")["problem"]
    assert refused("reward", "audit", folder / "run.yaml")["expected"] == "RUN, or RUBRIC SAMPLES"
    assert refused("reward", "audit", "a", "b", "c")["problem"] == "what is to be audited?"
    for option in ("--rollouts", "--references", "--repeat"):
        found = refused(*run, option, other)
        assert option in found["problem"] and "prompt" in found["problem"]
        assert "no such run" in refused(*run, option, "nowhere")["problem"]
        assert "the run itself" in refused(*run, option, made.run)["problem"]
    assert "judged already" in refused(*run, "--model", "openai:x")["problem"]
    assert "judged already" in refused(*run, "--max-cost", "1")["problem"]
    assert "--rollouts" in refused(*run, "--rollouts", folder / "run.jsonl")["problem"]
    assert refused(*run, "--split", "tset")["problem"]
    empty = labels(folder, [], "empty.jsonl")
    assert "is empty" in refused(*run, "--labels", empty)["problem"]
    strange = labels(folder, [{"id": "stranger", "value": "pass"}], "strange.jsonl")
    refused(*run, "--labels", strange)
    assert "no label matches" in refused(*run, "--labels", strange, "--ignore-unknown")["problem"]
    for size in ("1", "0", "-3", "nan", "2000"):
        assert rftj(*run, "--group-size", size).code == 2
    (folder / "bad.jsonl").write_text('{"id": "p0-0", "value": NaN}\n')
    refused(*run, "--labels", folder / "bad.jsonl")


def test_a_preference_rubric_is_refused(folder: Path) -> None:
    """It gives no reward to one response; nothing is judged to find that out."""
    changes: dict[str, Any] = {
        "kind": "preference",
        "criteria": None,
        "prompt": {"user": "{{ response_a }} {{ response_b }}"},
    }
    rubric = write_rubric(folder, judge={"model": "replay:recorded"}, **changes)
    samples = write_rows(folder / "pairs.jsonl", [{"id": "a", "prompt": "p", "response_a": "x", "response_b": "y"}])
    assert "preference" in refused("reward", "audit", rubric, samples)["problem"]
    replies = write_rows(folder / "r.jsonl", [
        {"id": "a", "order": order, "text": json.dumps({"preference": "A"})} for order in ("given", "swapped")
    ])  # fmt: skip
    succeed("score", rubric, samples, "--import-replies", replies, "--run", "pairs", "--quiet", "--max-failures", 1)
    assert "preference" in refused("reward", "audit", "pairs")["problem"]


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_report_fits_the_terminal(folder: Path, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """No line is wider than the terminal, also with everything in it; Markdown and the page hold the verdict."""
    monkeypatch.setenv("COLUMNS", str(columns))
    rubric, samples, replies = project(folder, beaten=4)
    rollouts, more = rollouts_file(folder, [[True, False, True, True]] * 30)
    replies.write_text(replies.read_text() + more.read_text())
    page = folder / "audit.html"
    given = (rubric, samples, "--import-replies", replies, "--rollouts", rollouts, "--run", "r", "--quiet")
    said = rftj("reward", "audit", *given, "--full", "--html", page)
    assert said.code == 3, said.err
    for line in said.out.splitlines():  # a path in a command is never broken
        assert len(line) <= columns or len(line.removesuffix(" \\").split()) == 1, line
    assert "TOO FEW" in said.out and "What to do" in said.out and "answer p0" not in said.out
    assert "INSUFFICIENT DATA" in page.read_text() and "<script" not in page.read_text()
    assert "| --- |" in rftj("reward", "audit", "r", "--markdown").out


def test_every_estimate_of_an_audit_is_explained(folder: Path) -> None:
    """The names that the document holds stand in docs/statistics.md, and its keys in docs/json.md."""
    docs = Path(__file__).resolve().parents[2] / "docs"
    found = audited(simulated(folder, noisy(0.9, 0.9), prompts=12))
    names = {*found["quality"]["estimates"], *found["signal"]["estimates"], *found["quality"]["curve"]["steps"][0]} - {
        "n"
    }
    text = (docs / "statistics.md").read_text()
    assert not [one for one in sorted(names) if f"`{one}`" not in text]
    text = (docs / "json.md").read_text()
    keys = {*found, *found["findings"][0], *found["signal"], *found["noise"], *found["counts"]} - {
        "schema",
        "on",
        "model",
    }
    assert not [one for one in sorted(keys) if f"`{one}`" not in text]
