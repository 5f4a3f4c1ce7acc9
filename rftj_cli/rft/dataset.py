"""What `rftj rft prepare` is asked for, and the data set that comes of it, as values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rftj_cli import __version__
from rftj_cli.kernel.canonical import digest
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.rft.parity import Target, Usage
from rftj_cli.rft.prompts import Prompt, Template
from rftj_cli.rft.rules import Findings

SCHEMA: Final = "rftj.rft-data/1"
LONGEST_PROMPT: Final = 8192  # tokens: what AWS's own tools set


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for. `split` names the split that becomes eval.jsonl, `eval` is a file of its own."""

    samples: Path
    out: Path
    rubric: Rubric | None = None
    template: Template = field(default_factory=Template)
    columns: Mapping[str, str] = field(default_factory=dict)
    split: str | None = None
    eval: Path | None = None
    target: Target = "bedrock"
    keep: tuple[str, ...] = ()
    max_prompt_length: int = LONGEST_PROMPT
    drop: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One record with the prompt that it is made of."""

    file: str
    prompt: Prompt
    record: Mapping[str, Any]
    line: str
    tokens: int

    @property
    def asked(self) -> str:
        """The same for two records that ask the model the same."""
        return digest([dict(one) for one in self.prompt.messages])


@dataclass(frozen=True, slots=True)
class Part:
    """train.jsonl or eval.jsonl, as it is (or would be) written. Tokens are estimates of the prompts."""

    name: str
    entries: tuple[Entry, ...]

    @property
    def data(self) -> bytes:
        """The bytes of the file."""
        return "".join(one.line for one in self.entries).encode()

    @property
    def document(self) -> dict[str, Any]:
        """What the manifest says of it."""
        data, tokens = self.data, [one.tokens for one in self.entries]
        return {
            "file": f"{self.name}.jsonl",
            "records": len(self.entries),
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "prompt_tokens": {"mean": round(sum(tokens) / len(tokens), 1), "max": max(tokens)} if tokens else None,
            "clusters": len({one.prompt.cluster for one in self.entries}),
        }


@dataclass(frozen=True, slots=True)
class Prepared:
    """What `prepare` found, and what it wrote: nothing where an error is left."""

    wish: Wish
    parts: tuple[Part, ...]
    findings: Findings
    rows: int
    answered: int
    dropped: Mapping[str, int]
    usage: Usage
    written: bool

    @property
    def exit_code(self) -> int:
        """0, or 2 where the data is faulty."""
        return 0 if self.written else 2

    @property
    def document(self) -> dict[str, Any]:
        """The manifest: the same for the same input."""
        wish, rubric = self.wish, self.wish.rubric
        fingerprints = None
        if rubric is not None:
            fingerprints = {
                "name": rubric.name, "model": rubric.judge.model, "tier": rubric.judge.tier,
                "judge_fingerprint": rubric.judge_fingerprint, "reward_fingerprint": rubric.reward_fingerprint,
            }  # fmt: skip
        return {
            "schema": SCHEMA,
            "rftj": __version__,
            "target": wish.target,
            "samples": str(wish.samples),
            "eval": None if wish.eval is None else str(wish.eval),
            "eval_split": wish.split,
            "template": wish.template.content,
            "max_prompt_length": wish.max_prompt_length,
            "rubric": fingerprints,
            "judging": self.usage.document,
            "rows": self.rows,
            "rows_with_answers": self.answered,
            "parts": {part.name: part.document for part in self.parts},
            "dropped": dict(self.dropped),
        }
