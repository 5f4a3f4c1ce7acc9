"""Did the reward rise on topics that were never trained on, and does the control stay where it was?

before.jsonl, after.jsonl of each arm --rftj score--> runs --mean reward a topic--> paired differences with intervals
"""

from __future__ import annotations

import csv
import json
import sys
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

from rftj_cli.files.runs import open_run
from rftj_cli.main import run
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.paired import credit_difference
from rftj_cli.stats.shares import mean

HERE = Path(__file__).parent


def judged(samples: Path, folder: Path) -> tuple[list[float], dict[str, float]]:
    """The mean reward of each topic's rollouts, as `rftj score` judges them, and the mean of each check."""
    code = run(["score", str(HERE / "rubric.yaml"), str(samples), "--run", str(folder), "--quiet"])
    if code:
        sys.exit(code)
    rewards, parts = defaultdict[str, list[Any]](list), defaultdict[str, list[Any]](list)
    for row, outcome in open_run(str(folder)).store().outcomes():
        rewards[str(row.sample.group)].append(outcome.reward.value)
        for part in outcome.reward.parts:
            parts[part.id].append(part.u)
    by_topic = [fmean(values) for _, values in sorted(rewards.items())]
    return by_topic, {id: round(fmean(values), 4) for id, values in parts.items()}


def told(name: str, one: Estimate) -> str:
    """An estimate as a line."""
    interval = "" if one.low is None or one.high is None else f" [{one.low:+.3f}, {one.high:+.3f}]"
    return f"{name:<34} {one.value:+.3f}{interval}  {one.n} topics, {one.method}"


def main() -> None:
    """Print and keep the comparison of the arms under a folder."""
    out = Path(sys.argv[1])
    document: dict[str, Any] = {"arms": {}}
    after = {}
    for arm in sorted(folder.parent.name for folder in out.glob("*/after.jsonl")):
        before, parts_before = judged(out / arm / "before.jsonl", out / arm / "runs" / "before")
        after[arm], parts_after = judged(out / arm / "after.jsonl", out / arm / "runs" / "after")
        estimates = {"before": mean(before), "after": mean(after[arm]), "rise": credit_difference(before, after[arm])}
        with (out / arm / "curve.csv").open(encoding="utf-8") as file:
            seconds = [float(row["seconds"]) for row in csv.DictReader(file)]
        figures = {name: asdict(one) for name, one in estimates.items()}
        parts = {"before": parts_before, "after": parts_after}
        document["arms"][arm] = {"steps": len(seconds), "seconds": round(sum(seconds)), **figures, "parts": parts}
        for name, one in estimates.items():
            print(told(f"{arm}: {name}", one))
    if len(after) == 2:
        beyond = credit_difference(after["shuffled"], after["reward"])
        document["reward_beyond_shuffled"] = asdict(beyond)
        print(told("after: reward beyond shuffled", beyond))
    (out / "summary.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
