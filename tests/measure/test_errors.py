"""`rftj errors`: which disagreements there are, of which sort they are, and what mending them could gain."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from making import write_rows
from reporting import binary, calibrated, labels, refused, rftj, scored, succeed, truth_labels

from rftj_cli.files.runs import open_run
from rftj_cli.measure.calibrate import Question
from rftj_cli.measure.errors import errors_of

EDITABLE = {"split": "dev"}


def another(home: Path, verdicts: Mapping[str, str], name: str = "other", **changes: Any) -> Path:
    """A run of another judge on the same samples, whose replies have reasons: they are no recording of the first."""
    rows = [{"id": id, "prompt": id, "response": f"answer {id}", **EDITABLE} for id in verdicts]
    said = [{"id": id, "text": json.dumps({"quality": {"reason": name, "level": one}})} for id, one in verdicts.items()]
    return scored(home, {}, name=name, rows=rows, replies=said, **{"judge": {"model": "replay:another"}, **changes})


def errors(*arguments: object) -> dict[str, Any]:
    return succeed("errors", *arguments, "--json").document


def made(home: Path, table: Sequence[Sequence[int]], **options: Any) -> tuple[Path, Path]:
    """A run whose table is `table`, and its labels."""
    truth, verdicts = binary(table)
    rows = [{"id": id, "prompt": id, "response": f"answer {id}", **EDITABLE} for id in verdicts]
    return scored(home, verdicts, rows=rows, **options), truth_labels(home, truth)


def voted(home: Path, votes: Mapping[str, Sequence[str | None]], name: str = "run", **changes: Any) -> Path:
    """A run in which each sample has these votes."""
    most = max(map(len, votes.values()))
    texts = [
        {"id": id, "vote": at, "text": "?" if level is None else json.dumps({"quality": level})}
        for id, cast in votes.items()
        for at, level in enumerate(cast)
    ]
    judge = {"model": "replay:recorded", "votes": most}
    rows = [{"id": id, "prompt": id, "response": f"answer {id}", **EDITABLE} for id in votes]
    return scored(home, {}, name=name, rows=rows, replies=texts, judge=judge, **changes)


def sorts(document: Mapping[str, Any]) -> dict[str, str]:
    return {unit["sample"]: unit["sort"] for unit in document["units"]}


def test_every_disagreement_is_there_once_and_the_headline_is_that_of_calibrate(home: Path) -> None:
    run, file = made(home, [[12, 9], [3, 26]])
    found, whole = errors(run, "--labels", file), calibrated(run, "--labels", file)
    assert found["schema"] == "rftj.errors/1"
    one = found["criteria"]["quality"]
    assert (one["compared"], one["wrong"]) == (50, 12)
    for name in ("balanced_accuracy", "kappa"):
        assert one["now"][name] == whole["criteria"]["quality"]["estimates"][name]
    in_clusters = [tuple(id) for cluster in found["clusters"] for id in cluster["units"]]
    assert sorted(in_clusters) == sorted((unit["sample"], unit["item"]) for unit in found["units"])
    assert len(set(in_clusters)) == 12
    assert {(d["name"], d["units"], d["possible"]) for d in found["directions"]} == {
        ("fail -> pass", 9, 21),
        ("pass -> fail", 3, 29),
    }


def test_the_gain_is_what_calibrate_says_of_a_run_in_which_these_verdicts_are_right(home: Path) -> None:
    run, file = made(home, [[12, 9], [3, 26]])
    truth, verdicts = binary([[12, 9], [3, 26]])
    for direction in errors(run, "--labels", file)["directions"]:
        h, j = direction["name"].split(" -> ")
        mended = {id: truth[id] if (truth[id], v) == (h, j) else v for id, v in verdicts.items()}
        other = another(home, mended, name=f"mended-{h}")
        then = calibrated(other, "--labels", file)["criteria"]["quality"]["estimates"]
        for name in ("balanced_accuracy", "kappa"):
            assert direction["then"][name] == pytest.approx(then[name]["value"], abs=1e-12)
            gain = direction["gains"][name]
            assert gain["low"] <= gain["value"] <= gain["high"] and gain["n"] == 50


def test_clusters_stand_by_what_they_could_gain(home: Path) -> None:
    run, file = made(home, [[4, 6], [8, 82]])
    gains = [one["gains"]["balanced_accuracy"]["value"] for one in errors(run, "--labels", file)["clusters"]]
    assert gains == sorted(gains, reverse=True)
    assert gains[0] == pytest.approx(6 / 10 / 2) and gains[1] == pytest.approx(8 / 90 / 2)


def test_asked_once_nobody_knows_what_is_stable_and_the_report_says_so(home: Path) -> None:
    run, file = made(home, [[8, 2], [1, 9]])
    found = errors(run, "--labels", file)
    assert set(sorts(found).values()) == {"not repeated"} and found["repeated"] == 0
    said = succeed("errors", run, "--labels", file)
    assert "could not be told apart" in said.out and "--rejudge 3" in said.out and "regression to the mean" in said.out
    assert "no label can be suspected" in said.out
    assert "stable" not in {word for word in said.out.split("Disagreements")[1].split("Which way")[0].split()}


def test_votes_of_the_run_tell_stable_from_unstable(home: Path) -> None:
    run = voted(
        home,
        {
            "steady": ["pass", "pass", "pass"],
            "torn": ["pass", "fail", "pass"],
            "lost": ["pass", None, "pass"],
            "fine": ["fail", "fail", "fail"],
            "good": ["pass", "pass", "fail"],
        },
    )
    file = truth_labels(home, {"steady": "fail", "torn": "fail", "lost": "fail", "fine": "fail", "good": "pass"})
    found = errors(run, "--labels", file)
    assert sorts(found) == {"steady": "stable", "torn": "unstable", "lost": "stable"}
    said = {unit["sample"]: unit["said"] for unit in found["units"]}
    assert said["torn"] == {"fail": 1, "pass": 2} and said["lost"] == {"pass": 2}


def test_only_what_an_edit_could_mend_counts_as_mended(home: Path) -> None:
    run = voted(home, {"a": ["pass"] * 3, "b": ["pass", "fail", "pass"], "c": ["fail"] * 3, "d": ["pass"] * 3})
    found = errors(run, "--labels", truth_labels(home, {"a": "fail", "b": "fail", "c": "fail", "d": "pass"}))
    (cluster,) = found["clusters"]
    assert cluster["mendable"] == 1 and len(cluster["units"]) == 2
    assert cluster["gains"]["balanced_accuracy"]["value"] == pytest.approx(1 / 3 / 2)


def test_a_judge_and_a_second_one_against_the_label_make_it_suspect(home: Path) -> None:
    run = voted(home, {f"s{i}": ["pass"] * 3 for i in range(8)} | {"torn": ["pass", "fail", "pass"]})
    truth = {f"s{i}": "fail" if i < 4 else "pass" for i in range(8)} | {"torn": "fail"}
    file = truth_labels(home, truth)
    other = {f"s{i}": "pass" if i in (0, 1, 5, 6) else "fail" for i in range(8)} | {"torn": "pass"}
    second = another(home, other)
    found = errors(run, "--labels", file, "--second", second)
    assert sorts(found) == {"s0": "suspected", "s1": "suspected", "s2": "stable", "s3": "stable", "torn": "unstable"}
    assert found["second"] == {
        "run": str(second), "model": "replay:another", "same_model": False, "compared": 5, "agrees": 3,
    }  # fmt: skip


def test_a_second_judge_makes_nothing_suspect_that_was_asked_once(home: Path) -> None:
    run, file = made(home, [[8, 2], [0, 10]])
    second = another(home, binary([[8, 2], [0, 10]])[1])
    assert set(sorts(errors(run, "--labels", file, "--second", second)).values()) == {"not repeated"}


def test_raters_who_differ_make_the_label_suspect(home: Path) -> None:
    run = voted(home, {f"s{i}": ["pass", "pass"] for i in range(4)})
    said = {"s0": "ffp", "s1": "fff", "s2": "ppp", "s3": "ffp"}
    words = {"f": "fail", "p": "pass"}
    rows = [
        {"id": id, "rater": rater, "value": words[value]}
        for id, values in said.items()
        for rater, value in zip(("ann", "bob", "cy"), values, strict=True)
    ]
    found = errors(run, "--labels", labels(home, rows))
    assert sorts(found) == {"s0": "suspected", "s1": "stable", "s3": "suspected"}
    assert found["units"][0]["raters"] == {"ann": "fail", "bob": "fail", "cy": "pass"}
    assert "raters disagree" in found["units"][0]["why"]
    assert not any("no label can be suspected" in warning for warning in found["warnings"])


def test_ordered_levels_go_too_high_or_too_low(home: Path) -> None:
    scale = ["bad", "fair", "good"]
    truth = dict(zip("abcdefgh", ["bad", "bad", "fair", "good", "good", "fair", "bad", "good"], strict=True))
    verdicts = truth | {"a": "good", "b": "fair", "d": "bad"}
    rows = [{"id": id, "prompt": id, "response": f"answer {id}", **EDITABLE} for id in truth]
    criteria = [{"id": "quality", "question": "How good?", "scale": [{"level": one} for one in scale]}]
    run, file = scored(home, verdicts, rows=rows, criteria=criteria), truth_labels(home, truth)
    found = errors(run, "--labels", file)
    assert {(d["name"], d["units"], d["possible"]) for d in found["directions"]} == {
        ("too high", 2, 5),
        ("too low", 1, 5),
    }
    assert list(found["clusters"][0]["gains"]) == ["kappa_quadratic"]
    mended = scored(home, truth | {"d": "bad"}, name="mended", rows=rows, criteria=criteria)
    then = calibrated(mended, "--labels", file)["criteria"]["quality"]["estimates"]["kappa_quadratic"]["value"]
    assert next(d for d in found["directions"] if d["name"] == "too high")["then"]["kappa_quadratic"] == pytest.approx(
        then
    )


def pair_run(home: Path, verdicts: Mapping[str, tuple[str, str]]) -> Path:
    """A preference run; each pair has the winner in the given and in the swapped order, un-swapped."""
    flip = {"A": "B", "B": "A", "tie": "tie"}
    replies = [
        {"id": id, "order": order, "text": json.dumps({"preference": level if order == "given" else flip[level]})}
        for id, both in verdicts.items()
        for order, level in zip(("given", "swapped"), both, strict=True)
    ]
    rows = [{"id": id, "response_a": f"left {id}", "response_b": f"right {id}", **EDITABLE} for id in verdicts]
    prompt = {"user": "{{ response_a }} {{ response_b }}"}
    return scored(home, {}, rows=rows, replies=replies, kind="preference", criteria=None, prompt=prompt)


def test_comparisons_say_which_way_and_count_ties_half(home: Path) -> None:
    run = pair_run(home, {"p": ("A", "A"), "q": ("B", "B"), "r": ("A", "B"), "s": ("B", "B")})
    found = errors(run, "--labels", truth_labels(home, {"p": "A", "q": "A", "r": "B", "s": "B"}))
    gains = {d["name"]: d["gains"]["pair_accuracy"]["value"] for d in found["directions"]}
    assert gains == {"A -> B": pytest.approx(1 / 4), "B -> tie": pytest.approx(1 / 8)}
    # one reply an order: that the winner changes with the order is a bias of place, not a judge who wavers
    assert set(sorts(found).values()) == {"not repeated"}
    example = next(one for cluster in found["clusters"] for one in cluster["examples"] if one["sample"] == "q")
    assert example["response"] == "A: left q\nB: right q"


def test_items_are_units_of_their_own(home: Path) -> None:
    rows = [
        {"id": f"s{i}", "response": json.dumps({"parts": [{"n": "x", "t": f"first {i}"}, {"n": "y", "t": f"second {i}"}]}), **EDITABLE}
        for i in range(3)
    ]  # fmt: skip
    replies = [{"id": f"s{i}", "item": item, "text": '{"sound": "pass"}'} for i in range(3) for item in ("x", "y")]
    run = scored(
        home, {}, rows=rows, replies=replies, items={"path": "$.parts", "id": "n"},
        criteria=[{"id": "sound", "question": "?", "on": "item"}], prompt={"user": "{{ item }}"},
    )  # fmt: skip
    said = [
        {"id": f"s{i}", "item": item, "rater": "ann", "value": "fail" if (i, item) in ((0, "y"), (2, "x")) else "pass"}
        for i in range(3)
        for item in ("x", "y")
    ]
    found = errors(run, "--labels", labels(home, said))
    assert [(unit["sample"], unit["item"]) for unit in found["units"]] == [("s0", "y"), ("s2", "x")]
    assert [one["response"] for one in found["clusters"][0]["examples"]] == [
        json.dumps({"n": "y", "t": "second 0"}),
        json.dumps({"n": "x", "t": "first 2"}),
    ]
    assert "s0 / y" in succeed("errors", run, "--labels", home / "labels.jsonl").out


def test_perfect_agreement_is_said_and_is_no_failure(home: Path) -> None:
    run, file = made(home, [[10, 0], [0, 10]])
    said = succeed("errors", run, "--labels", file)
    assert "judge and labels agree on all 20 samples" in said.out and "Next" not in said.out
    found = errors(run, "--labels", file, "--rejudge", 3, "--relabel", home / "queue.jsonl")
    assert found["units"] == found["clusters"] == found["directions"] == []
    assert not (home / "queue.jsonl").exists() and not (home / "run-again-3").exists()
    assert "was not written" in " ".join(found["warnings"])


def test_labels_of_one_class_have_errors_and_no_gain_with_the_reason(home: Path) -> None:
    run, file = made(home, [[3, 4], [0, 0]])
    found = errors(run, "--labels", file)
    gain = found["clusters"][0]["gains"]["balanced_accuracy"]
    assert gain["value"] is None and "only one of the two classes" in gain["note"]
    assert "only one of the two classes" in succeed("errors", run, "--labels", file).out


def test_failures_are_no_disagreements_and_are_counted(home: Path) -> None:
    truth, verdicts = binary([[5, 2], [0, 5]])
    run = scored(home, {**verdicts, "s0": None})
    found = errors(run, "--labels", truth_labels(home, truth), "--split", "all")
    assert found["criteria"]["quality"]["failed"] == 1 and len(found["units"]) == 2
    assert any("without a verdict: 1" in warning for warning in found["warnings"])


def test_weighted_labels_weigh_in_the_gain(home: Path) -> None:
    truth, verdicts = binary([[6, 4], [0, 10]])
    rows = [{"id": id, "response": "x", **EDITABLE} for id in truth]
    run = scored(home, verdicts, rows=rows)
    heavy = [
        {"id": id, "rater": "ann", "value": value, "weight": 3 if verdicts[id] != value else 1}
        for id, value in truth.items()
    ]
    found = errors(run, "--labels", labels(home, heavy))
    assert found["directions"][0]["gains"]["balanced_accuracy"]["value"] == pytest.approx(12 / 18 / 2)
    assert found["criteria"]["quality"]["now"]["balanced_accuracy"]["value"] == pytest.approx((6 / 18 + 1) / 2)


REASONS = {
    "quote": "The comment quotes words which the excerpt does not contain, a fabricated quotation number {i}",
    "dates": "Calendar days were confused with business days when the deadline was computed, case {i}",
}


def reasoned(home: Path, errors_each: int = 12) -> tuple[Path, Path, dict[str, str]]:
    """Two kinds of false passes whose reasons speak of different things, among right verdicts."""
    rng = random.Random(3)
    kind, truth, replies, rows = {}, {}, [], []
    for i in range(6 * errors_each):
        id = f"s{i:03}"
        kind[id] = ("quote", "dates")[i % 2] if i < 2 * errors_each else "fine"
        text = REASONS.get(kind[id], "The advice is clear and rests on the clause, example {i}").format(i=i)
        text += " " + " ".join(rng.choices(["contract", "party", "notice", "section", "term", "client"], k=4))
        level = "pass" if i < 4 * errors_each else "fail"
        truth[id] = "fail" if kind[id] != "fine" or level == "fail" else "pass"
        replies.append({"id": id, "text": json.dumps({"quality": {"reason": text, "level": level}})})
        rows.append(
            {
                "id": id,
                "response": f"response {i}",
                "cluster": f"c{i}",
                "area": "law" if kind[id] == "dates" else f"x{i % 4}",
                **EDITABLE,
            }
        )
    run = scored(home, {}, rows=rows, replies=replies)
    return run, truth_labels(home, truth), kind


def test_errors_with_the_same_reason_are_one_cluster_and_its_words_name_it(home: Path) -> None:
    run, file, kind = reasoned(home)
    clusters = errors(run, "--labels", file)["clusters"]
    assert len(clusters) == 2 and all(one["by"] == "reasons" for one in clusters)
    for one in clusters:
        assert len({kind[sample] for sample, _ in one["units"]}) == 1
    words = {kind[one["units"][0][0]]: one["terms"] for one in clusters}
    assert set(words["quote"]) & {"quotes", "excerpt", "fabricated", "quotation"}
    assert set(words["dates"]) & {"calendar", "days", "business", "confused"}
    assert "contract" not in [*words["quote"], *words["dates"]]


def test_a_slice_in_which_an_error_is_more_frequent_is_found(home: Path) -> None:
    run, file, kind = reasoned(home)
    found = errors(run, "--labels", file, "--by", "area")
    (direction,) = found["directions"]
    higher = [rate for rate in direction["slices"] if rate["higher"]]
    assert [(rate["field"], rate["value"]) for rate in higher] == [("area", "law")]
    assert (
        higher[0]["inside"]["value"] == 1
        and higher[0]["p_holm"] < 0.05
        and higher[0]["p"]["method"] == "Fisher exact p"
    )
    assert higher[0]["p_holm"] == pytest.approx(higher[0]["p"]["value"] * len(direction["slices"]))
    named = [one for one in found["clusters"] if one["slices"]]
    assert [kind[one["units"][0][0]] for one in named] == ["dates"]
    assert named[0]["slices"] == [{"field": "area", "value": "law", "units": 12}]
    assert "area law" in succeed("errors", run, "--labels", file, "--by", "area").out


def test_without_any_text_there_is_one_cluster_a_direction(home: Path) -> None:
    truth, verdicts = binary([[2, 20], [3, 5]])
    run = scored(home, verdicts, rows=[{"id": id, "response": "", **EDITABLE} for id in truth])
    found = errors(run, "--labels", truth_labels(home, truth))
    assert [(one["by"], one["terms"], len(one["units"])) for one in found["clusters"]] == [("", [], 20), ("", [], 3)]
    assert "no text to compare" in succeed("errors", run, "--labels", home / "labels.jsonl").out


def test_the_same_seed_gives_the_same_bytes(home: Path) -> None:
    run, file, _ = reasoned(home)
    twice = [rftj("errors", run, "--labels", file, "--by", "area", "--seed", 4, "--json").out for _ in range(2)]
    assert twice[0] == twice[1] and json.loads(twice[0])["seed"] == 4


def test_the_dev_split_is_looked_at_by_default_and_the_test_split_never(home: Path) -> None:
    truth, verdicts = binary([[10, 10], [0, 20]])
    split = {id: ("dev", "test", "train", "anchor")[i % 4] for i, id in enumerate(truth)}
    rows = [{"id": id, "response": "x", "split": split[id]} for id in truth]
    run, file = scored(home, verdicts, rows=rows), truth_labels(home, truth)
    found = errors(run, "--labels", file)
    assert found["split"] == "dev" and {split[unit["sample"]] for unit in found["units"]} == {"dev"}
    whole = errors(run, "--labels", file, "--split", "all")
    assert len(whole["units"]) == 10 and any("20 of these samples" in warning for warning in whole["warnings"])
    assert errors(run, "--labels", file, "--split", "train")["split"] == "train"
    for name in ("test", "anchor"):
        problem = refused("errors", run, "--labels", file, "--split", name)
        assert problem["found"] == repr(name) and "trained on them" in problem["message"]
    assert "did you mean `train`" in refused("errors", run, "--labels", file, "--split", "tarin")["message"]


def test_without_labels_on_dev_all_are_looked_at(home: Path) -> None:
    truth, verdicts = binary([[3, 3], [0, 3]])
    run = scored(home, verdicts, rows=[{"id": id, "response": "x", "split": "test"} for id in truth])
    file = truth_labels(home, truth)
    found = errors(run, "--labels", file)
    assert found["split"] == "all" and any("9 of these samples" in warning for warning in found["warnings"])
    assert "train" in refused("errors", run, "--labels", file, "--split", "train")["message"]


def test_the_python_value_has_what_a_refinement_needs(home: Path) -> None:
    run, file, kind = reasoned(home)
    report = errors_of(open_run(str(run)), Question(labels=str(file), by=("area",)))
    first = report.clusters[0]
    assert first.criterion == "quality" and first.direction == "fail -> pass" and first.terms
    assert len({kind[sample] for sample, _ in first.units}) == 1
    assert first.gain == first.gains["balanced_accuracy"] and first.gain.value == pytest.approx(12 / 48 / 2)
    assert report.of_sort("not repeated") == report.units


def test_more_than_a_thousand_disagreements_are_not_compared_each_with_each(home: Path) -> None:
    rng = random.Random(1)
    vocabulary = [f"word{i}" for i in range(3000)]
    rows, texts = [], []
    for i in range(1700):
        theme = rng.randrange(3)
        reason = " ".join([f"theme{theme}x{rng.randrange(9)}" for _ in range(6)] + rng.choices(vocabulary, k=25))
        texts.append({"id": f"s{i}", "text": json.dumps({"quality": {"reason": reason, "level": "pass"}})})
        rows.append({"id": f"s{i}", "response": "x", "cluster": f"c{i}", **EDITABLE})
    run = scored(home, {}, rows=rows, replies=texts)
    file = write_rows(
        home / "labels.jsonl", [{"id": f"s{i}", "value": "fail" if i < 1500 else "pass"} for i in range(1700)]
    )
    report = errors_of(open_run(str(run)), Question(labels=str(file)))
    assert len(report.units) == 1500 and len(report.clusters) == 3
    assert any("each with each" in warning for warning in report.warnings)
