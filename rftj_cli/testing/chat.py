"""OpenAI's chat completions: what a request asks for, and how an answer is written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rftj_cli.testing.auth import openai_auth_problem
from rftj_cli.testing.http import Incoming
from rftj_cli.testing.model import Model, chat_refusal
from rftj_cli.testing.problems import OPENAI, Canned, Problem, openai_problem
from rftj_cli.testing.replies import Answer, Ask, Logprob, Stop
from rftj_cli.testing.strict import chat_problem
from rftj_cli.testing.usage import Usage

_FINISH: Final[Mapping[Stop, str]] = {
    "end": "stop",
    "max_tokens": "length",
    "filtered": "content_filter",
    "refused": "stop",
}


class Chat:
    """POST /v1/chat/completions, or whatever path ends so."""

    bedrock = False
    request_id = "x-request-id"
    faults = OPENAI

    def admit(self, incoming: Incoming, api_key: str | None, credentials: Sequence[str] | None) -> Problem | None:
        """The refusal of a caller who may not ask, or None."""
        return openai_auth_problem(incoming, api_key)

    def check(self, body: Mapping[str, Any], path: str) -> Problem | None:
        """The refusal of a body that the service does not know, or None."""
        return chat_problem(body)

    def refusal(self, model: Model, body: Mapping[str, Any]) -> Problem | None:
        """The refusal of what the model does not take, or None."""
        return chat_refusal(model, body)

    def problem(self, problem: Problem) -> Canned:
        """A refusal as OpenAI writes it."""
        return openai_problem(problem)

    def over(self, kind: str, headers: Mapping[str, str]) -> Problem:
        """The refusal of a request over the quota."""
        return Problem(
            429, "rate_limit_exceeded", f"Rate limit reached for {kind}. Please try again later.", headers=headers
        )

    def read(self, body: Mapping[str, Any], path: str) -> Ask:
        """What is asked for. Raises `TypeError`, `AttributeError` or `KeyError` for a body of another shape."""
        tools = [tool["function"]["name"] for tool in body.get("tools") or ()]
        logprobs = int(body.get("top_logprobs") or 0) if body.get("logprobs") else None
        return Ask(
            model=str(body.get("model", "")),
            text="\n".join(_text(message.get("content")) for message in body.get("messages") or ()),
            max_tokens=int(body.get("max_completion_tokens") or body.get("max_tokens") or 0),
            tool=_forced(body.get("tool_choice"), tools),
            tools=tools,
            logprobs=logprobs,
        )

    def write(self, answer: Answer, ask: Ask, usage: Usage, number: int, seconds: float) -> str:
        """The body of a 200."""
        message: dict[str, Any] = {"role": "assistant", "content": answer.text}
        finish = _FINISH[answer.stop]
        if answer.reasoning:
            message["reasoning_content"] = answer.reasoning
        if answer.stop == "refused":
            message |= {"content": None, "refusal": answer.text}
        if (tool := ask.called(answer)) is not None:
            finish = "tool_calls" if answer.stop == "end" else finish
            call = {"id": f"call_{number}", "type": "function", "function": {"name": tool, "arguments": answer.text}}
            message |= {"content": None, "tool_calls": [call]}
        choice: dict[str, Any] = {"index": 0, "finish_reason": finish, "message": message}
        if ask.logprobs is not None and answer.logprobs:
            choice["logprobs"] = {"content": _logprobs(answer.logprobs, ask.logprobs), "refusal": None}
        tokens = {
            "prompt_tokens": usage.prompt,
            "completion_tokens": usage.output,
            "total_tokens": usage.prompt + usage.output,
            "prompt_tokens_details": {"cached_tokens": usage.cache_read},
        }
        return json.dumps(
            {
                "id": f"chatcmpl-{number}",
                "object": "chat.completion",
                "created": 0,
                "model": ask.model,
                "choices": [choice],
                "usage": tokens,
            }
        )


def _text(content: object) -> str:
    if isinstance(content, list):
        return "\n".join(str(part.get("text") or "") for part in content)
    return "" if content is None else str(content)


def _forced(choice: object, offered: Sequence[str]) -> str | None:
    if isinstance(choice, Mapping):
        return str(choice["function"]["name"])
    return offered[0] if choice == "required" and offered else None


def _logprobs(tokens: Sequence[Logprob], alternatives: int) -> list[dict[str, Any]]:
    found = []
    for token, logprob, others in tokens:
        ranked = sorted(others.items(), key=lambda pair: -pair[1])[:alternatives]
        found.append({**_entry(token, logprob), "top_logprobs": [_entry(*pair) for pair in ranked]})
    return found


def _entry(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode("utf-8", "replace"))}
