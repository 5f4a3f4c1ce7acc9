"""Refusals that concern one prompt, in the words of each service: one table for Bedrock and OpenAI-compatible servers. Pure.

code, message --stage_of--> "too_long" | "filtered" | None

No service has one code for either. A wording that is not listed here is a failure of stage `call`.
"""

from __future__ import annotations

import re
from typing import Final, Literal

_TOO_LONG: Final = re.compile(
    r"maximum context length|model'?s context length|context[ _](length|window|limit|size)[ _]?exceed|"
    r"exceed(s|ed)?( the| max| maximum| available| model'?s?)* context|context window exceeds|"
    r"prompt is too long|prompt too long|input is too long|input too long|too long to fit into the model|"
    r"longer than the (maximum )?model|too large for model|request too large|request exceeds the maximum size|"
    r"too many input tokens|input tokens? (count )?(\(\d+\) )?exceed|number of input tokens exceeds|"
    r"input length \d+ exceeds|input length exceeds|range of input length should be|maximum prompt length|"
    r"`?inputs`? tokens \+ `?max_new_tokens`?|`?inputs`? must have less than|exceeded model token limit|"
    r"reduce the length of the (messages|prompt|input)|string too long|prompt size exceeds|expected maxlength",
    re.IGNORECASE,
)
_TOO_LONG_CODES: Final = frozenset(
    {"context_length_exceeded", "exceed_context_size_error", "string_above_max_length", "request_too_large"}
)
_FILTERED: Final = re.compile(
    r"content[ _]?(filter|policy|management)|contentpolicyviolation|responsibleaipolicyviolation|usage polic|"
    r"content filtering|(blocked|rejected|flagged) (by|as a result of|due to|for) (our |the )?(content|safety|guardrail)|"
    r"safety system|inappropriate content|prohibited_content",
    re.IGNORECASE,
)
_FILTERED_CODES: Final = frozenset(
    {"content_filter", "content_policy_violation", "invalid_prompt", "data_inspection_failed", "moderation_blocked"}
)


def stage_of(code: str, message: str) -> Literal["too_long", "filtered"] | None:
    """What a refusal says of its prompt; None where it says nothing that is known."""
    if code in _FILTERED_CODES or _FILTERED.search(message):
        return "filtered"
    if code in _TOO_LONG_CODES or _TOO_LONG.search(message):
        return "too_long"
    return None
