"""One result as a line of the reward log, as the deployed function writes it: figures and hashes, no text of a sample."""

from __future__ import annotations

from typing import Any

from rftj_cli.kernel import answering
from rftj_cli.kernel.events import prompt_hash, response_hash
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.reward.function import Result


def log_line(rubric: Rubric, result: Result, *, request: str, step: int | None = None) -> dict[str, Any]:
    """The line of one result. `request` names the batch that it came in, `step` is the trainer's where it has one."""
    malformed, sample = result.failure == "malformed", result.sample
    response = "" if sample is None else str(sample.fields.get("response", ""))
    about = {
        **({} if step is None else {"step": step}),
        "outcome": "malformed" if malformed else "verdict" if result.failure is None else "failure",
        "failure": None if malformed else result.failure,
        "failure_code": answering.failure_code(result.outcome),
        "essential": result.essential,
        "latency_ms": round(1000 * result.seconds, 1),
        "calls": result.calls,
        "attempts": result.attempts,
        "input_tokens": result.input_tokens,
        "output_tokens": result.output_tokens,
    }
    return answering.log_line(
        rubric, about, result.parts, request=request, id=None if sample is None else sample.id, value=result.value,
        response=response, hashes=(None, None) if sample is None else (prompt_hash(sample), response_hash(response)),
    )  # fmt: skip
