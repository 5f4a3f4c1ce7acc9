"""The process of one execution environment: how it starts, what it prints, how much memory it takes, how it ends.

Memory is what the kernel counted as the most that the process ever held at once (VmHWM), so that a peak between two looks is
seen too. RLIMIT_AS alone would not do: it limits the address space, of which threads and allocators reserve far more than
they use; it is set with room to spare, so that no allocation can take the whole machine between two looks. Processes that
the function starts are not counted.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from rftj_cli.reward.local.settings import MOST_LOG

ADDRESS_ROOM: Final = 8 << 30  # bytes of address space beyond the memory
ENTRY: Final = Path(__file__).with_name("entry.py")
_READ: Final = 1 << 16
_READS: Final = 32  # at a time: more than a pipe can hold
_SOON: Final = 0.05  # seconds between the end of a process's output and its own, where the first comes of the second
_PATIENCE: Final = 5.0  # seconds that the kernel may take to end a killed process


class Process:
    """A started function, in a session of its own. `selector` is told of its output, which goes to one log in order."""

    def __init__(
        self, packages: Path, task: Path, environment: Mapping[str, str], memory: int, selector: selectors.BaseSelector
    ) -> None:
        self._selector, self._log, self._dropped, self.peak_mb = selector, bytearray(), 0, 0
        self._lock, self._reaped, self._awaited = threading.Lock(), False, False
        lifeline, self._hold = os.pipe()
        self._output, output = os.pipe()
        try:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", "-B", "-X", "utf8", str(ENTRY)),
                    *(str(packages), str(lifeline), str((memory << 20) + ADDRESS_ROOM)),
                ],
                cwd=task, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                pass_fds=[lifeline], start_new_session=True,
            )  # fmt: skip
        except BaseException:
            os.close(self._output)
            os.close(self._hold)
            raise
        finally:
            os.close(output)
            os.close(lifeline)
        self._status: int | None = None
        with suppress(OSError):
            self._status = os.open(f"/proc/{self._process.pid}/status", os.O_RDONLY | os.O_CLOEXEC)
        os.set_blocking(self._output, False)
        self._open = True
        selector.register(self._output, selectors.EVENT_READ, self._printed)

    def _printed(self) -> tuple[()]:
        self.read()
        return ()

    def read(self) -> None:
        """Take what was printed by now; beyond the limit it is counted and not kept. Whoever prints without end waits."""
        for _ in range(_READS):
            if not self._open:
                return
            try:
                data = os.read(self._output, _READ)
            except BlockingIOError:
                return
            if not data:
                self._open = False
                self._selector.unregister(self._output)
                return
            kept = data[: max(0, MOST_LOG - len(self._log))]
            self._log += kept
            self._dropped += len(data) - len(kept)

    def logs(self) -> tuple[str, ...]:
        """The lines since the last call. The runtime client writes the lines of a traceback as one, with \\r between."""
        self.read()
        text = self._log.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
        lines = text.removesuffix("\n").split("\n") if text else []
        if self._dropped:
            lines.append(f"... {self._dropped:,} more bytes of log were not kept")
        self._log.clear()
        self._dropped = 0
        return tuple(line.replace("\u00a0", " ") for line in lines)

    def ended(self) -> int | None:
        """The exit code, once the process has ended; negative: the signal. After its output ended it is about to end.

        The process is only looked at and stays a zombie until `close`: so long its id, and its group's, is nobody else's.
        """
        if self._reaped:
            return self._process.returncode
        if not self._open and not self._awaited:
            self._awaited = True
            until = time.monotonic() + _SOON
            while self._look() is None and time.monotonic() < until:
                time.sleep(0.001)
        return self._look()

    def _look(self) -> int | None:
        try:
            found = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:  # rftj was started with SIGCHLD ignored: the kernel has forgotten the exit code
            return 0
        if found is None:
            return None
        return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status

    def memory(self) -> int:
        """The most memory that the process held at once so far, in MB, rounded up."""
        if self._status is not None:
            with suppress(OSError, ValueError, IndexError):
                text = os.pread(self._status, 1 << 13, 0)
                if (at := text.find(b"VmHWM:")) >= 0:
                    self.peak_mb = max(self.peak_mb, -(-int(text[at:].split()[1]) // 1024))
        return self.peak_mb

    def kill(self) -> None:
        """End the process with everything that it started in its group, from any thread."""
        with self._lock:
            if not self._reaped:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End it and give back what it held; its log can still be read."""
        self.kill()
        with self._lock:
            if self._reaped:
                return
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_PATIENCE)
            self._reaped = True
        self.read()
        if self._open:
            self._open = False
            self._selector.unregister(self._output)
        os.close(self._output)
        os.close(self._hold)
        if self._status is not None:
            os.close(self._status)
            self._status = None
