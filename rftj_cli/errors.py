"""The error tree, and the exit code that each branch owns.

    RftjError
    +-- InputError        2  the user's input is wrong: flag, rubric, samples, labels, rules
    +-- CannotTell        3  the question has no answer yet: judge unreachable, too many failures
    +-- Interrupted     130  the user stopped the command; what was judged is kept

An answer "no" (a gate that fails) is not an error: commands return exit code 1 for it.
Anything else that escapes a command is a bug in rftj: exit code 70, with a traceback.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

MOST_COMPARED = 5_000  # words that a misspelt one is compared with


class RftjError(Exception):
    """A fault that rftj understands; `str()` of it is the sentence for the user."""

    exit_code = 70


class InputError(RftjError):
    """Something the user gave is wrong; says where, what was found and what was expected.

    `file`, `row` (1-based line of the file, or data row of a table) and `key` locate the fault; any may be None.
    """

    exit_code = 2

    def __init__(
        self,
        problem: str,
        *,
        file: object = None,
        row: int | None = None,
        key: str | None = None,
        found: object = None,
        expected: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.problem, self.file, self.row, self.key = problem, None if file is None else str(file), row, key
        self.found, self.expected, self.hint = None if found is None else shown(found), expected, hint
        super().__init__(problem)

    def located(self, *, file: object = None, row: int | None = None, prefix: str | None = None) -> InputError:
        """The same error with the location that an outer layer knows filled in where it is still open."""
        key = self.key
        if prefix is not None:
            key = prefix if key is None else f"{prefix}.{key}"
        return InputError(
            self.problem,
            file=self.file if self.file is not None else file,
            row=self.row if self.row is not None else row,
            key=key,
            found=Shown(self.found) if self.found is not None else None,
            expected=self.expected,
            hint=self.hint,
        )

    def __str__(self) -> str:
        where = ", ".join(
            part
            for part in (
                self.file,
                None if self.row is None else f"row {self.row}",
                None if self.key is None else f"key `{self.key}`",
            )
            if part
        )
        text = f"{where}: {self.problem}" if where else self.problem
        if self.found is not None:
            text += f"\n  found:    {self.found}"
        if self.expected is not None:
            text += f"\n  expected: {self.expected}"
        if self.hint is not None:
            text += f"\n  {self.hint}"
        return text


class CannotTell(RftjError):
    """The question could not be answered: no judge reachable, too many failures, too few labels."""

    exit_code = 3


class Interrupted(RftjError):
    """Stopped by the user; everything judged so far is kept."""

    exit_code = 130


class Told(int):
    """An exit code whose reason the command has told itself."""


class Shown(str):
    """A value already put into words for a message."""


def shown(value: object, limit: int = 80) -> str:
    """A value for an error message: quoted, on one line, cut to `limit` characters."""
    if isinstance(value, Shown):
        return str(value)
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The hint "did you mean `x`?", or None where nothing known is close to `word`; a difference in case alone is the closest."""
    words, folded = list(known), word.casefold()
    found = [one for one in words if one.casefold() == folded] or get_close_matches(word, words[:MOST_COMPARED], n=1)
    return f"did you mean `{found[0]}`?" if found else None


def listed(words: Sequence[str], limit: int = 12) -> str:
    """Words for a message: `a, b, c`, cut after `limit`."""
    text = ", ".join(str(word) for word in words[:limit])
    return text if len(words) <= limit else f"{text}, ... ({len(words)} in all)"


def counted(count: int, noun: str) -> str:
    """`1 sample`, `2,000 samples`, `3 retries`."""
    many = f"{noun[:-1]}ies" if noun.endswith(("ry", "ly")) else f"{noun}s"
    return f"{count:,} {noun if count == 1 else many}"
