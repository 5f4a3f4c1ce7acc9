"""All credentials in use at once, in every command that calls a service: none reaches an output or a file."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from making import some_rows, write_rows, write_rubric

from rftj_cli.files.runs import open_run
from rftj_cli.main import run
from rftj_cli.testing import Canned, FakeJudgeServer, Faults

KEY, BEARER = "sk-proj-4fT9s8vQpLwZ0xKc", "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3M"
ACCESS, SECRET, SESSION = "AKIA2E0A8F3B244C9986", "Zr9kQ/sV1x+n8uYb3wPd", "FwoGZXIvYXdzEJr4session"
LOGIN, QUERY, PROXY = "gate/w4y pass", "query-5ecret", "proxy-pa55word"
SECRETS = (KEY, BEARER, ACCESS, SECRET, SESSION, LOGIN, QUERY, PROXY)
PAIRS = [base64.b64encode(f"user:{one}".encode()).decode() for one in (LOGIN, PROXY)]
FORMS = [*SECRETS, *(quote(one, safe="") for one in SECRETS), *PAIRS]
ECHO = " | ".join(FORMS)
REPLY = json.dumps({"quality": {"reason": f"I was asked with {ECHO}", "level": "pass"}})


@pytest.fixture
def credentials(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All kinds of credentials in the environment, and a rubric, samples and labels in the folder."""
    given = {
        "OPENAI_API_KEY": KEY, "AWS_BEARER_TOKEN_BEDROCK": BEARER, "AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": SESSION, "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(home / "none"), "AWS_SHARED_CREDENTIALS_FILE": str(home / "none"),
        "https_proxy": f"http://user:{PROXY}@127.0.0.1:9",
    }  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    write_rubric(home, judge={"model": "openai:m"})
    write_rubric(home, "bedrock.yaml", judge={"model": "bedrock:amazon.nova-lite-v1:0"})
    write_rows(home / "samples.jsonl", [{**row, "split": "dev"} for row in some_rows(12)])
    write_rows(
        home / "labels.jsonl",
        [{"id": f"s{i}", "criterion": "quality", "value": "pass" if i % 3 else "fail"} for i in range(12)],
    )
    write_rows(home / "prompts.jsonl", [{"id": f"p{i}", "prompt": "Say a number."} for i in range(3)])
    return home


def with_login(url: str) -> str:
    return url.replace("//", f"//user:{quote(LOGIN, safe='')}@")


def url_of(server: FakeJudgeServer) -> str:
    return f"{with_login(server.base_url)}?api-key={QUERY}"


def leaks(folder: Path, said: str) -> list[str]:
    """Which secrets stand in an output or a file, and where."""
    given = {"rubric.yaml", "bedrock.yaml", "samples.jsonl", "labels.jsonl", "prompts.jsonl"}
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in given]
    contents = {"output": said.encode(), **{str(path): path.read_bytes() for path in files}}
    return [f"{form} in {name}" for name, content in contents.items() for form in FORMS if form.encode() in content]


COMMANDS: tuple[tuple[str, ...], ...] = (
    ("check", "rubric.yaml", "samples.jsonl", "--show-text"),
    ("score", "rubric.yaml", "samples.jsonl", "--run", "run", "URL", "--max-failures", "1"),
    ("score", "rubric.yaml", "samples.jsonl", "--run", "run2", "URL", "--max-failures", "1", "--json", "--set", "judge.votes=3",
     "--set", "judge.temperature=1"),
    ("score", "bedrock.yaml", "samples.jsonl", "--run", "bed", "--max-failures", "1"),
    ("calibrate", "run", "--labels", "labels.jsonl", "--full"), ("calibrate", "run", "--labels", "labels.jsonl", "--json"),
    ("errors", "run", "--labels", "labels.jsonl", "--rejudge", "2", "URL"), ("errors", "run", "--labels", "labels.jsonl", "--json"),
    ("rescore", "run", "--json"),
    ("diff-prompts", "rubric.yaml", "bedrock.yaml", "samples.jsonl", "--labels", "labels.jsonl", "URL"),
    ("refine", "rubric.yaml", "samples.jsonl", "--labels", "labels.jsonl", "--proposer", "openai:p", "URL"),
    ("reward", "audit", "run", "URL"), ("rft", "sample", "prompts.jsonl", "--model", "openai:m", "--n", "2", "URL"),
)  # fmt: skip


@pytest.mark.parametrize(
    "fault", [None, Canned(407, ECHO), Canned(500, json.dumps({"error": {"message": ECHO}}))], ids=str
)
def test_no_command_tells_a_credential(
    fault: Canned | None, credentials: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script: list[str | Canned] = [] if fault is None else [fault, "ok", fault, fault, "ok", fault] * 3
    with FakeJudgeServer(REPLY, faults=Faults(script=script), api_key=None, strict=False) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", with_login(server.url))
        monkeypatch.setenv("OPENAI_BASE_URL", url_of(server))
        for command in COMMANDS if fault is None else COMMANDS[1:4]:
            given = [part for one in command for part in (("--base-url", url_of(server)) if one == "URL" else (one,))]
            code = run(given)
            out, err = capsys.readouterr()
            assert code in (0, 1, 3), err
            assert leaks(credentials, out + err) == [], command
        assert server.requests


def test_a_reply_that_repeats_the_key_is_a_verdict_without_it(credentials: Path) -> None:
    with FakeJudgeServer(REPLY) as server:
        assert run(["score", "rubric.yaml", "samples.jsonl", "--run", "run", "--base-url", url_of(server)]) == 0
    manifest = open_run("run").manifest
    assert manifest.source == f"openai:m at {server.base_url}" and manifest.counts["stage_verdict"] == 12


MALFORMED = (
    "http://user:{}@[::1", "http://user:{}@host:odd", "http://user:{}", "user:{}@host", "http://user:{}@h:99999",
)  # fmt: skip


@pytest.mark.parametrize("form", MALFORMED)
@pytest.mark.parametrize("place", [
    "--base-url", "OPENAI_BASE_URL", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL", "HTTP_PROXY", "http_proxy", "all_proxy",
])  # fmt: skip
def test_a_malformed_url_is_an_input_error_without_it(
    place: str, form: str, credentials: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = form.format("swordf1sh")
    command = ["score", "bedrock.yaml" if place.startswith("AWS") else "rubric.yaml", "samples.jsonl", "--run", "run"]
    if place == "--base-url":
        command += ["--base-url", url]
    else:
        monkeypatch.setenv(place, url)
        command += ["--base-url", "http://judge.invalid/v1", "--timeout", "1"] if "proxy" in place.lower() else []
    code = run([*command, "--json"])
    out, err = capsys.readouterr()
    if "proxy" not in place.lower() or form != "user:{}@host":  # a proxy needs no scheme
        assert code == 2, (out, err)
    assert "Traceback" not in err and "swordf1sh" not in out + err
    assert code == 3 or not Path("run").exists()


@pytest.mark.parametrize("transport", ["auto", "boto3"])
def test_a_proxy_that_cannot_be_used_is_refused_without_its_login(
    transport: str, credentials: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("https_proxy", f"socks5://user:{PROXY}@127.0.0.1:9")
    assert run(["score", "bedrock.yaml", "samples.jsonl", "--run", "run", "--transport", transport]) == 2
    said = "".join(capsys.readouterr())
    assert "socks5://..." in said and leaks(credentials, said) == []


def test_a_traceback_holds_no_credential(credentials: Path) -> None:
    """A judge of somebody else's that fails with a credential in its error: a bug, told without it."""
    plugin = credentials / "plugin"
    (plugin / "bad-1.dist-info").mkdir(parents=True)
    (plugin / "bad-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: bad\nVersion: 1\n")
    (plugin / "bad-1.dist-info" / "entry_points.txt").write_text("[rftj.judges]\nbad = bad:make\n")
    (plugin / "bad.py").write_text(
        "import os\n\ndef make(model, **settings):\n    def judge(request):\n"
        "        raise RuntimeError(f'{os.environ}: http://u:pw@host/v1?k=tiny')\n    return judge\n"
    )
    write_rubric(credentials, judge={"model": "bad:m"})
    command = [sys.executable, "-m", "rftj_cli", "score", "rubric.yaml", "samples.jsonl", "--run", "run"]
    environment = environment_with(plugin)
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 70 and "RuntimeError" in done.stderr and "this is a bug in rftj" in done.stderr
    assert leaks(credentials / "run", done.stdout + done.stderr) == []
    assert "u:pw@" not in done.stderr and "tiny" not in done.stderr


def environment_with(folder: Path) -> Mapping[str, Any]:
    return {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
