"""What the rows of a table are called."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

ID = "id"  # the column that names the rows, unless the user names another
SEPARATOR = "\x1f"


class Ids:
    """What the rows of a table are called: the column `name`, by default `id` where there is one. Kept as joined text."""

    def __init__(self, name: str | None) -> None:
        self.name, self.needed = name or ID, name is not None
        self.clear()

    def clear(self) -> None:
        self._parts: list[Any] = []  # joined text, or an Arrow array
        self._ends: list[int] = []

    def add(self, texts: Sequence[str]) -> None:
        """The ids of the next rows."""
        joined = SEPARATOR.join(texts)
        if joined.count(SEPARATOR) != len(texts) - 1:
            joined = SEPARATOR.join(text.replace(SEPARATOR, " ") for text in texts)
        self.keep(joined, len(texts))

    def keep(self, part: Any, count: int | None = None) -> None:
        """The ids of the next rows as an Arrow array, which stays one."""
        self._parts.append(part)
        self._ends.append((len(part) if count is None else count) + (self._ends[-1] if self._ends else 0))

    def at(self, index: int) -> str:
        """The id of the row at `index`; empty where it has none."""
        part = bisect_right(self._ends, index)
        if part == len(self._ends):
            return ""
        held, place = self._parts[part], index - (self._ends[part - 1] if part else 0)
        return (held.split(SEPARATOR)[place] if isinstance(held, str) else str(held[place].as_py())).strip()
