"""One client as a whole process: wall clock, CPU seconds and peak memory of the process and all that it starts."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PROC = Path("/proc")
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
PERIOD = 0.02  # seconds between two looks at the memory
LOOKS = 10  # of those until the next search for new processes
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Usage:
    """What a process tree used, and how it ended."""

    wall: float
    cpu: float
    megabytes: float
    connections: int | None  # most that were open to the server at one time
    rest: float | None  # CPU seconds that everything else on the machine used, the server among it
    code: int
    killed: bool


@dataclass
class Server:
    """The running service; `requests` and `cpu` are known once it has stopped."""

    process: subprocess.Popen[str]
    url: str
    requests: int = 0
    cpu: float = 0.0


@contextlib.contextmanager
def serving(latency: float, reply: str) -> Iterator[Server]:
    script = Path(__file__).with_name("serve.py")
    command = [sys.executable, str(script), "--latency", str(latency), "--reply", reply]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    server = Server(process, process.stdout.readline().strip())
    try:
        if not server.url:
            raise RuntimeError("the fake server did not start")
        yield server
        told = json.loads(process.communicate(timeout=60)[0])  # ends its standard input
        server.requests, server.cpu = told["requests"], told["cpu"]
    finally:
        process.kill()
        process.wait()


@dataclass
class Sampler:
    """Looks at all processes of one session, and at the connections of the server, until it is stopped."""

    session: int
    server: int
    peak: float = 0.0
    connections: int | None = None
    cpu: dict[int, float] = field(default_factory=dict)
    stopped: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        idle, look = open_files(self.server), 0
        while not self.stopped.wait(PERIOD):
            if look % LOOKS == 0:
                self.search()
                if idle is not None:
                    now = (open_files(self.server) or idle) - idle
                    self.connections = max(now, self.connections or 0)
            self.peak = max(self.peak, sum(map(resident, self.cpu)))
            look += 1

    def search(self) -> None:
        """Every process of the session, also one whose parent is gone, and the CPU it has used so far."""
        for pid in running():
            fields = stat(pid)
            if fields and int(fields[3]) == self.session:
                self.cpu[pid] = (int(fields[11]) + int(fields[12])) / TICK


def measured(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], server: int, limit: float
) -> tuple[Usage, str, str]:
    """Runs a client to its end; what it used, and what it wrote to standard output and error."""
    with (folder / "output").open("w") as out, (folder / "errors").open("w") as errors:
        busy, began = machine_cpu(), time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=errors,
            start_new_session=True,
        )
        sampler = Sampler(process.pid, server)
        thread, timer = threading.Thread(target=sampler.watch), threading.Timer(limit, kill, (process.pid,))
        thread.start()
        timer.start()
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        timer.cancel()
        sampler.stopped.set()
        thread.join()
        now = machine_cpu()
    sampler.search()  # what still runs of its session
    kill(process.pid)
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    cpu = max(used.ru_utime + used.ru_stime, sum(sampler.cpu.values()))
    rest = None if busy is None or now is None else now - busy - cpu
    megabytes = max(used.ru_maxrss / unit, sampler.peak)
    usage = Usage(wall, cpu, megabytes, sampler.connections, rest, process.returncode, wall >= limit)
    return usage, (folder / "output").read_text(errors="replace"), (folder / "errors").read_text(errors="replace")


def kill(session: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(session, signal.SIGKILL)


def running() -> list[int]:
    return [int(entry) for entry in os.listdir(PROC) if entry.isdecimal()] if PROC.is_dir() else []


def stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; none for a process that is gone."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def resident(pid: int) -> float:
    """Megabytes of memory; none for a process that is gone."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * PAGE / (1 << 20)
    except (OSError, IndexError):
        return 0.0


def open_files(pid: int) -> int | None:
    try:
        return len(os.listdir(PROC / str(pid) / "fd"))
    except OSError:
        return None


def machine_cpu() -> float | None:
    """CPU seconds that all processes of this machine have used, where it tells."""
    try:
        fields = [int(field) for field in (PROC / "stat").read_text().split("\n", 1)[0].split()[1:]]
    except OSError:
        return None
    user, nice, system, _idle, _waiting, interrupts, soft, stolen = fields[:8]
    return (user + nice + system + interrupts + soft + stolen) / TICK
