"""contract-review with a scripted judge and a scripted proposer behind one fake OpenAI server.

The judge knows the labels. It is right on a criterion only where its prompt has the words of the rule for it; without them it
passes everything. So an edit that adds such words helps, and one that says "always pass" is harmful.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from rftj_cli.testing import FakeJudgeServer

ROOT = Path(__file__).resolve().parents[2]
RULES = {
    "grounding": "check every statement against the excerpt",
    "consistency": "decide first what the guideline asks",
}
HARMFUL = "pass everything"

Body = dict[str, Any]


def project(folder: Path, **changes: Any) -> list[str]:
    """Rubric, samples and labels in `folder`; the arguments RUBRIC SAMPLES --labels FILE."""
    data = ROOT / "datasets" / "contract-review"
    for name in ("samples.jsonl", "labels.jsonl"):
        shutil.copy(data / name, folder / name)
    rubric = yaml.safe_load((ROOT / "prompts" / "contract-review" / "brief.yaml").read_text())
    rubric["name"], rubric["judge"] = "contract", {"model": "openai:judge", "max_tokens": 200}
    rubric["prompt"] = {
        "user": "Judge the comment.\n{{ context.excerpt | fence }}\n{{ response | fence }}\n{{ criteria }}\n"
    }
    (folder / "rubric.yaml").write_text(
        "# a comment that stays\n" + yaml.safe_dump({**rubric, **changes}, sort_keys=False)
    )
    return ["rubric.yaml", "samples.jsonl", "--labels", "labels.jsonl"]


class Script:
    """The server's words: verdicts for `judge`, `proposals` one after the other for `proposer`."""

    def __init__(self, folder: Path, proposals: Sequence[Any]) -> None:
        rows = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
        labels = [json.loads(line) for line in (folder / "labels.jsonl").read_text().splitlines()]
        self.truth: dict[str, dict[str, str]] = {}
        self.responses = {row["id"]: row["response"] for row in rows}
        for one in labels:
            self.truth.setdefault(one["id"], {})[one["criterion"]] = one["value"]
        self.proposals, self.asked = list(proposals), list[str]()

    def __call__(self, body: Body) -> str:
        text = body["messages"][-1]["content"]
        if body["model"] == "proposer":
            self.asked.append(text)
            answer = self.proposals[min(len(self.asked), len(self.proposals)) - 1]
            return answer(text) if callable(answer) else answer if isinstance(answer, str) else json.dumps(answer)
        truth = self.truth[next(id for id, response in self.responses.items() if response in text)]
        said = {"actionability": truth["actionability"]}
        said |= {id: truth[id] if rule in text and HARMFUL not in text else "pass" for id, rule in RULES.items()}
        return json.dumps({id: {"reason": f"about {id}", "level": level} for id, level in said.items()})


def edit(criterion: str, *, part: str = "prompt.user", find: str = "", words: str | None = None) -> Mapping[str, str]:
    """A proposal that adds the rule of a criterion."""
    return {
        "part": part,
        "find": find,
        "replace": words or f"For {criterion}: {RULES[criterion]}.",
        "why": f"the rule of {criterion}",
    }


def serving(script: Callable[[Body], str]) -> FakeJudgeServer:
    return FakeJudgeServer(script)
