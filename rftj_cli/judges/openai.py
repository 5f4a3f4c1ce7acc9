"""Any endpoint that speaks OpenAI chat completions: OpenAI, vLLM, Ollama, llama.cpp, gateways.

    Request --build_chat--> body --POST--> status, body --read_chat--> Reply
                                             |
                                             +-- refused --> CallError

One attempt a call; `kernel/retry.py` decides about another. The key is sent to the endpoint and stands nowhere else: what
a server says is searched for it before it is quoted. The connection itself is in `judges/http.py`.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

from rftj_cli.errors import InputError
from rftj_cli.judges.http import Connection
from rftj_cli.kernel.outcome import CallError, Reply, Request, Stop
from rftj_cli.kernel.retry import time_left

PREFIX: Final = "openai:"
DEFAULT_URL: Final = "https://api.openai.com/v1"
NO_KEY: Final = (
    "Three ways on:\n"
    "  - set OPENAI_API_KEY to a key of api.openai.com;\n"
    "  - name another endpoint with --base-url URL or OPENAI_BASE_URL; Ollama on this machine, for one, serves "
    "http://127.0.0.1:11434/v1 and needs no key;\n"
    "  - replay recorded replies: --replay RUN"
)
_STOPS: Final[Mapping[str, Stop]] = {"length": "max_tokens", "content_filter": "filtered"}
_ADVICE: Final[Mapping[int, str]] = {
    400: "check judge.model and the judge's settings",
    401: "check OPENAI_API_KEY",
    403: "check that the key may use this model",
    404: "check judge.model and --base-url (the URL usually ends in /v1)",
    422: "check judge.model and the judge's settings",
}


def model_name(model: str) -> str:
    """The model's name at the endpoint: without rftj's `openai:`."""
    return model.removeprefix(PREFIX)


def build_chat(request: Request) -> dict[str, Any]:
    """The body of a chat completion. An answer in JSON is asked for in the prompt's text."""
    messages = [{"role": "system", "content": request.system}] if request.system else []
    messages.append({"role": "user", "content": request.user})
    body: dict[str, Any] = {
        "model": model_name(request.model),
        "messages": messages,
        "max_tokens": request.max_tokens,
    }
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.seed is not None:
        body["seed"] = request.seed
    return body


def read_chat(body: bytes) -> Reply:
    """The reply in the body of a 200. Raises a retryable `CallError` for anything that is no chat completion."""
    try:
        response = json.loads(body)
    except (ValueError, RecursionError):
        raise CallError("call", f"malformed response: not JSON, {len(body)} bytes", retry=True) from None
    try:
        choice = response["choices"][0]
        message = choice["message"]
        text, refusal = _text(message.get("content")), message.get("refusal")
        finish = str(choice.get("finish_reason") or "stop")
    except (KeyError, IndexError, TypeError, AttributeError):
        # Some gateways report an upstream's failure as a 200 with an `error` in it.
        said = _said(response)
        raise CallError("call", f"malformed response: {said or 'no choices in it'}", retry=True) from None
    usage = response.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    refused = bool(refusal) and not text
    return Reply(
        text=str(refusal) if refused else text,
        stop="refused" if refused else _STOPS.get(finish, "end"),
        input_tokens=_count(usage.get("prompt_tokens")),
        output_tokens=_count(usage.get("completion_tokens")),
        reasoning=_text(message.get("reasoning_content") or message.get("reasoning")),
    )


def _text(content: object) -> str:
    if isinstance(content, list):  # parts, as some servers send them
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return content if isinstance(content, str) else ""


def _count(value: object) -> int:
    return int(value) if isinstance(value, (int, float)) else 0


class OpenAIJudge:
    """A model behind chat completions as a judge. Made once and called from up to `workers` threads; `timeout` in seconds.

    `base_url` defaults to OPENAI_BASE_URL, then to api.openai.com; `api_key` to OPENAI_API_KEY. Raises `InputError` for
    a URL that is none, and where api.openai.com is asked without a key.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        workers: int,
        timeout: float = 120.0,
    ) -> None:
        base = _base(base_url or os.environ.get("OPENAI_BASE_URL") or DEFAULT_URL)
        self._key = _checked_key(os.environ.get("OPENAI_API_KEY", "") if api_key is None else api_key)
        if not self._key and urlsplit(base).hostname == "api.openai.com":
            raise InputError("no API key for the judge at api.openai.com", key="judge.model", hint=NO_KEY)
        self.model, self.timeout = model_name(model), timeout
        self.notes: tuple[str, ...] = ()
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "rftj"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        self._connection = Connection(f"{base}/chat/completions", headers, workers)
        self._without_temperature = self._completion_tokens = False

    def __repr__(self) -> str:
        return f"OpenAIJudge({self.model!r}, base_url={self._connection.shown!r})"

    def __call__(self, request: Request) -> Reply:
        started = time.monotonic()
        status, headers, body = self._post(build_chat(request))
        if status == 400 and self._learn(body, request):
            status, headers, body = self._post(build_chat(request))
        if status != 200:
            raise refused(status, headers, body, self._key)
        try:
            reply = read_chat(body)
        except CallError as error:
            raise CallError(error.stage, _hidden(error.reason, self._key), retry=error.retry) from None
        seconds = time.monotonic() - started
        return Reply(reply.text, reply.stop, reply.input_tokens, reply.output_tokens, seconds, reply.reasoning)

    def _post(self, body: dict[str, Any]) -> tuple[int, Mapping[str, str], bytes]:
        if self._without_temperature:
            body.pop("temperature", None)
        if self._completion_tokens:
            body["max_completion_tokens"] = body.pop("max_tokens")
        return self._connection.post(json.dumps(body).encode("utf-8", "replace"), time_left(self.timeout))

    def _learn(self, body: bytes, request: Request) -> bool:
        """Whether a 400 refuses a parameter that reasoning models do not take, and that can be left out or renamed."""
        said = _said(_json(body)).casefold()
        if "max_completion_tokens" in said and not self._completion_tokens:
            self._completion_tokens = True
        elif "temperature" in said and re.search(r"unsupported|not support|deprecated", said):
            if self._without_temperature or request.temperature is None:
                return False
            self._without_temperature = True
            self.notes = (f"{self.model} refuses `temperature`: it is called without one",)
        else:
            return False
        return True


def refused(status: int, headers: Mapping[str, str], body: bytes, key: str = "") -> CallError:
    """The `CallError` for a status other than 200."""
    response = _json(body)
    fault = response.get("error") if isinstance(response, Mapping) else None
    code = str(fault.get("code") or fault.get("type") or "") if isinstance(fault, Mapping) else ""
    said = _said(response) or " ".join(body[:200].decode("utf-8", "replace").split())
    reason = _hidden(f"HTTP {status}: {said}".rstrip(": "), key)
    if status == 429 and code == "insufficient_quota":
        return CallError("call", reason, fatal=True, advice="the account has no credit left")
    if status == 429:
        return CallError("throttled", reason, retry=True, retry_after=retry_after(headers))
    if status == 408:
        return CallError("timeout", reason, retry=True, retry_after=retry_after(headers))
    if status in (409, 424, 425) or status >= 500:
        return CallError("call", reason, retry=True, retry_after=retry_after(headers))
    if code == "content_filter":
        return CallError("filtered", reason)
    if code == "context_length_exceeded" or "maximum context length" in said:
        return CallError("call", reason)  # this prompt's fault, not the run's
    return CallError("call", reason, fatal=True, advice=_ADVICE.get(status, "check --base-url"))


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that the service asks to wait: retry-after-ms, or Retry-After in seconds or as an HTTP date."""
    milliseconds, value = headers.get("retry-after-ms"), headers.get("retry-after")
    try:
        if milliseconds:
            return max(0.0, float(milliseconds) / 1000)
        if value and value.strip().replace(".", "", 1).isdigit():
            return float(value)
        if value:
            date = parsedate_to_datetime(value)
            return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())
    except (ValueError, TypeError, OverflowError):
        pass
    return None


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _said(response: object) -> str:
    """The message of an error, in the shapes that servers give it; empty where there is none."""
    if not isinstance(response, Mapping):
        return ""
    fault = response.get("error", response.get("detail", response.get("message")))
    if isinstance(fault, Mapping):
        fault = fault.get("message") or fault.get("code")
    return " ".join(str(fault).split())[:300] if fault else ""


def _hidden(text: str, key: str) -> str:
    # Servers quote the key they refuse, whole or with its middle starred out.
    text = text.replace(key, "***") if key else text
    return re.sub(r"\b(sk|key|pk|gsk|AIza)[-_][\w*-]{6,}", "***", text)


def _checked_key(key: str) -> str:
    key = key.strip()
    if not key.isascii() or not key.isprintable():
        raise InputError("the API key holds characters that no key has", key="OPENAI_API_KEY")
    return key


def _base(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError("not a URL", key="--base-url", found=url.rsplit("@", 1)[-1], expected="http(s)://HOST/v1")
    return url.rstrip("/").removesuffix("/chat/completions")
