"""The judge's service and `rftj score`, each as a process of its own, with a log that only the service writes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rftj_cli.testing import FakeJudgeServer

PASS = '{"quality": {"reason": "fine", "level": "pass"}}'


@dataclass(frozen=True, slots=True)
class Event:
    """A request received, or a reply finished, for one sample."""

    kind: str
    sample: str
    time: float


class Service:
    """The fake judge in its own process. `events` reads what it has logged so far."""

    def __init__(self, url: str, log: Path) -> None:
        self.base_url, self.log = f"{url}/v1", log

    def events(self) -> list[Event]:
        found: list[Event] = []
        asked: dict[int, str] = {}
        for line in self.log.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if entry["event"] == "request":
                match = re.search(r"number (\d+)", entry["body"]["messages"][-1]["content"])
                assert match is not None
                asked[entry["number"]] = f"s{match[1]}"
            found.append(Event(entry["event"], asked[entry["number"]], entry["time"]))
        return found

    def settle(self) -> None:
        """Wait until requests that a killed process left in the sockets have been logged."""
        size = -1
        while size != (size := self.log.stat().st_size):
            time.sleep(0.06)


@contextmanager
def service(folder: Path, *, latency: float) -> Iterator[Service]:
    log = folder / "service.log"
    log.touch()
    command = [
        sys.executable,
        "-m",
        "rftj_cli.testing.server",
        "--latency",
        str(latency),
        "--log",
        str(log),
        "--reply",
        PASS,
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield Service(process.stdout.readline().strip(), log)
    finally:
        process.kill()
        process.wait()


def start(folder: Path, judge: Service | FakeJudgeServer, *, workers: int) -> subprocess.Popen[str]:
    """`rftj score rubric.yaml samples.jsonl --run run` in the background."""
    command = [sys.executable, "-m", "rftj_cli", "score", "rubric.yaml", "samples.jsonl", "--run", "run"]
    command += ["--base-url", judge.base_url, "--workers", str(workers)]
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def committed(folder: Path) -> dict[str, tuple[bytes, bytes]]:
    """Sample id -> outcome and reward as they stand in the store, read with nothing of rftj."""
    import sqlite3
    from contextlib import closing

    path = folder / "run" / "store.sqlite"
    if not path.exists():
        return {}
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        try:
            rows = db.execute("SELECT sample, body, reward FROM outcomes").fetchall()
        except sqlite3.OperationalError:  # killed before its tables were made
            assert db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone() == (0,)
            return {}
    return {id: (body, reward) for id, body, reward in rows}
