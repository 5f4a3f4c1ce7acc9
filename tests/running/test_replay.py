"""`score`: replies that exist already are reused, replayed or imported, and a miss is an error."""

from __future__ import annotations

from pathlib import Path

import pytest
from making import some_rows, write_rows
from scoring import Project, outcomes

from rftj_cli.errors import InputError
from rftj_cli.files.store import Store
from rftj_cli.kernel.outcome import Failure

PASS = '{"quality": {"reason": "fine", "level": "pass"}}'


def test_identical_requests_of_other_runs_are_reused(project: Project) -> None:
    project.rows(some_rows(3))
    project.score()
    project.change(description="new words", reward={"range": [0, 5]})
    scored = project.score(run="runs/other")
    assert project.server.requests == 3
    assert (scored.tally.calls, scored.tally.reused) == (0, 3)
    assert (scored.run.manifest.cost, scored.run.manifest.calls) == (0, 0)
    assert [outcome.reward.value for _, outcome in scored.run.store().outcomes()] == [5, 5, 5]


def test_fresh_reuses_nothing_of_other_runs(project: Project) -> None:
    project.rows(some_rows(3))
    project.score()
    project.score(run="runs/other", fresh=True)
    assert project.server.requests == 6


def test_replies_of_another_endpoint_are_not_reused(project: Project) -> None:
    project.rows(some_rows(2))
    project.score()
    with type(project.server)(PASS) as elsewhere:
        project.server = elsewhere
        project.score(run="runs/other")
        assert elsewhere.requests == 2


def test_a_damaged_neighbour_is_no_matter(project: Project) -> None:
    for name, content in (("bad", "{"), ("empty", None)):
        (project.folder / "runs" / name).mkdir(parents=True)
        if content:
            (project.folder / "runs" / name / "run.json").write_text(content)
    project.rows(some_rows(1))
    assert project.score().run.manifest.status == "complete"


def test_a_run_is_replayed_without_a_call(project: Project) -> None:
    project.rows(some_rows(3))
    first = project.score(run="runs/first")
    project.change(reward={"range": [0, 7]})
    scored = project.score(run="runs/second", replay="runs/first")
    assert project.server.requests == 3
    assert outcomes(scored.run) == outcomes(first.run)
    assert scored.run.manifest.source == "replay of runs/first"
    assert scored.run.manifest.judge_fingerprint == first.run.manifest.judge_fingerprint


def test_the_last_run_is_replayed_by_its_name(project: Project) -> None:
    project.rows(some_rows(2))
    project.score()
    assert project.score(run="elsewhere/again", replay="@last").tally.reused == 2


def test_a_miss_of_a_replay_names_the_sample_and_writes_nothing(project: Project) -> None:
    project.rows(some_rows(3))
    project.score(run="runs/first")
    project.rows(some_rows(5))
    with pytest.raises(InputError, match="no recorded reply for sample s3 and 1 others"):
        project.score(run="runs/second", replay="runs/first")
    assert not Path("runs/second").exists()


def test_a_file_keyed_by_request_is_replayed(project: Project) -> None:
    project.rows(some_rows(2))
    project.score(run="runs/first")
    with Store(Path("runs/first/store.sqlite"), write=False)._db as db:
        kept = db.execute("SELECT key, reply ->> 'text' FROM replies").fetchall()
    write_rows(Path("replies.jsonl"), [{"request": key, "text": text} for key, text in kept])
    assert project.score(run="runs/second", replay="replies.jsonl").tally.reused == 2
    project.change(prompt={"user": "Changed: {{ response }}"})
    with pytest.raises(InputError, match="no recorded reply for sample s0"):
        project.score(run="runs/third", replay="replies.jsonl")


def test_replies_are_imported_by_sample_id(project: Project) -> None:
    project.rows(some_rows(3))
    replies = [PASS, PASS.replace("pass", "fail"), "no verdict"]
    write_rows(Path("replies.jsonl"), [{"id": f"s{i}", "text": text} for i, text in enumerate(replies)])
    scored = project.score(imported="replies.jsonl")
    assert outcomes(scored.run) == {"s0": "pass", "s1": "fail", "s2": "unparsed"}
    assert project.server.requests == 0


def test_replies_without_a_sample_and_samples_that_left_the_file_are_counted(project: Project) -> None:
    project.rows(some_rows(3))
    write_rows(Path("replies.jsonl"), [{"id": f"s{i}", "text": PASS} for i in range(5)])
    scored = project.score(imported="replies.jsonl")
    assert scored.imported is not None and (scored.imported.strangers, scored.absent) == (2, 0)
    project.rows(some_rows(2, start=2))
    again = project.score(imported="replies.jsonl")
    assert again.imported is not None and (again.imported.strangers, again.absent) == (3, 2)


def test_bindings_are_their_owners_alone(project: Project) -> None:
    project.rows(some_rows(1))
    write_rows(Path("replies.jsonl"), [{"id": "s0", "text": PASS}])
    project.score(imported="replies.jsonl")
    folder = Path(".rftj") / "imports"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / ".gitignore").read_text() == "*\n"


def test_an_import_is_bound_to_its_prompts_so_that_a_changed_prompt_misses(project: Project) -> None:
    project.rows(some_rows(2))
    write_rows(Path("replies.jsonl"), [{"id": f"s{i}", "text": PASS} for i in range(2)])
    project.score(imported="replies.jsonl")
    project.change(prompt={"user": "Judge better: {{ response }}"})
    with pytest.raises(InputError, match="answers another prompt"):
        project.score(run="runs/new", imported="replies.jsonl")
    project.change(reward={"range": [0, 2]})
    assert project.score(run="runs/newer", imported="replies.jsonl").tally.done == 2


def test_one_imported_reply_may_answer_the_calls_for_several_criteria(project: Project) -> None:
    two = [{"id": "quality", "question": "Q"}, {"id": "tone", "question": "Q"}]
    project.change(criteria=two, judge={"model": "openai:fake", "calls": "per_criterion"})
    project.rows(some_rows(1))
    write_rows(Path("replies.jsonl"), [{"id": "s0", "text": '{"quality": "pass", "tone": "fail"}'}])
    assert project.score(imported="replies.jsonl").tally.reused == 2
    assert project.score(run="runs/again", imported="replies.jsonl").tally.reused == 2


def test_a_miss_of_an_import_names_the_sample(project: Project) -> None:
    project.rows(some_rows(2))
    write_rows(Path("replies.jsonl"), [{"id": "s0", "text": PASS}])
    with pytest.raises(InputError, match="no recorded reply for sample s1 "):
        project.score(imported="replies.jsonl")
    assert not Path("runs").exists() and not Path(".rftj").exists()


def test_a_recorded_reply_that_is_empty_is_a_failure_of_the_content(project: Project) -> None:
    """It stays empty however often it is read: the advice is about the file, not to try again."""
    project.rows(some_rows(1))
    write_rows(Path("replies.jsonl"), [{"id": "s0", "text": None}])
    scored = project.score(imported="replies.jsonl")
    ((_, row),) = scored.run.store().outcomes()
    assert isinstance(row.outcome, Failure) and row.outcome.stage == "unparsed"
    assert "say so with `stop` in the replies file" in row.outcome.reason


@pytest.mark.parametrize(
    ("stop", "outcome"),
    [("end_turn", "pass"), ("MAX_TOKENS", "truncated"), ("content-filter", "filtered"), ("refusal", "refused"),
     ("abort", "call")],
)  # fmt: skip
def test_recorded_replies_end_with_the_services_own_words(stop: str, outcome: str, project: Project) -> None:
    project.rows(some_rows(1))
    write_rows(Path("replies.jsonl"), [{"id": "s0", "text": PASS, "stop": stop}])
    assert outcomes(project.score(imported="replies.jsonl").run) == {"s0": outcome}
