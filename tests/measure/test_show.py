"""`rftj show`: one sample from its prompt to its reward, and lists to pick one from."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from making import write_rows
from reporting import refused, rftj, scored, succeed

from rftj_cli.files.runs import open_run
from rftj_cli.files.store import Store
from rftj_cli.measure.calibrate import Question
from rftj_cli.measure.listing import Wanted, list_samples

HOSTILE = "\x1b[31m[red]x[/red]\u202e `rftj score a`   # no"
RUBRIC = """name: few
criteria: [{id: tone, question: Kind?, scale: pass_fail}]
checks: [{id: short, type: max_words, max: 8, essential: true}]
prompt: {system: 'Be [bold]strict[/bold].', user: '{{ response }}'}
judge: {model: 'replay:x'}
reward: {on_failure: {service: error, content: 0}}
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Twelve samples: two that a check settles (s1, s11), two whose replies hold no verdict (s3, s4)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("CI", raising=False)
    (tmp_path / "r.yaml").write_text(RUBRIC)
    texts = {n: "a b c d e f g h i j" if n in (1, 11) else HOSTILE if n == 3 else f"answer {n}" for n in range(12)}
    write_rows(tmp_path / "s.jsonl", [{"id": f"s{n}", "prompt": "t", "response": text} for n, text in texts.items()])
    write_rows(tmp_path / "l.jsonl", [{"id": f"s{n}", "rater": "ann", "value": "pass"} for n in range(12)])
    for name, limit in (("one", 6), ("two", 8)):
        verdicts = {
            n: json.dumps({"tone": {"reason": f"because {n}", "level": "pass" if n < limit else "fail"}}) for n in texts
        }
        rows = [{"id": f"s{n}", "text": HOSTILE if n in (3, 4) else said} for n, said in verdicts.items()]
        write_rows(tmp_path / f"{name}.jsonl", rows)
        succeed(
            "score",
            "r.yaml",
            "s.jsonl",
            "--import-replies",
            f"{name}.jsonl",
            "--run",
            f"runs/{name}",
            "--max-failures",
            1,
        )
    return "runs/one"


def listed(*arguments: object) -> dict[str, Any]:
    found: dict[str, Any] = succeed("show", *arguments, "--json").document
    assert found["schema"] == "rftj.show-list/1"
    return found


def ids(*arguments: object) -> list[str]:
    return [one["sample"] for one in listed(*arguments)["samples"]]


def test_a_sample_from_its_prompt_to_its_reward(run: str) -> None:
    shown = succeed("show", run, "s7", "--labels", "l.jsonl", "--json").document
    assert shown["schema"] == "rftj.show/1"
    (prompt,), (reply,) = shown["prompts"], shown["replies"]
    assert prompt["system"] == "Be [bold]strict[/bold]." and prompt["user"].startswith("answer 7\n")
    assert json.loads(reply["text"]) == {"tone": {"reason": "because 7", "level": "fail"}}
    assert (reply["prompt"], reply["stop"], reply["reused"]) == (0, "end", True)
    assert [one["level"] for one in reply["ballots"]] == ["fail"]
    assert [(one["criterion"], one["level"], one["reason"]) for one in shown["outcome"]["ratings"]] == [
        ("tone", "fail", "because 7")
    ]
    assert shown["checks"] == [{"id": "short", "passed": True, "why": ""}]
    assert shown["labels"] == [
        {"criterion": "tone", "item": None, "raters": {"ann": "pass"}, "truth": "pass", "reason": ""}
    ]
    assert shown["reward"]["value"] == 0 and [part["id"] for part in shown["reward"]["parts"]] == ["tone", "short"]


def test_text_of_samples_and_replies_is_data(run: str) -> None:
    """Markup stays as it is, escape sequences and bidi controls are made visible, nothing is laid out as a command."""
    out = succeed("show", run, "s3").out
    assert "[red]x[/red]" in out and "[bold]strict[/bold]" in out and "`rftj score a`   # no" in out
    assert "\x1b" not in out and "\u202e" not in out
    assert "failure: unparsed" in out
    assert succeed("show", run, "s3", "--json").document["replies"][0]["text"] == HOSTILE


def test_in_ci_no_text_is_shown(run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    for arguments in (("s7", "--labels", "l.jsonl"), ("--disagreements", "--labels", "l.jsonl"), ("--failures",)):
        for form in ((), ("--json",)):
            out = succeed("show", run, *arguments, *form).out
            assert "because" not in out and "answer" not in out and "strict" not in out and "no JSON" not in out
    assert "because 7" in succeed("show", run, "s7", "--show-text").out


def test_a_skipped_sample_says_why_and_shows_what_was_to_be_judged(run: str) -> None:
    out = succeed("show", run, "s1").out
    assert "skipped: no judge was asked; essential check short failed" in out.replace("\n         ", " ")
    assert "a b c d e f g h i j" in out and "Replies" not in out


def test_lists_of_samples(run: str) -> None:
    assert ids(run, "--failures") == ["s3", "s4"]
    assert ids(run, "--skipped") == ["s1", "s11"]
    assert ids(run, "--disagreements", "--labels", "l.jsonl") == ["s6", "s7", "s8", "s9", "s10"]
    assert ids(run, "--flips", "runs/two") == ["s6", "s7"]
    assert ids(run, "--flips", "runs/two", "--criterion", "tone") == ["s6", "s7"]
    assert ids(run, "--flips", "runs/two", "--failures") == []
    assert ids(run, "--criterion", "tone") == ["s0", "s2", "s5", "s6", "s7", "s8", "s9", "s10"]
    assert len(ids(run)) == 12
    found = listed(run, "--disagreements", "--labels", "l.jsonl", "--limit", 2)
    assert (found["found"], len(found["samples"])) == (5, 2)
    assert found["samples"][0]["differences"] == [{"criterion": "tone", "item": None, "label": "pass", "judge": "fail"}]
    assert found["samples"][0]["text"] == "because 6"
    assert (found["judged"], found["failed"], found["skipped"]) == (12, 2, 2)
    out = succeed("show", run, "--flips", "runs/two").out
    assert "s6  tone: pass -> fail" in out and "there -> here" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("s77",), "no such sample"),
        (("s7", "--failures"), "a list (failures) or a sample"),
        (("--failures", "--disagreements"), "no level"),
        (("--failures", "--criterion", "tone"), "no level"),
        (("--failures", "--labels", "l.jsonl"), "--disagreements"),
        (("--criterion", "tome"), "no such criterion"),
        (("--flips", "runs/twoo"), "no such run"),
    ],
)
def test_what_cannot_be_shown_is_refused(run: str, arguments: tuple[str, ...], said: str) -> None:
    error = refused("show", run, *arguments)
    assert said in error["problem"], error
    if arguments[0] in ("s77", "--criterion", "--flips"):
        assert error["hint"].startswith("did you mean"), error


def test_last_run(run: str) -> None:
    assert listed("@last", "--failures")["run"].startswith("runs/")


def test_the_command_for_the_first_sample_works_whatever_its_id(run: str) -> None:
    """An id that looks like an option is no option; one with hidden characters is not printed raw."""
    ids = ["bi\u202edi", "-dash 'q'", "$(x)"]
    write_rows(Path("odd.jsonl"), [{"id": id, "prompt": "t", "response": "x"} for id in ids])
    write_rows(Path("replies.jsonl"), [{"id": id, "text": "nonsense"} for id in ids])
    succeed(
        "score", "r.yaml", "odd.jsonl", "--import-replies", "replies.jsonl", "--run", "odd one", "--max-failures", 1
    )
    said = succeed("show", "odd one", "--failures")
    assert "\u202e" not in said.out + said.err
    command = shlex.split(said.err.replace("\\\n", " ").removeprefix("next: "))
    assert command[:2] == ["rftj", "show"]
    assert succeed("show", "--json", *command[2:]).document["sample"] == "-dash 'q'"


class _Counting(Store):
    """A store that counts the outcomes it reads."""

    read = 0

    def outcomes(self, ids: Any = None) -> Any:
        for one in super().outcomes(ids):
            _Counting.read += 1
            yield one


def test_failures_are_found_by_the_store(run: str) -> None:
    """Whatever the size of the run, only the samples that are shown are read."""
    opened = open_run(run)

    class Counted(type(opened)):  # type: ignore[misc]
        def store(self) -> Store:
            return _Counting(self.folder / "store.sqlite", write=False)

    found = list_samples(
        Counted(opened.folder, opened.manifest, opened.rubric), Wanted(failures=True, limit=1), Question()
    )
    assert (found.found, len(found.samples), _Counting.read) == (2, 1, 1)


def test_several_prompts_are_numbered(home: Path) -> None:
    """Both orders of a comparison are two prompts, and each reply names its own."""
    rows = [{"id": "s0", "prompt": "t", "response_a": "x", "response_b": "y"}]
    replies = [{"id": "s0", "order": order, "text": json.dumps({"preference": "A"})} for order in ("given", "swapped")]
    criteria = [{"id": "preference", "question": "?"}]
    prompt = {"user": "{{ response_a }} {{ response_b }}"}
    run = scored(
        home, {}, rows=rows, replies=replies, kind="preference", criteria=criteria, orders="both", prompt=prompt
    )
    shown = succeed("show", run, "s0", "--json").document
    assert [one["order"] for one in shown["prompts"]] == ["given", "swapped"]
    assert sorted(one["prompt"] for one in shown["replies"]) == [0, 1]
    assert "A and B swapped" in succeed("show", run, "s0").out.replace("\n", " ")


def test_skipped_samples_are_no_failures_anywhere(run: str) -> None:
    said = succeed("score", "r.yaml", "s.jsonl", "--import-replies", "one.jsonl", "--run", run, "--max-failures", 0.2)
    assert "8 verdicts, 2 failures (2 unparsed), 2 skipped" in said.out
    document = succeed(
        "score", "r.yaml", "s.jsonl", "--import-replies", "one.jsonl", "--run", run, "--max-failures", 1, "--json"
    ).document
    assert document["failures"] == [{"sample": "s3", "stage": "unparsed"}, {"sample": "s4", "stage": "unparsed"}]
    assert document["counts"]["failed"] == 4
    report = succeed("calibrate", run, "--labels", "l.jsonl", "--json").document
    assert [one["sample"] for one in report["failures"]] == ["s3", "s4"]
    assert (report["counts"]["failed"], report["counts"]["skipped"]) == (4, 2)
    out = succeed("calibrate", run, "--labels", "l.jsonl", "--full").out
    assert "4 of 12 have no verdict: 2 failures (2 unparsed), 2 skipped" in out
    assert "Samples that failed (2)" in out and "s4  unparsed" in out
    report = succeed("errors", run, "--labels", "l.jsonl", "--json").document
    assert [one["sample"] for one in report["failures"]] == ["s3", "s4"]
    assert any("not shown here: s3, s4" in one for one in report["warnings"])
    assert any(one.startswith("rftj show runs/one --failures") for one in report["next"])
    said = rftj("diff-prompts", run, "runs/two", "--labels", "l.jsonl", "--split", "all", "--full")
    assert said.code in (0, 3) and "2 skipped: no judge was asked" in " ".join(said.out.split())
