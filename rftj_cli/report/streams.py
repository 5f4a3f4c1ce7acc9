"""Output whose reader may go away (`rftj ... | head`): the command goes on, and leaves with its own exit code.

A standard error that is closed or full costs the progress and the hints. Results that cannot be written are an error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from typing import Any, TextIO, cast

from rftj_cli.kernel.secrets import redacted


class _Patient:
    """A stream that says no secret, and that, once its pipe is closed, writes to nobody.

    What else goes wrong is raised once where it is `vital`.
    """

    def __init__(self, stream: TextIO, *, vital: bool) -> None:
        self._stream, self._vital = stream, vital

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """All of `text`, or as much as anyone reads."""
        self._try(lambda: self._stream.write(redacted(text)))
        return len(text)

    def flush(self) -> None:
        """What is written so far, to whoever reads."""
        self._try(self._stream.flush)

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except OSError as error:
            nobody = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nobody, self._stream.fileno())
            os.close(nobody)
            if self._vital and not isinstance(error, BrokenPipeError):  # a full disk: the command says so, once
                raise OSError(error.errno, error.strerror, "standard output") from None


@contextmanager
def patient_streams() -> Iterator[None]:
    """Standard output and standard error that outlive their readers, and can say everything in any encoding.

    Talk that cannot be written (a closed or full standard error) is lost, and nothing else; results raise `OSError`.
    """
    out, err = sys.stdout, sys.stderr
    # Python has None for a stream that was closed before it began (`2>&-`).
    results, talk = out or _in_place_of_closed(1, os.O_RDONLY), err or _in_place_of_closed(2, os.O_WRONLY)
    for stream in (results, talk):
        if isinstance(stream, TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = cast(TextIO, _Patient(results, vital=True)), cast(TextIO, _Patient(talk, vital=False))
    try:
        yield
    finally:
        with suppress(OSError):  # the exit code says it already
            sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = out, err


def _in_place_of_closed(number: int, flags: int) -> TextIO:
    """A stream on a number that is closed, which no file may get: a write fails where `flags` do not allow it."""
    handle = os.open(os.devnull, flags)
    if handle != number:
        os.dup2(handle, number)
        os.close(handle)
    return open(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
