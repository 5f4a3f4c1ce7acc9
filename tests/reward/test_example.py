"""The example in examples/grpo: what can be held without training a model."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from rftj_cli.files.rubrics import load_rubric
from rftj_cli.reward.function import reward_function

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "grpo"


def test_the_rubric_grades() -> None:
    """Its reward has steps between nothing and everything, so that a group of answers differs."""
    answers = ["", "Tip: Walk.", "Walk every day and see much more of the world around you", "Tip: Walk a lot every day.",
               "Tip: Walk every day, because it keeps you fit."]  # fmt: skip
    values = [result.value for result in reward_function(EXAMPLE / "rubric.yaml")([{"response": a} for a in answers])]
    assert values == [0.0, 0.0, 0.2, 0.6, 1.0]
    assert not load_rubric(EXAMPLE / "rubric.yaml").criteria


def test_held_out_topics_are_held_out() -> None:
    lines = (EXAMPLE / "topics.txt").read_text(encoding="utf-8").splitlines()
    cut = lines.index("")
    trained, held_out = set(lines[1:cut]), set(lines[cut + 1 :])
    assert len(trained) == 48 and len(held_out) == 32 and not trained & held_out


def test_the_kept_results_say_what_the_page_says() -> None:
    """The reward rose on held-out topics, beyond the control; every figure of the page stands in the results."""
    summary = json.loads((EXAMPLE / "results" / "summary.json").read_text(encoding="utf-8"))
    page = (EXAMPLE.parents[1] / "docs" / "trainers.md").read_text(encoding="utf-8")
    for arm, figures in summary["arms"].items():
        with (EXAMPLE / "results" / f"{arm}.csv").open(encoding="utf-8") as file:
            assert len(list(csv.DictReader(file))) == figures["steps"]
        for side in ("before", "after", "rise"):
            one = figures[side]
            assert f"{one['value']:.2f} [{one['low']:.2f}, {one['high']:.2f}]" in page, (arm, side)
    assert summary["arms"]["reward"]["rise"]["low"] > 0
    assert summary["reward_beyond_shuffled"]["low"] > 0
