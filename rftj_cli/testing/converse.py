"""Bedrock's Converse: what a request asks for, and how an answer is written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote

from rftj_cli.testing.auth import bedrock_auth_problem
from rftj_cli.testing.http import Incoming
from rftj_cli.testing.model import Model, converse_refusal
from rftj_cli.testing.problems import BEDROCK, Canned, Problem, bedrock_problem
from rftj_cli.testing.replies import Answer, Ask, Stop, arguments_of
from rftj_cli.testing.strict import converse_problem
from rftj_cli.testing.usage import Usage

_STOPS: Final[Mapping[Stop, str]] = {
    "end": "end_turn",
    "max_tokens": "max_tokens",
    "filtered": "content_filtered",
    "refused": "refusal",
}


class Converse:
    """POST /model/{id}/converse, where the id is percent-encoded."""

    bedrock = True
    request_id = "x-amzn-RequestId"
    faults = BEDROCK

    def admit(self, incoming: Incoming, api_key: str | None, credentials: Sequence[str] | None) -> Problem | None:
        """The refusal of a caller who may not ask, or None."""
        return bedrock_auth_problem(incoming, api_key, credentials)

    def check(self, body: Mapping[str, Any], path: str) -> Problem | None:
        """The refusal of a body that the service does not know, or None."""
        return converse_problem(body, model_of(path))

    def refusal(self, model: Model, body: Mapping[str, Any]) -> Problem | None:
        """The refusal of what the model does not take, or None."""
        return converse_refusal(model, body)

    def problem(self, problem: Problem) -> Canned:
        """A refusal as Bedrock writes it."""
        return bedrock_problem(problem)

    def over(self, kind: str, headers: Mapping[str, str]) -> Problem:
        """The refusal of a request over the quota."""
        return Problem(
            429, "ThrottlingException", f"Too many {kind}, please wait before trying again.", headers=headers
        )

    def read(self, body: Mapping[str, Any], path: str) -> Ask:
        """What is asked for. Raises `TypeError`, `AttributeError` or `KeyError` for a body of another shape."""
        tools = body.get("toolConfig") or {}
        specs = [tool["toolSpec"]["name"] for tool in tools.get("tools", ()) if "toolSpec" in tool]
        text, marks = _prompt(body)
        config = body.get("inferenceConfig") or {}
        return Ask(
            model=model_of(path),
            text=text,
            marks=marks,
            shared=json.dumps(tools) if marks else "",
            max_tokens=int(config.get("maxTokens") or 0),
            tool=_forced(tools.get("toolChoice") or {}, specs),
            tools=specs,
            guarded="guardrailConfig" in body,
        )

    def write(self, answer: Answer, ask: Ask, usage: Usage, number: int, seconds: float) -> str:
        """The body of a 200."""
        content: list[dict[str, Any]] = []
        if answer.reasoning:
            told = {"text": answer.reasoning, "signature": "fake"}
            content.append({"reasoningContent": {"reasoningText": told}})
        stop = _STOPS[answer.stop]
        if answer.stop == "filtered" and ask.guarded:
            stop = "guardrail_intervened"
        if (tool := ask.called(answer)) is not None:
            stop = "tool_use" if answer.stop == "end" else stop
            given = arguments_of(answer.text)
            call = {"toolUseId": f"tooluse_{number}", "name": tool, "input": answer.text if given is None else given}
            content.append({"toolUse": call})
        else:
            content.append({"text": answer.text})
        tokens = {
            "inputTokens": usage.input,
            "outputTokens": usage.output,
            "totalTokens": usage.prompt + usage.output,
            "cacheReadInputTokens": usage.cache_read,
            "cacheWriteInputTokens": usage.cache_write,
        }
        return json.dumps(
            {
                "output": {"message": {"role": "assistant", "content": content}},
                "stopReason": stop,
                "usage": tokens,
                "metrics": {"latencyMs": round(1000 * seconds)},
            }
        )


def model_of(path: str) -> str:
    """The id or ARN in a path that is still percent-encoded."""
    return unquote(path.removeprefix("/model/").removesuffix("/converse"))


def _forced(choice: Mapping[str, Any], offered: Sequence[str]) -> str | None:
    if "tool" in choice:
        return str(choice["tool"]["name"])
    return offered[0] if "any" in choice and offered else None


def _prompt(body: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The texts of system and messages, and for each cache point all that stands before it."""
    parts: list[str] = []
    marks: list[str] = []
    blocks = [*(body.get("system") or ())]
    for message in body.get("messages") or ():
        blocks += message["content"]
    for block in blocks:
        if "cachePoint" in block:
            marks.append("\n".join(parts))
        else:
            guarded = (block.get("guardContent") or {}).get("text") or {}
            parts.append(str(block.get("text") or guarded.get("text") or ""))
    return "\n".join(parts), marks
