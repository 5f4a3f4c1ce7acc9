"""Full records: only where asked for, encrypted, the same answers always, and never at the cost of a reward."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from making import rubric
from test_handler import FAILS, PASS, Context, Written, row, unpacked

from rftj_cli.kernel.events import response_hash
from rftj_cli.kernel.handler import Handler, load
from rftj_cli.kernel.outcome import CallError, Reply, Request
from rftj_cli.kernel.records import Recorder
from rftj_cli.kernel.scoring import Scorer
from rftj_cli.reward.bundle import Packing, Record


class S3:
    """A client that keeps what it is given, or fails, or never answers."""

    def __init__(self, error: BaseException | None = None, hang: threading.Event | None = None) -> None:
        self.error, self.hang = error, hang
        self.put: list[dict[str, Any]] = []

    def put_object(self, **given: Any) -> None:
        if self.hang is not None:
            self.hang.wait(30)
        if self.error is not None:
            raise self.error
        self.put.append(given)

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for one in self.put for line in one["Body"].decode("ascii").splitlines()]


def run(client: S3, rate: float = 1.0, key: str | None = None, judge: Any = None) -> tuple[Handler, Written]:
    written = Written()
    scorer = Scorer(rubric(reward=FAILS), judge or (lambda request: Reply(PASS, stop_reason="end_turn")))
    return Handler(scorer, recorder=Recorder("bucket", "p/q/", rate, key, client), write=written), written


def test_a_record_holds_the_texts_the_replies_and_the_result() -> None:
    client = S3()
    handler, written = run(client)
    results = handler(
        [row("an answer", id={"n": 1}, metadata={"k": "v", "reference_answer": "r"}), "bad"], Context(9000)
    )
    (put,) = client.put
    assert put["Bucket"] == "bucket" and put["ServerSideEncryption"] == "AES256" and "SSEKMSKeyId" not in put
    assert re.fullmatch(r"p/q/\d{4}/\d\d/\d\d/\d\d/8f5e\.jsonl", put["Key"])
    (record,) = client.records  # the malformed row has none
    assert record["schema"] == "rftj.reward-record/1" and record["id"] == {"n": 1}
    assert record["row"]["response"] == "an answer" and record["row"]["reference"] == "r"
    assert record["replies"] == [{"text": PASS, "stop": "end_turn", "seconds": 0.0}]
    assert record["aggregate_reward_score"] == results[0]["aggregate_reward_score"] == 1.0  # type: ignore[index]
    assert record["response_sha256"] == response_hash("an answer") and len(record["judge_fingerprint"]) == 64
    assert "an answer" not in written.text


def test_a_key_of_ones_own() -> None:
    client = S3()
    run(client, key="arn:aws:kms:eu-west-1:123456789012:key/k")[0]([row()], None)
    (put,) = client.put
    assert (put["ServerSideEncryption"], put["SSEKMSKeyId"]) == ("aws:kms", "arn:aws:kms:eu-west-1:123456789012:key/k")
    assert put["Key"].endswith(".jsonl") and "/.jsonl" not in put["Key"]


def test_a_failed_call_is_recorded_with_its_stage() -> None:
    def judge(request: Request) -> Reply:
        raise CallError("call", "gone", fatal=True)

    client = S3()
    run(client, judge=judge)[0]([row()], None)
    assert client.records[0]["replies"] == [{"failure": "call", "reason": "gone"}]


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_same_answers_are_kept_every_time_and_about_as_many_as_wanted(rate: float) -> None:
    rows = [row(f"answer {i}", id=i) for i in range(400)]
    kept = []
    for event in (rows, rows[::-1]):
        client = S3()
        run(client, rate)[0](event, None)
        kept.append({record["id"] for record in client.records})
    assert kept[0] == kept[1] and abs(len(kept[0]) / 400 - rate) < 0.1


def test_what_is_kept_at_a_low_rate_is_kept_at_a_higher_one() -> None:
    few, many = S3(), S3()
    rows = [row(f"answer {i}", id=i) for i in range(200)]
    run(few, 0.2)[0](rows, None)
    run(many, 0.6)[0](rows, None)
    assert {one["id"] for one in few.records} < {one["id"] for one in many.records}


def test_nothing_is_written_where_no_answer_is_chosen() -> None:
    client = S3()
    handler, written = run(client, 1e-12)
    handler([row(), "bad"], None)
    assert client.put == [] and len(written.lines) == 2


@pytest.mark.parametrize("error", [PermissionError("SECRET"), ValueError("SECRET"), RuntimeError()])
def test_a_client_that_fails_costs_no_reward_and_is_said(error: BaseException) -> None:
    handler, written = run(S3(error))
    results = handler([row()], Context(9000))
    assert results[0]["aggregate_reward_score"] == 1.0  # type: ignore[index]
    fault = written.lines[-1]
    assert fault == {
        "schema": "rftj.reward-fault/1",
        "request": "8f5e",
        "fault": f"records not kept: {type(error).__name__}",
    }


def test_a_client_that_never_answers_costs_no_reward() -> None:
    hang = threading.Event()
    handler, written = run(S3(hang=hang))
    results = handler([row()], Context(1200))
    assert not hang.is_set() and "no answer from S3" in written.lines[-1]["fault"]
    hang.set()
    assert results[0]["aggregate_reward_score"] == 1.0  # type: ignore[index]


def test_odd_data_is_recorded_as_json() -> None:
    client = S3()
    deep: list[Any] = []
    for _ in range(100):
        deep = [deep]
    run(client)[0]([row("\ud800\u2028", metadata={"x": float("nan"), "y": deep})], None)
    (record,) = client.records
    assert record["row"]["x"] is None and record["row"]["response"] == "?\u2028"


def test_there_are_no_records_unless_the_bundle_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor where replies come from a file: a rehearsal leaves the machine alone."""
    made = rubric(judge={"model": "replay:m"}, reward=FAILS)
    (tmp_path / "replies.jsonl").write_text("")
    monkeypatch.setenv("RFTJ_REPLIES", str(tmp_path / "replies.jsonl"))
    for record in (None, Record("bucket", "", 1.0)):
        assert load(unpacked(tmp_path, made, Packing(record=record)))._recorder is None
    monkeypatch.delenv("RFTJ_REPLIES")
    checks = rubric(criteria=None, checks=[{"id": "j", "type": "json_valid"}], reward=FAILS)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert load(unpacked(tmp_path, checks, Packing(record=Record("bucket", "", 1.0))))._recorder is not None
    assert load(unpacked(tmp_path, checks))._recorder is None
