"""What a report suggests can be copied from 80 columns and run: no line broken without a backslash, no option lost."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from making import write_rows
from reporting import Said, rftj, succeed
from typer.main import get_command

from rftj_cli.main import app
from rftj_cli.report import console
from rftj_cli.report.blocks import Entries, Facts, Lines
from rftj_cli.report.copied import continued, is_command, set_apart

ARN = "arn:aws:lambda:us-east-1:123456789012:function:SageMaker-a-long-name-of-a-reward-function-for-contracts:17"
DEEP = "a folder with a long name/and another one that is no shorter/runs"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run at the end of a long path, with labels in a wide file whose columns have other names."""
    home = tmp_path / DEEP
    home.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    criteria = "criteria: [{id: tone, question: Kind?, scale: pass_fail}]"
    for name in ("judge.yaml", "NEW.yaml"):
        (home / name).write_text(
            f"name: judge\n{criteria}\nprompt: {{user: '{{{{ response }}}}'}}\njudge: {{model: replay:x}}\n"
        )
    ids = [f"s{n}" for n in range(20)]
    write_rows(
        home / "samples.jsonl", [{"key": id, "answer": f"answer {id}", "split": "dev", "topic": "t"} for id in ids]
    )
    replies = [{"id": id, "text": json.dumps({"tone": "pass" if n % 2 else "fail"})} for n, id in enumerate(ids)]
    write_rows(home / "replies.jsonl", replies)
    labels = [{"sample": id, "rater": "ann", "tone": "pass" if n % 3 else "fail"} for n, id in enumerate(ids)]
    write_rows(home / "labels of ann.jsonl", [{k: v for k, v in row.items() if k != "rater"} for row in labels])
    maps = ("--map", "id=key,response=answer")
    succeed(
        "score",
        f"{DEEP}/judge.yaml",
        f"{DEEP}/samples.jsonl",
        "--import-replies",
        f"{DEEP}/replies.jsonl",
        "--run",
        f"{DEEP}/one",
        *maps,
    )
    return tmp_path


LABELS = ("--labels", f"{DEEP}/labels of ann.jsonl", "--wide", "--map-labels", "id=sample")


def suggested(said: Said) -> list[list[str]]:
    """Every command that an output suggests, with its continuations, as the shell would read it."""
    found = []
    text = re.sub(r" \\\n\s+", " ", said.out + said.err)
    for line in text.splitlines():
        match = re.search(
            r"(?:^|[ `])(rftj (?:score|calibrate|errors|gate|diff-prompts|plan|show|run|reward) [^`]*)", line
        )
        if match and not line.lstrip().startswith("#"):
            found.append(shlex.split(match[1], comments=True)[1:])
    return found


def parsed(arguments: list[str]) -> dict[str, object]:
    """The options that typer reads of a command line; an unknown one or a missing argument is an error."""
    command, rest = get_command(app), list(arguments)
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    return dict(command.make_context(arguments[0], rest).params)


REPORTS = {
    "errors": ("errors", f"{DEEP}/one", *LABELS, "--split", "dev", "--by", "topic"),
    "calibrate": ("calibrate", f"{DEEP}/one", *LABELS, "--truth", "majority"),
}


@pytest.mark.parametrize("name", REPORTS)
def test_next_commands_can_be_copied_and_read_what_this_one_read(project: Path, name: str) -> None:
    said = succeed(*REPORTS[name])
    found = suggested(said)
    assert {one[0] for one in found} >= ({"errors", "diff-prompts"} if name == "errors" else {"gate"})
    for one in found:
        options = parsed(one)
        assert options["labels"] == LABELS[1] and options["wide"] is True, one
        assert options["map_labels"] == ["id=sample"], one
        assert f"{DEEP}/one" in one
        assert options["split"] == ("dev" if name == "errors" else None) or one[0] == "diff-prompts"
        assert name == "errors" or options["truth"] == "majority"


def test_suggested_commands_run(project: Path) -> None:
    """The gate that `calibrate` suggests decides; the comparison that `errors` suggests gets as far as asking the judge."""
    (project / "RULES.yaml").write_text("criteria: {tone: {min: {agreement: 0.01}}}\n")
    (gate,) = (one for one in suggested(succeed(*REPORTS["calibrate"])) if one[0] == "gate")
    assert rftj(*gate).code in (0, 1, 3)
    (project / "NEW.yaml").write_text(
        (project / DEEP / "NEW.yaml").read_text().replace("{{ response }}", "New: {{ response }}")
    )
    (compare,) = (one for one in suggested(succeed(*REPORTS["errors"])) if one[0] == "diff-prompts")
    said = rftj(*compare)
    assert said.code == 2 and "replay" in said.err  # no recorded reply for the new prompt: all else was read


def test_a_look_that_is_not_written_down_is_not_written_by_the_gate_either(project: Path) -> None:
    said = succeed("calibrate", f"{DEEP}/one", *LABELS, "--split", "dev", "--frozen")
    (gate,) = (one for one in suggested(said) if one[0] == "gate")
    assert parsed(gate)["frozen"] is True


def test_a_damaged_run_is_repaired_and_completed_by_the_commands_that_are_suggested(project: Path) -> None:
    store = project / DEEP / "one" / "store.sqlite"
    whole = bytearray(store.read_bytes())
    whole[whole.rindex(b'{"ratings"')] ^= 1  # one outcome can no longer be read
    store.write_bytes(whole)
    (repair,) = (one for one in suggested(rftj("calibrate", f"{DEEP}/one", *LABELS)) if one[0] == "run")
    assert parsed(repair)["run"] == f"{DEEP}/one"
    (score,) = suggested(succeed(*repair))
    assert score[1:3] == [f"{DEEP}/judge.yaml", f"{DEEP}/samples.jsonl"]
    options = parsed(score)
    assert options["run"] == Path(f"{DEEP}/one-repaired")
    assert options["map_"] == ["id=key", "response=answer"]
    succeed(*score, "--import-replies", f"{DEEP}/replies.jsonl")


def test_the_deployment_with_a_role_of_others_repeats_the_options_given(project: Path) -> None:
    rubric = (project / DEEP / "judge.yaml").read_text().replace("replay:x", "bedrock:us.amazon.nova-lite-v1:0")
    (project / "b.yaml").write_text(rubric + "reward: {on_failure: {service: 0, content: 0}}\n")
    succeed("reward", "build", "b.yaml", "--out", "the zip.zip")
    given = ("--function", "rftj-x", "--timeout", "120", "--reserved", "9", "--profile-regions", "us-east-1,us-east-2")
    said = succeed("reward", "template", "the zip.zip", "--out", "files", "--region", "us-east-1", *given)
    (deploy,) = suggested(said)
    options = parsed(deploy)
    assert (options["zip_"], options["role"], options["region"]) == (Path("the zip.zip"), "ARN", "us-east-1")
    assert (options["function"], options["timeout"], options["reserved"]) == ("rftj-x", 120, 9)
    assert (
        options["profile_regions"] == "us-east-1,us-east-2" and options["memory"] == 512 and options["account"] is None
    )
    lines = said.out.splitlines()
    (start,) = (n for n, line in enumerate(lines) if "aws cloudformation deploy" in line)
    assert len(lines[start]) <= 80 and lines[start].endswith(" \\") and not lines[start + 3].endswith("\\")


def test_lines_are_broken_with_a_backslash_alone(project: Path) -> None:
    said = succeed(*REPORTS["errors"])
    for line in said.out.splitlines():
        assert len(line) <= 80 or len(shlex.split(line.removesuffix(" \\"))) == 1, line


def test_a_command_keeps_options_with_their_values() -> None:
    command = "rftj errors runs/one --labels 'my labels.jsonl' --wide --rejudge 3 --second RUN2"
    lines = continued(command, 40)
    assert all(line.endswith(" \\") for line in lines[:-1]) and all(len(line) <= 40 for line in lines)
    assert " ".join(line.removesuffix("\\").strip() for line in lines) == command
    assert any("--labels 'my labels.jsonl'" in line for line in lines)
    assert continued("rftj score a b", 80) == ["rftj score a b"]


@pytest.mark.parametrize(
    ("line", "is_one"), [("rftj errors x", True), ("aws s3 cp a b", True), ("aws is a cloud", False)]
)
def test_what_is_a_command(line: str, is_one: bool) -> None:
    assert is_command(line) is is_one


def test_an_arn_is_never_broken(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    console.show([
        Facts([("needs", f"invoke {ARN}"), ("reward", ARN)]), Lines([f"the role of {ARN} is gone"]), Entries([("may", [ARN])]),
    ])  # fmt: skip
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert sum(ARN in line for line in lines) == 4
    assert all(line == ARN or len(line) < 60 or line == f"reward  {ARN}" for line in lines)


def test_a_long_command_in_an_error_stands_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    command = f"rftj score prompts/judge.yaml samples.jsonl --map id=key --run '{DEEP}/two'"
    monkeypatch.setenv("COLUMNS", "80")
    told = set_apart(f"error: no reply\n  ask the judge with `{command}`; replies are reused")
    joined = re.sub(r" \\\n\s+", " ", told)
    assert command in [line.strip() for line in joined.splitlines()]
    assert set_apart("error: short `rftj score`") == "error: short `rftj score`"
