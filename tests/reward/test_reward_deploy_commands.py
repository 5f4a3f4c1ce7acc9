"""`rftj reward template` and `deploy` as commands: exit codes, documents, and who is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from deploy_account import DESTINATIONS, Account, opened, write_bundle

from rftj_cli.main import run

PLAIN = "bedrock:openai.gpt-oss-120b-1:0"
REGIONS = ("--profile-regions", ",".join(DESTINATIONS))


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """An account in which nothing exists."""
    with opened(monkeypatch) as found:
        monkeypatch.setenv("AWS_REGION", found.region)
        yield found


def test_a_deployment_from_nothing_to_a_pinned_arn(
    home: Path, account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    """One document, no prompt, and the same ARN the second time."""
    write_bundle(home / "a.zip", model=PLAIN)
    assert run(["reward", "deploy", "a.zip", "--yes", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert (first["schema"], first["status"], first["version"]) == ("rftj.deployment/1", "deployed", "1")
    assert first["arn"].endswith(":function:rftj-contract-review:1")
    assert first["training_policy"]["Statement"][0]["Resource"][0] == first["arn"]
    assert run(["reward", "deploy", "a.zip", "--json"]) == 0  # nothing to confirm
    second = json.loads(capsys.readouterr().out)
    assert (second["status"], second["arn"]) == ("unchanged", first["arn"])
    assert {step["effect"] for step in second["steps"]} == {"leave"}


def test_the_next_commands_are_advice(home: Path, account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr, and not with --quiet."""
    write_bundle(home / "a.zip", model=PLAIN)
    assert run(["reward", "deploy", "a.zip", "--yes"]) == 0
    told = capsys.readouterr()
    assert "Plan: 7 changes" in told.out
    assert told.err.count("done: ") == 7
    assert (
        "next: rftj reward verify arn:aws:lambda:us-east-1:123456789012:function:rftj-contract-review:1 RUN" in told.err
    )
    assert "rftj rft submit DIR --name JOB --role ARN --reward arn:" in told.err
    assert run(["reward", "deploy", "a.zip", "--quiet"]) == 0
    told = capsys.readouterr()
    assert (told.err, "Deployed already" in told.out) == ("", True)


def test_without_yes_and_without_a_person_nothing_is_made(
    home: Path, account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    """CI must say --yes."""
    write_bundle(home / "a.zip", model=PLAIN)
    assert run(["reward", "deploy", "a.zip"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert run(["reward", "deploy", "a.zip", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "planned"


def test_no_credentials_and_no_region_are_told(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not as a traceback."""
    write_bundle(home / "a.zip")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(home / "nowhere"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert run(["reward", "deploy", "a.zip", "--region", "us-east-1"]) == 2
    assert "no AWS credentials" in capsys.readouterr().err
    assert run(["reward", "deploy", "a.zip", "--dry-run", "--offline", *REGIONS]) == 2
    assert "no AWS region" in capsys.readouterr().err
    assert run(["reward", "template", "a.zip", "--out", "t", *REGIONS]) == 2
    assert "no AWS region" in capsys.readouterr().err


def test_a_template_needs_no_account(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Four files, what they are for, and the commands that use them."""
    write_bundle(home / "a.zip")
    given = ["reward", "template", "a.zip", "--out", "t", "--region", "us-east-1", *REGIONS]
    assert run(given) == 0
    said = capsys.readouterr().out
    assert "aws cloudformation deploy --template-file t/template.yaml" in said
    assert sorted(one.name for one in (home / "t").iterdir()) == [
        "execution-role-policy.json",
        "execution-role-trust.json",
        "template.yaml",
        "training-role-policy.json",
    ]
    before = (home / "t" / "template.yaml").read_bytes()
    assert run([*given, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "rftj.template/1"
    assert document["files"]["template.yaml"] == "t/template.yaml"
    assert (home / "t" / "template.yaml").read_bytes() == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["no.zip"],
        ["text.zip"],
        ["."],
        ["a.zip", "--region", "mars"],
        ["a.zip", "--region", "us-east-1", "--account", "12"],
        ["a.zip", "--region", "us-east-1", "--profile-regions", "us-east-1;us-west-2"],
        ["a.zip", "--region", "us-east-1", "--timeout", "0"],
        ["a.zip", "--region", "us-east-1", "--function", "x:y"],
        ["replay.zip", "--region", "us-east-1"],
        ["target.zip", "--region", "us-east-1"],
    ],
)
def test_bad_input_is_exit_code_2(home: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """For both commands, in a sentence."""
    write_bundle(home / "a.zip")
    write_bundle(home / "replay.zip", model="replay:recorded")
    write_bundle(home / "target.zip", target="bedrok")
    (home / "text.zip").write_text("no zip", encoding="utf-8")
    for command in (["deploy", "--offline"], ["template", "--out", "t"]):
        options = [] if "--profile-regions" in arguments else list(REGIONS)
        assert run(["reward", *command, *arguments, *options]) == 2
        told = capsys.readouterr()
        assert told.err.startswith("error: ")
        assert "Traceback" not in told.err
    assert not (home / "t").exists()
