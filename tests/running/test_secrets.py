"""No credential reaches a run folder, an output or an error, whatever the service says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from making import some_rows, write_rows, write_rubric

from rftj_cli.testing import Canned, FakeJudgeServer, Faults

OPENAI = "sk-proj-4fT9s8vQpLwZ0xKc"
BEARER = "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3M"
ACCESS, SECRET, SESSION = "AKIA2E0A8F3B244C9986", "Zr9kQ0sV1xTn8uYb3wPd", "FwoGZXIvYXdzEJr4session"
PASSWORD = "proxy-pa55word"
SECRETS = (OPENAI, BEARER, ACCESS, SECRET, SESSION)
QUOTING = json.dumps({"message": f"no: {' '.join(SECRETS)}", "error": {"message": f"no: {' '.join(SECRETS)}"}})


def environment(server: FakeJudgeServer, protocol: str, folder: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "OPENAI_"))}
    there = {
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": server.url,
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(folder / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none"),
    }
    own = {
        "openai": {"OPENAI_API_KEY": OPENAI},
        "bedrock": {"AWS_BEARER_TOKEN_BEDROCK": BEARER},
        "boto3": {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": SESSION},
    }
    return {**kept, **there, **own[protocol], "https_proxy": f"http://user:{PASSWORD}@127.0.0.1:9"}


@pytest.mark.parametrize("protocol", ["openai", "bedrock", "boto3"])
@pytest.mark.parametrize(
    "script",
    [["ok"], [Canned(401, QUOTING)], [Canned(500, QUOTING)] * 9, [Canned(200, QUOTING)] * 9, ["ok", "400"]],
    ids=["well", "refused", "broken", "odd", "later"],
)
def test_credentials_stay_where_they_are(protocol: str, script: list[str | Canned], tmp_path: Path) -> None:
    model = "openai:m" if protocol == "openai" else "bedrock:amazon.nova-lite-v1:0"
    write_rubric(tmp_path, judge={"model": model})
    write_rows(tmp_path / "samples.jsonl", some_rows(3))
    with FakeJudgeServer('{"quality": "pass"}', faults=Faults(script=script)) as server:
        command = [sys.executable, "-m", "rftj_cli", "score", "rubric.yaml", "samples.jsonl", "--run", "run"]
        command += ["--timeout", "3", "--workers", "2"]
        own = {"openai": OPENAI, "bedrock": BEARER, "boto3": SECRET}[protocol]
        if protocol == "openai":
            command += ["--base-url", server.base_url.replace("//", f"//user:{PASSWORD}@")]
        command += ["--transport", "boto3"] if protocol == "boto3" else []
        env = environment(server, protocol, tmp_path)
        done = subprocess.run(command, check=False, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    assert server.requests and done.returncode in (0, 3), done.stderr
    said = (done.stdout + done.stderr).encode()
    files = [path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert len(files) >= 3
    mine = {own, PASSWORD} if protocol != "boto3" else {ACCESS, SECRET, SESSION}
    for content in (said, *files):
        assert not [secret for secret in mine if secret.encode() in content]
