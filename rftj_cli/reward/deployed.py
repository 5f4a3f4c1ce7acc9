"""The function in AWS, called as the training job calls it; and what AWS says of its code."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from rftj_cli.cloud import Call, Cloud, FunctionArn
from rftj_cli.reward.local.outcome import Invocation, parsed, reported


class DeployedFunction:
    """A function by its ARN. Raises `InputError` for what is none."""

    def __init__(self, arn: str, cloud: Cloud | None = None) -> None:
        self.arn = FunctionArn.read(arn, "ZIP|ARN")
        self._cloud = cloud or Cloud(self.arn.region)

    def about(self) -> Mapping[str, Any]:
        """Its configuration: CodeSha256, Timeout, MemorySize, Version."""
        return self._cloud(Call("lambda", "get_function_configuration", {"FunctionName": self.arn.arn}))

    def invoke(self, event: object) -> Invocation:
        """Call it, and wait for the answer. The duration holds the way there and back; memory and logs are not told."""
        body = json.dumps(event, ensure_ascii=False).encode("utf-8", "replace")
        began = time.monotonic()
        answer = self._cloud(Call("lambda", "invoke", {"FunctionName": self.arn.arn, "Payload": body}))
        raw = answer["Payload"].read()
        seconds = time.monotonic() - began
        error = reported(raw) if answer.get("FunctionError") else None
        payload, fault = (None, None) if error else parsed(raw)
        return Invocation("", payload, raw, error, False, 0.0, seconds, 0, (), fault)
