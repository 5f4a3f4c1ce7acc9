"""From several raters to one truth: the rule decides, nothing is averaged away, and what fits nothing is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from making import write_rows
from reporting import calibrated, labels, refused, scored, succeed
from sklearn.metrics import cohen_kappa_score

GRADES = [{"level": "vague"}, {"level": "usable"}, {"level": "ready"}]
ORDINAL = {"criteria": [{"id": "quality", "question": "?", "scale": GRADES}]}


def said(rater: str, id: str, value: Any, **more: Any) -> dict[str, Any]:
    return {"rater": rater, "id": id, "value": value, **more}


def table(report: dict[str, Any], criterion: str = "quality") -> Any:
    return report["criteria"][criterion]["table"]


def test_a_strict_majority_of_raters_is_the_truth_and_every_rater_is_kept(home: Path) -> None:
    run = scored(home, {"s0": "pass", "s1": "pass"})
    rows = [said("ann", "s0", "pass"), said("bob", "s0", "pass"), said("cem", "s0", "fail")]
    rows += [said("ann", "s1", "fail"), said("bob", "s1", "fail"), said("cem", "s1", "pass")]
    report = calibrated(run, "--labels", labels(home, rows))
    assert table(report) == [[0, 1], [0, 1]]
    assert report["counts"]["raters"] == 3
    assert report["criteria"]["quality"]["raters"]["names"] == ["ann", "bob", "cem"]
    assert set(report["criteria"]["quality"]["raters"]["pairwise_kappa"]) == {"ann, bob", "ann, cem", "bob, cem"}


def test_an_even_split_is_undecided_counted_and_left_out(home: Path) -> None:
    run = scored(home, {"s0": "pass", "s1": "pass"})
    rows = [said("ann", "s0", "pass"), said("bob", "s0", "fail"), said("ann", "s1", "pass"), said("bob", "s1", "pass")]
    report = calibrated(run, "--labels", labels(home, rows))
    assert table(report) == [[0, 0], [0, 1]]
    assert report["criteria"]["quality"]["undecided"] == 1
    assert report["counts"]["labelled"] == 2 and report["counts"]["used"] == 1
    assert any("their raters differ" in text for text in report["warnings"])


def test_the_adjudicated_label_decides_and_is_no_rater(home: Path) -> None:
    run = scored(home, {"s0": "pass", "s1": "fail"})
    rows = [said("ann", "s0", "pass"), said("bob", "s0", "pass"), said("adjudicated", "s0", "fail")]
    rows += [said("ann", "s1", "fail"), said("bob", "s1", "fail")]
    report = calibrated(run, "--labels", labels(home, rows))
    assert table(report) == [[1, 1], [0, 0]]
    assert report["truth"] == "adjudicated, else majority"
    assert report["counts"]["raters"] == 2
    assert report["criteria"]["quality"]["raters"]["names"] == ["ann", "bob"]
    by_majority = calibrated(run, "--labels", home / "labels.jsonl", "--truth", "majority")
    assert table(by_majority) == [[1, 0], [0, 1]]


def test_only_adjudicated_labels_where_that_is_asked_for(home: Path) -> None:
    run = scored(home, {"s0": "pass", "s1": "fail"})
    rows = [said("ann", "s0", "pass"), said("adjudicated", "s0", "pass"), said("ann", "s1", "fail")]
    report = calibrated(run, "--labels", labels(home, rows), "--truth", "adjudicated")
    assert table(report) == [[0, 0], [0, 1]]
    assert report["criteria"]["quality"]["undecided"] == 1
    assert any("adjudicated did not label them" in text for text in report["warnings"])


def test_a_named_rater_is_the_truth(home: Path) -> None:
    run = scored(home, {"s0": "pass", "s1": "pass"})
    rows = [said("ann", "s0", "fail"), said("bob", "s0", "pass"), said("bob", "s1", "pass")]
    file = labels(home, rows)
    assert table(calibrated(run, "--labels", file, "--truth", "ann")) == [[0, 1], [0, 0]]
    assert table(calibrated(run, "--labels", file, "--truth", "bob")) == [[0, 0], [0, 2]]


@pytest.mark.parametrize("rule", ["amn", "adjudicated"])
def test_a_rule_that_names_nobody_is_refused(home: Path, rule: str) -> None:
    run = scored(home, {"s0": "pass"})
    error = refused("calibrate", run, "--labels", labels(home, [said("ann", "s0", "pass")]), "--truth", rule)
    assert error["found"] == repr(rule) and "ann" in error["expected"]
    assert rule != "amn" or error["hint"] == "did you mean `ann`?"


@pytest.mark.parametrize(
    ("votes", "level"),
    [(["vague", "usable", "ready"], 1), (["vague", "vague", "ready"], 0), (["usable", "ready"], None)],
)
def test_raters_of_ordered_levels_meet_at_the_median(home: Path, votes: list[str], level: int | None) -> None:
    run = scored(home, {"s0": "usable"}, **ORDINAL)
    report = calibrated(run, "--labels", labels(home, [said(f"r{i}", "s0", vote) for i, vote in enumerate(votes)]))
    row = [int(level == index) for index in range(3)]
    assert [cells[1] for cells in table(report)] == row
    assert report["criteria"]["quality"]["undecided"] == int(level is None)


def test_cannot_tell_is_counted_apart_and_no_level(home: Path) -> None:
    run = scored(home, {"s0": "pass", "s1": "pass", "s2": "pass"})
    rows = [said("ann", "s0", "cannot_tell"), said("ann", "s1", "pass"), said("bob", "s1", "cannot_tell")]
    report = calibrated(run, "--labels", labels(home, [*rows, said("ann", "s2", "pass")]))
    assert table(report) == [[0, 0], [0, 2]]
    assert report["criteria"]["quality"]["cannot_tell"] == 2
    assert report["criteria"]["quality"]["undecided"] == 0


def test_labels_made_by_a_model_are_never_called_human(home: Path) -> None:
    run = scored(home, {"s0": "pass", "s1": "fail"})
    rows = [said("ann", "s0", "pass"), said("m", "s1", "fail", source="model")]
    report = calibrated(run, "--labels", labels(home, rows))
    assert report["criteria"]["quality"]["sources"] == {"human": 1, "model": 1}
    assert any("1 of 2 labels were made by a model" in text for text in report["warnings"])


BAD = [
    ({"id": "s9", "value": "pass"}, "id", "'s9'", "s"),
    ({"id": "sample-on", "value": "pass"}, "id", "'sample-on'", "did you mean `sample-one`?"),
    ({"id": "s0", "value": "pas"}, "value", "'pas'", "did you mean `pass`?"),
    ({"id": "s0", "value": "pass", "criterion": "qualiti"}, "criterion", "'qualiti'", "did you mean `quality`?"),
    ({"id": "s0", "value": "pass", "item": "c1"}, "item", "'c1'", ""),
    ({"id": "s0", "value": "pass", "sample_sha": "0" * 64}, "sample_sha", repr("0" * 64), "judge the text"),
    ({"id": "s0", "value": "pass", "weight": "heavy"}, "weight", "'heavy'", ""),
    ({"id": "s0", "value": "pass", "source": "hunan"}, "source", "'hunan'", ""),
    ({"id": "s0", "value": "pass", "rather": "ann"}, "rather", None, "did you mean `rater`?"),
]


@pytest.mark.parametrize(("row", "key", "found", "hint"), BAD, ids=lambda value: str(value)[:30])
def test_a_label_that_fits_nothing_is_refused_with_its_place(
    home: Path, row: dict[str, Any], key: str, found: str | None, hint: str
) -> None:
    run = scored(home, {"s0": "pass", "sample-one": "pass"})
    file = labels(home, [{"id": "sample-one", "value": "pass"}, row])
    error = refused("calibrate", run, "--labels", file)
    assert (error["file"], error["row"], error["key"], error["found"]) == (str(file), 2, key, found)
    assert hint in (error["hint"] or "")


def test_the_same_rater_twice_is_refused_not_counted_twice(home: Path) -> None:
    run = scored(home, {"s0": "pass"})
    file = labels(home, [said("ann", "s0", "pass"), said("bob", "s0", "pass"), said("ann", "s0", "fail")])
    error = refused("calibrate", run, "--labels", file)
    assert error["row"] == 3 and error["key"] == "rater" and "twice" in error["problem"]


def test_several_criteria_must_be_named(home: Path) -> None:
    both = {"criteria": [{"id": "one", "question": "?"}, {"id": "two", "question": "?"}]}
    run = scored(home, {"s0": {"one": "pass", "two": "fail"}}, **both)
    error = refused("calibrate", run, "--labels", labels(home, [{"id": "s0", "value": "pass"}]))
    assert error["key"] == "criterion" and "one, two" in error["expected"]


def test_a_label_with_the_fingerprint_of_its_text_is_taken(home: Path) -> None:
    run = scored(home, {"s0": "pass"})
    wrong = refused("calibrate", run, "--labels", labels(home, [said("ann", "s0", "pass", sample_sha="f" * 12)]))
    sha = wrong["expected"]
    report = calibrated(run, "--labels", labels(home, [said("ann", "s0", "pass", sample_sha=sha)]))
    assert report["counts"]["used"] == 1


def test_labels_of_samples_that_wait_are_passed_over_and_the_rest_is_said(home: Path) -> None:
    run = scored(home, {"s0": "pass", "s1": "pass"})
    rows = [{"id": f"s{i}", "prompt": f"task s{i}", "response": f"answer s{i}"} for i in range(3)]
    write_rows(home / "run.jsonl", rows)  # the samples grew after the run
    file = labels(home, [said("ann", f"s{i}", "pass") for i in range(3)])
    assert calibrated(run, "--labels", file)["counts"]["used"] == 2


def test_labels_of_other_samples_need_a_word(home: Path) -> None:
    run = scored(home, {"s0": "pass"})
    file = labels(home, [said("ann", "s0", "pass"), said("ann", "elsewhere", "pass")])
    assert "--ignore-unknown" in refused("calibrate", run, "--labels", file)["hint"]
    report = calibrated(run, "--labels", file, "--ignore-unknown")
    assert report["counts"]["used"] == 1
    assert report["run"]["labels_passed_over"] == 1
    assert any("outside this run were passed over: 1" in text for text in report["warnings"])


def test_the_first_screen_names_the_rule_and_the_raters(home: Path) -> None:
    run = scored(home, {"s0": "pass"})
    out = succeed("calibrate", run, "--labels", labels(home, [said("ann", "s0", "pass")])).out
    assert "ann (1 rater), all labels, seed 0" in out


def test_raters_are_compared_also_where_they_leave_no_truth(home: Path) -> None:
    """Two raters who differ on 12 of 36 samples agree on two thirds, though no differing sample has a majority."""
    levels = [("pass", "pass")] * 14 + [("fail", "fail")] * 10 + [("pass", "fail")] * 7 + [("fail", "pass")] * 5
    rows = [
        {"id": f"s{i}", "rater": rater, "value": value}
        for i, pair in enumerate(levels)
        for rater, value in zip(("ann", "bob"), pair, strict=True)
    ]
    verdicts = {f"s{i}": None if i == 0 else "pass" if i % 2 else "fail" for i in range(36)}
    one = calibrated(scored(home, verdicts), "--labels", labels(home, rows))["criteria"]["quality"]
    assert (one["undecided"], sum(map(sum, one["table"]))) == (12, 23)
    raters, ann, bob = one["raters"], *([pair[i] for pair in levels] for i in (0, 1))
    pairwise, alpha = raters["mean_pairwise_kappa"], raters["krippendorff_alpha"]
    assert pairwise["value"] == pytest.approx(cohen_kappa_score(ann, bob)) and pairwise["n"] == 36
    by_hand = 1 - (12 / 36) / (2 * 40 * 32 / (72 * 71))  # 40 of the 72 ratings are pass
    assert alpha["value"] == pytest.approx(by_hand) and alpha["n"] == 36
    human, judge = (raters["ceiling"][name] for name in ("human_agreement", "judge_agreement"))
    assert human["value"] == pytest.approx(23 / 35) and judge["value"] is not None  # the judge has 35 verdicts
    assert raters["alt_test"]["omega"]["n"] == 35


def test_raters_who_never_agree_are_reported_without_any_truth(home: Path) -> None:
    rows = [
        {"id": f"s{i}", "rater": rater, "value": value}
        for i in range(10)
        for rater, value in zip(("ann", "bob"), ("pass", "fail") if i % 2 else ("fail", "pass"), strict=True)
    ]
    run, file = scored(home, {f"s{i}": "pass" for i in range(10)}), labels(home, rows)
    one = calibrated(run, "--labels", file)["criteria"]["quality"]
    assert one["undecided"] == 10 and one["raters"]["mean_pairwise_kappa"]["value"] == -1
    assert "ann and bob" in succeed("calibrate", run, "--labels", file, "--full").out
