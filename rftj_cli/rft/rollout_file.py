"""Rollouts as a samples file: what `rftj score` reads, written in one step when all are there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rftj_cli.errors import InputError
from rftj_cli.files.rows import Table
from rftj_cli.files.store import Store
from rftj_cli.files.text import write_lines
from rftj_cli.kernel.outcome import CallError, Reply
from rftj_cli.rft.prompts import Prompt

MOST_FAILURES: Final = 20  # that a report lists


@dataclass(frozen=True, slots=True)
class Missing:
    """A rollout that failed: no sample stands for it."""

    id: str
    stage: str
    reason: str


@dataclass(slots=True)
class Written:
    """What the samples file holds: `cut` answers ended at the limit of tokens; `uniform` prompts got one answer only."""

    prompts: int = 0
    rollouts: int = 0
    cut: int = 0
    uniform: int = 0
    output_tokens: int = 0
    failures: list[Missing] = field(default_factory=list)

    @property
    def mean_tokens(self) -> float | None:
        """Output tokens of an answer, its reasoning included; None where the service reports none."""
        return self.output_tokens / self.rollouts if self.rollouts and self.output_tokens else None


def refuse_other(out: Path, prompts: Path) -> None:
    """Raise `InputError` where the file to write is the prompts themselves, or holds something else than rollouts."""
    if out.suffix.lower() not in (".jsonl", ".ndjson"):
        raise InputError("rollouts are JSON Lines", key="--out", found=str(out), expected="a file that ends in .jsonl")
    if not out.exists():
        return
    if out.is_dir() or out.resolve() == prompts.resolve():
        raise InputError("this cannot be written over", file=out, key="--out", expected="a new file")
    try:
        first = next(iter(Table(out)))[1]
    except InputError:
        first = {}
    if "rollout" not in first:
        hint = "give another name, or remove it"
        raise InputError("there is a file already that holds no rollouts", file=out, key="--out", hint=hint)


def write_samples(
    out: Path,
    prompts: Sequence[Prompt],
    n: int,
    settings: dict[str, Any],
    store: Store,
    key_of: Callable[[str, int], str],
) -> Written:
    """Write the rollouts in the order of their prompts. The same store gives the same bytes."""
    written = Written(len(prompts))

    def lines() -> Iterator[str]:
        for prompt in prompts:
            texts = []
            for k in range(1, n + 1):
                reply = _settled(store, f"{prompt.id}-{k}", key_of(prompt.id, k), written)
                if reply is not None:
                    texts.append(reply.text)
                    yield json.dumps(_row(prompt, k, settings, reply), ensure_ascii=False, default=str) + "\n"
            written.uniform += len(texts) > 1 and len(set(texts)) == 1

    write_lines(out, lines())
    return written


def _settled(store: Store, id: str, key: str, written: Written) -> Reply | None:
    found = store.settled(id)
    answer = store.answer(id, key)
    if found is None or found[0] == "failure" or not isinstance(answer, Reply):
        stage = "call" if found is None or found[1] is None else found[1]
        reason = answer.reason if isinstance(answer, CallError) else "" if answer is None else answer.stop_reason
        written.failures.append(Missing(id, stage, reason))
        return None
    written.rollouts += 1
    written.cut += answer.stop == "max_tokens"
    written.output_tokens += answer.output_tokens
    return answer


def _row(prompt: Prompt, k: int, settings: dict[str, Any], reply: Reply) -> dict[str, Any]:
    return {
        "id": f"{prompt.id}-{k}",
        "group": prompt.id,
        **prompt.places,
        **prompt.row_of(),
        "response": reply.text,
        "rollout": {
            "model": settings["model"],
            "temperature": settings["temperature"],
            "k": k,
            "stop": reply.stop,
            "output_tokens": reply.output_tokens,
        },
    }
