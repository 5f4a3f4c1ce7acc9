"""Amazon Bedrock's Converse as data, whoever carries it: requests and replies. Pure; errors are in `refusals.py`.

Request --build_converse--> dict --(HTTP or boto3)--> dict --read_converse--> Reply
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Protocol

from rftj_cli.kernel.dialect import Accepted, HttpAnswer, HttpCall, Learned, text_in, tokens_in, unusable
from rftj_cli.kernel.outcome import CallError, Reply, Request, Structure
from rftj_cli.kernel.refusals import adapted, refused
from rftj_cli.kernel.rubric import JudgeSettings
from rftj_cli.kernel.secrets import redacted
from rftj_cli.kernel.stops import BROKEN, stop_of
from rftj_cli.kernel.structure import SCHEMA_DESCRIPTION, SCHEMA_NAME, answer_schema, answer_schema_text

PREFIX: Final = "bedrock:"
FORMS: Final[tuple[Structure, ...]] = ("schema", "tool", "text")  # ways to hold a model to JSON, best first
CHARACTERS: Final = 4  # a token, roughly: only for whether a prompt is long enough to be cached
# The fewest tokens that each family of models caches, as published in November 2026; the first that the id contains
# counts. A shorter prefix is not cached, and costs nothing; a family that is not listed gets no cache point.
CACHES: Final[tuple[tuple[str, int], ...]] = (
    ("claude-opus-5", 512),
    ("claude-opus-4-8", 1024),
    ("claude-opus-4-7", 2048),
    ("claude-opus-4-6", 4096),
    ("claude-opus-4-5", 4096),
    ("claude-opus-4", 1024),
    ("claude-haiku-4-5", 4096),
    ("claude-sonnet-5", 1024),
    ("claude-sonnet-4", 1024),
    ("claude-3-7-sonnet", 1024),
    ("claude-3-5-haiku", 2048),
    ("amazon.nova-", 1000),
)


def model_id(model: str) -> str:
    """The id or ARN that Bedrock knows: the model without rftj's `bedrock:`."""
    return model.removeprefix(PREFIX)


def used_for(request: Request, learned: Learned, *, cache: bool) -> Accepted:
    """What a request will make use of: what is accepted, as far as the request asks for it at all."""
    used = learned.used_for(request)
    points = cache and used.cache and _cached(request) is not None
    return replace(used, temperature=used.temperature and request.temperature is not None, cache=points)


def build_converse(request: Request, used: Accepted, *, cache: bool, tier: str = "default") -> dict[str, Any]:
    """The body of a Converse request: boto3 takes it as keywords, beside modelId. Converse has no seed.

    `used.structure` says how the answer is held to JSON, `cache` whether cache points may be placed, `tier` how fast
    and how dearly the call is served.
    """
    config: dict[str, Any] = {"maxTokens": request.max_tokens}
    if request.temperature is not None and used.temperature:
        config["temperature"] = request.temperature
    point = _cached(request) if cache and used.cache else None
    call: dict[str, Any] = {
        "messages": _messages(request, _blocks(_text(request.user), point)),
        "inferenceConfig": config,
    }
    if request.system.strip():  # Bedrock refuses a blank text
        call["system"] = _blocks(_text(request.system), len(request.system) if point == 0 else None)
    if used.structure == "schema":
        definition = {"schema": answer_schema_text(request), "name": SCHEMA_NAME, "description": SCHEMA_DESCRIPTION}
        call["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": definition}}}
    elif used.structure == "tool":
        tool = {"name": SCHEMA_NAME, "description": SCHEMA_DESCRIPTION, "inputSchema": {"json": answer_schema(request)}}
        call["toolConfig"] = {"tools": [{"toolSpec": tool}], "toolChoice": {"tool": {"name": SCHEMA_NAME}}}
    if request.guardrail:
        id, _, version = request.guardrail.rpartition(":")
        call["guardrailConfig"] = {"guardrailIdentifier": id, "guardrailVersion": version}
    if tier != "default":
        call["serviceTier"] = {"type": tier}
    return call


def _messages(request: Request, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The conversation. Converse wants the roles to alternate: what one role says twice in a row is one message."""
    messages: list[dict[str, Any]] = []
    for role, content in (*((role, [{"text": _text(text)}]) for role, text in request.turns), ("user", asked)):
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += content
        else:
            messages.append({"role": role, "content": content})
    return messages


def _text(text: str) -> str:
    """Without lone surrogates, which UTF-8 cannot say; as long as before."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _blocks(text: str, point: int | None) -> list[dict[str, Any]]:
    """The text, with a cache point after so many characters of it; no block is blank, since Bedrock refuses that."""
    if not point:
        return [{"text": text}]
    if not text[point:].strip():
        return [{"text": text}, {"cachePoint": {"type": "default"}}]
    return [{"text": text[:point]}, {"cachePoint": {"type": "default"}}, {"text": text[point:]}]


def _cached(request: Request) -> int | None:
    """After how many characters of the user's text the cached prefix ends: 0 is after the system's; None is nowhere.

    `request.shared` below 0 says that not even the system's text is the same for all samples.
    """
    fewest = next((tokens for family, tokens in CACHES if family in request.model), None)
    if fewest is None or request.shared < 0:
        return None
    system = len(request.system) if request.system.strip() else 0
    shared = request.shared if not request.turns and request.user[: request.shared].strip() else 0
    if not system + shared or system + shared < fewest * CHARACTERS:
        return None
    return shared


def read_converse(response: object, structure: str = "", seconds: float = 0.0) -> Reply:
    """The reply in a Converse response. `structure` is how the answer was held to JSON.

    Raises a retryable `CallError` for a response without a message, for texts of another type, and for unusable output.
    """
    usage, reason = _mapping(response, "usage"), response.get("stopReason") if isinstance(response, Mapping) else None
    stop = stop_of(reason) if isinstance(reason, str) else None
    reply = Reply(
        text="",
        stop="end" if stop is None or stop == BROKEN else stop,
        input_tokens=tokens_in(usage.get("inputTokens")),
        output_tokens=tokens_in(usage.get("outputTokens")),
        seconds=seconds,
        stop_reason=reason if isinstance(reason, str) else "",
        structure=structure,
        service_seconds=_latency(_mapping(response, "metrics").get("latencyMs")),
        cache_read_tokens=tokens_in(usage.get("cacheReadInputTokens")),
        cache_write_tokens=tokens_in(usage.get("cacheWriteInputTokens")),
    )
    blocks = _mapping(_mapping(response, "output"), "message").get("content")
    if not isinstance(blocks, list) or not isinstance(reason, str) or not all(isinstance(b, Mapping) for b in blocks):
        raise _unusable("malformed response: no message in it", reply)
    if stop == BROKEN:
        raise _unusable(f"the model's output was unusable (stop reason {reason})", reply)
    tools = [block["toolUse"] for block in blocks if block.get("toolUse") is not None]
    if any(not isinstance(tool, Mapping) or tool.get("name") != SCHEMA_NAME or "input" not in tool for tool in tools):
        raise _unusable("the model called a tool that does not exist", reply)
    try:
        texts = [_said(tool["input"]) for tool in tools] or [text_in(block.get("text")) for block in blocks]
        thoughts = [text_in(_mapping(_mapping(b, "reasoningContent"), "reasoningText").get("text")) for b in blocks]
    except TypeError as error:
        raise _unusable(f"malformed response: {error}", reply) from None
    return replace(reply, text="".join(texts), reasoning="\n".join(part for part in thoughts if part))


def _unusable(reason: str, reply: Reply) -> CallError:
    spent = reply.input_tokens + reply.output_tokens + reply.cache_read_tokens + reply.cache_write_tokens
    return unusable(reason, reply if spent else None)


def _said(given: object) -> str:
    return json.dumps(given, ensure_ascii=False) if isinstance(given, Mapping) else text_in(given)


def _mapping(value: object, key: str) -> Mapping[str, Any]:
    found = value.get(key) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _latency(value: object) -> float | None:
    """Seconds, from milliseconds; None for what is no duration."""
    return value / 1000 if isinstance(value, (int, float)) and value is not True and 0 <= value < 1e15 else None


class Signing(Protocol):
    """Where a model is called, and with whose rights: `bedrock.Access`."""

    model: str
    url: str

    def headers(self, url: str, body: bytes) -> dict[str, str]: ...


class ConverseDialect:
    """Converse over HTTP. `known` is what an earlier command has learned of the model; `learned` is what is known now."""

    def __init__(self, access: Signing, settings: JudgeSettings, known: Mapping[str, Any] | None = None) -> None:
        self.access, self._tier, self._cache = access, settings.tier, settings.cache == "auto"
        self.learned = Learned(access.model, FORMS, known)

    def write(self, request: Request) -> HttpCall:
        """The signed call. Raises a fatal `CallError` where the credentials cannot be renewed."""
        used = used_for(request, self.learned, cache=self._cache)
        call = build_converse(request, used, cache=self._cache, tier=self._tier)
        body = json.dumps(call, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        return HttpCall(self.access.url, self.access.headers(self.access.url, body), body, used)

    def read(self, request: Request, call: HttpCall, answer: HttpAnswer) -> Reply:
        """The reply. Raises `CallError` for what is none, `adapted` where the next call will leave out what was refused."""
        try:
            content = json.loads(answer.body)
        except (ValueError, RecursionError):
            content = None
        if 200 <= answer.status < 300:
            if content is None:
                raise unusable("malformed response: no JSON")
            return read_converse(content, call.used.structure, answer.seconds)
        code, said = _fault(answer, content)
        error = refused(answer.status, code, said, answer.headers)
        raise adapted(error, request, call.used, self.learned)


def _fault(answer: HttpAnswer, content: object) -> tuple[str, str]:
    """The code and the message of an error, where AWS puts them; the body's own text where it is not AWS's."""
    body = content if isinstance(content, Mapping) else {}
    codes = (answer.headers.get("x-amzn-errortype"), body.get("__type"), body.get("code"))
    code = next((one for one in codes if one and isinstance(one, str)), "")
    said = next((one for one in (body.get("message"), body.get("Message")) if one and isinstance(one, str)), "")
    if not body:
        said = redacted(answer.body[:4000].decode("utf-8", "replace"))[:200]
    return code.partition(":")[0].rpartition("#")[2], said
