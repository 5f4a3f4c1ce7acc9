"""Quotas of a service: found, kept to, and used."""

from __future__ import annotations

from pathlib import Path

import pytest
from services import Job, aws, right, rule

from rftj_cli.testing import FakeJudgeServer, Quota


def wasted(
    folder: Path, patch: pytest.MonkeyPatch, quota: Quota, samples: int, protocol: str = "openai", **settings: float
) -> float:
    """The share of requests that the quota refused; no sample is lost."""
    with FakeJudgeServer(rule, latency=0.05, quota=quota, threads=0) as server:
        aws(patch, folder, server.url, protocol)
        job = Job(folder, server, protocol, samples=samples, workers=200)
        assert job.ends(**settings) is None
        share = server.throttled / server.requests
        assert job.history["throttled"] == server.throttled
    assert job.outcomes() == {number: right(number) for number in range(samples)}
    return share


@pytest.mark.parametrize("protocol", ["openai", "bedrock"])
def test_fifty_requests_a_second_are_found_with_little_waste(
    protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How little is held by `test_traffic.py` on a clock of its own; here the machine may be busy, and sends in bursts."""
    assert wasted(tmp_path, monkeypatch, Quota(requests=3000), 400, protocol) < 0.2


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["openai", "bedrock"])
def test_fifty_requests_a_second_for_five_thousand_samples(
    protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert wasted(tmp_path, monkeypatch, Quota(requests=3000), 5000, protocol) < 0.03


def test_a_quota_of_tokens_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert wasted(tmp_path, monkeypatch, Quota(tokens=4_000_000), 400) < 0.2  # 3% on a quiet machine, 11% on a busy one


def test_a_ceiling_below_the_quota_wastes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert wasted(tmp_path, monkeypatch, Quota(requests=3000), 200, rpm=2800) == 0


def test_what_was_found_is_used_by_the_next_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from making import write_rows

    quota = Quota(requests=3000)
    with FakeJudgeServer(rule, latency=0.02, quota=quota, threads=0) as server:
        aws(monkeypatch, tmp_path, server.url, "openai")
        job = Job(tmp_path, server, "openai", samples=250, workers=64)
        assert job.ends() is None
        before = server.throttled
        rows = [{"id": f"s{i}", "response": f"number {i}."} for i in range(350)]
        write_rows(tmp_path / "samples.jsonl", rows)
        assert job.ends() is None
        assert server.throttled - before <= before + 3
        limits = [entry["requests_a_minute"] for entry in job.history["limiter"]]
    assert limits[0] is not None and 1500 < limits[0] < 4500
