"""What a real service would bill: token counts, and what its prompt cache keeps."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from rftj_cli.testing.replies import Answer, Ask

CountTokens = Callable[[str], int]
_STEP: Final = 512  # characters, about the 128 tokens in whose multiples OpenAI caches
_MOST_KEPT: Final = 1_000_000  # prefixes; then the cache starts anew


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one reply, or of many. `input` are those at full price; the cached ones stand beside them."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    replies: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
            self.replies + other.replies,
        )

    @property
    def prompt(self) -> int:
        """All tokens of the prompt, cached or not."""
        return self.input + self.cache_read + self.cache_write


def rough_tokens(text: str) -> int:
    """A rough count: one token for every four characters, and one more. No tokenizer counts so."""
    return len(text) // 4 + 1


class PromptCache:
    """The prefixes of prompts that were seen. Nothing expires."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def used(self, answer: Answer, ask: Ask, count: CountTokens, minimum: int | None, marked: bool) -> Usage:
        """The usage of a reply. `minimum` is the fewest tokens that are cached, None for a model without a cache.

        `marked`: up to the cache points, as Bedrock does; else what prompts have in common, as OpenAI does.
        """
        total, read, write = count(ask.text), 0, 0
        if minimum is not None and marked and ask.marks:
            read, write = self._marked(ask, count, minimum)
        elif minimum is not None and not marked and total >= minimum:
            read = self._common(ask, count, minimum)
        # A count of a prefix need not be smaller than that of the whole: tokenizers join across the seam.
        read = min(read, total)
        write = min(write, total - read)
        return Usage(total - read - write, count(answer.text + answer.reasoning), read, write, 1)

    def _marked(self, ask: Ask, count: CountTokens, minimum: int) -> tuple[int, int]:
        points = [(_key(ask, prefix), count(prefix)) for prefix in ask.marks]
        points = [(key, tokens) for key, tokens in points if tokens >= minimum]
        read = max((tokens for key, tokens in points if key in self._seen), default=0)
        self._keep([key for key, _ in points])
        return read, max(0, points[-1][1] - read) if points else 0

    def _common(self, ask: Ask, count: CountTokens, minimum: int) -> int:
        running, keys, known = hashlib.sha1(ask.model.encode(), usedforsecurity=False), [], 0
        for end in range(_STEP, len(ask.text) + 1, _STEP):
            running.update(ask.text[end - _STEP : end].encode("utf-8", "replace"))
            keys.append(running.digest())
            if keys[-1] in self._seen:
                known = end
        self._keep(keys)
        tokens = count(ask.text[:known]) if known else 0
        return tokens if tokens >= minimum else 0

    def _keep(self, keys: Sequence[bytes]) -> None:
        if len(self._seen) > _MOST_KEPT:
            self._seen.clear()
        self._seen.update(keys)


def _key(ask: Ask, prefix: str) -> bytes:
    return hashlib.sha1(
        f"{ask.model}\0{ask.shared}\0{prefix}".encode("utf-8", "replace"), usedforsecurity=False
    ).digest()
