"""Ctrl-C, SIGTERM and SIGHUP while a run goes on, and while a watch waits."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, Self

_STOPS: Final = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


def _heard_by(handler: Callable[[int, FrameType | None], None]) -> dict[int, Any]:
    """The handlers that `handler` has replaced, by signal. What is ignored (`nohup`) stays so; only the main thread hears."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    heard = [number for number in _STOPS if signal.getsignal(number) is not signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in heard}


class stops_on_signals:
    """Ctrl-C, SIGTERM or SIGHUP once: stop cleanly. Twice: leave at once (what is committed is kept)."""

    def __init__(self, stop: threading.Event, interrupted: threading.Event) -> None:
        self._stop, self._interrupted = stop, interrupted

    def __enter__(self) -> None:
        self._old = _heard_by(self._hear)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self._interrupted.is_set():
            raise KeyboardInterrupt
        self._interrupted.set()
        self._stop.set()


class ends_on_signals:
    """Ctrl-C, SIGTERM or SIGHUP while `waiting` is set: `stop` is set, and nothing else. At any other time they interrupt."""

    def __init__(self) -> None:
        self.stop, self.waiting = threading.Event(), False

    def __enter__(self) -> Self:
        self._old = _heard_by(self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if not self.waiting:
            raise KeyboardInterrupt
        self.stop.set()
