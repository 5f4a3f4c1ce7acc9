"""`score`: what is refused before the first call, and folders that are left alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from making import some_rows
from scoring import Project

from rftj_cli.errors import InputError
from rftj_cli.files.prices import Price
from rftj_cli.files.runs import Lock, open_run, write_manifest

DOLLAR = Price(0.0, 1e6 / 60, "test")  # with 60 tokens forecast for an answer, a call is set aside with one dollar


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"prompt": {"user": "Judge well: {{ response }}"}}, "prompt.user"),
        ({"judge": {"model": "openai:other"}}, "judge.model: 'openai:fake' -> 'openai:other'"),
        ({"judge": {"model": "openai:fake", "temperature": 1}}, "judge.temperature: 0.0 -> 1.0"),
        ({"reward": {"range": [0, 2]}}, "reward.high: 1.0 -> 2.0"),
        ({"criteria": [{"id": "quality", "question": "Is it good?", "weight": 2}]}, "criteria[0].weight: 1.0 -> 2.0"),
    ],
)
def test_a_changed_rubric_is_refused_with_what_changed(project: Project, changes: dict[str, Any], says: str) -> None:
    project.rows(some_rows(2))
    project.score(run="mine")
    project.change(**changes)
    with pytest.raises(InputError) as caught:
        project.score(run="mine")
    assert says in caught.value.problem
    assert project.server.requests == 2


@pytest.mark.parametrize(
    ("fields", "key"),
    [({"response": "other"}, "response"), ({"prompt": "other"}, "prompt"), ({"context": {"a": 1}}, "context"),
     ({"criteria": [{"id": "more", "question": "Q"}]}, "criteria")],
)  # fmt: skip
def test_changed_content_under_a_known_id_is_refused_with_its_key(
    project: Project, fields: dict[str, Any], key: str
) -> None:
    rows = [{**row, "accepted": True} for row in some_rows(3)]
    project.rows(rows)
    project.score()
    project.rows([rows[0], {**rows[1], **fields}, rows[2]])
    with pytest.raises(InputError) as caught:
        project.score()
    assert (caught.value.row, caught.value.key) == (2, key)
    assert "sample s1" in caught.value.problem


def test_a_fault_in_the_last_row_comes_before_the_first_call(project: Project) -> None:
    project.rows([*some_rows(499), {"id": "bad", "response": 3}])
    with pytest.raises(InputError) as caught:
        project.score()
    assert caught.value.row == 500
    assert project.server.requests == 0
    assert not (project.folder / "runs").exists()


def test_a_name_that_one_sample_lacks_comes_before_the_first_call(project: Project) -> None:
    project.change(prompt={"user": "{{ response }} {{ law }} {{ context.country }}"})
    project.rows([{**row, "law": "x", "context": {"country": "DE"}} for row in some_rows(9)] + some_rows(1, 9))
    with pytest.raises(InputError) as caught:
        project.score()
    assert (caught.value.row, "sample s9" in caught.value.problem) == (10, True)
    assert "law" in str(caught.value.found) and "context.country" in str(caught.value.found)
    assert project.server.requests == 0


@pytest.mark.parametrize(("price", "limit"), [(None, 1.0), (DOLLAR, float("nan"))])
def test_a_ceiling_needs_a_price_and_a_number(project: Project, price: Price | None, limit: float) -> None:
    project.rows(some_rows(1))
    with pytest.raises(InputError):
        project.score(price=price, max_cost=limit)
    assert project.server.requests == 0 and not Path("runs").exists()


def test_a_second_writer_is_refused(project: Project) -> None:
    project.rows(some_rows(1))
    project.score(run="mine")
    with Lock(Path("mine")), pytest.raises(InputError, match="another rftj is writing"):
        project.score(run="mine")


def test_two_rubrics_that_start_the_same_new_run_are_not_mixed(project: Project, tmp_path_factory: Any) -> None:
    """The folder is checked again under the lock: another command may have made the run since it was first looked at."""
    project.rows(some_rows(4))
    other = Project(tmp_path_factory.mktemp("other"), project.server)
    other.change(prompt={"user": "Another: {{ response }}"})
    other.rows(some_rows(4))
    with pytest.raises(InputError, match="made with another rubric"):
        project.score(run="mine", meanwhile=lambda: other.score(run="mine"))
    assert project.server.requests == 4


def test_two_commands_of_one_rubric_ask_for_each_sample_once(project: Project) -> None:
    project.rows(some_rows(4))
    scored = project.score(run="mine", meanwhile=lambda: project.score(run="mine"))
    assert project.server.requests == 4
    assert scored.run.manifest.counts["judged"] == 4


def test_a_folder_that_is_no_run_is_left_alone(project: Project) -> None:
    project.rows(some_rows(1))
    Path("thesis").mkdir()
    Path("thesis/text.tex").touch()
    Path("file").touch()
    for name in ("thesis", "file"):
        with pytest.raises(InputError, match="not a run"):
            project.score(run=name)
    assert [one.name for one in Path("thesis").iterdir()] == ["text.tex"]


def test_a_run_that_was_killed_as_it_began_goes_on(project: Project) -> None:
    project.rows(some_rows(2))
    Path("mine").mkdir()
    Path("mine/lock").touch()
    Path("mine/.run.json-x").touch()
    assert project.score(run="mine").run.manifest.status == "complete"
    manifest = open_run("mine").manifest  # as it stands before the first sample is judged
    counts = {"samples": 2, "judged": 0}
    write_manifest(Path("mine"), replace(manifest, status="running", counts=counts, store_crc=None))
    Path("mine/store.sqlite").write_bytes(b"")
    for name in ("store.sqlite-wal", "store.sqlite-shm"):
        Path("mine", name).unlink(missing_ok=True)
    assert project.score(run="mine", fresh=True).run.manifest.counts["judged"] == 2


@pytest.mark.parametrize("settings", [{"rpm": float("inf")}, {"tpm": float("nan")}, {"rpm": 0.0}])
def test_a_rate_must_be_a_number_that_can_be_used(project: Project, settings: dict[str, float]) -> None:
    project.rows(some_rows(1))
    with pytest.raises(InputError, match="not a number that can be used"):
        project.score(**settings)  # type: ignore[arg-type]
    assert project.server.requests == 0 and not Path("runs").exists()
