"""Ctrl-C and SIGTERM: a clean stop that keeps everything, and a command that then goes on."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from making import some_rows, write_rows, write_rubric
from processes import committed, service, start

from rftj_cli.files.runs import open_run


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_keeps_all_and_the_same_command_completes_it(tmp_path: Path, number: signal.Signals) -> None:
    write_rubric(tmp_path)
    write_rows(tmp_path / "samples.jsonl", some_rows(200))
    with service(tmp_path, latency=0.1) as judge:
        first = start(tmp_path, judge, workers=8)
        while len(committed(tmp_path)) < 20:
            assert first.poll() is None
            time.sleep(0.02)
        first.send_signal(number)
        _, err = first.communicate(timeout=300)
        assert first.returncode == 130, err
        assert "Traceback" not in err
        asked = [event.sample for event in judge.events() if event.kind == "request"]
        kept = committed(tmp_path)
        assert set(asked) == set(kept), "a call that was in flight was not kept"
        assert f"{len(kept)} of 200 samples are kept" in err
        manifest = open_run(str(tmp_path / "run")).manifest
        assert (manifest.status, manifest.counts["judged"]) == ("partial", len(kept))
        second = start(tmp_path, judge, workers=32)
        _, err = second.communicate(timeout=300)
        assert second.returncode == 0, err
        asked = [event.sample for event in judge.events() if event.kind == "request"]
        assert sorted(asked) == sorted(f"s{i}" for i in range(200)), "each sample is asked once over both commands"
    assert open_run(str(tmp_path / "run")).manifest.status == "complete"


def test_a_second_ctrl_c_leaves_at_once_and_keeps_what_is_committed(tmp_path: Path) -> None:
    write_rubric(tmp_path)
    write_rows(tmp_path / "samples.jsonl", some_rows(40))
    with service(tmp_path, latency=5) as judge:
        first = start(tmp_path, judge, workers=8)
        while len(judge.events()) < 8:
            assert first.poll() is None
            time.sleep(0.02)
        first.send_signal(signal.SIGINT)
        time.sleep(0.3)
        first.send_signal(signal.SIGINT)
        _, err = first.communicate(timeout=300)
        assert first.returncode == 130, err
        assert "Traceback" not in err
        assert len(committed(tmp_path)) < sum(event.kind == "request" for event in judge.events())
    assert open_run(str(tmp_path / "run")).manifest.status == "partial"


def test_ctrl_c_while_waiting_to_try_again_does_not_wait(tmp_path: Path) -> None:
    """What was being tried again is no outcome: the next command asks it anew."""
    from rftj_cli.testing import FakeJudgeServer, Faults

    write_rubric(tmp_path)
    write_rows(tmp_path / "samples.jsonl", some_rows(4))
    with FakeJudgeServer(faults=Faults(rate=1, kinds=["429-after"], retry_after=30)) as fake:
        process = start(tmp_path, fake, workers=4)
        while fake.requests < 1:
            assert process.poll() is None
            time.sleep(0.02)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=300)
        assert process.returncode == 130, err
    assert committed(tmp_path) == {}
