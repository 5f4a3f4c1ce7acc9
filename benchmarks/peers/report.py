"""What is shown: one row a run, and the facts of the machine."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

COLUMNS = (
    "client",
    "calls",
    "ideal s",
    "wall s",
    "ideal/wall",
    "CPU ms a call",
    "CPU s",
    "peak MB",
    "connections",
    "server CPU",
    "others' CPU",
    "answers",
)


@dataclass(frozen=True)
class Row:
    """One run. `trouble` says what makes its figures worthless; then none is shown."""

    client: str
    calls: int
    concurrency: int
    latency: float
    wall: float = 0.0
    cpu: float = 0.0
    megabytes: float = 0.0
    connections: int | None = None
    server_cpu: float = 0.0
    others_cpu: float | None = None
    requests: int = 0
    verdicts: int = 0
    trouble: str = ""

    @property
    def ideal(self) -> float:
        return self.calls / self.concurrency * self.latency

    @property
    def answers(self) -> str:
        """Whether the server was asked once a call, and the client read every answer."""
        if self.trouble:
            return self.trouble
        if self.requests == self.verdicts == self.calls:
            return "all"
        return f"{self.requests:,} requests, {self.verdicts:,} verdicts"

    def cells(self) -> list[str]:
        if self.trouble:
            return [self.client, f"{self.calls:,}", *[""] * (len(COLUMNS) - 3), self.answers]
        figures = [f"{self.ideal:.1f}", f"{self.wall:.1f}", f"{self.ideal / self.wall:.2f}"]
        figures += [f"{1000 * self.cpu / self.calls:.2f}", f"{self.cpu:.1f}", f"{self.megabytes:.0f}"]
        figures += ["" if self.connections is None else str(self.connections), self.share(self.server_cpu)]
        figures.append("" if self.others_cpu is None else self.share(self.others_cpu))
        return [self.client, f"{self.calls:,}", *figures, self.answers]

    def share(self, seconds: float) -> str:
        return f"{seconds / self.wall:.0%}"


def table(rows: Sequence[Row], markdown: bool) -> str:
    """Aligned columns, or a table in Markdown."""
    lines = [list(COLUMNS), *(row.cells() for row in rows)]
    if markdown:
        lines.insert(1, ["---"] * len(COLUMNS))
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def machine() -> dict[str, str | int]:
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "date": str(datetime.datetime.now(tz=datetime.UTC).date()),
    }


def processor() -> str:
    """The name of the processor, where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()
