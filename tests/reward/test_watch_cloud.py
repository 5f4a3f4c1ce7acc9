"""Reward logs from CloudWatch, through the real `Cloud` on an emulated AWS."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws
from reporting import refused, rftj, succeed
from reward_log_making import Course, simulated

from rftj_cli.cloud import Call, Cloud, CloudError, check
from rftj_cli.errors import InputError
from rftj_cli.files.reward_logs import Intake
from rftj_cli.reward.watch_cloud import LogEvents, LogGroup, group_of

GROUP = "/aws/lambda/contract-reward"


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    for name, value in (("ACCESS_KEY_ID", "testing"), ("SECRET_ACCESS_KEY", "testing"), ("REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    with mock_aws():
        cloud = Cloud()
        cloud(Call("logs", "create_log_group", {"logGroupName": GROUP}))
        cloud(Call("logs", "create_log_stream", {"logGroupName": GROUP, "logStreamName": "2026/11/25/[3]a"}))
        yield cloud


def put(cloud: Cloud, messages: list[str]) -> None:
    now = int(time.time() * 1000) - len(messages)
    for start in range(0, len(messages), 1000):
        events = [
            {"timestamp": now + start + place, "message": message}
            for place, message in enumerate(messages[start : start + 1000])
        ]
        stream = {"logGroupName": GROUP, "logStreamName": "2026/11/25/[3]a", "logEvents": events}
        cloud(Call("logs", "put_log_events", stream))


def test_a_function_is_watched_over_many_pages(cloud: Cloud, home: Path) -> None:
    """12,288 results are more than one page of 10,000; Lambda's own lines stand between them."""
    rows = [json.dumps(row) for row in simulated(Course(reward=0.2, words=0.8), prompts=96, epochs=16)]
    assert len(rows) == 12288
    put(cloud, ["START RequestId: 1 Version: 3", *rows, "REPORT RequestId: 1 Duration: 9 ms"])
    found = succeed("reward", "watch", "contract-reward", "--json").document
    assert found["counts"]["results"] == 12288 and found["source"] == {
        "logs": GROUP, "cloudwatch": True, "start": found["source"]["start"], "end": found["source"]["end"],
    }  # fmt: skip
    assert "verbosity" in {sign["name"] for sign in found["signs"]}


def test_an_unknown_group_names_the_nearest(cloud: Cloud, home: Path) -> None:
    error = refused("reward", "watch", "contract-rewards")
    assert "no such log group" in json.dumps(error) and GROUP in json.dumps(error)


def test_a_group_without_results_is_refused(cloud: Cloud, home: Path) -> None:
    put(cloud, ["START RequestId: 1"])
    assert "no line of a reward log" in json.dumps(refused("reward", "watch", GROUP))


def test_what_came_since_is_read_once(cloud: Cloud) -> None:
    rows, intake = [json.dumps(row) for row in simulated(prompts=16, epochs=1)], Intake()
    put(cloud, rows[:100])
    events = LogEvents(cloud, GROUP, 0)
    assert events.read(intake) == 100
    assert events.read(intake) == 0
    put(cloud, rows[100:])
    assert events.read(intake) == 28
    assert intake.builder.log().n == 128


class Busy:
    """AWS that is busy for the first calls, then answers."""

    def __init__(self, busy: int, code: str = "ThrottlingException") -> None:
        self.busy, self.code, self.calls = busy, code, list[Call]()

    def __call__(self, call: Call) -> dict[str, Any]:
        check(call)
        self.calls.append(call)
        if len(self.calls) <= self.busy:
            raise CloudError(call, self.code, "Rate exceeded")
        return {"events": [{"eventId": "1", "timestamp": 5, "message": json.dumps(simulated(prompts=16, epochs=1)[0])}]}


def test_a_busy_service_is_asked_again_and_a_forbidden_one_is_not() -> None:
    waited: list[float] = []
    assert LogEvents(Busy(3), GROUP, 0, sleep=waited.append).read(Intake()) == 1
    assert waited == [1, 2, 4]
    with pytest.raises(CloudError, match="Rate exceeded"):
        LogEvents(Busy(99), GROUP, 0, sleep=waited.append).read(Intake())
    waited.clear()
    with pytest.raises(CloudError):
        LogEvents(Busy(99, "AccessDeniedException"), GROUP, 0, sleep=waited.append).read(Intake())
    assert waited == []


def test_what_names_a_log_group(home: Path) -> None:
    assert group_of("arn:aws:lambda:us-west-2:111122223333:function:reward:live") == LogGroup(
        "/aws/lambda/reward", "us-west-2"
    )
    arn = "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/reward:*"
    assert group_of(arn) == LogGroup("/aws/lambda/reward", "eu-west-1")
    assert group_of("reward") == LogGroup("/aws/lambda/reward")
    (home / "reward").mkdir()
    for file in ("reward", "logs.jsonl", f"{home}/logs.txt", "a/b"):
        assert group_of(file) is None
    with pytest.raises(InputError, match="not the ARN"):
        group_of("arn:aws:s3:::bucket")


def test_without_credentials_the_file_that_is_not_there_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "none")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "none")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    said = rftj("reward", "watch", "logs", "--region", "us-east-1")
    assert said.code == 2 and "no file or folder 'logs'" in said.err and "credentials" in said.err
