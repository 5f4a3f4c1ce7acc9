"""One result for each row, whatever happens, and one log line that tells how it came about without any of its text.

Row + Scored | InputError | nothing --answered--> Answer(result, log)
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from rftj_cli.errors import InputError
from rftj_cli.kernel.events import Row, without_text
from rftj_cli.kernel.outcome import SERVICE_STAGES, CallError, Failure, Outcome, Part, Reply, Reward
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.kernel.scoring import Scored

LOG_SCHEMA: Final = "rftj.reward-log/1"
FAILED, MALFORMED = "rftj_failed", "rftj_malformed"  # metrics: 1 where the reward is a constant of `reward.on_failure`
_CODE: Final = re.compile(r"HTTP \d{3}\b|[A-Z][A-Za-z]{2,60}(Exception|Error|Expired)\b")
LONGEST_ID: Final = 200  # characters of an id in a log


@dataclass(frozen=True, slots=True)
class Answer:
    """What the trainer gets of one row, and what the log says of it."""

    result: Mapping[str, Any]
    log: Mapping[str, Any]


def answered(rubric: Rubric, row: Row, scored: Scored | InputError | None, request: str) -> Answer:
    """The result and the log line of one row. `request` is the invocation's id.

    Raises `ValueError` for a rubric whose failures have no reward: `rftj reward build` packs none, and `Handler` takes none.
    """
    parts: tuple[Part, ...] = ()
    if row.sample is None or not isinstance(scored, Scored):
        reward, metric = Reward(rubric.reward.on_content_failure), {MALFORMED: 1.0}
        about = _unjudged(row, scored)
    else:
        reward = scored.judged.reward
        parts = tuple(part for part in reward.parts if part.u is not None)
        about = _about(scored)
        metric = {FAILED: 1.0} if about["outcome"] == "failure" else {}
    value = score_of(reward, rubric)
    metrics = [{"name": part.id, "value": float(part.u or 0), "type": "Reward"} for part in parts]
    metrics += [{"name": name, "value": one, "type": "Metric"} for name, one in metric.items()]
    result = {"id": row.id, "aggregate_reward_score": value, "metrics_list": metrics}
    log = log_line(
        rubric, about, {part.id: part.u for part in parts}, request=request, id=row.id, value=value,
        response=row.response, hashes=(row.prompt_sha256 or None, row.response_sha256 or None),
    )  # fmt: skip
    return Answer(result, log)


def score_of(reward: Reward, rubric: Rubric) -> float:
    """The reward as a float in the rubric's range. Raises `ValueError` where the rubric gives none."""
    if reward.value is None or not math.isfinite(reward.value):
        raise ValueError(f"the rubric gives no reward here ({reward.note}): see reward.on_failure")
    return float(min(rubric.reward.high, max(rubric.reward.low, reward.value)))


def _unjudged(row: Row, scored: Scored | InputError | None) -> dict[str, Any]:
    fault = without_text(scored) if isinstance(scored, InputError) else row.fault
    return {
        "outcome": "malformed",
        "fault": fault,
        "failure": None,
        "failure_code": None,
        "essential": None,
        "latency_ms": 0.0,
        **spent(()),
    }


def _about(scored: Scored) -> dict[str, Any]:
    outcome = scored.judged.outcome
    gated = [part.id for part in scored.judged.reward.parts if part.essential and part.u == 0]
    failed = isinstance(outcome, Failure)
    settled = failed and bool(gated)  # an essential check: that is an answer, and no failure
    return {
        "outcome": "failure" if failed and not settled else "verdict",
        "failure": outcome.stage if isinstance(outcome, Failure) and not settled else None,
        "failure_code": failure_code(outcome),
        "essential": gated[0] if gated else None,
        "latency_ms": round(1000 * scored.seconds, 1),
        **spent(scored.own),
    }


def failure_code(outcome: Outcome | None) -> str | None:
    """The service's own word for a call that failed (`AccessDeniedException`, `HTTP 503`); never its sentence."""
    if not isinstance(outcome, Failure) or outcome.stage not in SERVICE_STAGES:
        return None
    found = _CODE.match(outcome.reason)
    return None if found is None else found.group()


def spent(replies: Sequence[Reply | CallError]) -> dict[str, int]:
    """Calls, attempts and tokens, those of failed calls and lost attempts with them."""
    done = [reply for reply in replies if isinstance(reply, Reply)]
    cached = sum(reply.cache_read_tokens + reply.cache_write_tokens for reply in done)
    return {
        "calls": len(replies),
        "attempts": sum(reply.attempts for reply in replies),
        "input_tokens": sum(one.input_tokens for one in replies) + cached + sum(r.lost_input_tokens for r in done),
        "output_tokens": sum(one.output_tokens for one in replies) + sum(r.lost_output_tokens for r in done),
    }


def log_line(
    rubric: Rubric,
    about: Mapping[str, Any],
    parts: Mapping[str, float | None],
    *,
    request: str,
    id: object,
    value: float | None,
    response: str,
    hashes: tuple[str | None, str | None],
) -> dict[str, Any]:
    """One line of the reward log. `about`: outcome, failure and what it took; `hashes`: of prompt and response."""
    pitfalls = [one.id for one in rubric.criteria if one.weight < 0] + [
        one.id for one in rubric.checks if one.weight < 0
    ]
    return {
        "schema": LOG_SCHEMA,
        "at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "request": request,
        "id": id if id is None or isinstance(id, (int, float, bool)) else str(id)[:LONGEST_ID],
        "aggregate_reward_score": value,
        **about,
        "parts": dict(parts),
        **({"pitfalls": pitfalls} if pitfalls else {}),
        "judge_fingerprint": rubric.judge_fingerprint,
        "reward_fingerprint": rubric.reward_fingerprint,
        "prompt_sha256": hashes[0],
        "response_sha256": hashes[1],
        "response_chars": len(response),
        "response_words": len(response.split()),
    }
