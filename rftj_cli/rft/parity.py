"""Whether the reward function will read from an event what `rftj score` reads from the samples.

    prompt + answer --rftj score's way--> requests  \\
                                                      equal, key by key, or the fields that differ
    record + answer --event, as Lambda reads it--> requests  /
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from rftj_cli.errors import InputError, listed
from rftj_cli.kernel.asks import BadItems, asks, names_used, rubric_for
from rftj_cli.kernel.checks import run_check
from rftj_cli.kernel.events import read_row
from rftj_cli.kernel.outcome import Request
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.kernel.sample import STANDARD, Sample
from rftj_cli.rft.prompts import Prompt
from rftj_cli.rft.rules import Fault
from rftj_cli.running.tokens import request_tokens

Target = Literal["bedrock", "sagemaker", "hyperpod"]
Heard = tuple[tuple[tuple[str, bool], ...], tuple[Request, ...]]  # checks, and what the judge is asked


@dataclass(slots=True)
class Usage:
    """What judging an answer takes: sums over the prompts that were looked at."""

    answers: int = 0
    real: int = 0
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def add(self, requests: tuple[Request, ...], *, real: bool) -> None:
        """Count the calls for one answer."""
        self.answers += 1
        self.real += real
        self.calls += len(requests)
        for request in requests:
            given, written = request_tokens(request)
            self.input_tokens += given
            self.output_tokens += written

    @property
    def document(self) -> dict[str, Any] | None:
        """Per answer; None where nothing was looked at. Without real answers their own tokens are not in it."""
        if not self.answers:
            return None
        return {
            "calls": round(self.calls / self.answers, 4),
            "input_tokens": round(self.input_tokens / self.answers, 1),
            "output_tokens": round(self.output_tokens / self.answers, 1),
            "of_answers": "real" if self.real == self.answers else "none" if not self.real else "some real",
        }


def event_of(row: Mapping[str, Any], answer: str, target: Target) -> dict[str, Any]:
    """The event row that a trainer makes of a record and an answer. Bedrock puts the record's fields under `metadata`."""
    messages = [*row["messages"], {"role": "assistant", "content": answer}]
    if target != "bedrock":
        return {**row, "messages": messages}
    rest = {name: value for name, value in row.items() if name not in ("id", "messages")}
    return {"id": row["id"], "messages": messages, "metadata": rest}


def stand_in(rubric: Rubric) -> str:
    """An answer of the right shape, where no real one is at hand."""
    if rubric.items is None:
        return "An answer."
    value: object = [{rubric.items.id or "id": "1", "text": "An answer."}]
    for key in reversed(rubric.items.path.split(".")[1:]):
        value = {key: value}
    return json.dumps(value)


def parity_faults(
    rubric: Rubric, prompt: Prompt, row: Mapping[str, Any], target: Target, usage: Usage
) -> Iterator[Fault]:
    """Where the judge would see something else in training than offline, or cannot judge at all."""
    answer = prompt.answers[0] if prompt.answers else stand_in(rubric)
    offline = replace(prompt.sample, fields={**prompt.sample.fields, "response": answer})
    try:
        there = _heard(rubric, offline)
    except InputError as error:
        found = f": {error.found}" if error.found else ""
        yield "judge-misses", error.key or "prompt", f"the rubric cannot judge this, {error.problem}{found}"
        return
    except BadItems:
        return  # this answer is settled without a call, there as here
    read = read_row(event_of(row, answer, target))
    if read.sample is None:
        yield "judge-differs", "messages", f"the reward function cannot read the event: {read.fault}"
        return
    usage.add(there[1], real=bool(prompt.answers))
    try:
        here = _heard(rubric, read.sample)
    except (InputError, BadItems) as error:
        yield "judge-differs", _changed(rubric, offline, read.sample), f"in training the judge would miss it: {error}"
        return
    if (there[0], [one.key for one in there[1]]) != (here[0], [one.key for one in here[1]]):
        key = _changed(rubric, offline, read.sample)
        yield "judge-differs", key, "in training the judge would see something else than offline"


def _heard(rubric: Rubric, sample: Sample) -> Heard:
    own = rubric_for(rubric, sample)
    response, reference = str(sample.fields["response"]), sample.fields.get("reference")
    results = tuple((check.id, run_check(check, response, reference).passed) for check in own.checks)
    return results, tuple(ask.request for ask in asks(own, sample))


def _changed(rubric: Rubric, offline: Sample, online: Sample) -> str:
    names = names_used(rubric) | {*STANDARD}
    before, after = offline.seen(names), online.seen(names)
    found = [name for name in sorted(names) if before.get(name) != after.get(name)]
    used = [name for name in found if name in names_used(rubric)]
    return listed(used or found or ["criteria"])
