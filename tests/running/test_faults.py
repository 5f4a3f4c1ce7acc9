"""Every fault of a service, at a rate: each sample ends once, as the right outcome."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from services import Job, aws, number_in, right, rule

from rftj_cli.testing import FakeJudgeServer, Faults

MENDED = (
    "429", "429-after", "429-ms", "408", "424", "500", "503", "reset", "reset-mid", "truncated", "html", "malformed",
    "garbage", "empty", "whitespace", "not-ready", "reasoning", "foreign-tool", "tool", "drip", "hang",
)  # fmt: skip
CONTENT = {"filtered": "filtered", "refusal": "refused", "max_tokens": "truncated"}
ATTEMPTS = 6


def judged(
    folder: Path, patch: pytest.MonkeyPatch, protocol: str, kinds: tuple[str, ...], rate: float, samples: int
) -> Counter[str]:
    """Score, and hold every outcome against what the service did to the requests for that sample."""
    faults = Faults(rate=rate, kinds=kinds, seed=3, retry_after=0.1, hang=30, down=0.3)
    log = folder / "log.jsonl"
    with FakeJudgeServer(rule, latency=0.01, faults=faults, threads=0, log=log) as server:
        aws(patch, folder, server.url, protocol)
        job = Job(folder, server, protocol, samples=samples, workers=64 if protocol != "boto3" else 16, timeout=6)
        assert job.ends() is None
    met: dict[int, list[str]] = defaultdict(list)
    for line in log.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry["event"] == "request":
            met[number_in(entry["body"])].append(str(faults.of(entry["number"])))
    outcomes = job.outcomes()
    assert set(outcomes) == set(range(samples))
    for number, outcome in outcomes.items():
        last = met[number][-1]
        if last in CONTENT:
            assert outcome == CONTENT[last], (number, met[number])
        elif outcome in ("pass", "fail"):
            assert outcome == right(number)
            assert last in ("ok", "reasoning", "tool"), (number, met[number])
        else:
            bad = [one for one in met[number] if one not in ("ok", "reasoning")]
            assert outcome in ("call", "timeout", "throttled") and len(bad) >= 2, (number, outcome, met[number])
    return Counter(outcomes.values())


def lost(outcomes: Counter[str]) -> int:
    return outcomes["call"] + outcomes["timeout"] + outcomes["throttled"]


@pytest.mark.parametrize(("protocol", "samples"), [("openai", 250), ("bedrock", 250), ("boto3", 80)])
def test_all_faults_mixed_end_as_the_right_outcome(
    protocol: str, samples: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = judged(tmp_path, monkeypatch, protocol, (*MENDED, *CONTENT), 0.3, samples)
    assert lost(outcomes) <= 0.02 * samples


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["openai", "bedrock"])
def test_all_faults_mixed_at_scale(protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = judged(tmp_path, monkeypatch, protocol, (*MENDED, *CONTENT), 0.3, 5000)
    assert lost(outcomes) <= 0.005 * 5000


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*MENDED, *CONTENT])
@pytest.mark.parametrize("protocol", ["openai", "bedrock"])
def test_one_fault_in_ten(kind: str, protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = judged(tmp_path, monkeypatch, protocol, (kind,), 0.1, 5000)
    assert lost(outcomes) <= (100 if kind in ("drip", "hang") else 5), outcomes


def test_connections_that_are_refused_now_and_then_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = Faults(rate=0.01, kinds=("refused",), seed=3, down=0.5)
    with FakeJudgeServer(rule, latency=0.01, faults=faults, threads=0) as server:
        aws(monkeypatch, tmp_path, server.url, "bedrock")
        job = Job(tmp_path, server, "bedrock", samples=300)
        assert job.ends() is None
    assert job.outcomes() == {number: right(number) for number in range(300)}


@pytest.mark.parametrize("kind", ["401", "403", "404", "expired", "unknown-parameter"])
@pytest.mark.parametrize("protocol", ["openai", "bedrock", "boto3"])
def test_what_no_retry_can_mend_stops_at_once_and_loses_nothing(
    kind: str, protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = Faults(script=["ok"] * 20 + [kind] * 500)
    with FakeJudgeServer(rule, faults=faults, threads=0) as server:
        aws(monkeypatch, tmp_path, server.url, protocol)
        job = Job(tmp_path, server, protocol, samples=100, workers=8)
        ended = job.ends()
        assert ended is not None and "cannot be used" in str(ended) and "\n" in str(ended), "with what to do"
        assert server.requests <= 20 + 2 * 8
        kept = job.outcomes()
        assert 10 <= len(kept) <= 20
        server.faults = Faults()
        assert job.ends() is None
    assert job.outcomes() == {number: right(number) for number in range(100)}


def test_an_outage_in_mid_run_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    with FakeJudgeServer(rule, latency=0.05, threads=0) as server:
        aws(monkeypatch, tmp_path, server.url, "openai")
        job = Job(tmp_path, server, "openai", samples=600, workers=32)
        threading.Timer(0.5, server.outage, (3.0,)).start()
        assert job.ends() is None
    assert job.outcomes() == {number: right(number) for number in range(600)}
    assert any("no answer" in entry["why"] for entry in job.history["limiter"])


def test_nobody_there_ends_the_run_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeJudgeServer(rule) as server:
        aws(monkeypatch, tmp_path, server.url, "openai")
        job = Job(tmp_path, server, "openai", samples=50, timeout=3)
    ended = job.ends()
    assert ended is not None and "connection refused" in str(ended) and "goes on" in str(ended)
    assert job.outcomes() == {}
