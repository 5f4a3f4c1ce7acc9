"""How the two services refuse: statuses, codes and messages as Bedrock and OpenAI word them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Canned:
    """One whole HTTP response, in place of a named fault."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """A refusal in one service's words. `code` is Bedrock's exception or OpenAI's code; `param` is OpenAI's alone."""

    status: int
    code: str | None
    message: str
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def bedrock_problem(problem: Problem) -> Canned:
    """The response by which Bedrock reports a problem."""
    headers = {**problem.headers, "x-amzn-ErrorType": problem.code or ""}
    return Canned(problem.status, json.dumps({"message": problem.message}), headers)


def openai_problem(problem: Problem) -> Canned:
    """The response by which OpenAI reports a problem."""
    kind = "server_error" if problem.status >= 500 else _KINDS.get(problem.status, "invalid_request_error")
    error = {"message": problem.message, "type": kind, "param": problem.param, "code": problem.code}
    return Canned(problem.status, json.dumps({"error": error}), problem.headers)


def invalid(message: str) -> Problem:
    """Bedrock's 400."""
    return Problem(400, "ValidationException", message)


def unsupported(param: str, message: str | None = None, code: str = "unsupported_parameter") -> Problem:
    """OpenAI's 400 for a parameter that the model does not take."""
    return Problem(400, code, message or f"Unsupported parameter: '{param}' is not supported with this model.", param)


_KINDS: Final = {408: "timeout_error", 429: "rate_limit_error"}
_REQUESTS: Final = "Too many requests, please wait before trying again."
_THROTTLED: Final = Problem(429, "ThrottlingException", _REQUESTS)
_LIMITED: Final = Problem(429, "rate_limit_exceeded", "Rate limit reached for requests. Please try again later.")

BEDROCK: Final[Mapping[str, Problem]] = {
    "429": _THROTTLED,
    "429-after": _THROTTLED,
    "429-ms": _THROTTLED,
    "not-ready": Problem(429, "ModelNotReadyException", "The model is not ready for inference. Wait and try again."),
    "500": Problem(500, "InternalServerException", "The system encountered an unexpected error. Try again."),
    "503": Problem(503, "ServiceUnavailableException", "Bedrock is unable to process your request."),
    "408": Problem(408, "ModelTimeoutException", "Model has timed out in processing the request. Try again."),
    "424": Problem(424, "ModelErrorException", "The model failed to process the request. Try again."),
    "401": Problem(401, "UnrecognizedClientException", "The security token included in the request is invalid."),
    "403": Problem(403, "AccessDeniedException", "You don't have access to the model with the specified model ID."),
    "expired": Problem(403, "ExpiredTokenException", "The security token included in the request is expired"),
    "404": Problem(404, "ResourceNotFoundException", "Could not resolve the foundation model from the identifier."),
    "400": invalid("The request is invalid, as asked."),
    "unknown-parameter": invalid(
        "Malformed input request: #: extraneous key [extra] is not permitted, please reformat your input and try again."
    ),
    "temperature": invalid("`temperature` is deprecated for this model."),
    "too-long": invalid(
        "The model returned the following errors: Input Tokens Exceeded: Number of input tokens exceeds maximum length."
    ),
    "blocked": invalid("The model returned the following errors: Output blocked by content filtering policy"),
}
OPENAI: Final[Mapping[str, Problem]] = {
    "429": _LIMITED,
    "429-after": _LIMITED,
    "429-ms": _LIMITED,
    "not-ready": Problem(429, "model_not_ready", "The model is loading. Please try again later."),
    "500": Problem(500, "server_error", "The server had an error while processing your request."),
    "503": Problem(503, "service_unavailable", "The engine is currently overloaded, please try again later."),
    "408": Problem(408, "request_timeout", "The request timed out."),
    "424": Problem(424, "failed_dependency", "The model failed to process the request."),
    "401": Problem(401, "invalid_api_key", "Incorrect API key provided."),
    "403": Problem(403, "permission_denied", "The key has no access to this model."),
    "expired": Problem(401, "token_expired", "The API key has expired."),
    "404": Problem(404, "model_not_found", "The model does not exist or you do not have access to it."),
    "400": Problem(400, "invalid_request", "The request is invalid, as asked."),
    "unknown-parameter": Problem(400, "unknown_parameter", "Unknown parameter: 'extra'.", "extra"),
    "too-long": Problem(
        400,
        "context_length_exceeded",
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.",
    ),
    "blocked": Problem(
        400, "invalid_prompt", "Invalid prompt: it was flagged as potentially violating our usage policy."
    ),
    "temperature": unsupported(
        "temperature",
        "Unsupported value: 'temperature' does not support this value with this model. Only the default (1) value is "
        "supported.",
        "unsupported_value",
    ),
}
