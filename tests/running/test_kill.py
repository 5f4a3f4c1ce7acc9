"""`kill -9` at random moments: nothing acknowledged is lost, nothing committed is asked for again.

What is guaranteed, and checked against the log of the service (which rftj does not write):

1. Every outcome that stood in the store at a kill stands there, byte for byte, after it and at the end.
2. No sample whose outcome stood in the store is ever requested again.
3. Within the life of one process no sample is requested twice. With 2: the service finishes a request more than once
   only if it was in flight or not committed at a kill, so repeats <= the sum over kills of what was requested in that life
   and not committed.
4. The writer commits every 0.25 s: a reply that was finished more than `WINDOW` seconds before a kill is never lost.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from making import some_rows, write_rows, write_rubric
from processes import Service, committed, service, start

WORKERS = 64
WINDOW = 1.5  # seconds: 0.25 for the batch, the rest for a commit on a busy machine


class Life:
    """One process of `rftj score` and what the service logged while it lived."""

    def __init__(self, folder: Path, judge: Service, before: int, known: dict[str, tuple[bytes, bytes]]) -> None:
        self.folder, self.judge, self.before, self.known = folder, judge, before, known
        self.process = start(folder, judge, workers=WORKERS)

    def kill_at(self, moment: random.Random) -> bool:
        """Kill: by the clock (also while it starts), or some time after its first request. False if it ended first."""
        if moment.random() < 0.3:
            time.sleep(moment.uniform(0.05, 1.2))
        else:
            logged = self.judge.log.stat().st_size
            while self.judge.log.stat().st_size == logged and self.process.poll() is None:
                time.sleep(0.01)
            time.sleep(moment.uniform(0.0, 0.8))
        alive = self.process.poll() is None
        self.killed = time.time()
        self.process.kill()
        self.process.communicate()
        return alive

    def check(self) -> tuple[dict[str, tuple[bytes, bytes]], int, int]:
        """(what is committed, number of events so far, requests of this life that were not committed)."""
        self.judge.settle()
        events = self.judge.events()
        now = committed(self.folder)
        assert {id: now.get(id) for id in self.known} == self.known, "an acknowledged outcome was lost or changed"
        here = events[self.before :]
        requests = [event.sample for event in here if event.kind == "request"]
        assert not set(requests) & set(self.known), "a committed sample was requested again"
        assert len(requests) == len(set(requests)), "a sample was requested twice in one life"
        old = {event.sample for event in here if event.kind == "reply" and event.time < self.killed - WINDOW}
        assert old <= set(now), "a reply was lost although it had come long before the kill"
        return now, len(events), len(set(requests) - set(now))


def kill_again_and_again(folder: Path, *, samples: int, kills: int, latency: float, seed: int) -> None:
    write_rubric(folder)
    write_rows(folder / "samples.jsonl", some_rows(samples))
    moment = random.Random(seed)
    with service(folder, latency=latency) as judge:
        known: dict[str, tuple[bytes, bytes]] = {}
        events = allowed = done = 0
        for _ in range(kills):
            life = Life(folder, judge, events, known)
            done += life.kill_at(moment)
            known, events, lost = life.check()
            allowed += lost
        assert done == kills, f"only {done} of {kills} kills hit a living process: too few samples"
        assert 0 < len(known) < samples
        last = Life(folder, judge, events, known)
        _, err = last.process.communicate(timeout=120)
        assert last.process.returncode == 0, err
        last.killed = time.time()
        known, _, lost = last.check()
        assert lost == 0
        assert set(known) == {f"s{i}" for i in range(samples)}
        requests = sum(event.kind == "request" for event in judge.events())
        assert samples <= requests <= samples + allowed
    report(folder, samples)


def report(folder: Path, samples: int) -> None:
    """The manifest agrees with the store, and a further command has nothing to do."""
    from rftj_cli.files.runs import open_run

    run = open_run(str(folder / "run"))
    assert run.manifest.status == "complete"
    assert run.manifest.counts == {"samples": samples, "judged": samples, "failed": 0, "stage_verdict": samples}
    assert [row.sample.id for row, _ in run.store().outcomes()] == [f"s{i}" for i in range(samples)]


def test_six_kills_lose_nothing(tmp_path: Path) -> None:
    kill_again_and_again(tmp_path, samples=800, kills=6, latency=0.2, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2])
def test_thirty_kills_lose_nothing(tmp_path: Path, seed: int) -> None:
    kill_again_and_again(tmp_path, samples=2000, kills=30, latency=0.35, seed=seed)


def test_the_lock_of_a_killed_run_is_free_at_once(tmp_path: Path) -> None:
    """It dies with its holder, so the next process needs no repair and no waiting."""
    write_rubric(tmp_path)
    write_rows(tmp_path / "samples.jsonl", some_rows(300))
    with service(tmp_path, latency=0.05) as judge:
        first = start(tmp_path, judge, workers=8)
        while len(committed(tmp_path)) < 20:
            assert first.poll() is None
            time.sleep(0.02)
        first.kill()
        first.communicate()
        second = start(tmp_path, judge, workers=64)
        _, err = second.communicate(timeout=300)
        assert second.returncode == 0, err
    report(tmp_path, 300)
