"""Ctrl-C and SIGTERM while a run goes on, and while a watch waits."""

from __future__ import annotations

import signal
import threading
from typing import Any, Self


class stops_on_signals:
    """Ctrl-C or SIGTERM once: stop cleanly. Twice: leave at once (what is committed is kept)."""

    def __init__(self, stop: threading.Event, interrupted: threading.Event) -> None:
        self._stop, self._interrupted = stop, interrupted

    def __enter__(self) -> None:
        self._old: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._old[number] = signal.signal(number, self._hear)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _hear(self, number: int, frame: object) -> None:
        if self._interrupted.is_set():
            raise KeyboardInterrupt
        self._interrupted.set()
        self._stop.set()


class ends_on_signals:
    """Ctrl-C or SIGTERM while `waiting` is set: `stop` is set, and nothing else. At any other time they interrupt."""

    def __init__(self) -> None:
        self.stop, self.waiting = threading.Event(), False

    def __enter__(self) -> Self:
        self._old: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._old[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _hear(self, number: int, frame: object) -> None:
        if not self.waiting:
            raise KeyboardInterrupt
        self.stop.set()
