"""What `rftj reward invoke` prints: the response on standard output, times, memory and the log on standard error."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from rftj_cli.errors import counted
from rftj_cli.report.documents import show_json
from rftj_cli.report.words import plain
from rftj_cli.reward.invoking import SCHEMA, Invoked, Times

SHOWN: Final = 10  # lines of a log at each of its ends
NAME: Final = 8


def show(invoked: Invoked, *, raw: bool, json: bool, quiet: bool) -> None:
    """Print the result in the wanted form. An error is told on standard error also under `quiet`."""
    if json:
        show_json(document(invoked))
        return
    _show_response(invoked, raw=raw)
    sys.stdout.flush()
    if not quiet:
        for line in _told(invoked):
            print(line, file=sys.stderr)
    for line in _faults(invoked):
        print(line, file=sys.stderr)


def document(invoked: Invoked) -> dict[str, Any]:
    """The result as plain data."""
    return {
        "schema": SCHEMA,
        "zip": invoked.zip,
        "handler": invoked.handler,
        "python": invoked.python,
        "limits": invoked.limits,
        "response": invoked.response,
        "response_not_json": invoked.response_not_json,
        "error": invoked.error,
        "failed": invoked.failed,
        "responses_differ": invoked.responses_differ,
        "max_memory_mb": invoked.max_memory_mb,
        "init": invoked.init,
        "cold": invoked.cold,
        "warm": invoked.warm,
        "invocations": invoked.runs,
    }


def _show_response(invoked: Invoked, *, raw: bool) -> None:
    """The payload of Lambda: readable JSON, or the bytes as they came."""
    shown = None if raw or invoked.response_not_json is not None else _pretty(invoked.raw)
    if shown is not None:
        print(shown)
        return
    binary = getattr(sys.stdout, "buffer", None)
    if binary is None:
        sys.stdout.write(invoked.raw.decode("utf-8", "replace"))
        return
    sys.stdout.flush()
    with suppress(BrokenPipeError):
        binary.write(invoked.raw)


def _pretty(raw: bytes) -> str | None:
    """JSON with indents; None where it is none (an error that was posted as text)."""
    try:
        return json_module.dumps(json_module.loads(raw), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return None


def _told(invoked: Invoked) -> Iterator[str]:
    runs = invoked.runs
    if len(runs) == 1:
        (run,) = runs
        start = f"cold start {_seconds(run.init['seconds'])}, " if run.cold else ""
        yield f"{'time':{NAME}}{start}run {_seconds(run.seconds)}, billed {_seconds(run.billed_ms / 1000)}"
    else:
        yield f"{counted(len(runs), 'invocation')}: {invoked.cold.n:,} cold, {invoked.warm.n:,} warm"
        yield f"{'':{NAME}}{'p50':>10}{'p95':>10}{'longest':>10}"
        for name, times in (("init", invoked.init), ("cold", invoked.cold), ("warm", invoked.warm)):
            if times.n:
                yield f"{name:{NAME}}" + "".join(f"{_seconds(one):>10}" for one in _values(times))
    yield f"{'memory':{NAME}}{invoked.max_memory_mb:,} of {invoked.limits.memory:,} MB"
    for name, line in zip(("log", *("",) * 2 * SHOWN), _log(invoked.telling.logs), strict=False):
        yield f"{name:{NAME}}{plain(line)}"


def _faults(invoked: Invoked) -> Iterator[str]:
    if invoked.response_not_json is not None:
        yield f"note: the response is not JSON: {invoked.response_not_json}"
    if invoked.responses_differ:
        yield "note: the responses differ; the first is shown"
    if invoked.error is not None:
        often = "" if len(invoked.runs) == 1 else f" {invoked.failed:,} of {len(invoked.runs):,} times"
        said = ": ".join(part for part in (invoked.error.type, invoked.error.message) if part)
        yield f"the function failed{often}: {plain(said)}"


def _values(times: Times) -> tuple[float | None, ...]:
    return times.latency_p50, times.latency_p95, times.latency_p100


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.4f} s"


def _log(lines: tuple[str, ...]) -> Iterator[str]:
    """The two ends of a log."""
    if len(lines) <= 2 * SHOWN:
        yield from lines
        return
    yield from lines[:SHOWN]
    yield f"... {counted(len(lines) - 2 * SHOWN, 'more line')} (--json has all) ..."
    yield from lines[-SHOWN:]
