"""Runs with simulated judges, and what `rftj reward audit` says of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from making import write_rows
from reporting import Said, labels, reply_of, rftj, scored

Judge = Callable[[np.random.Generator, bool, float], bool]
LEVELS = ("fail", "pass")


def noisy(tpr: float, tnr: float) -> Judge:
    """A judge with constant rates."""
    return lambda rng, good, rate: bool(rng.random() < tpr) if good else bool(rng.random() >= tnr)


def prompt_knowing(rng: np.random.Generator, good: bool, rate: float) -> bool:
    """A judge that knows how hard the prompt is, and nothing of the answer."""
    return bool(rng.random() < rate)


@dataclass(frozen=True)
class Made:
    """A run folder, its labels, and the truth by sample."""

    run: Path
    labels: Path
    truth: dict[str, str]


def simulated(
    folder: Path,
    judge: Judge,
    *,
    prompts: int = 60,
    size: int = 8,
    votes: int = 3,
    rates: tuple[float, float] = (2.0, 2.0),
    agree: float = 1.0,
    name: str = "run",
    seed: int = 1,
    extra: Sequence[dict[str, Any]] = (),
    **changes: Any,
) -> Made:
    """A run of `prompts` with pass rates Beta(*rates). A vote repeats the first one with the chance `agree`."""
    rng = np.random.default_rng(seed)
    truth, rows, replies = {}, [], []
    for prompt in range(prompts):
        rate = float(rng.beta(*rates))
        for answer in range(size):
            id = f"p{prompt}-{answer}"
            good = bool(rng.random() < rate)
            truth[id] = LEVELS[good]
            words = " ".join(["word"] * int(rng.integers(3, 60)))
            rows.append({"id": id, "group": f"p{prompt}", "prompt": f"task {prompt}", "response": f"{id} {words}"})
            first = judge(rng, good, rate)
            for vote in range(votes):
                said = first if vote == 0 or rng.random() < agree else not first
                replies.append({"id": id, "vote": vote, "text": reply_of(LEVELS[said])})
    settings = {"judge": {"model": "replay:recorded", "votes": votes}, **changes}
    run = scored(folder, {}, name=name, rows=rows, replies=[*replies, *extra], **settings)
    given = [{"id": id, "rater": "anna", "value": value} for id, value in truth.items()]
    return Made(run, labels(folder, given, f"{name}-labels.jsonl"), truth)


def audited(made: Made, *arguments: object) -> dict[str, Any]:
    """The document of an audit with its labels."""
    said = audit(made.run, "--labels", made.labels, *arguments)
    return said.document


def audit(*arguments: object) -> Said:
    said = rftj("reward", "audit", *arguments, "--json")
    assert said.code in (0, 1, 3), said.err + said.out
    return said


def decisions(document: dict[str, Any]) -> dict[str, str]:
    return {one["id"]: one["decision"] for one in document["findings"]}


def finding(document: dict[str, Any], id: str) -> dict[str, Any]:
    return next(one for one in document["findings"] if one["id"] == id)


def rollouts_file(folder: Path, rewards: Sequence[Sequence[bool]], name: str = "rollouts") -> tuple[Path, Path]:
    """(samples, replies) of unlabelled answers, one list of passes for each prompt."""
    rows, replies = [], []
    for prompt, passes in enumerate(rewards):
        for index, good in enumerate(passes):
            id = f"r{prompt}-{index}"
            rows.append({"id": id, "prompt": f"task {prompt}", "response": f"rollout {id}"})
            replies.append({"id": id, "text": reply_of(LEVELS[good])})
    return write_rows(folder / f"{name}.jsonl", rows), write_rows(folder / f"{name}-replies.jsonl", replies)
