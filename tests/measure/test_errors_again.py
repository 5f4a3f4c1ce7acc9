"""`rftj errors --rejudge`, `--second` and `--relabel`: what is asked again, what it costs, and what is written."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from making import write_rows, write_rubric
from reporting import refused, rftj, scored, succeed, truth_labels

from rftj_cli.testing import FakeJudgeServer, Faults

PRICES = "date: 2026-11-01\nmodels:\n  openai:fake: {input: 1.0, output: 2.0}\n"


def reply(level: str) -> str:
    return json.dumps({"quality": {"reason": f"it is a {level}", "level": level}})


def project(home: Path, server: FakeJudgeServer, **changes: Any) -> list[object]:
    """12 samples that a live judge passes, of which the labels fail 4; the options that compare the two."""
    rubric = write_rubric(home, **changes)
    rows = [{"id": f"s{i}", "prompt": f"p{i}", "response": f"answer {i}.", "split": "dev"} for i in range(12)]
    samples = write_rows(home / "samples.jsonl", rows)
    succeed("score", rubric, samples, "--run", "runs/mine", "--base-url", server.base_url, "--quiet")
    file = truth_labels(home, {f"s{i}": "fail" if i < 4 else "pass" for i in range(12)})
    return ["runs/mine", "--labels", file, "--base-url", server.base_url]


def errors(*arguments: object) -> dict[str, Any]:
    return succeed("errors", *arguments, "--json").document


def sorts(document: Mapping[str, Any]) -> dict[str, str]:
    return {unit["sample"]: unit["sort"] for unit in document["units"]}


def sometimes(body: dict[str, Any]) -> str:
    """Fails `answer 1` every second time it is asked, passes everything else."""
    if "answer 1." in body["messages"][-1]["content"]:
        asked["answer 1"] += 1
        return reply("fail" if asked["answer 1"] % 2 == 0 else "pass")
    return reply("pass")


asked: Counter[str] = Counter()


def test_nothing_is_asked_unless_the_user_says_so(home: Path, server: FakeJudgeServer) -> None:
    options = project(home, server)
    errors(*options)
    assert server.requests == 12 and [one.name for one in Path("runs").iterdir()] == ["mine"]


def test_only_disagreeing_samples_are_asked_again_and_afresh(home: Path, server: FakeJudgeServer) -> None:
    asked.clear()
    server.rule = sometimes
    options = project(home, server)
    before = server.requests
    found = errors(*options, "--rejudge", 3)
    assert server.requests - before == 12
    texts = Counter(body["messages"][-1]["content"].split("\n")[0] for body in server.bodies[before:])
    assert texts == {f"Judge this: answer {i}.": 3 for i in range(4)}
    assert sorts(found) == {"s0": "stable", "s1": "unstable", "s2": "stable", "s3": "stable"}
    assert found["units"][0]["said"] == {"pass": 4}
    assert found["rejudged"]["run"] == "runs/mine-again-3" and found["rejudged"]["samples"] == 4


def test_what_was_asked_again_is_not_asked_a_third_time(home: Path, server: FakeJudgeServer) -> None:
    options = project(home, server)
    first = errors(*options, "--rejudge", 2)
    before = server.requests
    assert errors(*options, "--rejudge", 2) == first and server.requests == before
    errors(*options, "--rejudge", 3)
    assert server.requests == before + 12, "another number of repeats is a run of its own"


def test_an_interrupted_rejudging_goes_on(home: Path, server: FakeJudgeServer) -> None:
    (home / "prices.yaml").write_text(PRICES)
    options = [*project(home, server), "--prices", home / "prices.yaml", "--rejudge", 5]
    stopped = rftj("errors", *options, "--max-cost", 0.00001)
    assert stopped.code == 3 and "--max-cost" in stopped.err
    assert rftj("errors", *options).code == 0
    said = [body["messages"][-1]["content"].split("\n")[0] for body in server.bodies[12:]]
    assert Counter(said) == {f"Judge this: answer {i}.": 5 for i in range(4)}


def test_the_cost_is_said_before(home: Path, server: FakeJudgeServer) -> None:
    (home / "prices.yaml").write_text(PRICES)
    options = [*project(home, server), "--prices", home / "prices.yaml", "--rejudge", 3]
    said = succeed("errors", *options)
    assert "judging 4 samples with 12 calls" in said.err and "$" in said.err
    assert "3 more replies for each of 4 samples" in said.out
    quiet = succeed("errors", *options, "--quiet")
    assert quiet.err == "" and quiet.out == said.out


def test_samples_are_judged_again_as_they_were_and_not_as_their_file_is_now(
    home: Path, server: FakeJudgeServer
) -> None:
    options = project(home, server)
    write_rows(home / "samples.jsonl", [{"id": f"s{i}", "response": "other text"} for i in range(12)])
    errors(*options, "--rejudge", 1)
    assert {body["messages"][-1]["content"].split("\n")[0] for body in server.bodies[12:]} == {
        f"Judge this: answer {i}." for i in range(4)
    }


def test_replies_that_cannot_be_read_leave_an_error_untold(home: Path, server: FakeJudgeServer) -> None:
    options = project(home, server)
    server.rule = "I would rather not say."
    found = errors(*options, "--rejudge", 3)
    assert set(sorts(found).values()) == {"not repeated"} and found["rejudged"]["lost"] == 12
    assert any("12 ratings could not be had" in warning for warning in found["warnings"])


def test_a_judge_that_is_gone_cannot_tell(home: Path, server: FakeJudgeServer) -> None:
    options = project(home, server)
    server.faults = Faults(rate=1.0, kinds=("401",))
    said = rftj("errors", *options, "--rejudge", 3)
    assert said.code == 3 and "Traceback" not in said.err and said.out == ""


def test_recorded_votes_serve_as_repeats(home: Path) -> None:
    verdicts = {"a": "pass", "b": "pass", "c": "fail", "d": "pass"}
    rows = [{"id": id, "prompt": id, "response": f"answer {id}", "split": "dev"} for id in verdicts]
    run = scored(home, verdicts, rows=rows)
    file = truth_labels(home, {"a": "fail", "b": "fail", "c": "fail", "d": "pass"})
    again = [
        {"id": id, "vote": vote, "text": reply("fail" if (id, vote) == ("b", 1) else "pass")}
        for id in ("a", "b")
        for vote in range(2)
    ]
    recorded = write_rows(home / "again.jsonl", again)
    found = errors(run, "--labels", file, "--rejudge", 2, "--import-replies", recorded)
    assert sorts(found) == {"a": "stable", "b": "unstable"}
    replayed = errors(run, "--labels", file, "--rejudge", 2, "--replay", home / "run-again-2")
    assert sorts(replayed) == sorts(found)


def test_the_replies_of_the_run_itself_are_no_repeat(home: Path) -> None:
    verdicts = {"a": "pass", "b": "pass", "c": "fail"}
    run = scored(home, verdicts)
    file = truth_labels(home, {"a": "fail", "b": "pass", "c": "fail"})
    options = ("errors", run, "--labels", file, "--split", "all", "--rejudge", 1)
    assert "agree with itself" in refused(*options, "--replay", run)["message"]
    assert "agree with itself" in refused(*options, "--import-replies", home / "run-replies.jsonl")["message"]
    assert not (home / "run-again-1").exists()


def suspicious(home: Path) -> list[object]:
    """30 samples with unanimous votes, 6 of them against the label, 4 of these backed by a second judge."""
    ids = [f"s{i:02}" for i in range(30)]
    rows = [{"id": id, "prompt": id, "response": f"answer {id}", "split": "dev"} for id in ids]
    truth = {id: "fail" if i < 12 else "pass" for i, id in enumerate(ids)}
    verdicts = truth | {id: "pass" for id in ids[:6]}
    texts = [{"id": id, "vote": vote, "text": reply(verdicts[id])} for id in ids for vote in range(2)]
    run = scored(home, {}, rows=rows, replies=texts, judge={"model": "replay:recorded", "votes": 2})
    others = truth | {id: "pass" for id in ids[:4]}
    second = scored(home, others, name="other", rows=rows, judge={"model": "replay:another"})
    return [run, "--labels", truth_labels(home, truth), "--second", second]


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_the_queue_hides_suspects_among_as_many_controls(home: Path, ending: str) -> None:
    options, out = suspicious(home), home / f"queue.{ending}"
    found = errors(*options, "--relabel", out)
    suspects = {id for id, sort in sorts(found).items() if sort == "suspected"}
    assert suspects == {"s00", "s01", "s02", "s03"}
    assert found["queue"] == {"file": str(out), "suspected": 4, "controls": 4}
    text = out.read_text()
    rows = (
        [json.loads(line) for line in text.splitlines()]
        if ending == "jsonl"
        else list(csv.DictReader(text.splitlines()))
    )
    assert len(rows) == 8 and suspects < {row["id"] for row in rows}
    assert {row["id"] for row in rows} - suspects <= {f"s{i:02}" for i in range(6, 30)}
    assert all(row["value"] == row["rater"] == "" and row["criterion"] == "quality" for row in rows)
    assert "pass" not in text and "fail" not in text, "neither verdicts nor labels"
    assert len({tuple(sorted(row)) for row in rows}) == 1, "every row has the same columns"
    assert [row["id"] for row in rows] != sorted(row["id"] for row in rows)


def test_the_queue_is_drawn_by_the_seed(home: Path) -> None:
    options = suspicious(home)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        errors(*options, "--relabel", home / f"{name}.jsonl", "--seed", seed)
    a, b, c = ((home / f"{name}.jsonl").read_text() for name in "abc")
    assert a == b != c


def test_the_queue_filled_in_is_a_labels_file(home: Path) -> None:
    options, out = suspicious(home), home / "queue.jsonl"
    errors(*options, "--relabel", out)
    rows = [{**json.loads(line), "value": "pass", "rater": "adjudicated"} for line in out.read_text().splitlines()]
    before = [json.loads(line) for line in (home / "labels.jsonl").read_text().splitlines()]
    both = write_rows(home / "both.jsonl", [*before, *rows])
    found = errors(options[0], "--labels", both)
    assert not {"s00", "s01", "s02", "s03"} & set(sorts(found))


def test_an_existing_queue_stays_and_nothing_is_asked(home: Path, server: FakeJudgeServer) -> None:
    options = project(home, server)
    out = home / "queue.jsonl"
    out.write_text("mine")
    problem = refused("errors", *options, "--rejudge", 3, "--relabel", out)
    assert "nothing is overwritten" in problem["message"] and out.read_text() == "mine"
    assert server.requests == 12


def second_judge(home: Path, **changes: Any) -> tuple[Path, Path, Path]:
    """A run, its labels, and a run beside it that differs by `changes`."""
    verdicts = {"a": "pass", "b": "pass", "c": "fail"}
    rows = [{"id": id, "prompt": id, "response": f"answer {id}", "split": "dev"} for id in verdicts]
    run = scored(home, verdicts, rows=rows)
    said = [{"id": one, "text": reply("pass")} for one in changes.pop("ids", verdicts)]
    other_rows = changes.pop("rows", [row for row in rows if row["id"] in {one["id"] for one in said}])
    other = scored(home, {}, name="other", rows=other_rows, replies=said, **changes)
    return run, truth_labels(home, {"a": "fail", "b": "pass", "c": "fail"}), other


@pytest.mark.parametrize("judge", [{}, {"seed": 7}, {"votes_tie": "worst"}])
def test_the_same_judge_cannot_vouch_for_itself(home: Path, judge: dict[str, Any]) -> None:
    run, file, other = second_judge(home, judge={"model": "replay:recorded", **judge})
    assert "the same judge" in refused("errors", run, "--labels", file, "--second", other)["message"]
    assert "the same judge" in refused("errors", run, "--labels", file, "--second", run)["message"]


def test_another_prompt_of_the_same_model_is_a_second_judge_with_a_warning(home: Path) -> None:
    run, file, other = second_judge(home, prompt={"user": "Judge this well: {{ response }}"})
    found = errors(run, "--labels", file, "--second", other)
    assert found["second"]["same_model"] and any("blind spots" in warning for warning in found["warnings"])


ANOTHER = {"model": "replay:another"}


def test_a_second_judge_that_judged_other_texts_is_refused(home: Path) -> None:
    rows = [{"id": id, "prompt": id, "response": "something else"} for id in "abc"]
    run, file, other = second_judge(home, judge=ANOTHER, rows=rows)
    problem = refused("errors", run, "--labels", file, "--second", other)
    assert "another text" in problem["message"] and problem["found"] == "'a'"


def test_a_second_judge_of_other_samples_or_criteria_is_refused(home: Path) -> None:
    run, file, other = second_judge(home, judge=ANOTHER, ids=["b", "c"])
    assert "none of the samples" in refused("errors", run, "--labels", file, "--second", other)["message"]
    rubric = write_rubric(home, "third.yaml", judge={"model": "length"}, criteria=[{"id": "style", "question": "?"}])
    succeed("score", rubric, home / "run.jsonl", "--run", "third", "--quiet")
    assert "no criterion" in refused("errors", run, "--labels", file, "--second", "third")["message"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--rejudge", "-1"), "--rejudge"),
        (("--rejudge", "26"), "0 to 25"),
        (("--max-cost", "1"), "--max-cost belongs to --rejudge"),
        (("--replay", "runs/x"), "--replay belongs to --rejudge"),
        (("--workers", "4"), "--workers belongs to --rejudge"),
        (("--rejudge", "2", "--replay", "a", "--import-replies", "b"), "exclude each other"),
        (("--rejudge", "2", "--max-cost", "nan"), "--max-cost"),
        (("--rejudge", "2", "--max-cost", "1"), "needs the price"),
        (("--second", "runs/nobody"), "no such run"),
        (("--relabel", "queue.txt"), "--relabel: unknown kind of file"),
        (("--relabel", "nowhere/queue.csv"), "--relabel: no such folder"),
        (("--by", "colour"), "no sample has such a field"),
        (("--truth", "bob"), "no label is by this rater"),
        (("--wide", "--labels", "x.csv"), "x.csv"),
    ],
)
def test_wrong_options_are_named_before_anything_happens(
    home: Path, server: FakeJudgeServer, options: tuple[str, ...], says: str
) -> None:
    given = project(home, server)
    assert says in refused("errors", *given, *options)["message"]
    assert server.requests == 12 and sorted(one.name for one in Path("runs").iterdir()) == ["mine"]


def test_a_recorded_judge_without_recordings_says_what_it_takes(home: Path) -> None:
    run = scored(home, {"a": "pass", "b": "fail"})
    file = truth_labels(home, {"a": "fail", "b": "fail"})
    said = rftj("errors", run, "--labels", file, "--split", "all", "--rejudge", 3)
    assert said.code == 2 and "--replay" in said.err and "Traceback" not in said.err
    assert not (home / "run-again-3").exists()
