"""Any endpoint that speaks OpenAI chat completions: OpenAI, vLLM, Ollama, llama.cpp, gateways.

    Request --ChatDialect.write--> HttpCall --> HttpAnswer --ChatDialect.read--> Reply | CallError

The key is sent to the endpoint and stands nowhere else: what a server says is searched for it before it is quoted. What
errors mean is in `refusals.py` beside this file, the connection in `curl.py`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import SplitResult

from rftj_cli.errors import InputError
from rftj_cli.judges.odds import probabilities
from rftj_cli.judges.ollama import suggestion
from rftj_cli.judges.refusals import adapted, hidden, refused, said
from rftj_cli.kernel.dialect import Accepted, HttpAnswer, HttpCall, Learned, text_in, tokens_in, unusable
from rftj_cli.kernel.outcome import CallError, Reply, Request, Structure
from rftj_cli.kernel.rubric import JudgeSettings
from rftj_cli.kernel.secrets import keep, read_url, shown_url
from rftj_cli.kernel.stops import BROKEN, stop_of
from rftj_cli.kernel.structure import SCHEMA_DESCRIPTION, SCHEMA_NAME, answer_schema

PREFIX: Final = "openai:"
DEFAULT_URL: Final = "https://api.openai.com/v1"
FORMS: Final[tuple[Structure, ...]] = ("schema", "object", "text")  # ways to hold a model to JSON, best first
NO_KEY: Final = (
    "Three ways on:\n"
    "  - set OPENAI_API_KEY to a key of api.openai.com;\n"
    "  - name another endpoint with --base-url URL or OPENAI_BASE_URL{ollama};\n"
    "  - replay recorded replies: --replay RUN"
)


def model_name(model: str) -> str:
    """The model's name at the endpoint: without rftj's `openai:`."""
    return model.removeprefix(PREFIX)


class ChatEndpoint:
    """Where a model is called, and with which key.

    `base_url` defaults to OPENAI_BASE_URL, then to api.openai.com; `api_key` to OPENAI_API_KEY. Raises `InputError` for
    a URL that is none, and where api.openai.com is asked without a key.
    """

    def __init__(self, model: str, *, base_url: str | None = None, api_key: str | None = None) -> None:
        parts = _base(base_url, os.environ.get("OPENAI_BASE_URL"))
        self.key = _checked_key(os.environ.get("OPENAI_API_KEY", "") if api_key is None else api_key)
        keep(self.key)
        if not self.key and parts.hostname == "api.openai.com":
            hint = NO_KEY.format(ollama=suggestion())
            raise InputError("no API key for the judge at api.openai.com", key="judge.model", hint=hint)
        self.model, self.url = model_name(model), parts._replace(path=f"{parts.path}/chat/completions").geturl()
        self.shown = shown_url(parts.geturl())
        self.headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "rftj"}
        if self.key:
            self.headers["Authorization"] = f"Bearer {self.key}"
        for name, header in (("OPENAI_ORG_ID", "OpenAI-Organization"), ("OPENAI_PROJECT_ID", "OpenAI-Project")):
            if os.environ.get(name):
                self.headers[header] = os.environ[name]

    def __repr__(self) -> str:
        return f"ChatEndpoint({self.model!r}, base_url={self.shown!r})"


def _checked_key(key: str) -> str:
    key = key.strip()
    if not key.isascii() or not key.isprintable():
        raise InputError("the API key holds characters that no key has", key="OPENAI_API_KEY")
    return key


def _base(given: str | None, environment: str | None) -> SplitResult:
    """The URL below which chat completions are; a query, as some gateways want it, stays at its end."""
    url = given or environment or DEFAULT_URL
    parts = read_url(url, "OPENAI_BASE_URL" if url == environment else "--base-url", "http(s)://HOST/v1")
    return parts._replace(path=parts.path.rstrip("/").removesuffix("/chat/completions"), fragment="")


class ChatDialect:
    """Chat completions. `known` is what an earlier command has learned of the model; `learned` is what is known now."""

    def __init__(self, endpoint: ChatEndpoint, settings: JudgeSettings, known: Mapping[str, Any] | None = None) -> None:
        self.endpoint, self._tier = endpoint, settings.tier
        self.learned = Learned(endpoint.model, FORMS, known)

    def write(self, request: Request) -> HttpCall:
        """The call, as far as the model accepts what it asks for."""
        used = used_for(request, self.learned)
        content = build_chat(request, used, tier=self._tier)
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        return HttpCall(self.endpoint.url, self.endpoint.headers, body, used)

    def read(self, request: Request, call: HttpCall, answer: HttpAnswer) -> Reply:
        """The reply. Raises `CallError` for what is none, `adapted` where the next call will leave out what was refused."""
        if answer.status != 200:
            error = refused(answer.status, answer.headers, answer.body, self.endpoint.key)
            raise adapted(error, request, call.used, self.learned)
        try:
            return read_chat(answer.body, request, call.used.structure, answer.seconds)
        except CallError as error:
            reason = hidden(error.reason, self.endpoint.key)
            tokens = error.input_tokens, error.output_tokens
            raise CallError("call", reason, retry=True, input_tokens=tokens[0], output_tokens=tokens[1],
                            billed=error.billed) from None  # fmt: skip


def used_for(request: Request, learned: Learned) -> Accepted:
    """What a request will make use of: what is accepted, as far as the request asks for it at all."""
    used = learned.used_for(request)
    if used.structure == "object" and "json" not in f"{request.system}{request.user}".casefold():
        used = replace(used, structure="text")  # the service demands that the prompt speaks of JSON
    return replace(
        used,
        temperature=used.temperature and request.temperature is not None,
        seed=used.seed and request.seed is not None,
        logprobs=used.logprobs and request.logprobs,
        cache=False,
    )


def build_chat(request: Request, used: Accepted, *, tier: str = "default") -> dict[str, Any]:
    """The body of a chat completion; `used.structure` says how the answer is held to JSON."""
    messages = [{"role": "system", "content": request.system}] if request.system else []
    messages += [{"role": role, "content": text} for role, text in (*request.turns, ("user", request.user))]
    body: dict[str, Any] = {"model": model_name(request.model), "messages": messages}
    body["max_tokens" if used.max_tokens else "max_completion_tokens"] = request.max_tokens
    if used.temperature:
        body["temperature"] = request.temperature
    if used.seed and request.seed is not None:
        body["seed"] = request.seed + request.vote  # with one seed all votes would be the same vote
    if used.logprobs:
        body |= {"logprobs": True, "top_logprobs": used.top}
    if used.structure == "schema":
        schema = {"name": SCHEMA_NAME, "strict": True, "schema": answer_schema(request)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif used.structure == "object":
        body["response_format"] = {"type": "json_object"}
    elif used.structure == "tool":
        tool = {"name": SCHEMA_NAME, "description": SCHEMA_DESCRIPTION, "parameters": answer_schema(request)}
        body["tools"] = [{"type": "function", "function": tool}]
        body["tool_choice"] = {"type": "function", "function": {"name": SCHEMA_NAME}}
    if tier != "default":
        body["service_tier"] = tier
    return body


def read_chat(body: bytes, request: Request, structure: str = "", seconds: float = 0.0) -> Reply:
    """The reply in the body of a 200. Raises a retryable `CallError` for anything that is no chat completion."""
    try:
        response = json.loads(body)
    except (ValueError, RecursionError):
        raise unusable(f"malformed response: no JSON, {len(body)} bytes") from None
    try:
        choice = response["choices"][0]
        message = choice["message"]
        text, refusal = _text(message.get("content")), text_in(message.get("refusal"))
        finish = text_in(choice.get("finish_reason")) or "stop"
        called = _called(message.get("tool_calls") or ())
    except (KeyError, IndexError, TypeError, AttributeError):
        # Some gateways report an upstream's failure as a 200 with an `error` in it.
        raise unusable(f"malformed response: {said(response) or 'no choices with a text in it'}") from None
    not_given = bool(refusal) and not text and not called
    full, cached, output = _usage(response.get("usage"))
    stop = stop_of(finish)
    reply = Reply(
        text=called or (refusal if not_given else text),
        stop="refused" if not_given else "end" if stop is None or stop == BROKEN else stop,
        input_tokens=full,
        output_tokens=output,
        seconds=seconds,
        reasoning=_reasoning(message),
        stop_reason=finish,
        structure=structure,
        cache_read_tokens=cached,
    )
    if stop == BROKEN:
        raise unusable(f"the service broke the reply off (finish reason {finish})", reply)
    if called is None:
        raise unusable("the model called a tool that does not exist", reply)
    tokens = choice.get("logprobs")
    if request.logprobs and isinstance(tokens, Mapping) and isinstance(tokens.get("content"), list):
        return replace(reply, probabilities=probabilities(tokens["content"], reply.text, request))
    return reply


def _called(calls: Sequence[Mapping[str, Any]]) -> str | None:
    """The arguments with which our tool was called, "" where none was, None where it was another tool."""
    for call in calls:
        function = call["function"]
        if function["name"] != SCHEMA_NAME:
            return None
        given = function["arguments"]
        return json.dumps(given, ensure_ascii=False) if isinstance(given, Mapping) else text_in(given)
    return ""


def _usage(usage: object) -> tuple[int, int, int]:
    """Tokens of the prompt at full price, those read from a cache, and tokens of the reply."""
    if not isinstance(usage, Mapping):
        return 0, 0, 0
    details = usage.get("prompt_tokens_details")
    cached = tokens_in(details.get("cached_tokens")) if isinstance(details, Mapping) else 0
    return max(0, tokens_in(usage.get("prompt_tokens")) - cached), cached, tokens_in(usage.get("completion_tokens"))


def _text(content: object) -> str:
    """The text of a message, which some servers send in parts. Raises `TypeError` or `AttributeError` for another type."""
    if isinstance(content, list):
        return "".join(text_in(part.get("text")) for part in content)
    return text_in(content)


def _reasoning(message: Mapping[str, Any]) -> str:
    """What the model thought, where it is a text: no verdict depends on it."""
    found = message.get("reasoning_content") or message.get("reasoning")
    return found if isinstance(found, str) else ""
