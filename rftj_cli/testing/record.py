"""What has happened at the fake service: counts, the bodies that came, and the log."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from rftj_cli.testing.problems import Canned
from rftj_cli.testing.usage import Usage


class Record:
    """Written by the server's loop alone, so that it needs no lock; read from anywhere.

    With `log`, each request received and each reply finished is one JSON line there, flushed at once. `keep` is the most
    bodies that are kept, None all.
    """

    def __init__(self, log: Path | str | None, keep: int | None) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.requests = self.throttled = self.refused = 0
        self.billed = Usage()
        self.faults: Counter[str] = Counter()
        self._keep = keep
        self._log: IO[str] | None = None
        if log is not None:
            # Half a surrogate pair is no UTF-8, but its escape is JSON.
            self._log = Path(log).open("a", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115

    def received(self, path: str, body: dict[str, Any]) -> int:
        """Counts and logs a request; its number, from 0."""
        number, self.requests = self.requests, self.requests + 1
        if self._keep is None or number < self._keep:
            self.bodies.append(body)
        if self._log is not None:
            self._write({"event": "request", "number": number, "path": path, "body": body})
        return number

    def finished(self, number: int, fault: str | Canned, text: str) -> None:
        """Logs a reply that was written whole."""
        if self._log is not None:
            self._write({"event": "reply", "number": number, "fault": name_of(fault), "text": text})

    def counts(self) -> dict[str, Any]:
        """All counts as plain data."""
        return {
            "requests": self.requests,
            "throttled": self.throttled,
            "refused": self.refused,
            "billed": asdict(self.billed),
            "faults": dict(self.faults),
        }

    def close(self) -> None:
        """Ends the log."""
        if self._log is not None:
            self._log.close()

    def _write(self, entry: dict[str, Any]) -> None:
        if self._log is not None and not self._log.closed:
            self._log.write(json.dumps({**entry, "time": time.time()}, ensure_ascii=False) + "\n")
            self._log.flush()


def name_of(fault: str | Canned) -> str:
    """A fault's name; a canned response goes by its status."""
    return fault if isinstance(fault, str) else str(fault.status)
