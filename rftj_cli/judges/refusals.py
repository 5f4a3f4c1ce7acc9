"""What the errors of OpenAI-compatible servers mean, each in its own words: OpenAI, Azure, vLLM, llama.cpp, Ollama, gateways.

status, headers, body --refused--> CallError --adapted--> CallError: the model refuses a feature, the next call does without
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from rftj_cli.kernel.dialect import Accepted, Feature, Learned
from rftj_cli.kernel.outcome import CallError, Request
from rftj_cli.kernel.refusals import EVERY_CALL, retry_after
from rftj_cli.kernel.secrets import redacted
from rftj_cli.kernel.wordings import stage_of

_ADVICE: Final[Mapping[int, str]] = {
    400: "check judge.model and the judge's settings",
    401: "check OPENAI_API_KEY",
    403: "check that the key may use this model",
    404: "check judge.model and --base-url (the URL usually ends in /v1)",
    422: "check judge.model and the judge's settings",
}
_UNKNOWN: Final = re.compile(
    r"unsupported|unrecognized|unknown|unexpected|invalid|extra (inputs|fields)|deprecated|not (be )?"
    r"(supported|accepted|allowed|permitted|available|enabled|implemented)|n[o'’]t support|does(n't| not) (support|accept)|"
    r"only the default|unavailable|(enabled|available|supported) only|only (enabled|available|supported)|incompatible|must be|failed to (parse|compile|initialize)|no (grammar|logprobs)",
    re.IGNORECASE,
)
_FEATURES: Final[tuple[tuple[Feature, re.Pattern[str]], ...]] = (
    ("max_tokens", re.compile(r"max_completion_tokens")),
    ("logprobs", re.compile(r"top_?logprobs|logprobs|log probabilit", re.IGNORECASE)),
    (
        "structure",
        re.compile(r"response_?format|json_?(schema|object)|structured.?output|schema|grammar|tool", re.IGNORECASE),
    ),
    ("seed", re.compile(r"\bseed\b", re.IGNORECASE)),
    ("temperature", re.compile(r"temperature", re.IGNORECASE)),
)
_RANGE: Final = re.compile(
    r"(less|greater|smaller|larger) than|between|at (most|least)|<=|≤|>=|maximum|in the range", re.IGNORECASE
)
_FEWER: Final = re.compile(r"(?:top_?)?logprobs\D{0,60}?(?:<=|less than or equal to|at most|maximum(?: value)? (?:is|of)|"
                           r"between 0 and|up to)\D{0,5}(\d+)", re.IGNORECASE)  # fmt: skip


def refused(status: int, headers: Mapping[str, str], body: bytes, key: str = "") -> CallError:
    """The `CallError` for a status other than 200; header names are lower-case."""
    response = _json(body)
    fault = response.get("error") if isinstance(response, Mapping) else None
    found = (fault.get("code"), fault.get("type")) if isinstance(fault, Mapping) else ()
    codes = [one if isinstance(one, str) else "" for one in found] or [""]
    message = said(response) or " ".join(redacted(body[:4000].decode("utf-8", "replace")).split())[:200]
    reason = hidden(f"HTTP {status}: {message}".rstrip(": "), key)
    wait = retry_after(headers)
    stages = [stage for code in codes if (stage := stage_of(code, message)) is not None]
    stage = stages[0] if stages else "too_long" if status == 413 else None
    if stage is not None:
        return CallError(stage, reason)  # this prompt's fault, not the run's
    if status == 429 and "insufficient_quota" in codes:
        return CallError("call", reason, fatal=True, advice="the account has no credit left")
    if status == 429:
        return CallError("throttled", reason, retry=True, retry_after=wait)
    if status == 408:
        return CallError("timeout", reason, retry=True, retry_after=wait, billed=None)
    if status in (409, 425):
        return CallError("call", reason, retry=True, retry_after=wait)
    if status == 424 or status >= 500:
        return CallError("call", reason, retry=True, retry_after=wait, billed=None)
    advice = "the key has expired: set OPENAI_API_KEY to a new one" if "expired" in message.casefold() else ""
    advice = advice or _ADVICE.get(status, "check --base-url")
    # Any other refusal may concern this prompt alone: whoever makes many calls finds out.
    return CallError("call", reason, fatal=status in EVERY_CALL, advice=advice)


def refused_feature(message: str, used: Accepted) -> Feature | None:
    """What the message says that the model does not take, of what was used; None where it says something else."""
    if not _UNKNOWN.search(message):
        return None
    for feature, words in _FEATURES:
        in_use = used.structure != "text" if feature == "structure" else getattr(used, feature)
        if in_use and words.search(message):
            return None if feature == "temperature" and _RANGE.search(message) else feature
    return None


def adapted(error: CallError, request: Request, used: Accepted, learned: Learned) -> CallError:
    """The error, or one that is worth another attempt because the next call will leave out what was refused."""
    if (
        error.retry
        or error.stage != "call"
        or not error.reason.startswith(("HTTP 400", "HTTP 404", "HTTP 422", "HTTP 501"))
    ):
        return error
    feature = refused_feature(error.reason, used)
    if feature is None:
        return error
    fewer = _FEWER.search(error.reason) if feature == "logprobs" else None
    if fewer is not None and 0 < int(fewer[1]) < used.top:
        learned.fewer(int(fewer[1]))
        return CallError("call", error.reason, retry=True, adapted=True)
    if feature == "structure" and request.structure != "auto":
        advice = f"the model does not take judge.structure: {used.structure}; set judge.structure to auto"
        return CallError("call", error.reason, fatal=True, advice=advice)
    if learned.without(used, feature):
        return CallError("call", error.reason, retry=True, adapted=True)
    return error


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def said(response: object) -> str:
    """The message of an error, in the shapes that servers give it; empty where there is none."""
    if not isinstance(response, Mapping):
        return ""
    words = _words(response.get("error", response.get("detail", response.get("message"))))
    return " ".join(redacted(words).split())[:300]


def _words(fault: object) -> str:
    """The text of an error: alone, under `message` (`msg` in FastAPI's lists of faults), or its code; else nothing."""
    if isinstance(fault, list):
        return "; ".join(words for one in fault[:3] if (words := _words(one)))
    if isinstance(fault, Mapping):
        return next((one for key in ("message", "msg", "code") if (one := fault.get(key)) and isinstance(one, str)), "")
    return fault if isinstance(fault, str) else ""


def hidden(text: str, key: str) -> str:
    """The text without the key, and without what looks like one: servers quote the key they refuse, or half of it."""
    text = redacted(text.replace(key, "***") if key else text)
    return re.sub(r"\b(sk|key|pk|gsk|AIza)[-_][\w*-]{6,}", "***", text)
