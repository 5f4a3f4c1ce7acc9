"""Notices that a file was saved, by its time and size: no service of the operating system, and no dependency."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

POLL: Final = 0.05  # seconds
GONE: Final = 20  # polls for which a missing file is thought to be in the middle of being saved

Stamp = tuple[int, int, int] | None


def stamp(path: Path) -> Stamp:
    """What changes when a file is saved; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class Saves:
    """The files of a round as they are when it begins. `mark` first, then read them: what is saved meanwhile is noticed."""

    def __init__(self) -> None:
        self._marked: dict[Path, Stamp] = {}

    def mark(self, files: Sequence[Path]) -> None:
        """Remember how these files stand."""
        self._marked = {file: stamp(file) for file in files}

    def wait(self, stop: threading.Event) -> bool:
        """Wait until a file was saved and stays as it is for a moment; False once `stop` is set."""
        before, missing = self._marked, 0
        while not stop.wait(POLL):
            now = {file: stamp(file) for file in self._marked}
            missing = missing + 1 if None in now.values() else 0
            if now == before != self._marked and not 0 < missing < GONE:
                return True
            before = now
        return False
