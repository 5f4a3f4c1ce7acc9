"""One result as a line of the reward log, as the deployed function writes it: figures and hashes, no text of a sample."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rftj_cli.kernel.answering import LOG_SCHEMA, LONGEST_ID, failure_code
from rftj_cli.kernel.events import prompt_hash, response_hash
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.reward.function import Result


def log_line(rubric: Rubric, result: Result, *, request: str, step: int | None = None) -> dict[str, Any]:
    """The line of one result. `request` names the batch that it came in, `step` is the trainer's where it has one."""
    malformed = result.failure == "malformed"
    sample = result.sample
    response = "" if sample is None else str(sample.fields.get("response", ""))
    return {
        "schema": LOG_SCHEMA,
        "at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "request": request,
        **({} if step is None else {"step": step}),
        "id": None if sample is None else sample.id[:LONGEST_ID],
        "aggregate_reward_score": result.value,
        "outcome": "malformed" if malformed else "verdict" if result.failure is None else "failure",
        "failure": None if malformed else result.failure,
        "failure_code": failure_code(result.outcome),
        "essential": result.essential,
        "parts": dict(result.parts),
        "latency_ms": round(1000 * result.seconds, 1),
        "calls": result.calls,
        "attempts": result.attempts,
        "input_tokens": result.input_tokens,
        "output_tokens": result.output_tokens,
        "judge_fingerprint": rubric.judge_fingerprint,
        "reward_fingerprint": rubric.reward_fingerprint,
        "prompt_sha256": None if sample is None else prompt_hash(sample),
        "response_sha256": None if sample is None else response_hash(response),
        "response_chars": len(response),
        "response_words": len(response.split()),
    }
