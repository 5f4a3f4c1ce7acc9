"""What Bedrock's errors mean: one mapping for HTTP and for boto3. Pure.

    status, code, message --refused--> CallError --adapted--> CallError
                                                     |
                                                     +-- Learned: the model refuses a feature, the next call does without

Which models take which features is found in the words of their refusals, since Bedrock has no code for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from rftj_cli.kernel.dialect import Accepted, Feature, Learned
from rftj_cli.kernel.outcome import CallError, Request
from rftj_cli.kernel.secrets import redacted
from rftj_cli.kernel.wordings import stage_of

LONGEST: Final = 600  # characters of a message that are kept
_THROTTLED: Final = frozenset({"ThrottlingException", "ModelNotReadyException", "TooManyRequestsException"})
_EXPIRED: Final = (
    "the AWS credentials have expired: renew them (`aws sso login`, a new session token, or a new Bedrock API key)"
)
_ADVICE: Final[Mapping[str, str]] = {
    "AccessDeniedException": "the role needs bedrock:InvokeModel on this model, and the account access to the model",
    "ExpiredTokenException": _EXPIRED,
    "ExpiredToken": _EXPIRED,
    "UnrecognizedClientException": "AWS does not know these credentials: check AWS_PROFILE and the access key",
    "InvalidSignatureException": "AWS refuses the signature: check the secret key and this machine's clock",
    "ResourceNotFoundException": "no such model in this region: check judge.model and --region",
    "ValidationException": "Bedrock refuses the request: check judge.model (some models can only be called through an "
    "inference profile such as us.MODEL or global.MODEL) and the judge's settings (judge.structure: text is what every model takes)",
}
EVERY_CALL: Final = frozenset({401, 402, 403, 404, 405, 407})  # statuses that say nothing of one prompt
_FATAL: Final = frozenset(_ADVICE) - {"ValidationException"}
_TOKEN_EXPIRED: Final = re.compile(r"\btoken\b.*\bexpired\b", re.IGNORECASE)
_CACHE: Final = re.compile(r"cache[_ ]?(point|control)|prompt[_ ]?cach", re.IGNORECASE)
_NOT: Final = (
    r"deprecated|unsupported|not (be )?(supported|accepted|allowed|permitted|specified)|n[o'’]t (support|accept)"
)
_TEMPERATURE: Final = re.compile(
    rf"temperature.*({_NOT}|may only be set to)|(unsupported|n[o'’]t (support|accept)|unknown parameter).*temperature",
    re.IGNORECASE,
)
_SCHEMA: Final = re.compile(
    r"output_?config|output_?format|text_?format|response_?format|structured.?output|schema|grammar", re.IGNORECASE
)
_TOOL: Final = re.compile(r"\btool|schema", re.IGNORECASE)
# What AWS or a proxy may repeat of the request's own secrets: the canonical string holds the session token.
_SECRET: Final = re.compile(
    r"The Canonical String.*|\b(AKIA|ASIA)[A-Z0-9]+|\bBearer (?!token)\S+|\b(ABSK|bedrock-api-key-)\S+", re.IGNORECASE
)


def refused(status: int, code: str, message: str, headers: Mapping[str, str]) -> CallError:
    """The `CallError` for a status other than success; header names are lower-case. No secret stays in its text."""
    said = _SECRET.sub("***", redacted(" ".join(message.split())))[:LONGEST]
    reason = f"{code or f'HTTP {status}'}: {said}".rstrip(": ")
    if (stage := "too_long" if status == 413 else stage_of(code, said)) is not None:
        return CallError(stage, reason)  # this prompt's fault, not the run's
    if status == 429 or code in _THROTTLED:
        return CallError("throttled", reason, retry=True, retry_after=retry_after(headers))
    if status == 408 or code == "ModelTimeoutException":
        return CallError("timeout", reason, retry=True, retry_after=retry_after(headers), billed=None)
    if status == 409:
        return CallError("call", reason, retry=True, retry_after=retry_after(headers))
    if status == 424 or status >= 500 or status == 200:
        return CallError("call", reason, retry=True, retry_after=retry_after(headers), billed=None)
    if status in (401, 403) and _TOKEN_EXPIRED.search(said):
        return CallError("call", reason, fatal=True, advice=_EXPIRED)
    advice = _ADVICE.get(code, "check judge.model and the AWS credentials")
    # Any other refusal may concern this prompt alone: whoever makes many calls finds out.
    return CallError("call", reason, fatal=status in EVERY_CALL or code in _FATAL, advice=advice)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds to wait: the service's own header in milliseconds, or Retry-After in seconds or as an HTTP date.

    Of several numbers (a gateway adds a header of its own to the service's) the smallest: it costs one refusal at most.
    """
    own = (headers.get("x-amz-retry-after") or headers.get("retry-after-ms") or "").strip()
    value = headers.get("retry-after", "").strip()
    try:
        for text, unit in ((own, 1000.0), (value, 1.0)):
            if numbers := [float(one) for one in text.split(",") if one.strip().replace(".", "", 1).isdecimal()]:
                return min(numbers) / unit
        if value:
            return max(0.0, (parsedate_to_datetime(value) - (now or datetime.now(UTC))).total_seconds())
    except (ValueError, TypeError, OverflowError):
        pass
    return None


def refused_feature(message: str, used: Accepted) -> Feature | None:
    """What the message says that the model does not take, of what was used; None where it says something else."""
    if used.cache and _CACHE.search(message):
        return "cache"  # first: it may name the place of the cache point, a tool for instance
    if used.temperature and _TEMPERATURE.search(message):
        return "temperature"
    form = {"schema": _SCHEMA, "tool": _TOOL}.get(used.structure)
    return "structure" if form is not None and form.search(message) else None


def adapted(error: CallError, request: Request, used: Accepted, learned: Learned) -> CallError:
    """The error, or one that is worth another attempt because the next call will leave out what was refused."""
    if error.retry or error.stage != "call":
        return error
    feature = refused_feature(error.reason, used)
    if feature is None:
        return error
    if feature == "structure" and request.structure != "auto":
        advice = f"the model does not take judge.structure: {used.structure}; set judge.structure to auto"
        return CallError("call", error.reason, fatal=True, advice=advice)
    if learned.without(used, feature):
        return CallError("call", error.reason, retry=True, adapted=True)
    return error
