"""The work that every client is given: the same prompts of about 2 KB, and one reply of about 0.5 KB."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

WORDS = "the contract is governed by laws of a clause notice party term liability confidential breach cure"
REPLY = json.dumps({"quality": {"reason": f"{WORDS}. " * 4, "level": "pass"}})
VERDICT = '"level": "pass"'  # stands in the reply once
QUESTION = "Is this clause complete?"
MODEL = "gpt-4o-mini"
PROFILE = "us.amazon.nova-2-lite-v1:0"
REGION = "us-east-1"
RUBRIC = """\
name: transport
criteria:
  - {id: quality, question: Is the answer complete?}
prompt:
  user: |
    {{ prompt | fence("question") }}
    {{ response | fence("answer") }}
    {{ criteria }}
judge: {model: "openai:any"}
"""


@dataclass(frozen=True)
class Job:
    """One run of one client: where it works, which server it calls, how often, and how often at the same time."""

    folder: Path
    home: Path
    url: str
    calls: int
    concurrency: int

    @property
    def prompts(self) -> Path:
        return self.folder / "prompts.jsonl"


def write(job: Job) -> None:
    """The prompts, as rftj's samples and as whole texts for everybody else."""
    with (job.folder / "samples.jsonl").open("w") as samples, job.prompts.open("w") as prompts:
        for index in range(job.calls):
            answer = f"Clause {index}. " + f"{WORDS}. " * 18
            samples.write(json.dumps({"id": f"s{index}", "prompt": QUESTION, "response": answer}) + "\n")
            text = f"{QUESTION}\n{answer}\nGive your verdict as JSON, with a reason and a level, pass or fail."
            prompts.write(json.dumps({"text": text}) + "\n")
    (job.folder / "rubric.yaml").write_text(RUBRIC)
