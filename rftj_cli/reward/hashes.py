"""The SHA-256s by which a reward log names a prompt and a response without holding their text."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from rftj_cli.kernel.canonical import digest


def prompt_sha256(fields: Mapping[str, Any]) -> str | None:
    """Of the canonical JSON of a sample's messages, which no longer hold the answer; a prompt alone is the user's message."""
    messages, prompt = fields.get("messages"), fields.get("prompt")
    if isinstance(messages, list) and messages:
        return digest(messages)
    return digest([{"role": "user", "content": prompt}]) if isinstance(prompt, str) else None


def response_sha256(response: str) -> str:
    """Of the response's UTF-8."""
    return hashlib.sha256(response.encode("utf-8", "surrogatepass")).hexdigest()
