"""What labels say beyond agreement: bars, corrected rates, sureness, length, votes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reporting import binary, calibrated, labels, refused, rftj, scored, succeed, truth_labels

from rftj_cli.measure.trust import GAP, ONE_CLUSTER, of_criterion
from rftj_cli.measure.values import Criterion
from rftj_cli.stats.estimate import Estimate


def trust(home: Path, table: list[list[int]]) -> tuple[dict[str, Any], str]:
    truth, verdicts = binary(table)
    run = scored(home, verdicts)
    file = truth_labels(home, truth)
    said = succeed("calibrate", run, "--labels", file).out
    return calibrated(run, "--labels", file)["trust"]["quality"], " ".join(said.split())


@pytest.mark.parametrize(
    ("table", "answer", "words"),
    [
        ([[140, 2], [2, 140]], "yes", "fail recall (TNR) 0.99, lower bound 0.95, required 0.80"),
        ([[10, 40], [2, 90]], "no", "fail recall (TNR) 0.20, upper bound 0.33, required 0.80"),
        (
            [[18, 2], [2, 38]],
            "not shown",
            "fail recall (TNR) 0.90, lower bound 0.70, required 0.80; about 114 more labels that are fail",
        ),
        ([[0, 0], [2, 38]], "not shown", "recall on any other level cannot be computed: every label is pass"),
    ],
)
def test_the_first_screen_answers_whether_the_judge_can_be_trusted(
    home: Path, table: list[list[int]], answer: str, words: str
) -> None:
    found, said = trust(home, table)
    assert found["answer"] == answer
    assert any(words in reason for reason in found["reasons"]), found["reasons"]
    assert "Can this judge be trusted?" in said and f"quality {answer}: " in said


def test_as_good_as_raters_who_do_not_agree_is_no_yes(home: Path) -> None:
    """The raters' labels are noise: the judge is shown to agree with them as they do, and also not to reach its bar."""
    rng = np.random.default_rng(3)
    ids, names = [f"s{i}" for i in range(150)], ["vague", "usable", "ready"]
    rows = [{"id": id, "rater": rater, "value": rng.choice(names)} for id in ids for rater in ("ann", "bob", "cat")]
    scale = [{"id": "quality", "question": "?", "scale": [{"level": name} for name in names]}]
    run = scored(home, {id: str(rng.choice(names)) for id in ids}, criteria=scale)
    report = calibrated(run, "--labels", labels(home, rows))
    ceiling, trust = report["criteria"]["quality"]["raters"]["ceiling"], report["trust"]["quality"]
    assert ceiling["kappa_gap"]["low"] >= GAP and ceiling["human_kappa"]["high"] < 0.4
    assert trust["answer"] == "not shown" and "the raters themselves agree too little" in trust["reasons"][0]
    assert "the judge is not shown to agree with the labels beyond chance" in trust["reasons"]


@pytest.mark.parametrize(
    ("raters", "gap", "n", "own", "answer", "words"),
    [
        (0.45, -0.04, 60, 0.30, "yes", "agrees with the raters as they do with each other"),
        (0.45, -0.06, 60, 0.30, "not shown", "kappa quadratic 0.38, lower bound 0.30, required 0.40"),
        (
            0.39,
            -0.04,
            60,
            0.30,
            "not shown",
            "the raters themselves agree too little: kappa 0.47, lower bound 0.39, required 0.40",
        ),
        (0.45, -0.04, 29, 0.30, "not shown", "29 samples have two ratings and a verdict, required 30"),
        (0.45, -0.04, 60, -0.01, "not shown", "not shown to agree with the labels beyond chance"),
        (0.10, -0.04, 20, 0.41, "yes", "kappa quadratic 0.49, lower bound 0.41, required 0.40"),
    ],
)
def test_each_bound_behind_as_good_as_a_rater(
    raters: float, gap: float, n: int, own: float, answer: str, words: str
) -> None:
    def of(low: float) -> Estimate:
        return Estimate(low + 0.08, low, low + 0.3, n, "test")

    ceiling = {"human_kappa": of(raters), "kappa_gap": of(gap)}
    one = Criterion(
        id="quality", scale="levels", levels=("a", "b", "c"), unit="sample", table=[[1, 0, 0], [0, 1, 0], [0, 0, 1]], baselines=(), sources={},
        estimates={"kappa_quadratic": of(own)}, raters={"ceiling": ceiling}, failed=0, stages={}, undecided=0, cannot_tell=0,
    )  # fmt: skip
    found = of_criterion(one)
    assert found.answer == answer and any(words in reason for reason in found.reasons), found


def test_more_of_the_only_cluster_is_not_asked_for(home: Path) -> None:
    """Sixty labels of one client: plan, gate and calibrate ask for labels of others, and name no number."""
    truth, verdicts = binary([[24, 6], [6, 24]])
    rows = [{"id": id, "response": f"r {id}", "cluster": "one client"} for id in truth]
    run, file = scored(home, verdicts, rows=rows), truth_labels(home, truth)
    report = calibrated(run, "--labels", file)
    assert report["criteria"]["quality"]["clusters"] == 1
    assert report["trust"]["quality"]["reasons"].count(ONE_CLUSTER) == 1
    assert not any(" more labels" in reason for reason in report["trust"]["quality"]["reasons"])
    goals = succeed("plan", run, "--labels", file, "--json").document["goals"]
    assert [goal["needed"] for goal in goals if goal["about"] == "quality"] == [None] * 3
    assert {goal["note"] for goal in goals if goal["about"] == "quality"} >= {ONE_CLUSTER}
    (home / "gate.yaml").write_text("min: {tpr: .5, kappa: .5}\n")
    rulings = json.loads(rftj("gate", run, "--labels", file, "--rules", home / "gate.yaml", "--json").out)["rulings"]
    assert [(one["decision"], one["needed"], one["note"]) for one in rulings] == [("UNDECIDED", None, ONE_CLUSTER)] * 2


def judged(home: Path, n: int = 600, labelled: int = 120, prevalence: float | None = None) -> tuple[Path, Path, float]:
    """A population of which the first part is labelled, at random or (prevalence) balanced by class."""
    rng = np.random.default_rng(8)
    good = rng.random(n) < 0.8
    if prevalence is not None:
        good[:labelled] = rng.random(labelled) < prevalence
    verdicts = {f"s{i}": "pass" if rng.random() < (0.8 if good[i] else 0.1) else "fail" for i in range(n)}
    rows = [{"id": f"s{i}", "prompt": f"t{i}", "response": f"r{i}"} for i in range(n)]
    run = scored(home, verdicts, rows=rows)
    file = truth_labels(home, {f"s{i}": "pass" if good[i] else "fail" for i in range(labelled)})
    return run, file, float(good.mean())


def test_rates_of_everything_that_was_judged_are_corrected(home: Path) -> None:
    run, file, rate = judged(home)
    found = calibrated(run, "--labels", file, "--sampling", "random")["criteria"]["quality"]["population"]
    assert found["chosen"] == "post_stratified" and found["doubt"] is None
    chosen = found["post_stratified"]
    assert chosen["low"] < rate < chosen["high"]
    assert not found["naive"]["low"] < rate < found["naive"]["high"]
    assert chosen["high"] - chosen["low"] < found["labels_only"]["high"] - found["labels_only"]["low"]
    said = " ".join(succeed("calibrate", run, "--labels", file).out.split())
    assert "how labels were chosen is not said" in said


def test_balanced_labels_take_another_correction_and_a_wrong_word_is_noticed(home: Path) -> None:
    run, file, rate = judged(home, prevalence=0.4)
    balanced = calibrated(run, "--labels", file, "--sampling", "balanced")["criteria"]["quality"]["population"]
    assert balanced["chosen"] == "rogan_gladen"
    assert balanced["rogan_gladen"]["low"] < rate < balanced["rogan_gladen"]["high"]
    wrong = calibrated(run, "--labels", file, "--sampling", "random")
    assert "verdicts differ" in wrong["criteria"]["quality"]["population"]["doubt"]
    assert any("--sampling balanced or other" in one for one in wrong["warnings"])
    assert refused("calibrate", run, "--labels", file, "--sampling", "balancd")["hint"] == "did you mean `balanced`?"


def test_the_rubric_may_say_how_labels_were_chosen(home: Path) -> None:
    truth, verdicts = binary([[8, 2], [2, 18]])
    run = scored(home, verdicts, labels={"sampling": "balanced"})
    some = {id: level for i, (id, level) in enumerate(truth.items()) if i % 2}
    found = calibrated(run, "--labels", truth_labels(home, some))
    assert found["criteria"]["quality"]["population"]["chosen"] == "rogan_gladen"
    plain = scored(home, verdicts, name="plain")
    same = calibrated(plain, "--labels", truth_labels(home, some))["rubric"]
    assert same["judge_fingerprint"] == found["rubric"]["judge_fingerprint"], "it is no part of the judge"


def voted(home: Path, n: int = 120) -> tuple[Path, Path]:
    """Five votes a sample; on a fifth of the samples every vote is wrong."""
    rng = np.random.default_rng(9)
    truth, replies, rows = {}, [], []
    for i in range(n):
        good = bool(rng.random() < 0.6)
        truth[f"s{i}"] = "pass" if good else "fail"
        chance = 0.0 if i % 5 == 0 else 0.85
        rows.append({"id": f"s{i}", "prompt": f"t{i}", "response": "word " * (5 + i % 60)})
        for vote in range(5):
            right = rng.random() < chance
            said = truth[f"s{i}"] if right else ("fail" if good else "pass")
            replies.append({"id": f"s{i}", "vote": vote, "text": json.dumps({"quality": said})})
    run = scored(home, {}, rows=rows, replies=replies, judge={"model": "replay:recorded", "votes": 5})
    return run, truth_labels(home, truth)


def test_votes_show_how_far_the_judge_agrees_with_itself_and_what_more_would_buy(home: Path) -> None:
    run, file = voted(home)
    found = calibrated(run, "--labels", file)["criteria"]["quality"]
    repeats = found["repeats"]
    assert repeats["votes"] == 5 and repeats["retest"]["flip_rate"]["n"] == 120
    assert 0.3 < repeats["retest"]["flip_rate"]["value"] < 0.6
    right = {int(v): one["value"] for v, one in repeats["right"].items()}
    assert right[1] < right[3] < right[5] < 0.81, "a fifth is wrong in every vote"
    assert repeats["worth"]["reliability"] == sorted(repeats["worth"]["reliability"])
    said = succeed("calibrate", run, "--labels", file, "--full").out
    assert "the judge against itself, 5 votes per sample" in said and "right by majority" in said


def test_votes_are_probabilities_and_have_a_threshold(home: Path) -> None:
    run, file = voted(home)
    found = calibrated(run, "--labels", file, "--costs", "5:1")["criteria"]["quality"]
    parts = found["probability"]["parts"]
    whole = parts["reliability"] - parts["resolution"] + parts["uncertainty"] + parts["within"]
    assert found["probability"]["brier"]["value"] == pytest.approx(whole)
    assert found["probability"]["ece"]["value"] is None and "fewer than 200" in found["probability"]["ece"]["note"]
    assert found["threshold"]["goal"] == "cost"
    cheap = calibrated(run, "--labels", file)["criteria"]["quality"]["threshold"]
    assert cheap["goal"] == "J" and cheap["value"] <= found["threshold"]["value"]
    for wrong in ("5", "a:b", "0:0", "-1:2", "nan:1"):
        assert "--costs" in refused("calibrate", run, "--labels", file, "--costs", wrong)["message"]


def test_costs_without_probabilities_are_refused(home: Path) -> None:
    truth, verdicts = binary([[5, 1], [1, 5]])
    error = refused("calibrate", scored(home, verdicts), "--labels", truth_labels(home, truth), "--costs", "5:1")
    assert "no criterion here has any" in error["message"] and "several votes" in error["expected"]


def test_a_judge_that_likes_length_is_told(home: Path) -> None:
    """Passes what is long; the labels do not care."""
    rng = np.random.default_rng(10)
    truth, verdicts, rows = {}, {}, []
    for i in range(200):
        words = int(2 ** rng.uniform(2, 9))
        truth[f"s{i}"] = "pass" if rng.random() < 0.5 else "fail"
        verdicts[f"s{i}"] = "pass" if words > 40 else "fail"
        rows.append({"id": f"s{i}", "response": "word " * words, "group": f"g{i // 4}"})
    run = scored(home, verdicts, rows=rows)
    report = calibrated(run, "--labels", truth_labels(home, truth))
    slope = report["criteria"]["quality"]["estimates"]["length_slope"]
    assert 0.1 < slope["low"] < slope["value"] < 0.3 and "t(49)" in slope["method"]
    assert any("milder than the labels with longer answers" in one for one in report["warnings"])


def pairs(home: Path, place: str) -> dict[str, Any]:
    """A judge of pairs that always answers with one place, or with the better response."""
    rng = np.random.default_rng(11)
    rows, replies, truth = [], [], {}
    for i in range(60):
        better = "AB"[int(rng.random() < 0.5)]
        truth[f"p{i}"] = better
        rows.append({"id": f"p{i}", "prompt": f"t{i}", "response_a": "a " * (9 + i), "response_b": "b " * 12})
        for order in ("given", "swapped"):
            shown = better if order == "given" else {"A": "B", "B": "A"}[better]
            said = place if rng.random() < 0.7 and place else shown
            replies.append({"id": f"p{i}", "order": order, "text": json.dumps({"preference": said})})
    run = scored(
        home, {}, rows=rows, replies=replies, kind="preference", criteria=None,
        prompt={"user": "{{ response_a }} {{ response_b }}"},
    )  # fmt: skip
    return calibrated(run, "--labels", truth_labels(home, truth))


def test_the_place_that_wins_is_told(home: Path) -> None:
    found = pairs(home, "A")
    primacy = found["criteria"]["preference"]["estimates"]["primacy"]
    assert primacy["low"] > 0.6
    assert any("the response shown first wins" in one for one in found["warnings"])
    assert "longer_wins" in found["criteria"]["preference"]["estimates"]


def test_a_fair_judge_of_pairs_is_not(home: Path) -> None:
    found = pairs(home, "")
    primacy = found["criteria"]["preference"]["estimates"]["primacy"]
    assert primacy["value"] == 0.5 and primacy["low"] < 0.5 < primacy["high"]
    assert not any("shown first wins" in one for one in found["warnings"])
