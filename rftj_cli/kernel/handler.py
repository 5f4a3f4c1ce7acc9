"""The reward Lambda: a folder with `bundle.json` and `rubric.json`, made ready once, then one invocation after another.

    event --read_event--> rows --Scorer, within the time left--> answers --+--> results, in the trainer's envelope
                                                                           +--> a log line each, records on request

`lambda_function.py` of a bundle holds `lambda_handler = load(folder)`. Where RFTJ_REPLIES names a file of recorded
replies, these are the judge: that is how `rftj reward verify` compares the bundle with the run it was measured on.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rftj_cli.kernel.answering import Answer, answered
from rftj_cli.kernel.canonical import json_line
from rftj_cli.kernel.compile import compile_rubric
from rftj_cli.kernel.events import Envelope, Row, envelope, read_event
from rftj_cli.kernel.outcome import Judge
from rftj_cli.kernel.recorded import RecordedJudge
from rftj_cli.kernel.records import Recorder
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.kernel.scoring import Scored, Scorer

REPLIES: Final = "RFTJ_REPLIES"
RESERVE: Final = 0.1  # share of the time left that is kept for the answer, within these bounds
LEAST, MOST = 0.25, 2.0  # seconds
LAST: Final = 0.1  # seconds of it that records may not take
NO_LIMIT: Final = 300.0  # seconds: where nobody says how long there is


class Handler:
    """Answers events with a rubric's rewards. `write` gets the log lines, `recorder` the full records where wanted."""

    def __init__(
        self,
        scorer: Scorer,
        *,
        form: Envelope = "list",
        recorder: Recorder | None = None,
        write: Callable[[str], object] | None = None,
    ) -> None:
        reward = scorer.rubric.reward
        if reward.on_content_failure is None or (scorer.rubric.criteria and reward.on_service_failure is None):
            raise RuntimeError("reward.on_failure leaves training without an answer: it takes two numbers")
        self._scorer, self._form, self._recorder = scorer, form, recorder
        self._write = write or _to_stdout

    def __call__(self, event: object, context: object) -> object:
        """One result for each row, in order. Raises `BadEvent` for an event that holds no rows at all."""
        remaining = getattr(context, "get_remaining_time_in_millis", None)
        end = time.monotonic() + (NO_LIMIT if remaining is None else remaining() / 1000)
        request = str(getattr(context, "aws_request_id", ""))
        rows = read_event(event)
        left = end - time.monotonic()
        seconds = max(0.0, left - min(MOST, max(LEAST, RESERVE * left)))
        scored = self._scored(rows, seconds)
        answers = [answered(self._scorer.rubric, row, one, request) for row, one in zip(rows, scored, strict=True)]
        self._write("".join(json_line(answer.log) for answer in answers))
        self._record(rows, scored, answers, request, end - time.monotonic() - LAST)
        return envelope([answer.result for answer in answers], self._form)

    def _scored(self, rows: Sequence[Row], seconds: float) -> list[Any]:
        """What became of each row's sample; None where it has none."""
        found = iter(self._scorer.score([row.sample for row in rows if row.sample is not None], seconds))
        return [None if row.sample is None else next(found) for row in rows]

    def _record(
        self, rows: Sequence[Row], scored: Sequence[Any], answers: Sequence[Answer], request: str, seconds: float
    ) -> None:
        if self._recorder is None:
            return
        done = [
            (row, one, answer)
            for row, one, answer in zip(rows, scored, answers, strict=True)
            if row.sample is not None and isinstance(one, Scored)
        ]
        fault = self._recorder.keep(done, request, seconds)
        if fault:  # the rewards stand, whatever becomes of their records
            self._write(json_line({"schema": "rftj.reward-fault/1", "request": request, "fault": fault}))


def _to_stdout(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def load(folder: str | Path) -> Handler:
    """The handler of a bundle. Raises `RuntimeError` where its rubric is not the one that it was built from."""
    began = time.perf_counter()
    place = Path(folder)
    bundle = json.loads((place / "bundle.json").read_text(encoding="utf-8"))
    rubric = compile_rubric(json.loads((place / "rubric.json").read_text(encoding="utf-8")))
    for name in ("judge_fingerprint", "reward_fingerprint"):
        if bundle[name] != getattr(rubric, name):
            raise RuntimeError(
                f"{name} is {getattr(rubric, name)[:12]}, and the bundle was built with {bundle[name][:12]}"
            )
    settings = bundle["settings"]
    judge, named = _judge(rubric)
    scorer = Scorer(rubric, judge, workers=settings["concurrency"])
    # Replies from a file are a rehearsal: nothing of it leaves the machine.
    kept = None if os.environ.get(REPLIES) else settings["record"]
    recorder = None if kept is None else Recorder(**kept)
    if recorder is not None:
        recorder.open()
    ready = {"schema": "rftj.reward-ready/1", "rftj": bundle["rftj"], "judge": named,
             "judge_fingerprint": rubric.judge_fingerprint, "reward_fingerprint": rubric.reward_fingerprint,
             "ready_ms": round(1000 * (time.perf_counter() - began), 1)}  # fmt: skip
    _to_stdout(json_line(ready))
    return Handler(scorer, form=settings["envelope"], recorder=recorder)


def _judge(rubric: Rubric, environment: Mapping[str, str] = os.environ) -> tuple[Judge | None, str]:
    """The judge, and what it is: recorded replies only where the environment says so."""
    if not rubric.criteria:
        return None, "none: the rubric has checks alone"
    if replies := environment.get(REPLIES):
        with open(replies, encoding="utf-8") as lines:
            return RecordedJudge(lines), "recorded replies"
    if rubric.judge.backend != "bedrock":
        raise RuntimeError(f"{rubric.judge.model} cannot be called from Lambda: only models on Amazon Bedrock can")
    from rftj_cli.kernel.bedrock import Access
    from rftj_cli.kernel.converse import ConverseDialect
    from rftj_cli.kernel.dialect import HttpJudge
    from rftj_cli.kernel.http import Http

    access = Access(rubric.judge.model, allow_regions=rubric.judge.allow_regions)
    return HttpJudge(ConverseDialect(access, rubric.judge), Http(access.url)), rubric.judge.model
