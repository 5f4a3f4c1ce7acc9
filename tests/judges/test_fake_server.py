"""The fake service itself: its log, its faults, and as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rftj_cli.errors import InputError
from rftj_cli.judges.openai import OpenAIJudge
from rftj_cli.kernel.outcome import Request
from rftj_cli.testing import FakeJudgeServer, Faults

REQUEST = Request("openai:m", "", "Is it so?", 0.0, 10, None, {"quality": ("fail", "pass")}, "none", True)


def test_requests_and_finished_replies_are_logged(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    with FakeJudgeServer("pass", log=log, faults=Faults(script=["ok"])) as server:
        OpenAIJudge("m", base_url=server.base_url, api_key="secret-key", workers=1)(REQUEST)
    first, second = map(json.loads, log.read_text().splitlines())
    assert (first["event"], first["number"], first["body"]["max_tokens"]) == ("request", 0, 10)
    assert (second["event"], second["number"], second["text"]) == ("reply", 0, "pass")
    assert "secret-key" not in log.read_text()


def test_faults_are_drawn_by_seed_and_number() -> None:
    faults, same = (Faults(rate=0.25, seed=3) for _ in range(2))
    drawn = [faults.of(number) for number in range(2000)]
    assert drawn == [same.of(number) for number in range(2000)]
    assert 0.2 < sum(fault != "ok" for fault in drawn) / 2000 < 0.3


def test_an_unknown_fault_is_refused() -> None:
    with pytest.raises(InputError, match="reset"):
        Faults(script=["rest"])


def test_hundreds_of_requests_a_second() -> None:
    with FakeJudgeServer("pass", latency=0.02) as server:
        judge = OpenAIJudge("m", base_url=server.base_url, workers=16)
        started = time.monotonic()
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(judge, [REQUEST] * 300))
        assert time.monotonic() - started < 5
    assert server.requests == 300


def test_as_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "rftj_cli.testing.server", "--port", "0", "--reply", '{"quality": "fail"}']
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        url = process.stdout.readline().strip()
        reply = OpenAIJudge("m", base_url=f"{url}/v1", workers=1)(REQUEST)
        process.terminate()
        assert process.wait(5) == 0
        assert process.stderr.read() == ""
    assert reply.text == '{"quality": "fail"}'
