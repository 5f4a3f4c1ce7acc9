"""Credentials, URL and regions as botocore finds them, from real environment variables, files and processes."""

from __future__ import annotations

import json
import os
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest

from rftj_cli.errors import InputError
from rftj_cli.judges.curl import Curl
from rftj_cli.kernel.bedrock import Access, BotoJudge, ConverseDialect
from rftj_cli.kernel.dialect import HttpJudge
from rftj_cli.kernel.outcome import CallError, Request
from rftj_cli.kernel.rubric import JudgeSettings
from rftj_cli.testing import FakeJudgeServer

MODEL = "bedrock:us.amazon.nova-2-lite-v1:0"
REQUEST = Request(MODEL, "", "?", 0.0, 5, None, {"q": ("fail", "pass")}, "none", json=True)
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6"


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAFAKE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
    }.items():
        monkeypatch.setenv(name, value)


def without_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")


def config(text: str) -> None:
    Path(os.environ["AWS_CONFIG_FILE"]).write_text(text, encoding="utf-8")


MODELS = [
    "openai.gpt-oss-120b-1:0",
    "us.anthropic.claude-haiku-4-5-20251001-v1:0",
    PROFILE,
    "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0",
    "odd model/with%everything~_.-\u00e9",
]


@pytest.mark.parametrize("model", MODELS)
def test_the_url_is_the_one_that_boto3_calls(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            paths.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        base = f"http://127.0.0.1:{server.server_address[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", f"{base}/behind/a/proxy")
        client = boto3.client("bedrock-runtime", region_name="us-east-1")
        client.converse(modelId=model, messages=[{"role": "user", "content": [{"text": "?"}]}])
        access = Access(f"bedrock:{model}")
        Curl(1).post(ConverseDialect(access, JudgeSettings(MODEL)).write(REQUEST), 5.0)
    finally:
        server.shutdown()
        server.server_close()
    assert paths[0] == paths[1] == urlsplit(access.url).path
    assert access.url.startswith(base)


def test_the_host_is_that_of_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Access(MODEL).url.startswith("https://bedrock-runtime.us-east-1.amazonaws.com/model/us.amazon.nova-2")
    assert "eu-west-1" in Access(MODEL, region="eu-west-1").url
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    assert "//bedrock-runtime-fips.us-east-1." in Access(MODEL).url
    monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", "true")
    assert "//bedrock-runtime-fips.us-east-1.api.aws" in Access(MODEL).url


def test_a_profile_brings_region_and_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    config("[profile me]\nregion = eu-central-1\nendpoint_url = https://gateway.example.com/x\n")
    monkeypatch.setenv("AWS_PROFILE", "me")
    monkeypatch.delenv("AWS_REGION")
    access = Access(MODEL)
    assert access.region == "eu-central-1"
    assert access.url.startswith("https://gateway.example.com/x/model/")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    assert Access(MODEL).region == "us-west-2"
    monkeypatch.setenv("AWS_REGION", "us-east-2")
    assert Access(MODEL).region == "us-east-2"


def test_no_credentials_names_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    without_keys(monkeypatch)
    with pytest.raises(InputError) as caught:
        Access(MODEL)
    text = str(caught.value)
    assert all(way in text for way in ("AWS_BEARER_TOKEN_BEDROCK", "--base-url", "judge.model=local", "--replay"))


def test_no_region_is_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    with pytest.raises(InputError, match="no AWS region"):
        Access(MODEL)


def test_an_unknown_profile_is_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(InputError, match="nobody"):
        Access(MODEL)


@pytest.mark.parametrize(
    ("name", "value"),
    [("AWS_REGION", "no such region!"), ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "gopher:/nowhere")],
)
def test_a_setting_that_is_nonsense_is_an_input_error(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match="AWS cannot be set up"):
        Access(MODEL)


def test_a_configuration_that_cannot_be_read_is_an_input_error() -> None:
    config("region = us-east-1\n")
    with pytest.raises(InputError, match="AWS cannot be set up"):
        Access(MODEL)


def test_an_api_key_is_preferred_to_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "bedrock-key")
    with FakeJudgeServer(api_key="bedrock-key") as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", server.url)
        access, settings = Access(MODEL), JudgeSettings(MODEL)
        assert HttpJudge(ConverseDialect(access, settings), Curl(1))(REQUEST).text
        with pytest.raises(CallError, match="HTTPS") as caught:  # botocore sends it over https alone
            BotoJudge(access, settings, workers=1)(REQUEST)
        assert server.requests == 1
    assert caught.value.fatal
    assert "bedrock-key" not in str(caught.value)


def test_an_empty_api_key_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "")
    with FakeJudgeServer(credentials=("AKIAFAKE", "secret")) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", server.url)
        access, settings = Access(MODEL), JudgeSettings(MODEL)
        assert HttpJudge(ConverseDialect(access, settings), Curl(1))(REQUEST).text
        assert BotoJudge(access, settings, workers=1)(REQUEST).text


@pytest.mark.parametrize(("url", "fine"), [
    ("http://gateway.example.com", False), ("http://10.0.0.1:80", False), ("http://localhost.evil.example", False),
    ("http://localhost:9", True), ("http://[::1]:9", True), ("https://gateway.example.com", True),
])  # fmt: skip
def test_an_api_key_is_sent_where_nobody_listens(url: str, fine: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    without_keys(monkeypatch)
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "bedrock-key")
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", url)
    if fine:
        assert Access(MODEL).headers(url, b"")["Authorization"] == "Bearer bedrock-key"
    else:
        with pytest.raises(InputError, match="https") as caught:
            Access(MODEL)
        assert "bedrock-key" not in str(caught.value)


def test_an_api_key_that_is_none_is_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "two\nlines")
    with pytest.raises(InputError, match="characters") as caught:
        Access(MODEL)
    assert "two" not in str(caught.value)


PROCESS = """
import json, pathlib, sys
here = pathlib.Path({here!r})
if (here / "down").exists():
    sys.exit("the vault says: hunter2")
calls = here / "calls"
calls.write_text(str(int(calls.read_text() or 0) + 1))
print(json.dumps({{"Version": 1, "AccessKeyId": "AKIA" + calls.read_text(), "SecretAccessKey": "s",
                  "SessionToken": "t", "Expiration": {expires!r}}}))
"""


def test_credentials_are_renewed_while_a_run_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_keys(monkeypatch)
    (tmp_path / "calls").write_text("0")
    expires = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()  # so soon that botocore renews at each use
    script = tmp_path / "vault.py"
    script.write_text(PROCESS.format(here=str(tmp_path), expires=expires))
    config(f"[default]\ncredential_process = {json.dumps(sys.executable)} {json.dumps(str(script))}\n")
    access = Access(MODEL)
    first, second = (access.headers(access.url, b"{}") for _ in range(2))
    assert first["Authorization"].split("/")[0] != second["Authorization"].split("/")[0]
    assert first["X-Amz-Security-Token"] == "t"
    (tmp_path / "down").touch()
    with pytest.raises(CallError, match="custom-process") as caught:
        access.headers(access.url, b"{}")
    assert caught.value.fatal
    assert "aws sso login" in caught.value.advice
    assert "hunter2" not in str(caught.value)
    with pytest.raises(InputError, match="custom-process") as refused:
        Access(MODEL)
    assert "hunter2" not in str(refused.value)


def test_only_allowed_regions() -> None:
    plain = "bedrock:amazon.nova-pro-v1:0"
    with pytest.raises(InputError, match="allow_regions") as caught:
        Access(plain, allow_regions=["eu-west-1"])
    assert "us-east-1" in str(caught.value)
    assert Access(plain, region="eu-west-1", allow_regions=["eu-west-1"]).region == "eu-west-1"


@pytest.mark.parametrize(
    "model",
    ["global.amazon.nova-2-lite-v1:0", "arn:aws:bedrock:us-east-1:123456789012:inference-profile/global.amazon.nova-2"],
)
def test_a_global_profile_cannot_be_kept_to_regions(model: str) -> None:
    with pytest.raises(InputError, match="global inference profile"):
        Access(f"bedrock:{model}", allow_regions=["us-east-1"])


@pytest.mark.parametrize(
    "model",
    [
        "us.amazon.nova-2-lite-v1:0",
        "us-gov.amazon.nova-2-lite-v1:0",
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-2-lite-v1:0",
        PROFILE,
        "a1b2c3d4e5f6",
    ],
)
def test_aws_is_asked_where_a_profile_computes(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    id = model.rpartition("/")[2]
    with FakeJudgeServer(profiles={id: ["us-east-1", "us-west-2"]}) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK", server.url)
        assert Access(f"bedrock:{model}", allow_regions=["us-east-1", "us-west-2", "us-east-2"]).model == model
        with pytest.raises(InputError, match="in us-west-2"):
            Access(f"bedrock:{model}", allow_regions=["us-east-1"])


def test_a_busy_service_is_asked_again_where_a_profile_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred environments that start at once ask at once: who is told to wait must not fail for ever."""
    answers = [
        (429, {"message": "Too many requests"}),
        (200, {"models": [{"modelArn": "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-2-lite-v1:0"}]}),
    ]

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

        def do_GET(self) -> None:
            status, body = answers.pop(0)
            text = json.dumps(body).encode()
            self.send_response(status)
            if status == 429:
                self.send_header("x-amzn-ErrorType", "ThrottlingException")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK", f"http://127.0.0.1:{server.server_address[1]}")
        assert Access(MODEL, allow_regions=["us-east-1"]).region == "us-east-1"
    finally:
        server.shutdown()
        server.server_close()
    assert answers == []


def test_a_profile_that_may_compute_anywhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeJudgeServer(profiles={"a1b2c3d4e5f6": ["us-east-1", ""]}) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK", server.url)
        with pytest.raises(InputError, match="in any region"):
            Access(f"bedrock:{PROFILE}", allow_regions=["us-east-1"])


@pytest.mark.parametrize("regions", [None, []])
def test_what_cannot_be_verified_is_refused(regions: list[str] | None, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeJudgeServer(profiles={} if regions is None else {"us.amazon.nova-2-lite-v1:0": regions}) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK", server.url)
        with pytest.raises(InputError, match="cannot be verified") as caught:
            Access(MODEL, allow_regions=["us-east-1"])
    assert "bedrock:GetInferenceProfile" in str(caught.value)
    with pytest.raises(InputError, match="cannot be verified"):  # nobody answers any more
        Access(MODEL, allow_regions=["us-east-1"])


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ("amazon.nova-pro-v1:0", None),
        ("ai21.jamba-1-5-large-v1:0", None),
        ("zai.glm-4.7", None),
        ("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0", None),
        ("arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcdefghijkl", None),
        ("arn:aws:bedrock:us-west-2:123456789012:imported-model/abcdefghijkl", "the model's region"),
        ("arn:aws:bedrock:us-east-1:123456789012:default-prompt-router/anthropic.claude:1", "cannot be verified"),
        ("arn:aws", "cannot be verified"),
    ],
)
def test_a_model_computes_where_it_is_called(model: str, problem: str | None) -> None:
    if problem is None:
        assert Access(f"bedrock:{model}", allow_regions=["us-east-1"]).model == model
    else:
        with pytest.raises(InputError, match=problem):
            Access(f"bedrock:{model}", allow_regions=["us-east-1"])
