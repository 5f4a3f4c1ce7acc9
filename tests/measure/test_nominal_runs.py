"""Labels without order, from the rubric to the report: what is measured, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reporting import calibrated, refused, rftj, scored, succeed, truth_labels

NAMES = ("billing", "bug", "other")
TABLE = np.array([[14, 2, 4], [3, 16, 1], [0, 5, 25]])
LABELS: list[Any] = list(NAMES)
VALUES: list[Any] = [{"label": name, "value": value} for name, value in zip(NAMES, (0.5, 1, 0), strict=True)]


def run_of(home: Path, labels: list[Any], same: int = 3, **changes: Any) -> tuple[Path, Path]:
    """A run whose table is TABLE (`same` of its columns; later ones join the last), and its labels."""
    cells = [(h, j) for h in range(3) for j in range(3) for _ in range(TABLE[h, j])]
    truth = {f"s{i}": NAMES[h] for i, (h, _) in enumerate(cells)}
    criteria = [{"id": "topic", "question": "About?", "scale": {"labels": labels}}]
    rows = [{"id": id, "response": id, "group": f"g{i % 35}"} for i, id in enumerate(truth)]
    verdicts = {f"s{i}": {"topic": NAMES[min(j, same - 1)]} for i, (_, j) in enumerate(cells)}
    return scored(home, verdicts, rows=rows, criteria=criteria, **changes), truth_labels(home, truth)


def test_kappa_pi_and_f1_equal_hand_arithmetic(home: Path) -> None:
    run, file = run_of(home, LABELS)
    report = calibrated(run, "--labels", file)
    one = report["criteria"]["topic"]
    assert (one["scale"], one["levels"], one["table"]) == ("nominal", list(NAMES), TABLE.tolist())
    p = TABLE / TABLE.sum()
    po, rows, columns = np.trace(p), p.sum(1), p.sum(0)
    by_hand = {
        "agreement": po,
        "kappa": (po - rows @ columns) / (1 - rows @ columns),
        "scott_pi": (po - (((rows + columns) / 2) ** 2).sum()) / (1 - (((rows + columns) / 2) ** 2).sum()),
        "macro_f1": np.mean([2 * TABLE[i, i] / (TABLE[i].sum() + TABLE[:, i].sum()) for i in range(3)]),
    }
    for name, value in by_hand.items():
        assert one["estimates"][name]["value"] == pytest.approx(value), name
        assert one["estimates"][name]["low"] < value < one["estimates"][name]["high"]
    ordered = {"kappa_quadratic", "kappa_linear", "spearman", "mae", "bias", "ac2", "pair_accuracy", "length_slope"}
    assert not ordered & set(one["estimates"])
    assert report["reward"] is None
    assert {row["distance"] for row in report["disagreements"]} == {0.0}
    assert "too high" not in json.dumps(report["findings"])
    assert succeed("calibrate", run, "--labels", file, "--full").out


def test_values_give_a_reward_and_no_order(home: Path) -> None:
    run, file = run_of(home, VALUES)
    report = calibrated(run, "--labels", file)
    assert "kappa_quadratic" not in report["criteria"]["topic"]["estimates"]
    assert report["reward"]["estimates"]["mean_judge"]["value"] == pytest.approx((TABLE.sum(0) @ [0.5, 1, 0]) / 70)
    assert report["reward"]["estimates"]["mean_truth"]["value"] == pytest.approx((TABLE.sum(1) @ [0.5, 1, 0]) / 70)


def test_rules_that_need_an_order_and_rewards_are_refused(home: Path) -> None:
    run, file = run_of(home, LABELS)
    rules = home / "rules.yaml"
    rules.write_text("criteria:\n  topic: {min: {kappa_quadratic: 0.4}}\n")
    error = refused("gate", run, "--labels", file, "--rules", rules)
    assert "whose labels have no order" in json.dumps(error)
    rules.write_text("criteria:\n  topic: {min: {kappa: 0.4, scott_pi: 0.4}}\n")
    assert succeed("gate", run, "--labels", file, "--rules", rules, "--json").document["decision"] == "PASS"
    for command in (("reward", "audit", run), ("reward", "build", home / "run.yaml", "--out", home / "b.zip")):
        error = refused(*command)
        assert "gives no reward" in json.dumps(error) and "scale.labels" in json.dumps(error)


def test_errors_plan_and_comparison_of_labels(home: Path) -> None:
    """The other reports take labels without order by kappa."""
    run, file = run_of(home, LABELS)
    assert "measured by kappa" in succeed("errors", run, "--labels", file, "--split", "all").out
    assert "kappa known to" in succeed("plan", run, "--labels", file).out
    (home / "b").mkdir()
    other, _ = run_of(home / "b", LABELS, same=2, judge={"model": "replay:recorded", "seed": 2})
    said = rftj("diff-prompts", run, other, "--labels", file, "--split", "all", "--json").document
    assert said["candidates"][0]["criteria"]["topic"]


def test_check_says_that_there_is_no_reward(home: Path) -> None:
    run_of(home, LABELS)
    out = succeed("check", home / "run.yaml", home / "run.jsonl").out
    assert "the rubric measures and gives no reward" in out
    assert "on_failure" not in out
