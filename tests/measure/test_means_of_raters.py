"""Labels between the levels of a numeric scale: taken as they are, never rounded to a level."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reporting import calibrated, labels, refused, rftj, scored, succeed
from scipy import stats

RNG = np.random.default_rng(3)
MEANS = np.round(RNG.integers(3, 16, 60) / 3, 2)  # of three raters on 1 to 5
SCORES = np.clip(np.round(MEANS + RNG.normal(size=60)), 1, 5).astype(int)
NUMBERS = [{"id": "quality", "question": "How good?", "scale": {"min": 1, "max": 5}}]


def judged(home: Path, criteria: list[dict[str, Any]] = NUMBERS) -> Path:
    verdicts = {f"s{i}": {"quality": str(score)} for i, score in enumerate(SCORES)}
    rows = [{"id": id, "response": id, "group": f"g{i // 3}", "part": "ab"[i % 2]} for i, id in enumerate(verdicts)]
    return scored(home, verdicts, rows=rows, criteria=criteria)


def means(home: Path, values: Any = MEANS, **fields: Any) -> Path:
    return labels(home, [{"id": f"s{i}", "value": float(value), **fields} for i, value in enumerate(values)])


def test_numbers_are_those_of_the_means(home: Path) -> None:
    """Correlations, errors and pair accuracy equal numpy and scipy on the means; no number comes from rounded labels."""
    report = calibrated(judged(home), "--labels", means(home), "--by", "part")
    one = report["criteria"]["quality"]
    found = {name: estimate["value"] for name, estimate in one["estimates"].items()}
    x, y = MEANS, SCORES.astype(float)
    assert found["pearson"] == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert found["spearman"] == pytest.approx(stats.spearmanr(x, y).statistic)
    assert found["kendall_tau_b"] == pytest.approx(stats.kendalltau(x, y).statistic)
    assert found["mae"] == pytest.approx(np.abs(y - x).mean())
    assert found["bias"] == pytest.approx((y - x).mean())
    assert found["ccc"] == pytest.approx(2 * np.cov(x, y, bias=True)[0, 1] / (x.var() + y.var() + (x - y).mean() ** 2))
    pairs = [(i, j) for i in range(60) for j in range(i) if i // 3 == j // 3 and x[i] != x[j]]
    credit = [(1 + np.sign((x[i] - x[j]) * (y[i] - y[j]))) / 2 for i, j in pairs]
    assert found["pair_accuracy"] == pytest.approx(np.mean(credit))
    assert (one["scale"], one["table"], one["levels"]) == ("continuous", [], [])
    between = sum(value not in range(1, 6) for value in MEANS)
    for name in ("agreement", "kappa", "kappa_quadratic", "macro_f1", "icc"):
        assert found[name] is None
        assert f"{between} of 60 labels lie between the levels" in one["estimates"][name]["note"]
    assert any("lie between the levels" in text for text in report["warnings"])
    part = report["slices"]["part"]["a"]["quality"]["estimates"]
    assert part["bias"]["value"] == pytest.approx((y - x)[::2].mean())
    assert report["counts"]["used"] == 60


def test_the_reward_of_the_labels_is_made_of_the_means(home: Path) -> None:
    reward = calibrated(judged(home), "--labels", means(home))["reward"]["estimates"]
    assert reward["mean_truth"]["value"] == pytest.approx((MEANS.mean() - 1) / 4)
    assert reward["mae"]["value"] == pytest.approx(np.abs(SCORES - MEANS).mean() / 4)


def test_whole_numbers_stay_levels(home: Path) -> None:
    """4 and 4.0 are the level 4: nothing is measured otherwise than before."""
    one = calibrated(judged(home), "--labels", means(home, np.round(MEANS)))["criteria"]["quality"]
    assert one["scale"] == "numeric" and one["estimates"]["kappa_quadratic"]["value"] is not None


def test_dust_of_the_arithmetic_is_no_other_number(home: Path) -> None:
    """.1 + .2 is the level .3, and makes nothing continuous."""
    scale = [{"id": "quality", "question": "How good?", "scale": {"min": 0, "max": 1, "step": 0.1}}]
    run = scored(home, {"s0": {"quality": "0.3"}, "s1": {"quality": "1"}}, criteria=scale)
    one = calibrated(run, "--labels", means(home, [0.1 + 0.2, 1.0]))["criteria"]["quality"]
    assert one["scale"] == "numeric" and one["table"][3][3] == 1


def test_the_median_and_a_rater_decide_between_levels(home: Path) -> None:
    """Three raters: the median, also of numbers between levels; two that differ decide nothing; --truth takes one."""
    run = judged(home)
    said = {"ann": 2.5, "ben": 3, "cem": 4}
    rows = [{"id": f"s{i}", "rater": rater, "value": value} for i in range(9) for rater, value in said.items()]
    rows += [{"id": f"s{i}", "rater": rater, "value": said[rater]} for i in range(9, 12) for rater in ("ann", "ben")]
    file = labels(home, rows)
    report = calibrated(run, "--labels", file)  # the median is the level 3: a table of levels
    assert report["criteria"]["quality"]["scale"] == "numeric"
    assert sum(report["criteria"]["quality"]["table"][2]) == 9 and report["criteria"]["quality"]["undecided"] == 3
    of_ann = calibrated(run, "--labels", file, "--truth", "ann")["criteria"]["quality"]
    assert of_ann["scale"] == "continuous" and of_ann["estimates"]["bias"]["n"] == 12
    assert of_ann["estimates"]["bias"]["value"] == pytest.approx(SCORES[:12].mean() - 2.5)


def test_other_numbers_and_other_scales_are_refused(home: Path) -> None:
    """A number outside the scale is an error; words have no numbers between them."""
    run = judged(home)
    for value in (0.5, 5.5):
        error = refused("calibrate", run, "--labels", means(home, [value]))
        assert "unknown label" in json.dumps(error)
    words = [{"id": "quality", "question": "How good?", "scale": ["bad", "fair", "good"]}]
    (home / "w").mkdir()
    run = scored(home / "w", {"s0": {"quality": "bad"}, "s1": {"quality": "good"}}, criteria=words)
    assert "unknown label" in json.dumps(refused("calibrate", run, "--labels", means(home, [1.5])))
    listed = [{"id": "quality", "question": "How good?", "scale": [1, 2, 3, 4, 5]}]
    (home / "l").mkdir()
    assert (
        calibrated(judged(home / "l", listed), "--labels", means(home))["criteria"]["quality"]["scale"] == "continuous"
    )


def test_other_reports_say_what_they_cannot_use(home: Path) -> None:
    """Rules on levels are undecided with the reason, rows keep the number, and the page prints."""
    run, file, rules = judged(home), means(home), home / "rules.yaml"
    rules.write_text("criteria:\n  quality: {min: {kappa_quadratic: 0.2, pearson: 0.2}}\n")
    said = rftj("gate", run, "--labels", file, "--rules", rules, "--json").document
    by = {one["estimate"]: one for one in said["rulings"]}
    assert by["kappa_quadratic"]["decision"] == "UNDECIDED" and "between the levels" in by["kappa_quadratic"]["note"]
    assert by["pearson"]["decision"] == "PASS"
    out = succeed("calibrate", run, "--labels", file, "--full", "--rows", home / "rows.jsonl").out
    assert "lie between the levels" in " ".join(out.split())
    rows = [json.loads(line) for line in (home / "rows.jsonl").read_text().splitlines()]
    assert [row["truth"] for row in rows] == [f"{value:g}" for value in MEANS]
    assert succeed("plan", run, "--labels", file).out
    assert "Worst disagreements" not in out
    between = sum(value not in range(1, 6) for value in MEANS)
    errors = succeed("errors", run, "--labels", file, "--split", "all", "--json").document
    assert any(f"as means of raters do: {between} labels" in text for text in errors["warnings"])
    SCORES[0] = 6 - SCORES[0]
    (home / "b").mkdir()
    compared = rftj("diff-prompts", run, judged(home / "b"), "--labels", file, "--split", "all", "--json").document
    assert any(f"{between} labels lie between the levels" in text for text in compared["warnings"])
