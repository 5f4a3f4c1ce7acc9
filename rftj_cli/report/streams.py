"""Output whose reader may go away (`rftj ... | head`): the command goes on, and leaves with its own exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any, TextIO, cast

from rftj_cli.kernel.secrets import redacted


class _Patient:
    """A stream that says no secret, and that, once its pipe is closed, writes to nobody."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

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
            if not isinstance(error, BrokenPipeError):  # a full disk: the command says so, once
                raise


@contextmanager
def patient_streams() -> Iterator[None]:
    """Standard output and standard error that outlive their readers, and can say everything in any encoding."""
    out, err = sys.stdout, sys.stderr
    for stream in (out, err):
        if isinstance(stream, TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = cast(TextIO, _Patient(out)), cast(TextIO, _Patient(err))
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = out, err
