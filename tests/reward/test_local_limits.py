"""The limits of AWS Lambda hold on this machine too: time, memory, payload, concurrency; and nothing is left behind."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from zips import ECHO, zipped

from rftj_cli.errors import InputError, RftjError
from rftj_cli.reward.local import Limits, LocalFunction, Throttled

pytest.importorskip("awslambdaric")

SLEEPER = """
    import os, time
    def lambda_handler(event, context):
        print("begun", flush=True)
        time.sleep(event)
        return os.getpid()
"""


def test_a_function_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    """Lambda's words, the time of the limit, the log up to there; the next event is cold."""
    with LocalFunction(zipped(tmp_path, SLEEPER), Limits(timeout=1)) as function:
        warm, slow, after = function.invoke(0), function.invoke(30), function.invoke(0)
    assert slow.error is not None and slow.error.type == "Sandbox.Timedout"
    assert slow.error.message == f"RequestId: {slow.request_id} Error: Task timed out after 1.00 seconds"
    assert (slow.cold, slow.duration_s, slow.logs) == (False, 1, ("begun",))
    assert after.cold and after.payload != warm.payload


@pytest.mark.parametrize(
    "body",
    [
        "while True: os.write(1, b'x' * 65536)",
        "while True: pass",
        "os.kill(os.getpid(), signal.SIGSTOP)",
        "os.closerange(0, 64); time.sleep(60)",
        "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64)); time.sleep(60)",
        "socket.create_connection(os.environ['AWS_LAMBDA_RUNTIME_API'].split(':')).sendall(b'POST'); time.sleep(60)",
    ],
)
def test_nothing_holds_up_the_timeout(tmp_path: Path, body: str) -> None:
    """Whatever a function does, it is over when its time is."""
    source = f"""
        import os, signal, socket, time
        def lambda_handler(event, context):
            {body}
    """
    with LocalFunction(zipped(tmp_path, source), Limits(timeout=0.3)) as function:
        invocation = function.invoke({})
    assert invocation.error is not None and invocation.error.type == "Sandbox.Timedout"


def test_endless_initialisation_is_begun_again_within_the_functions_time(tmp_path: Path) -> None:
    """After its limit the initialisation runs once more, now against the function's timeout."""
    endless = "import time\nprint('import', flush=True)\nwhile True: time.sleep(1)\n"
    with LocalFunction(zipped(tmp_path, endless), Limits(timeout=1, init=1)) as function:
        invocation = function.invoke({})
    assert invocation.error is not None and "Task timed out after 1.00 seconds" in invocation.error.message
    assert (invocation.cold, invocation.init_s) == (True, 0)
    assert [line.split(":")[0] for line in invocation.logs] == ["import", "INIT_REPORT Init Duration", "import"]


def test_slow_initialisation_that_ends_the_second_time(tmp_path: Path) -> None:
    """An import that is slower than the limit of the initialisation still works where the timeout allows it."""
    with LocalFunction(zipped(tmp_path, "import time\ntime.sleep(0.5)\n" + "def lambda_handler(e, c): return 1\n"),
                       Limits(timeout=20, init=0.2)) as function:  # fmt: skip
        first, second = function.invoke({}), function.invoke({})
    assert (first.payload, first.cold, first.init_s) == (1, True, 0) and first.duration_s > 0.5
    assert not second.cold


HOG = """
    def lambda_handler(event, context):
        data = bytearray(event << 20)
        for at in range(0, len(data), 4096): data[at] = 1
        del data
        return "done"
"""


def test_a_function_that_takes_too_much_memory_is_killed(tmp_path: Path) -> None:
    """A peak beyond the limit counts even where it is over before the function answers."""
    with LocalFunction(zipped(tmp_path, HOG), Limits(memory=128)) as function:
        fine, hog, after = function.invoke(64), function.invoke(200), function.invoke(1)
    assert fine.payload == "done" and 64 < fine.max_memory_mb <= 128
    assert hog.error is not None and hog.error.type == "Runtime.ExitError"
    assert hog.error.message == f"RequestId: {hog.request_id} Error: Runtime exited with error: signal: killed"
    assert hog.max_memory_mb > 128 and hog.payload is None
    assert after.payload == "done" and after.cold


def test_a_function_that_keeps_taking_memory_is_killed_while_it_runs(tmp_path: Path) -> None:
    """An endless list does not fill the machine."""
    source = "def lambda_handler(event, context):\n    kept = []\n    while True: kept.append(bytearray(1 << 20))\n"
    with LocalFunction(zipped(tmp_path, source), Limits(memory=128, timeout=60)) as function:
        invocation = function.invoke({})
    assert invocation.error is not None and "signal: killed" in invocation.error.message
    assert invocation.duration_s < 30 and invocation.max_memory_mb < 4096


def test_one_huge_allocation_is_refused(tmp_path: Path) -> None:
    """The address space is limited too: what no machine could give is a MemoryError in the function."""
    source = "def lambda_handler(event, context):\n    return len(bytes(1 << 44))\n"
    with LocalFunction(zipped(tmp_path, source)) as function:
        invocation = function.invoke({})
    assert invocation.error is not None and invocation.error.type == "MemoryError"


MOST = 6_291_456


def test_largest_request_and_response(tmp_path: Path) -> None:
    """6 MB go in and come out; a byte more does not, in Lambda's words."""
    with LocalFunction(zipped(tmp_path, ECHO)) as function:
        assert len(function.invoke("x" * (MOST - 2)).raw) == MOST
        with pytest.raises(InputError, match="RequestEntityTooLarge.*6291456"):
            function.invoke("x" * (MOST - 1))
        assert not function.invoke(1).cold


@pytest.mark.parametrize("size", [MOST - 1, MOST * 10])
def test_response_that_is_too_large(tmp_path: Path, size: int) -> None:
    """The response is lost and the environment with it."""
    source = "def lambda_handler(event, context):\n    return 'x' * event\n"
    with LocalFunction(zipped(tmp_path, source)) as function:
        invocation, after = function.invoke(size), function.invoke(1)
    assert invocation.error is not None and invocation.error.type == "Function.ResponseSizeTooLarge"
    assert f"({size + 2} bytes)" in invocation.error.message and "(6291456 bytes)" in invocation.error.message
    assert invocation.payload is None and len(invocation.raw) < 1000
    assert after.payload == "x" and after.cold


def test_many_events_share_few_environments(tmp_path: Path) -> None:
    """50 events at the same time on 4 environments: each gets its own answer, from one of at most 4 processes."""
    source = """
        import os, time
        def lambda_handler(event, context):
            time.sleep(0.01)
            print("event", event)
            return [event, os.getpid()]
    """
    with LocalFunction(zipped(tmp_path, source), Limits(concurrency=4)) as function, ThreadPoolExecutor(50) as pool:
        invocations = list(pool.map(function.invoke, range(50)))
    assert [one.payload[0] for one in invocations] == list(range(50))
    assert [one.logs for one in invocations] == [(f"event {number}",) for number in range(50)]
    processes = {one.payload[1] for one in invocations}
    assert 1 < len(processes) <= 4 and sum(one.cold for one in invocations) == len(processes)


def test_beyond_the_concurrency_events_are_throttled_or_wait(tmp_path: Path) -> None:
    """Without `wait` the second event is refused as Lambda refuses it; with it, it comes next."""
    with LocalFunction(zipped(tmp_path, SLEEPER)) as function, ThreadPoolExecutor(1) as pool:
        function.invoke(0)
        busy = pool.submit(function.invoke, 1)
        time.sleep(0.2)
        with pytest.raises(Throttled, match="TooManyRequestsException: Rate Exceeded") as refused:
            function.invoke(0, wait=False)
        assert (refused.value.status, refused.value.code) == (429, "TooManyRequestsException")
        assert function.invoke(0).payload == busy.result().payload


def descendants() -> set[int]:
    """The processes that this one started and that live still, or were not waited for."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid():
            found.add(int(path.parent.name))
    return found


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After success, failure, timeout and an exception no process, folder, port or open file remains."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    path = zipped(tmp_path, SLEEPER)
    gc.collect()  # what earlier tests left open is closed now, and not in between
    before = descendants(), set(os.listdir("/proc/self/fd")), threading.active_count()
    for event in (0, 30, "no number"):
        with LocalFunction(path, Limits(timeout=1)) as function:
            function.invoke(event)
    with pytest.raises(RuntimeError), LocalFunction(path) as function:
        function.invoke(0)
        raise RuntimeError
    assert (descendants(), set(os.listdir("/proc/self/fd")), threading.active_count()) == before
    assert list((tmp_path / "temporary").iterdir()) == []


def test_closing_ends_events_that_run(tmp_path: Path) -> None:
    """Another thread that waits for an answer, or for its turn, is told at once."""
    function = LocalFunction(zipped(tmp_path, SLEEPER))
    function.invoke(0)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(function.invoke, 60) for _ in range(2)]
        time.sleep(0.2)
        function.close()
        for one in waiting:
            with pytest.raises(RftjError, match="closed"):
                one.result()
    with pytest.raises(RftjError, match="closed"):
        function.invoke(0)
    function.close()


SCRIPT = """
import sys
from pathlib import Path
from rftj_cli.reward.local import Limits, LocalFunction
with LocalFunction(Path(sys.argv[1]), Limits(timeout=600)) as function:
    print(function.invoke(0).payload, flush=True)
    function.invoke(600)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_processes_end_however_rftj_ends(tmp_path: Path, how: signal.Signals) -> None:
    """Ctrl-C removes everything; even a killed rftj leaves no process behind."""
    (tmp_path / "temporary").mkdir()
    started = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(zipped(tmp_path, SLEEPER))], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, env={**os.environ, "TMPDIR": str(tmp_path / "temporary"), "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert started.stdout is not None
    pid = int(started.stdout.readline())
    time.sleep(0.3)
    started.send_signal(how)
    started.wait(20)
    started.stdout.close()
    until = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists()
    if how == signal.SIGINT:
        assert list((tmp_path / "temporary").iterdir()) == []


def test_port_is_closed_and_local(tmp_path: Path) -> None:
    """The Runtime API listens on 127.0.0.1 alone, and on nothing once the function is closed."""
    source = "import os\ndef lambda_handler(event, context):\n    return os.environ['AWS_LAMBDA_RUNTIME_API']\n"
    with LocalFunction(zipped(tmp_path, source)) as function:
        host, port = function.invoke({}).payload.split(":")
        socket.create_connection((host, int(port)), 2).close()
        assert host == "127.0.0.1"
        listening = Path("/proc/self/net/tcp").read_text()
        assert f"0100007F:{int(port):04X} 00000000:0000 0A" in listening
        assert f"00000000:{int(port):04X}" not in listening.replace("00000000:0000", "")
        assert not function.invoke({}).cold
    with pytest.raises(OSError):
        socket.create_connection((host, int(port)), 2)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can act as another user")
def test_other_users_are_turned_away(tmp_path: Path) -> None:
    """A process of another user that asks for the next event gets no answer, and the event goes where it should."""
    source = """
        import os, time
        def lambda_handler(event, context):
            time.sleep(1)
            return os.environ["AWS_LAMBDA_RUNTIME_API"]
    """
    ask = "exec 3<>/dev/tcp/127.0.0.1/$1; printf 'GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\n\\r\\n' >&3; cat <&3"
    with LocalFunction(zipped(tmp_path, source)) as function:
        port = function.invoke({}).payload.split(":")[1]
        with subprocess.Popen(["bash", "-c", ask, "_", port], stdout=subprocess.PIPE, user=65534, cwd="/") as stranger:
            time.sleep(0.2)
            second = function.invoke({"secret": 1})
            out, _ = stranger.communicate(timeout=10)
    assert out == b"" and second.error is None and not second.cold


def test_strangers_at_the_port_change_nothing(tmp_path: Path) -> None:
    """Nonsense, half requests and answers to other events at the port neither end nor answer an event."""
    source = """
        import os, socket
        def lambda_handler(event, context):
            host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
            seen = []
            for text in event:
                with socket.create_connection((host, int(port)), 2) as one:
                    one.sendall(text.encode())
                    one.settimeout(0.3)
                    try: seen.append(one.recv(64).decode()[9:12])
                    except TimeoutError: seen.append("-")
            return seen
    """
    path = "/2018-06-01/runtime"
    other = f"POST {path}/invocation/other/response HTTP/1.1\r\nContent-Length: 1\r\n\r\n1"
    chunked = f"POST {path}/invocation/other/error HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n"
    nonsense = ["\0\n\r\n\r\n", "GET /", f"GET {path} HTTP/1.1\r\n\r\n", other, chunked,
                f"POST {path} HTTP/1.1\r\nContent-Length: x\r\n\r\n", f"POST {path} HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                f"POST {path} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n"]  # fmt: skip
    with LocalFunction(zipped(tmp_path, source), Limits(timeout=20)) as function:
        assert function.invoke(nonsense).payload == ["400", "-", "404", "400", "400", "400", "400", "400"]
        assert function.invoke([]).payload == []
