"""What the fake model accepts, and how each service refuses the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rftj_cli.testing.problems import Problem, invalid, unsupported


@dataclass(frozen=True, slots=True)
class Model:
    """What a model takes; a request with anything else is refused with a 400, worded as the service words it.

    `schema`: Converse's outputConfig.textFormat, OpenAI's response_format json_schema; `object`: OpenAI's json_object.
    `tools`, `cache` (cache points, and OpenAI's cached tokens), `logprobs` and `seed` are what they are called.
    `max_tokens` False: OpenAI's newer max_completion_tokens is wanted. Prompts below `cache_minimum` tokens are not
    cached. `refuses` names further parameters: members of the body, of inferenceConfig, or of
    additionalModelRequestFields.
    """

    temperature: bool = True
    schema: bool = True
    object: bool = True
    tools: bool = True
    cache: bool = True
    logprobs: bool = True
    seed: bool = True
    max_tokens: bool = True
    cache_minimum: int = 1024
    refuses: Sequence[str] = ()


_EVERYTHING = Model()


def converse_refusal(model: Model, body: Mapping[str, Any]) -> Problem | None:
    """How Bedrock refuses what the model does not take; None for a request that it takes."""
    if model == _EVERYTHING:
        return None
    config = body.get("inferenceConfig") or {}
    if not model.temperature and "temperature" in config:
        return invalid("`temperature` is deprecated for this model.")
    if not model.schema and "textFormat" in (body.get("outputConfig") or {}):
        return invalid("This model does not support outputConfig.textFormat.")
    if not model.tools and "toolConfig" in body:
        return invalid("This model doesn't support tool use.")
    if not model.cache and _has_cache_point(body):
        return invalid(
            "You invoked an unsupported model or your request did not allow prompt caching. "
            "See the documentation for more information."
        )
    sent = {*body, *config, *(body.get("additionalModelRequestFields") or {}), *(body.get("outputConfig") or {})}
    for name in (*model.refuses, *(() if model.seed else ("seed",))):
        if name in sent:
            return invalid(f"This model doesn't support the {name} field. Remove {name} and try again.")
    return None


def chat_refusal(model: Model, body: Mapping[str, Any]) -> Problem | None:
    """How OpenAI refuses what the model does not take; None for a request that it takes."""
    if model == _EVERYTHING:
        return None
    form = (body.get("response_format") or {}).get("type")
    if (form == "json_schema" and not model.schema) or (form == "json_object" and not model.object):
        said = f"Invalid parameter: 'response_format' of type '{form}' is not supported with this model."
        return unsupported("response_format", said)
    if not model.max_tokens and "max_tokens" in body:
        said = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        return unsupported("max_tokens", said)
    closed = {
        "temperature": model.temperature,
        "tools": model.tools,
        "logprobs": model.logprobs,
        "seed": model.seed,
        **dict.fromkeys(model.refuses, False),
    }
    off = (None, False)  # by identity: a temperature of 0.0 equals False
    refused = [name for name, taken in closed.items() if not taken and not any(body.get(name) is one for one in off)]
    return unsupported(refused[0]) if refused else None


def _has_cache_point(body: Mapping[str, Any]) -> bool:
    tools = (body.get("toolConfig") or {}).get("tools") or ()
    contents = [message["content"] for message in body.get("messages") or ()]
    return any("cachePoint" in block for blocks in ((body.get("system") or ()), tools, *contents) for block in blocks)
