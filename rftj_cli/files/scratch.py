"""Files for as long as something runs, that nobody else can read."""

from __future__ import annotations

import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType


@contextmanager
def scratch_file(text: str, name: str) -> Iterator[Path]:
    """A file with this text; it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="rftj-") as folder:
        path = Path(folder) / name
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        yield path


@contextmanager
def ended_in_order() -> Iterator[None]:
    """SIGTERM (of a CI job out of time, of `timeout`) and SIGHUP (of a terminal that closes) end this part as Ctrl-C does:
    what is temporary is removed, processes are ended. Exit code 143 or 129. Elsewhere than in the main thread, or where a
    handler is set, nothing changes."""
    main = threading.current_thread() is threading.main_thread()
    ends = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    taken = [number for number in ends if main and signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, _leave)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
