"""Threads for the rules of users, which may block; the server's loop must not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

Job = tuple[Callable[[], Any], Callable[[Any], None]]


class Threads:
    """Up to `most` threads, started as they are needed. They are daemons: a rule that hangs holds up no exit."""

    def __init__(self, most: int) -> None:
        self._most, self._started = most, 0
        self._free = 0  # idle threads less waiting jobs
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = threading.Lock()

    def run(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Has `then` called with the result of `work`, in one of the threads. `work` must not raise."""
        with self._lock:
            self._free -= 1
            if self._free < 0 and self._started < self._most:
                self._started += 1
                self._free += 1
                threading.Thread(target=self._serve, name="fake-rule", daemon=True).start()
        self._jobs.put((work, then))

    def stop(self) -> None:
        """Ends the threads, each after its job."""
        for _ in range(self._started):
            self._jobs.put(None)

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, then = job
            result = work()
            # Free before the answer goes out: a client that then asks again finds this thread, and starts no other.
            with self._lock:
                self._free += 1
            then(result)
