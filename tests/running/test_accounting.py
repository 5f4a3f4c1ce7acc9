"""What a run keeps of its calls, what the next command makes of it, and votes that are not asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from making import write_rows
from services import Job, aws, number_in, right, rule

from rftj_cli.files.prices import Price
from rftj_cli.files.runs import open_run
from rftj_cli.testing import FakeJudgeServer, Faults, Model

PRICE = Price(1.0, 4.0, "test", cache_read=0.1, cache_write=1.25)


def test_the_manifest_says_how_the_calls_went(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = Faults(script=["ok", "500", "429", "empty"])
    with FakeJudgeServer(rule, latency=0.01, faults=faults, threads=0) as server:
        aws(monkeypatch, tmp_path, server.url, "bedrock")
        job = Job(tmp_path, server, "bedrock", samples=40, workers=4)
        scored = job.score(price=PRICE)
        billed = server.billed
    entry = job.history
    assert (entry["judged"], entry["calls"], entry["retries"], entry["throttled"]) == (40, 40, 3, 1)
    assert entry["stages"] == {"verdict": 40} and entry["structures"] == {"schema": 40}
    assert entry["lost_tokens"] > 0, "the empty reply was billed"
    assert entry["input_tokens"] + entry["output_tokens"] + entry["lost_tokens"] == billed.input + billed.output
    assert entry["cost"] == pytest.approx((billed.input + 4 * billed.output) / 1e6)
    assert 0 < entry["latency_p50"] <= entry["latency_p95"] and entry["calls_a_minute"] > 0
    assert entry["waited"] > 0 and [one["why"] for one in entry["limiter"]] == ["start", "throttled"]
    assert scored.run.manifest.cost == pytest.approx(entry["cost"])


def test_what_the_model_refuses_is_not_tried_again_by_the_next_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeJudgeServer(rule, model=Model(temperature=False, schema=False), threads=0) as server:
        aws(monkeypatch, tmp_path, server.url, "bedrock")
        job = Job(tmp_path, server, "bedrock", samples=5)
        job.score()
        before = server.requests
        assert before == 5 + 2, "one refusal each"
        write_rows(tmp_path / "samples.jsonl", [{"id": f"s{i}", "response": f"number {i}."} for i in range(9)])
        scored = job.score()
        assert server.requests == before + 4
    learned = scored.run.manifest.learned
    assert learned["accepted"]["structure"] == "tool" and not learned["accepted"]["temperature"]
    assert learned["tokens"]["replies"] == 9 and set(learned["rates"]) == {"requests_a_minute", "tokens_a_minute", "at"}
    assert any("temperature" in note for note in scored.notes)


def test_a_prompt_that_all_samples_share_is_cached_and_the_saving_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = "You judge answers with care. " * 400
    with FakeJudgeServer(rule, threads=0) as server:
        aws(monkeypatch, tmp_path, server.url, "bedrock")
        prompt = {"system": system, "user": "Judge this: {{ response }}"}
        job = Job(tmp_path, server, "bedrock", samples=10, workers=1, changes={"prompt": prompt})
        scored = job.score(price=PRICE)
        billed = server.billed
    blocks = server.bodies[0]["messages"][0]["content"]
    assert blocks[:2] == [{"text": "Judge this: "}, {"cachePoint": {"type": "default"}}]
    assert scored.tally.cache_read_tokens == billed.cache_read > 0
    saved = billed.cache_read * 0.9 - billed.cache_write * 0.25
    assert scored.cache_saving == pytest.approx(saved / 1e6)
    exact = billed.input + 4 * billed.output + 0.1 * billed.cache_read + 1.25 * billed.cache_write
    assert scored.run.manifest.cost == pytest.approx(exact / 1e6)


def test_the_ceiling_is_passed_by_no_more_than_what_was_in_flight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dear(body: dict[str, Any]) -> str:
        return json.dumps({"quality": {"reason": "because " * 200, "level": right(number_in(body))}})

    ceiling, workers = 0.02, 8
    with FakeJudgeServer(dear, latency=0.01, threads=0) as server:
        aws(monkeypatch, tmp_path, server.url, "openai")
        job = Job(tmp_path, server, "openai", samples=500, workers=workers)
        ended = job.ends(price=PRICE, max_cost=ceiling)
        spent = (server.billed.input + 4 * server.billed.output) / 1e6
        dearest = spent / server.billed.replies
    assert ended is not None and "--max-cost 0.02 reached" in str(ended)
    assert ceiling / 2 < spent <= ceiling + workers * dearest


@pytest.mark.parametrize("protocol", ["openai", "bedrock", "boto3"])
def test_the_ceiling_is_used_up_with_many_workers_too(
    protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is set aside for 64 calls in flight is not spent. ($0.014 to 0.019 of 0.10 before.)"""
    ceiling = 0.02
    with FakeJudgeServer(rule, latency=0.02, threads=0) as server:
        aws(monkeypatch, tmp_path, server.url, protocol)
        job = Job(tmp_path, server, protocol, samples=400, workers=64)
        ended = job.ends(price=PRICE, max_cost=ceiling)
        spent = (server.billed.input + 4 * server.billed.output) / 1e6
    assert ended is not None and "--max-cost 0.02 reached" in str(ended)
    assert 0.9 * ceiling < spent <= ceiling


@pytest.mark.parametrize("protocol", ["openai", "bedrock"])
def test_a_service_without_usage_is_charged_by_the_estimate_and_held_to_the_ceiling(
    protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeJudgeServer(rule, threads=0, count_tokens=lambda text: 0) as server:
        aws(monkeypatch, tmp_path, server.url, protocol)
        job = Job(tmp_path, server, protocol, samples=300, workers=8)
        ended = job.ends(price=PRICE, max_cost=0.02)
        assert ended is not None and "--max-cost 0.02 reached" in str(ended)
        assert 50 < server.requests < 250
        cost = open_run(str(job.folder / "run")).manifest.cost
        assert cost is not None and 0.018 < cost <= 0.02
        scored = job.score(price=PRICE)
    assert scored.budget.unmetered == scored.tally.calls > 50
    assert scored.budget.uncertain == pytest.approx(scored.budget.spent)


def votes(body: dict[str, Any]) -> str:
    """Even numbers are unanimous; of the others each vote says what its seed says."""
    number = number_in(body)
    level = right(number) if number % 2 == 0 else ("pass" if body["seed"] % 3 else "fail")
    return json.dumps({"quality": {"reason": "r", "level": level}})


def test_adaptive_votes_save_calls_and_change_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes, asked = [], []
    for name, adaptive in (("all", False), ("few", True)):
        folder = tmp_path / name
        folder.mkdir()
        with FakeJudgeServer(votes, threads=0) as server:
            aws(monkeypatch, folder, server.url, "openai")
            changes = {"judge": {"votes": 5, "seed": 1, "temperature": 0.7}}
            job = Job(folder, server, "openai", samples=40, changes=changes)
            scored = job.score(adaptive=adaptive)
            asked.append(server.requests)
        outcomes.append(job.outcomes())
        assert scored.tally.saved == 200 - asked[-1] == job.history["votes_saved"]
    assert outcomes[0] == outcomes[1]
    assert asked[0] == 200 and 120 <= asked[1] <= 165


def test_an_interrupted_run_holds_complete_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = Faults(script=["ok"] * 60 + ["401"] * 400)
    with FakeJudgeServer(votes, latency=0.005, faults=faults, threads=0) as server:
        aws(monkeypatch, tmp_path, server.url, "openai")
        changes = {"judge": {"votes": 5, "seed": 1, "temperature": 0.7}}
        job = Job(tmp_path, server, "openai", samples=40, workers=10, changes=changes)
        assert job.ends() is not None
    kept = sorted(job.outcomes())
    assert len(kept) >= 60 // 5 - 3, "votes of one sample after those of the one before"
    assert kept[-1] < 60 // 5 + 2


@pytest.mark.parametrize(("logprobs", "kept"), [(True, True), (False, False)])
def test_expected_value_and_confidence_stand_beside_the_verdict(
    logprobs: bool, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rftj_cli.kernel.outcome import Verdict
    from rftj_cli.testing import Answer

    text = '{"quality": {"reason": "r", "level": "pass"}}'
    head = text.index("pass")
    tokens = [(text[:head], 0.0, {}), ("pass", -0.2231435513, {"fail": -1.6094379124}), (text[head + 4 :], 0.0, {})]
    with FakeJudgeServer(Answer(text, logprobs=tokens)) as server:
        aws(monkeypatch, tmp_path, server.url, "openai")
        job = Job(tmp_path, server, "openai", samples=2, changes={"judge": {"logprobs": logprobs}})
        job.score()
    for _, row in open_run(str(tmp_path / "run")).store().outcomes():
        assert isinstance(row.outcome, Verdict)
        rating = row.outcome.ratings[0]
        assert rating.level == "pass"
        assert rating.confidence == (pytest.approx(0.8) if kept else None)
        assert rating.expected == (pytest.approx(0.8) if kept else None)
