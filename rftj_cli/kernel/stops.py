"""Why a reply ended, in every spelling that services use: one table for Converse, chat completions and recordings.

"MAX_TOKENS", "length", "model_length" --stop_of--> "max_tokens"        "abort", "ERROR" --> BROKEN
"""

from __future__ import annotations

import re
from typing import Final, Literal

from rftj_cli.kernel.outcome import Stop

BROKEN: Final = "broken"  # the service gave up in the middle: nothing was answered, and another attempt may bring it
_ENDS: Final = frozenset(
    [
        "end",
        "end_turn",
        "stop",
        "stop_sequence",
        "eos",
        "eos_token",
        "tool_use",
        "tool_calls",
        "function_call",
        "complete",
        "completed",
        "finished",
    ]
)
# The first pattern that a reason matches counts, so that ERROR_TOXIC is a filter's and ERROR_LIMIT a limit's.
_NEAREST: Final[tuple[tuple[re.Pattern[str], Stop | Literal["broken"]], ...]] = (
    (re.compile(r"refus"), "refused"),
    (re.compile(r"filter|safety|guardrail|block|prohibit|recitation|spii|toxic|moderat|sensitive|policy"), "filtered"),
    (re.compile(r"max|length|limit|context|window|truncat|budget"), "max_tokens"),
    (re.compile(r"abort|error|cancel|malformed|fail|interrupt|timeout|insufficient|overload"), "broken"),
)


def stop_of(reason: str) -> Stop | Literal["broken"] | None:
    """What a service's reason means; None for a word that resembles none of those known."""
    word = re.sub(r"[\s-]+", "_", reason.strip().casefold())
    if word in _ENDS:
        return "end"
    return next((stop for pattern, stop in _NEAREST if pattern.search(word)), None)
