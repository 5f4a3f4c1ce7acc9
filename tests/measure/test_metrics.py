"""`--metric`: what production recorded, beside the reward and every criterion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reporting import calibrated, refused, scored, succeed
from sklearn.metrics import roc_auc_score

CRITERIA = [
    {"id": "carries", "question": "Does it help?"},
    {"id": "idle", "question": "Is it polite?"},
]


def project(home: Path, metric: Any, n: int = 200) -> tuple[Path, dict[str, dict[str, str]], list[dict[str, Any]]]:
    """Samples whose outcome follows `carries` and not `idle`; longer answers are accepted more often, too."""
    rng = np.random.default_rng(1)
    verdicts, rows = {}, []
    for i in range(n):
        good, polite, words = rng.random() < 0.6, rng.random() < 0.5, int(rng.integers(5, 200))
        verdicts[f"s{i}"] = {"carries": "pass" if good else "fail", "idle": "pass" if polite else "fail"}
        chance = 0.2 + 0.5 * good + 0.1 * (words > 100)
        rows.append(
            {
                "id": f"s{i}",
                "prompt": f"task {i}",
                "response": "word " * words,
                "outcome": metric(rng.random() < chance, chance, rng),
            }
        )
    return scored(home, verdicts, rows=rows, criteria=CRITERIA), verdicts, rows


@pytest.mark.parametrize(("yes", "no"), [("yes", "no"), (True, False), (1, 0), ("TRUE", "False")])
def test_the_auc_is_that_of_each_score_and_no_labels_are_needed(home: Path, yes: object, no: object) -> None:
    run, verdicts, rows = project(home, lambda hit, chance, rng: yes if hit else no)
    found = calibrated(run, "--metric", "outcome")["metrics"]["outcome"]
    assert (found["kind"], found["n"], found["missing"]) == ("yes/no", 200, 0)
    assert list(found["rows"]) == ["reward", "carries", "idle", "length alone"]
    outcome = [row["outcome"] == yes for row in rows]
    for id in ("carries", "idle"):
        score = [verdicts[row["id"]][id] == "pass" for row in rows]
        assert found["rows"][id]["estimates"]["auc"]["value"] == pytest.approx(roc_auc_score(outcome, score))
    carries, idle = (found["rows"][id]["estimates"]["auc"] for id in ("carries", "idle"))
    assert carries["low"] > 0.6 and idle["low"] < 0.5 < idle["high"]


def test_numbers_have_a_rank_correlation_and_a_curve(home: Path) -> None:
    run, _, rows = project(home, lambda hit, chance, rng: round(5 * chance + rng.normal(), 3))
    found = calibrated(run, "--metric", "outcome")["metrics"]["outcome"]
    assert found["kind"] == "number"
    reward = found["rows"]["reward"]
    assert reward["estimates"]["spearman"]["low"] > 0.2
    assert abs(reward["estimates"]["spearman_at_equal_length"]["value"]) < 1
    assert [(one["low"], one["high"]) for one in reward["along"]] == [(0.0, 0.0), (0.5, 0.5), (1.0, 1.0)]
    assert sum(one["outcome"]["n"] for one in reward["along"]) == len(rows)
    assert reward["along"][0]["outcome"]["value"] < reward["along"][2]["outcome"]["value"]


def test_a_score_that_only_knows_the_length_is_found_out(home: Path) -> None:
    """The outcome is the length; the verdict follows it."""
    rng = np.random.default_rng(3)
    rows, verdicts = [], {}
    for i in range(300):
        words = int(rng.integers(1, 400))
        rows.append(
            {
                "id": f"s{i}",
                "prompt": f"task {i}",
                "response": "word " * words,
                "kept": bool(rng.random() < words / 400),
            }
        )
        verdicts[f"s{i}"] = "pass" if words + rng.normal() * 40 > 200 else "fail"
    run = scored(home, verdicts, rows=rows)
    found = calibrated(run, "--metric", "kept")["metrics"]["kept"]["rows"]["quality"]["estimates"]
    assert found["auc"]["low"] > 0.6 > found["auc_at_equal_length"]["value"]
    said = " ".join(succeed("calibrate", run, "--metric", "kept").out.split())
    assert "quality: what it says of kept is not shown to hold among answers of like length" in said


def test_samples_without_the_field_are_counted_and_left_out(home: Path) -> None:
    rows = [
        {"id": f"s{i}", "prompt": f"task {i}", "response": f"r {i}", **({"ok": i % 2} if i < 40 else {})}
        for i in range(60)
    ]
    run = scored(home, {row["id"]: "pass" if row["id"][-1] in "13579" else "fail" for row in rows}, rows=rows)
    found = calibrated(run, "--metric", "ok")["metrics"]["ok"]
    assert (found["n"], found["missing"]) == (40, 20)
    assert found["rows"]["quality"]["estimates"]["auc"]["value"] == 1.0
    assert found["rows"]["quality"]["estimates"]["auc"]["low"] < 0.95


def test_an_outcome_that_never_varies_says_so(home: Path) -> None:
    rows = [{"id": f"s{i}", "prompt": f"task {i}", "response": "r", "ok": "yes"} for i in range(5)]
    run = scored(home, {row["id"]: "pass" for row in rows}, rows=rows)
    found = calibrated(run, "--metric", "ok")["metrics"]["ok"]["rows"]["quality"]["estimates"]["auc"]
    assert found["value"] is None and found["note"] == "the outcome never varies"
    assert "the outcome never varies" in succeed("calibrate", run, "--metric", "ok", "--markdown").out


def test_a_field_that_is_neither_is_refused_with_its_sample(home: Path) -> None:
    rows = [{"id": "a", "prompt": "p", "response": "r", "mood": "good"}, {"id": "b", "response": "r", "mood": 3}]
    run = scored(home, {"a": "pass", "b": "fail"}, rows=rows)
    error = refused("calibrate", run, "--metric", "mood")
    assert "sample a" in error["message"] and error["found"] == "'good'"
    error = refused("calibrate", run, "--metric", "mod")
    assert error["hint"] == "did you mean `mood`?"
    error = refused("calibrate", "--table", home / "x.csv", "--judge", "a", "--human", "b", "--metric", "mood")
    assert "--metric belongs to a run" in error["message"]


def test_failures_with_a_reward_are_read_in_both_ways(home: Path) -> None:
    """The judge is a coin on what it judges; 20 failures, all rejected, get 0 and make the reward look good."""
    verdicts: dict[str, str | None] = {f"s{i}": "pass" if i % 2 else "fail" for i in range(40)}
    verdicts |= {f"f{i}": None for i in range(20)}
    rows = [
        {"id": id, "prompt": f"q {id}", "response": f"r {id}", "accepted": id[0] == "s" and int(id[1:]) % 4 < 2}
        for id in verdicts
    ]
    run = scored(home, verdicts, rows=rows, reward={"on_failure": {"content": 0}})
    report = calibrated(run, "--metric", "accepted")
    found = report["metrics"]["accepted"]
    assert list(found["rows"]) == ["reward", "reward with failures", "quality", "length alone"]
    alone, every = (found["rows"][id] for id in ("reward", "reward with failures"))
    assert (alone["n"], every["n"], found["n"], found["failures"]) == (40, 60, 60, 20)
    assert alone["estimates"]["auc"]["value"] == 0.5
    outcome = [bool(row["accepted"]) for row in rows]
    assert every["estimates"]["auc"]["value"] == pytest.approx(
        roc_auc_score(outcome, [verdict == "pass" for verdict in verdicts.values()])
    )
    assert any("AUC of the reward is 0.500 without them, 0.625 with them" in text for text in report["warnings"])
    said = " ".join(succeed("calibrate", run, "--metric", "accepted").out.split())
    assert "no score of the judge is shown to rank accepted better than chance" in said


def test_samples_that_a_check_settles_keep_their_reward_beside_a_metric(home: Path) -> None:
    rows = [
        {"id": f"s{i}", "prompt": f"q{i}", "response": "word " * (9 if i < 10 else 1), "kept": i % 2} for i in range(40)
    ]
    check = [{"id": "short", "type": "max_words", "max": 5, "essential": True}]
    run = scored(home, {f"s{i}": "pass" if i % 2 else "fail" for i in range(40)}, rows=rows, checks=check)
    found = calibrated(run, "--metric", "kept")["metrics"]["kept"]
    assert list(found["rows"]) == ["reward", "quality", "length alone"] and found["failures"] == 0
    assert (found["rows"]["reward"]["n"], found["rows"]["quality"]["n"]) == (40, 30)
