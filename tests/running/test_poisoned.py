"""Prompts that always fail: each costs its own sample, wherever it stands and however it fails; the run completes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from services import POISON, Job, aws, number_in, right, rule

from rftj_cli.testing import FakeJudgeServer, Faults

# kind -> stage of the failure, and how often a poisoned prompt may be sent in one command
STAGES = {
    "400": ("call", 1),  # in words that are not known
    "blocked": ("filtered", 1),
    "too-long": ("too_long", 1),
    "empty": ("call", 9),
    "500": ("call", 9),
    "html": ("call", 9),
    "hang": ("timeout", 4),
}  # fmt: skip


def placed(where: str, poisoned: int, samples: int) -> frozenset[int]:
    """The poisoned samples: a block at the head, in the middle or at the tail of the file."""
    start = {"head": 0, "middle": (samples - poisoned) // 2, "tail": samples - poisoned}[where]
    return frozenset(range(start, start + poisoned))


def sent(server: FakeJudgeServer, poisoned: frozenset[int]) -> Counter[int]:
    """How often each poisoned prompt was sent so far."""
    return Counter(number for body in server.bodies if (number := number_in(body)) in poisoned)


def judged(
    folder: Path, patch: pytest.MonkeyPatch, kind: str, poisoned: frozenset[int], protocol: str, **job: Any
) -> int:
    """Score twice and hold all outcomes against what is right; the number of requests."""
    stage, most = STAGES[kind]
    faults = Faults(marked={POISON: kind}, hang=60)
    with FakeJudgeServer(rule, latency=0.02, faults=faults, threads=0) as server:
        aws(patch, folder, server.url, protocol)
        run = Job(folder, server, protocol, poisoned=poisoned, **job)
        expected = {number: stage if number in poisoned else right(number) for number in range(run.samples)}
        assert run.ends() is None
        assert run.outcomes() == expected
        first = sent(server, poisoned)
        assert set(first) == poisoned and max(first.values()) <= most, first
        good = server.requests - first.total()
        assert good <= run.samples - len(poisoned) + 10 + run.samples // 50, "the service is probed now and then"

        assert run.ends() is None, "again: only failures of the service are tried again"
        assert run.outcomes() == expected
        again = sent(server, poisoned) - first
        assert max(again.values(), default=0) <= (most if stage in ("call", "timeout") else 0)
        return server.requests


@pytest.mark.parametrize(
    ("kind", "where", "protocol", "workers"),
    [("400", "head", "openai", 16), ("400", "middle", "bedrock", 64), ("400", "tail", "boto3", 8),
     ("blocked", "head", "bedrock", 16), ("too-long", "tail", "openai", 64), ("too-long", "middle", "boto3", 8),
     ("empty", "head", "openai", 16), ("500", "tail", "bedrock", 64), ("html", "middle", "openai", 16),
     ("hang", "tail", "openai", 64)],
)  # fmt: skip
def test_poisoned_prompts_cost_themselves_alone(
    kind: str, where: str, protocol: str, workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned = placed(where, 6, 60)
    judged(tmp_path, monkeypatch, kind, poisoned, protocol, samples=60, workers=workers, timeout=2)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [16, 256])
@pytest.mark.parametrize("where", ["head", "middle", "tail"])
@pytest.mark.parametrize("share", [0.01, 0.1])
@pytest.mark.parametrize("kind", STAGES)
@pytest.mark.parametrize("protocol", ["openai", "bedrock"])
def test_poisoned_prompts_at_scale(
    kind: str, share: float, where: str, workers: int, protocol: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    poisoned = placed(where, int(share * 2000), 2000)
    judged(tmp_path, monkeypatch, kind, poisoned, protocol, samples=2000, workers=workers, timeout=8)
