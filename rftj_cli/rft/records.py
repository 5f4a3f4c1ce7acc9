"""Prompts to records: one line of train.jsonl or eval.jsonl, in the form that the target reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rftj_cli.kernel.asks import names_used
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.kernel.sample import read_sample
from rftj_cli.rft.parity import Target
from rftj_cli.rft.prompts import Prompt

ALWAYS: Final = ("reference", "reference_answer", "criteria", "tools", "cluster")
_MADE: Final = frozenset({"criteria", "answer_format", "item", "response"})  # names that rftj itself gives to templates


@dataclass(frozen=True, slots=True)
class Recipe:
    """What goes into a record. Without a rubric every field of the row; with one what its judge needs, and `keep`."""

    target: Target = "bedrock"
    rubric: Rubric | None = None
    keep: tuple[str, ...] = ()

    @property
    def needed(self) -> frozenset[str] | None:
        """The fields that the judge needs; None: unknown, so all."""
        if self.rubric is None:
            return None
        checks = {"reference"} if any(one.type == "equals_reference" for one in self.rubric.checks) else set[str]()
        return (names_used(self.rubric) - _MADE) | checks

    def record(self, prompt: Prompt) -> dict[str, Any]:
        """One record, its keys in a fixed order."""
        needed, messages = self.needed, [dict(one) for one in prompt.messages]
        rest = {
            name: value
            for name, value in {**prompt.places, **prompt.fields}.items()
            if name not in ("messages", "prompt", "split")
            and (needed is None or name in needed or name in ALWAYS or name in self.keep)
        }
        if "reference" in rest and "reference_answer" not in rest:
            rest["reference_answer"] = rest.pop("reference")
        original = prompt.sample.fields["prompt"]
        if original != derived_prompt(
            messages
        ):  # a template made the messages: the judge still reads the prompt itself
            rest["prompt"] = original
        ordered = dict(sorted(rest.items(), key=lambda pair: (pair[0] != "reference_answer", pair[0])))
        if self.target == "hyperpod":
            return {"id": prompt.id, "messages": messages, "metadata": ordered}
        return {"id": prompt.id, "messages": messages, **ordered}


def derived_prompt(messages: Iterable[Mapping[str, str]]) -> object:
    """The prompt that is read from messages alone."""
    said = [*messages, {"role": "assistant", "content": "-"}]
    return read_sample({"messages": said}, "rubric").fields["prompt"]


def line_of(record: Mapping[str, Any]) -> str:
    """A record as a line of JSON."""
    return json.dumps(record, ensure_ascii=False, default=str) + "\n"
