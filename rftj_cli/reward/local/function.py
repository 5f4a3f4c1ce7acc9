"""A Lambda function on this machine: as many environments as events run at the same time, up to the limit.

Beyond the limit Lambda throttles: `invoke(event, wait=False)` raises `Throttled` as its synchronous call does, and by
default the call waits for its turn.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from rftj_cli.errors import CannotTell, InputError
from rftj_cli.files.unzip import remove, unzip
from rftj_cli.reward.local.environment import Closed, Environment, Setup
from rftj_cli.reward.local.outcome import Invocation, no_constant
from rftj_cli.reward.local.packages import link_packages
from rftj_cli.reward.local.settings import MOST_PAYLOAD, Limits, checked, variables

HANDLER: Final = "lambda_function.lambda_handler"
_PATIENCE: Final = 10.0  # seconds that running invocations get to notice that their process is gone


class Throttled(CannotTell):
    """More events at the same time than the concurrency allows: Lambda's TooManyRequestsException, status 429."""

    code: Final = "TooManyRequestsException"
    status: Final = 429


class LocalFunction:
    """The function in a zip, for use with `with`. Thread-safe. Raises `InputError` where it cannot be run at all.

    Nothing of this process's environment reaches the function but `environment`, and with `pass_credentials` what AWS needs.
    """

    def __init__(
        self,
        zip: Path,
        limits: Limits | None = None,
        environment: Mapping[str, str] | None = None,
        handler: str = HANDLER,
        *,
        pass_credentials: bool = False,
    ) -> None:
        self.limits = limits or Limits()
        given = checked(environment or {})
        if not handler or len(handler) > 128 or not handler.isprintable() or " " in handler:
            raise InputError("no name of a handler", found=handler, expected="module.function")
        folder = Path(tempfile.mkdtemp(prefix="rftj-lambda-")).resolve()
        self._forget = weakref.finalize(self, remove, folder)
        try:
            packages, task = folder / "packages", folder / "task"
            link_packages(packages)
            unzip(zip, task)
        except BaseException:
            self._forget()
            raise
        made = variables(given, self.limits, handler, task, os.environ, credentials=pass_credentials)
        self._setup = Setup(folder, packages, task, made, self.limits)
        self._all: list[Environment] = []
        self._idle: list[Environment] = []
        self._free = threading.Condition()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def invoke(self, event: object, *, wait: bool = True) -> Invocation:
        """Invoke the function with an event: plain data, or JSON as bytes.

        A function that fails is an `Invocation` with an `error`. Raises `InputError` for an event that Lambda refuses.
        """
        payload = encoded(event)
        environment = self._acquire(wait)
        try:
            return environment.invoke(payload)
        except BaseException:
            environment.stop()
            raise
        finally:
            self._release(environment)

    def _acquire(self, wait: bool) -> Environment:
        with self._free:
            while not self._closed:
                if self._idle:
                    return self._idle.pop()
                if len(self._all) < self.limits.concurrency:
                    self._all.append(Environment(self._setup))
                    return self._all[-1]
                if not wait:
                    raise Throttled(
                        f"{Throttled.code}: Rate Exceeded. All {self.limits.concurrency} environments are busy"
                    )
                self._free.wait()
        raise Closed("the function is closed")

    def _release(self, environment: Environment) -> None:
        """Cold environments go to the bottom: warm ones are used first."""
        with self._free:
            self._idle.insert(len(self._idle) if environment.warm else 0, environment)
            self._free.notify_all()

    def close(self) -> None:
        """End all processes, also those that run an event just now, and remove everything that was unpacked."""
        with self._free:
            self._closed = True
            for environment in self._all:
                environment.abandon()
            self._free.notify_all()
            self._free.wait_for(lambda: len(self._idle) == len(self._all), _PATIENCE)
            for environment in self._idle:
                environment.close()
            self._all.clear()
            self._idle.clear()
        self._forget()


def encoded(event: object) -> bytes:
    """An event as Lambda gets it. Raises `InputError` for what is no JSON, with its line where there is one, and beyond 6 MB."""
    given = bytes(event) if isinstance(event, bytes | bytearray | memoryview) else None
    problem, row, found = "", None, None
    try:
        data = _dumped(event) if given is None else given
        if given is not None and len(given) <= MOST_PAYLOAD:
            json.loads(given.decode(), parse_constant=no_constant)
    except json.JSONDecodeError as error:
        problem, row, found = str(error), error.lineno, error.doc[error.pos : error.pos + 40] or None
    except (ValueError, TypeError) as error:
        problem = str(error)
    except RecursionError:
        problem = "it is nested too deeply"
    if problem:
        raise InputError(f"the event is not JSON: {problem}", row=row, found=found)
    if len(data) > MOST_PAYLOAD:
        raise InputError(
            f"RequestEntityTooLarge: Request must be smaller than {MOST_PAYLOAD} bytes for the InvokeFunction operation",
            hint="send fewer samples in one event",
        )
    return data


def _dumped(event: object) -> bytes:
    try:
        return json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half of a surrogate pair: JSON can say it in ASCII alone
        return json.dumps(event, allow_nan=False, separators=(",", ":")).encode()
