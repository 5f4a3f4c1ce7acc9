"""Every figure of a report, computed again from the same rows with scikit-learn, statsmodels and plain counting."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reporting import calibrated, rftj, succeed
from scipy import stats
from sklearn import metrics
from statsmodels.stats.proportion import proportion_confint

ROOT = Path(__file__).resolve().parents[2]
DATA, PROMPTS = ROOT / "datasets" / "contract-review", ROOT / "prompts" / "contract-review"
LEVELS = {"grounding": ["fail", "pass"], "consistency": ["fail", "pass"], "actionability": ["vague", "usable", "ready"]}


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module", params=["brief", "no-contract"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(report, truth and verdicts as (n, criteria) level codes, group of each sample) of one recorded prompt."""
    name, folder = request.param, tmp_path_factory.mktemp(request.param)
    replies = DATA / "replies" / f"{name}.jsonl"
    score = (
        "score",
        PROMPTS / f"{name}.yaml",
        DATA / "samples.jsonl",
        "--import-replies",
        replies,
        "--run",
        folder / "run",
    )
    (folder / "rows").mkdir()
    succeed(*score)
    report = calibrated(folder / "run", "--labels", DATA / "labels.jsonl")
    told = {(row["id"], row["criterion"]): row["value"] for row in read(DATA / "labels.jsonl")}
    said = {
        row["id"]: json.loads(row["text"].strip().removeprefix("```json").removesuffix("```")) for row in read(replies)
    }
    samples = read(DATA / "samples.jsonl")
    truth = {c: np.array([ls.index(told[s["id"], c]) for s in samples]) for c, ls in LEVELS.items()}
    judge = {c: np.array([ls.index(said[s["id"]][c]) for s in samples]) for c, ls in LEVELS.items()}
    return report, truth, judge, np.array([s["group"] for s in samples])


def value(report: Any, criterion: str, name: str) -> float:
    return float(report["criteria"][criterion]["estimates"][name]["value"])


def test_tables_are_the_confusion_matrices(both: Any) -> None:
    report, truth, judge, _ = both
    for c in LEVELS:
        assert report["criteria"][c]["table"] == metrics.confusion_matrix(truth[c], judge[c]).tolist()


def test_binary_figures(both: Any) -> None:
    report, truth, judge, _ = both
    for c in ("grounding", "consistency"):
        h, j = truth[c], judge[c]
        expected = {
            "agreement": metrics.accuracy_score(h, j),
            "kappa": metrics.cohen_kappa_score(h, j),
            "mcc": metrics.matthews_corrcoef(h, j),
            "tpr": metrics.recall_score(h, j),
            "tnr": metrics.recall_score(h, j, pos_label=0),
            "precision": metrics.precision_score(h, j),
            "balanced_accuracy": metrics.balanced_accuracy_score(h, j),
            "macro_f1": metrics.f1_score(h, j, average="macro"),
            "bias": float(np.mean(j - h)),
            "coverage": 1.0,
        }
        for name, number in expected.items():
            assert value(report, c, name) == pytest.approx(number, abs=1e-12), (c, name)


def test_ordinal_figures(both: Any) -> None:
    report, truth, judge, _ = both
    h, j = truth["actionability"], judge["actionability"]
    expected = {
        "kappa": metrics.cohen_kappa_score(h, j),
        "kappa_linear": metrics.cohen_kappa_score(h, j, weights="linear"),
        "kappa_quadratic": metrics.cohen_kappa_score(h, j, weights="quadratic"),
        "spearman": stats.spearmanr(h, j)[0],
        "kendall_tau_b": stats.kendalltau(h, j)[0],
        "pearson": stats.pearsonr(h, j)[0],
        "mae": np.abs(h - j).mean(),
    }
    for name, number in expected.items():
        assert value(report, "actionability", name) == pytest.approx(number, abs=1e-12), name


def test_pair_accuracy_by_going_through_all_pairs(both: Any) -> None:
    report, truth, judge, group = both
    weights = {"grounding": 2, "consistency": 2, "actionability": 1}
    reward, wanted = (
        sum(w * side[c] / (len(LEVELS[c]) - 1) for c, w in weights.items()) / 5 for side in (judge, truth)
    )
    right = tied = pairs = 0
    for a, b in itertools.combinations(range(group.size), 2):
        if group[a] == group[b] and abs(wanted[a] - wanted[b]) > 1e-12:
            pairs += 1
            difference = (reward[a] - reward[b]) * np.sign(wanted[a] - wanted[b])
            tied += abs(difference) < 1e-12
            right += difference > 1e-12
    found = report["reward"]
    assert (found["pairs"], found["right"], found["tied"]) == (pairs, right, tied)
    assert found["estimates"]["pair_accuracy"]["value"] == pytest.approx((right + tied / 2) / pairs)
    assert found["estimates"]["mae"]["value"] == pytest.approx(np.abs(reward - wanted).mean())


def test_intervals_of_shares_are_wilson_on_the_effective_n(both: Any) -> None:
    report, *_ = both
    for c in LEVELS:
        for name in ("agreement", "tpr", "tnr"):
            one = report["criteria"][c]["estimates"].get(name)
            if one is None:
                continue
            deff = float(one["method"].rpartition("deff ")[2]) if "deff" in one["method"] else 1.0
            low, high = proportion_confint(one["value"] * one["n"] / deff, one["n"] / deff, method="wilson")
            assert (one["low"], one["high"]) == pytest.approx((low, high), abs=3e-3), (c, name)


def test_estimates_have_one_shape_and_no_nan(both: Any) -> None:
    report, *_ = both
    for estimate in _estimates(report):
        assert set(estimate) == {"value", "low", "high", "n", "method", "note"}
        if estimate["value"] is None:
            assert estimate["low"] is None and estimate["note"]
        elif estimate["low"] is None:
            assert estimate["note"] or "no interval" in estimate["method"] or " p " in f" {estimate['method']} "
        else:
            assert estimate["low"] <= estimate["value"] <= estimate["high"] and estimate["method"]


def _estimates(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict) and "method" in value:
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [one for part in parts for one in _estimates(part)]


def test_a_run_without_any_label_is_refused(both: Any) -> None:
    folder = both[0]["run"]["folder"]
    assert rftj("calibrate", folder).code == 2
