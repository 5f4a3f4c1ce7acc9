"""Whoever carries a call: its deadline holds, whatever the service does."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from services import aws

from rftj_cli.judges import Options, make_judge
from rftj_cli.kernel.outcome import CallError, Judge, Reply, Request
from rftj_cli.kernel.retry import Policy
from rftj_cli.kernel.rubric import JudgeSettings
from rftj_cli.running.loop import Loop, Rounds
from rftj_cli.running.pool import Inline, Threads, make_pool
from rftj_cli.running.tokens import Meter
from rftj_cli.running.traffic import Traffic
from rftj_cli.testing import FakeJudgeServer, Faults

DEADLINE = 2.0
KINDS = ("hang", "drip", "500", "reset", "reset-mid", "empty", "html", "truncated")


def request(number: int) -> Request:
    answers = {"quality": ("fail", "pass")}
    return Request("bedrock:amazon.nova-lite-v1:0", "", f"number {number}.", 0.0, 50, None, answers, "none", True)


def durations(judge: Judge, kind: type, workers: int, calls: int) -> list[float]:
    """Seconds from submission to the end of each call, of which the first goes alone before the clock starts."""
    stop = threading.Event()
    traffic = Traffic()
    pool = make_pool(
        judge, Rounds.same(Policy(deadline=DEADLINE, gated=True)), traffic, Meter(), workers=workers, stop=stop
    )
    assert isinstance(pool, kind)
    taken: list[float] = []

    def submit(number: int) -> None:
        began = time.monotonic()
        pool.submit(request(number), lambda answer: taken.append(time.monotonic() - began))

    submit(0)
    while pool.active:
        pool.turn()
    for number in range(1, calls):
        submit(number)
    while pool.active:
        pool.turn()
    pool.close()
    assert len(taken) == calls
    assert not any("no answer" in entry["why"] for entry in traffic.history), "else the breaker's time is in here"
    return taken


@pytest.mark.parametrize(
    ("transport", "kind", "workers", "calls"), [("auto", Loop, 32, 96), ("boto3", Threads, 16, 48)]
)
def test_no_call_passes_its_deadline_by_a_second(
    transport: str, kind: type, workers: int, calls: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = Faults(script=["ok"], rate=0.25, kinds=KINDS, hang=20, seed=5)
    with FakeJudgeServer('{"quality": "pass"}', faults=faults, threads=0) as server:
        aws(monkeypatch, tmp_path, server.url, "boto3")
        options = Options(workers=workers, timeout=DEADLINE, transport=transport)  # type: ignore[arg-type]
        judge = make_judge(JudgeSettings("bedrock:amazon.nova-lite-v1:0"), options)
        taken = durations(judge, kind, workers, calls)
    assert max(taken) < DEADLINE + 1
    assert max(taken) > DEADLINE - 0.5, "some did hang"


def test_a_judge_of_ones_own_runs_in_threads_or_in_line() -> None:
    def judge(request: Request) -> Reply:
        if request.user == "number 3.":
            raise CallError("call", "not this one")
        return Reply("pass")

    answers: list[Reply | CallError] = []
    for workers, kind in ((4, Threads), (1, Inline)):
        pool = make_pool(judge, Rounds.same(Policy()), None, Meter(), workers=workers, stop=threading.Event())
        assert isinstance(pool, kind)
        for number in range(10):
            pool.submit(request(number), answers.append)
        while pool.active:
            pool.turn()
        pool.close()
    assert len(answers) == 20
    assert sum(isinstance(answer, CallError) for answer in answers) == 2


def test_a_bug_in_a_judge_is_raised_and_not_swallowed() -> None:
    def judge(request: Request) -> Reply:
        raise ZeroDivisionError

    pool = make_pool(judge, Rounds.same(Policy()), None, Meter(), workers=2, stop=threading.Event())
    pool.submit(request(0), lambda answer: None)
    with pytest.raises(ZeroDivisionError):
        while True:
            pool.turn()
