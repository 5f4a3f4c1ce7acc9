"""One execution environment: a process that is initialised once and invoked one event at a time, within its limits.

    cold --start--> init --next--> warm --event--> running --response, error--> warm
                     |                                |
                     +-- too long: once more, within  +-- timeout, memory, exit, response too large: killed,
                         the function's own time          and cold again

All that happens to it while an event runs - calls to its Runtime API, output, memory, the deadline, its end - is watched by
the thread that invokes it, in `_until`.
"""

from __future__ import annotations

import selectors
import tempfile
import time
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from rftj_cli.errors import RftjError
from rftj_cli.reward.local import outcome
from rftj_cli.reward.local.api import VERSION, Connection, Request, RuntimeApi
from rftj_cli.reward.local.outcome import FunctionError, Invocation
from rftj_cli.reward.local.process import Process
from rftj_cli.reward.local.settings import MOST_PAYLOAD, NAME, RUNTIME, TASK_ROOT, Limits

LOOK_EVERY: Final = 0.02  # seconds between two looks at memory and life
What = Literal["next", "response", "error", "init error", "too large", "exit", "memory", "timeout"]


class Closed(RftjError):
    """The function was closed while it was used."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What every environment of a function shares: its folders, its environment variables and limits."""

    folder: Path
    packages: Path
    task: Path
    variables: Mapping[str, str]
    limits: Limits

    def as_in_lambda(self, text: str) -> str:
        """A log or an error that names the code where it lies in Lambda."""
        return text.replace(str(self.task), TASK_ROOT).replace(str(self.packages), RUNTIME)


@dataclass(frozen=True, slots=True)
class Happened:
    """What ended a wait: a call of the runtime client with its body, or what became of the process."""

    what: What
    body: bytes = b""
    size: int = 0
    code: int | None = None


class Environment:
    """Used by one thread at a time; only `abandon` may be called from another."""

    def __init__(self, setup: Setup) -> None:
        self._setup, self._abandoned = setup, False
        self._selector: selectors.BaseSelector = selectors.DefaultSelector()
        self._process: Process | None = None
        self._api: RuntimeApi | None = None
        self._waiting: Connection | None = None  # the runtime client, that asked for the next event
        self._inbox: deque[Request] = deque()
        self._request_id = ""

    @property
    def warm(self) -> bool:
        """Whether the next event meets an initialised process."""
        return self._process is not None and self._process.ended() is None

    def invoke(self, payload: bytes) -> Invocation:
        """Run one event, after the initialisation where the environment is cold."""
        request_id = str(uuid.uuid4())
        if not self.warm:
            self.stop()
        if self._process is not None:
            return self._run(request_id, payload, init_s=None)
        begun = time.monotonic()
        self._start()
        found = self._until(("next", "init error"), begun + self._setup.limits.init)
        took = time.monotonic() - begun
        if found.what == "timeout":
            early = (*self._logs(), f"INIT_REPORT Init Duration: {took * 1000:.2f} ms Phase: init Status: timeout")
            return self._again(request_id, payload, early)
        if found.what != "next":
            return self._failed(found, request_id, took, 0.0, ())
        return self._run(request_id, payload, init_s=took)

    def _again(self, request_id: str, payload: bytes, early: tuple[str, ...]) -> Invocation:
        """The initialisation took too long: Lambda begins once more, and that counts as time of the function."""
        self.stop()
        begun = time.monotonic()
        self._start()
        found = self._until(("next", "init error"), begun + self._setup.limits.timeout)
        if found.what != "next":
            return self._failed(found, request_id, 0.0, time.monotonic() - begun, early)
        return self._run(request_id, payload, init_s=0.0, begun=begun, early=early)

    def _run(
        self, request_id: str, payload: bytes, *, init_s: float | None, begun: float | None = None,
        early: tuple[str, ...] = (),
    ) -> Invocation:  # fmt: skip
        """Hand the event over and wait for what comes of it."""
        begun = time.monotonic() if begun is None else begun
        deadline = begun + self._setup.limits.timeout
        found = Happened("next") if self._waiting else self._until(("next",), deadline)
        if found.what == "next":
            self._request_id = request_id
            self._hand_over(payload, deadline)
            found = self._until(("response", "error", "too large"), deadline)
            self._request_id = ""
        took, process = time.monotonic() - begun, self._process
        assert process is not None
        if process.memory() > self._setup.limits.memory:
            found = Happened("memory")
        cold = init_s is not None
        if found.what not in ("response", "error"):
            return self._failed(found, request_id, init_s or 0.0, took, early, cold=cold)
        logs = (*early, *self._logs())
        if found.what == "error":
            raw = self._setup.as_in_lambda(found.body.decode("utf-8", "replace")).encode()
            error = outcome.reported(raw)
            return Invocation(request_id, None, raw, error, cold, init_s or 0.0, took, process.peak_mb, logs)
        value, why = outcome.parsed(found.body)
        return Invocation(request_id, value, found.body, None, cold, init_s or 0.0, took, process.peak_mb, logs, why)

    def _failed(
        self, found: Happened, request_id: str, init_s: float, took: float, early: tuple[str, ...], *, cold: bool = True
    ) -> Invocation:
        """An error that ends the environment: the next event finds it cold."""
        limits, process = self._setup.limits, self._process
        assert process is not None
        peak = process.memory()
        process.close()
        logs = (*early, *self._logs())
        self.stop()
        if self._abandoned:
            raise Closed("the function was closed while it ran")
        error, raw = self._reported(found, request_id, init_s or took)
        if found.what == "timeout":
            took = limits.timeout
        return Invocation(request_id, None, raw, error, cold, init_s, took, peak, logs)

    def _reported(self, found: Happened, request_id: str, took: float) -> tuple[FunctionError, bytes]:
        if found.what == "init error":
            raw = self._setup.as_in_lambda(found.body.decode("utf-8", "replace")).encode()
            return outcome.reported(raw), raw
        if found.what == "timeout":
            error = outcome.timed_out(request_id, self._setup.limits.timeout)
        elif found.what == "too large":
            error = outcome.too_large(found.size)
        else:
            error = outcome.exited(request_id, found.code, out_of_memory=found.what == "memory")
        return error, outcome.as_json(error)

    def _logs(self) -> tuple[str, ...]:
        assert self._process is not None
        return tuple(self._setup.as_in_lambda(line) for line in self._process.logs())

    def _start(self) -> None:
        if self._abandoned:
            raise Closed("the function was closed")
        setup = self._setup
        self._api = RuntimeApi(self._selector, most_body=MOST_PAYLOAD)
        variables = {
            **setup.variables,
            "AWS_LAMBDA_RUNTIME_API": self._api.address,
            "AWS_LAMBDA_LOG_STREAM_NAME": f"{time.strftime('%Y/%m/%d', time.gmtime())}/[$LATEST]{uuid.uuid4().hex}",
            "TMPDIR": tempfile.mkdtemp(prefix="tmp-", dir=setup.folder),
        }
        self._process = Process(setup.packages, setup.task, variables, setup.limits.memory, self._selector)
        if self._abandoned:
            self._process.kill()

    def _hand_over(self, payload: bytes, deadline: float) -> None:
        """The answer to the client's call for the next event; where it is gone, the wait that follows finds out."""
        client, self._waiting = self._waiting, None
        assert client is not None and self._api is not None
        epoch = time.time() + deadline - time.monotonic()
        region = self._setup.variables["AWS_REGION"]
        headers = {
            "Lambda-Runtime-Aws-Request-Id": self._request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(epoch * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": f"arn:aws:lambda:{region}:000000000000:function:{NAME}",
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0",
        }
        self._api.answer(client, 200, headers, payload, deadline=deadline)

    def _until(self, wanted: tuple[What, ...], deadline: float) -> Happened:
        """Watch everything until one of the wanted calls comes, or what ends the environment."""
        process = self._process
        assert process is not None
        while True:
            code, left = process.ended(), deadline - time.monotonic()
            ready = self._selector.select(0 if code is not None else max(0.0, min(LOOK_EVERY, left)))
            for key, _ in ready:
                self._inbox.extend(key.data())
            while self._inbox:
                found = self._called(self._inbox.popleft())
                if found is not None and found.what in wanted:
                    return found
            if process.memory() > self._setup.limits.memory:
                return Happened("memory")
            if code is not None and not ready:
                return Happened("exit", code=code)
            if code is None and left <= 0:
                return Happened("timeout")

    def _called(self, request: Request) -> Happened | None:
        """Answer a call of the runtime client; None where it changes nothing."""
        api, path = self._api, request.path.removeprefix(VERSION)
        assert api is not None
        if (request.method, path) == ("GET", "/invocation/next"):
            self._waiting = request.connection
            return Happened("next")
        if (request.method, path) == ("POST", "/init/error"):
            api.answer(request.connection, 202)
            return Happened("init error", request.body)
        current = f"/invocation/{self._request_id}/"
        if request.method != "POST" or path not in (f"{current}response", f"{current}error"):
            api.answer(request.connection, 400 if path.startswith("/invocation/") else 404)
            return None
        if request.size > MOST_PAYLOAD:
            api.answer(request.connection, 413)
            return Happened("too large", size=request.size)
        api.answer(request.connection, 202)
        return Happened("response" if path.endswith("/response") else "error", request.body)

    def abandon(self) -> None:
        """Kill the process, for good; the thread that uses it, if any, finds out at once."""
        self._abandoned = True
        if self._process is not None:
            self._process.kill()

    def stop(self) -> None:
        """End the process, if there is one; the next event starts another."""
        if self._process is not None:
            self._process.close()
            self._process = None
        if self._api is not None:
            self._api.close()
            self._api = None
        self._waiting = None
        self._inbox.clear()

    def close(self) -> None:
        """End everything, for good."""
        self.stop()
        self._selector.close()
