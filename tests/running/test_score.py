"""`score`: what is called and kept."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from making import data, some_rows
from scoring import Project, outcomes

from rftj_cli.errors import CannotTell
from rftj_cli.files.prices import Price
from rftj_cli.kernel.outcome import Verdict
from rftj_cli.testing import Faults

PASS = '{"quality": {"reason": "fine", "level": "pass"}}'
DOLLAR = Price(0.0, 1e6 / 60, "test")  # with 60 tokens forecast for an answer, a call is set aside with one dollar


def test_every_sample_is_judged_and_kept(project: Project) -> None:
    project.rows(some_rows(20))
    scored = project.score()
    assert outcomes(scored.run) == {f"s{i}": "pass" for i in range(20)}
    assert sorted(project.asked) == sorted(f"number {i}" for i in range(20))
    assert scored.run.manifest.status == "complete"
    assert scored.run.manifest.counts == {"samples": 20, "judged": 20, "failed": 0, "stage_verdict": 20}
    assert scored.run.folder == Path("runs") / f"tested-{scored.run.manifest.judge_fingerprint[:8]}"


def test_nothing_is_judged_twice(project: Project) -> None:
    project.rows(some_rows(5))
    first = project.score()
    again = project.score()
    assert project.server.requests == 5
    assert (again.tally.done, again.tally.calls) == (0, 0)
    assert outcomes(again.run) == outcomes(first.run)
    assert again.run.manifest.started == first.run.manifest.started
    assert len(again.run.manifest.history) == 2


def test_new_samples_extend_a_run(project: Project) -> None:
    project.rows(some_rows(3))
    project.score()
    project.rows(some_rows(5))
    scored = project.score()
    assert project.asked[3:] == ["number 3", "number 4"] or sorted(project.asked[3:]) == ["number 3", "number 4"]
    assert scored.run.manifest.counts["judged"] == 5


def test_failures_of_the_service_are_tried_again_and_those_of_the_content_stand(project: Project) -> None:
    project.server.rule = lambda body: "no verdict" if "number 1" in body["messages"][-1]["content"] else PASS
    project.rows(some_rows(4))

    class Down(Faults):
        def of(self, number: int, body: bytes = b"") -> str:
            return "500" if project.asked[number] == "number 2" else "ok"

    project.server.faults = Down()
    first = project.score(timeout=0.8)
    assert outcomes(first.run) == {"s0": "pass", "s1": "unparsed", "s2": "call", "s3": "pass"}
    before = project.server.requests
    project.server.faults = Faults()
    second = project.score()
    assert project.asked[before:] == ["number 2"]
    assert outcomes(second.run) == {"s0": "pass", "s1": "unparsed", "s2": "pass", "s3": "pass"}
    assert second.run.manifest.counts["failed"] == 1


def test_what_is_settled_without_a_call_needs_no_judge(project: Project) -> None:
    project.change(checks=[{"id": "json", "type": "json_valid", "essential": True}], judge={"model": "openia:x"})
    project.rows(some_rows(3))
    scored = project.score()
    assert set(outcomes(scored.run).values()) == {"skipped"}
    assert project.server.requests == 0


def test_other_words_in_the_rubric_go_on_with_the_run(project: Project) -> None:
    project.rows(some_rows(1))
    project.score(run="mine")
    project.change(description="now with words")
    assert project.score(run="mine").tally.done == 0


def test_labels_and_metrics_may_change_at_any_time(project: Project) -> None:
    project.rows(some_rows(2))
    project.score()
    project.rows([{**row, "label": "pass", "accepted": True, "split": "dev"} for row in some_rows(2)])
    assert project.score().tally.calls == 0


def test_the_cost_ceiling_stops_the_run_and_keeps_what_was_judged(project: Project) -> None:
    project.server.rule = lambda body: PASS + " " * 172  # 56 tokens: nearly what is set aside
    project.rows(some_rows(20))
    with pytest.raises(CannotTell, match="--max-cost 5 reached"):
        project.score(price=DOLLAR, max_cost=5, workers=2, run="mine")
    asked = project.server.requests
    assert 4 <= asked <= 6
    scored = project.score(price=DOLLAR, max_cost=50, run="mine")
    assert project.server.requests == 20
    assert scored.run.manifest.counts["judged"] == 20


def test_a_fatal_error_stops_at_once(project: Project) -> None:
    project.server.faults = Faults(rate=1, kinds=["401"])
    project.rows(some_rows(200))
    with pytest.raises(CannotTell, match="the judge cannot be used"):
        project.score(workers=4, run="mine")
    assert project.server.requests <= 8
    project.server.faults = Faults()
    assert project.score(run="mine").run.manifest.counts == {
        "samples": 200,
        "judged": 200,
        "failed": 0,
        "stage_verdict": 200,
    }


def test_a_judge_that_never_answers_stops_the_run(project: Project) -> None:
    project.server.faults = Faults(rate=1, kinds=["500"])
    project.rows(some_rows(500))
    with pytest.raises(CannotTell, match="does not answer"):
        project.score(workers=16, timeout=0.05)
    assert project.server.requests < 200


def test_too_many_failures_are_no_answer(project: Project) -> None:
    project.server.rule = lambda body: "no verdict"
    project.rows(some_rows(3))
    scored = project.score()
    with pytest.raises(CannotTell, match="3 of 3 samples failed"):
        scored.refuse_failures(0.1)


def test_the_cost_of_unpriced_calls_stays_unknown(project: Project) -> None:
    project.rows(some_rows(1))
    assert project.score(run="mine").run.manifest.cost is None
    assert project.score(run="mine").run.manifest.cost is None


def test_a_reply_with_half_a_surrogate_pair_is_kept(project: Project) -> None:
    project.server.rule = lambda body: '{"quality": {"level": "pass", "reason": "so \ud83d"}}'
    project.rows(some_rows(2))
    assert set(outcomes(project.score().run).values()) == {"pass"}


def test_votes_and_orders_are_kept_apart_in_the_store(project: Project) -> None:
    levels = iter(["pass", "fail", "pass"] * 3)
    project.server.rule = lambda body: json.dumps({"quality": next(levels)})
    project.change(judge={"model": "openai:fake", "votes": 3})
    project.rows(some_rows(3))
    scored = project.score(workers=1)
    assert outcomes(scored.run) == {"s0": "pass", "s1": "pass", "s2": "pass"}
    assert scored.run.store().count("replies") == 9


def test_no_more_calls_than_workers_are_open_at_once(project: Project) -> None:
    open_, most, lock = [0], [0], threading.Lock()

    def rule(body: dict[str, Any]) -> str:
        with lock:
            open_[0] += 1
            most[0] = max(most[0], open_[0])
        time.sleep(0.01)
        with lock:
            open_[0] -= 1
        return PASS

    project.server.rule = rule
    project.rows(some_rows(60))
    project.score(workers=8)
    assert 2 <= most[0] <= 8


def test_the_rubric_in_the_manifest_is_the_whole_rubric(project: Project) -> None:
    Path("judge.md").write_text("From a file: {{ response }}")
    project.change(prompt={"file": "judge.md"})
    project.rows(some_rows(1))
    run = project.score(overrides=("judge.max_tokens=99",)).run
    Path("judge.md").unlink()
    assert run.rubric.prompt.user == "From a file: {{ response }}"
    assert run.rubric.judge.max_tokens == 99
    assert run.rubric.judge_fingerprint == run.manifest.judge_fingerprint
    assert data()["name"] == run.manifest.rubric["name"]


@pytest.mark.parametrize("adaptive", [False, True])
def test_items_with_the_same_text_are_one_call(project: Project, adaptive: bool) -> None:
    """A judge that says pass, fail, pass, ... is asked once about equal items: the store holds what the verdict rests on."""
    asked: list[int] = []

    def rule(body: dict[str, Any]) -> str:
        asked.append(1)
        return PASS if len(asked) % 2 else PASS.replace("pass", "fail")

    project.server.rule = rule
    votes = {"judge": {"model": "openai:fake", "votes": 3, "temperature": 1}} if adaptive else {}
    criteria = [{"id": "quality", "question": "?", "on": "item"}]
    project.change(
        criteria=criteria, items={"path": "$.c"}, prompt={"user": "Judge this: {{ response }} {{ item }}"}, **votes
    )
    project.rows([{"id": "s0", "response": json.dumps({"c": ["same", "same"]})}])
    run = project.score(workers=1, adaptive=adaptive).run
    ((_, row),) = run.store().outcomes()
    assert isinstance(row.outcome, Verdict)
    assert len(asked) == (3 if adaptive else 1)
    assert [rating.level for rating in row.outcome.ratings] == ["pass", "pass"]
