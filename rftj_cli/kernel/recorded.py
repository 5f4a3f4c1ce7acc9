"""Recorded replies as a judge, by the hash of the request: how a packaged reward is held to the run it was measured on.

{"request": "<hash>", "text": ..., "stop": ..., ...}      or      {"request": "<hash>", "stage": ..., "reason": ...}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from rftj_cli.kernel.outcome import CallError, Reply, Request

_KEPT: Final = ("text", "stop", "input_tokens", "output_tokens", "seconds", "probabilities", "reasoning")


def recorded_line(key: str, answer: Reply | CallError) -> str:
    """One answer as a line of such a file: all of it that an outcome hangs on."""
    if isinstance(answer, CallError):
        return json.dumps({"request": key, "stage": answer.stage, "reason": answer.reason}, ensure_ascii=False)
    found = {name: getattr(answer, name) for name in _KEPT if getattr(answer, name, None)}
    return json.dumps({"request": key, **found, "text": answer.text}, ensure_ascii=False)


class RecordedJudge:
    """Answers each request as it was answered then. A request without a recording is a fatal `CallError`: a miss is a fault."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._answers: dict[str, Mapping[str, Any]] = {}
        for line in lines:
            if line.strip():
                row = json.loads(line)
                self._answers[row["request"]] = row

    def __call__(self, request: Request) -> Reply:
        row = self._answers.get(request.key)
        if row is None:
            raise CallError("call", f"no recorded reply for the request {request.key[:12]}", fatal=True)
        if "stage" in row:
            raise CallError(row["stage"], row["reason"])
        return Reply(**{name: row[name] for name in _KEPT if name in row})
