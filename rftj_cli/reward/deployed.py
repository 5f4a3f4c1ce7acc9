"""The function in AWS, called as the training job calls it; and what AWS says of its code."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rftj_cli.cloud import Call, Cloud
from rftj_cli.errors import InputError

ARN: Final = re.compile(r"arn:aws[\w-]*:lambda:([\w-]+):\d{12}:function:([\w-]+)(?::([\w$-]+))?\Z")


@dataclass(frozen=True, slots=True)
class Answered:
    """One invocation in AWS: seconds with the way there and back."""

    payload: Any
    error: str | None
    duration_s: float
    cold: bool = False
    not_json: str | None = None


class DeployedFunction:
    """A function by its ARN. Raises `InputError` for what is none."""

    def __init__(self, arn: str, cloud: Cloud | None = None) -> None:
        found = ARN.match(arn)
        if found is None:
            raise InputError("not the ARN of a Lambda function", key="ZIP|ARN", found=arn,
                             expected="arn:aws:lambda:REGION:ACCOUNT:function:NAME:VERSION")  # fmt: skip
        self.arn, self.version = arn, found.group(3) or ""
        self._cloud = cloud or Cloud(found.group(1))

    def about(self) -> Mapping[str, Any]:
        """Its configuration: CodeSha256, Timeout, MemorySize, Version."""
        answer: Mapping[str, Any] = self._cloud(
            Call("lambda", "get_function_configuration", {"FunctionName": self.arn})
        )
        return answer

    def invoke(self, event: object) -> Answered:
        """Call it, and wait for the answer."""
        body = json.dumps(event, ensure_ascii=False).encode("utf-8", "replace")
        began = time.monotonic()
        answer = self._cloud(Call("lambda", "invoke", {"FunctionName": self.arn, "Payload": body}))
        raw = answer["Payload"].read()
        seconds = time.monotonic() - began
        try:
            payload, fault = json.loads(raw), None
        except (ValueError, RecursionError) as error:
            payload, fault = None, str(error)
        if answer.get("FunctionError"):
            said = payload.get("errorMessage") if isinstance(payload, dict) else payload
            return Answered(None, f"{answer['FunctionError']}: {said}", seconds)
        return Answered(payload, None, seconds, not_json=fault)
