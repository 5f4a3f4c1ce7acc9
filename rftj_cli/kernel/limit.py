"""A time limit on work of our own that nothing else can interrupt: a regular expression that backtracks, above all.

`re` holds the interpreter while it searches, so that one answer could take the time of all the others. It looks for
signals as it goes, and these are handled in the main thread, which is where Lambda runs a handler. Elsewhere, and where
somebody else uses the alarm, there is no limit.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class TooLong(Exception):
    """The time was up."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raises `TooLong` in what is done within, after so many seconds."""
    if not _possible():
        yield
        return
    before = signal.signal(signal.SIGALRM, _up)
    signal.setitimer(signal.ITIMER_REAL, max(0.001, seconds))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _possible() -> bool:
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        return False
    free = signal.getsignal(signal.SIGALRM) in (signal.SIG_DFL, _up)
    return free and signal.getitimer(signal.ITIMER_REAL)[0] == 0


def _up(number: int, frame: object) -> None:
    raise TooLong
