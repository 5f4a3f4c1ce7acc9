"""The first screen of `calibrate`: what stands next to each other is measured on the same units with the same metric."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
from reporting import calibrated, labels, rftj, scored, succeed, truth_labels

from rftj_cli.measure.trust import of_criterion
from rftj_cli.measure.values import Criterion
from rftj_cli.stats.estimate import Estimate

WORDS = ("fail", "pass")


def raters_and_judge(home: Path, names: tuple[str, ...], n: int = 400, wrong: float = 0.15) -> tuple[Path, Path]:
    """Raters and a judge who are wrong independently and equally often."""
    rng = random.Random(5)

    def flip(truth: bool) -> str:
        return WORDS[truth if rng.random() > wrong else 1 - truth]

    rows, verdicts = [], {}
    for i in range(n):
        truth = rng.random() < 0.5
        rows += [{"id": f"s{i}", "rater": name, "value": flip(truth)} for name in names]
        verdicts[f"s{i}"] = flip(truth)
    return scored(home, verdicts), labels(home, rows)


def screen(*arguments: object) -> str:
    """The first screen, every run of blanks as one."""
    return " ".join(succeed("calibrate", *arguments, "--quiet").out.split())


def row(said: str, name: str) -> tuple[float, float, float]:
    """A row of a table of one criterion: the value and its interval."""
    found = re.search(re.escape(name) + r" (-?\.?[\d.]+) \[(-?[\d.]+), (-?[\d.]+)\]", said)
    assert found, (name, said)
    value, low, high = map(float, found.groups())
    return value, low, high


def test_two_raters_and_a_judge_who_are_equally_good_look_so(home: Path) -> None:
    """The units on which the raters differ count for all three: the judge is no better than they are."""
    run, file = raters_and_judge(home, ("r1", "r2"))
    said = screen(run, "--labels", file)
    assert "Judge and raters, compared on the same samples" in said
    values = [row(said, name)[0] for name in ("judge and r1", "judge and r2", "r1 and r2")]
    assert max(values) - min(values) < 0.1
    value, low, high = row(said, "judge minus raters")
    assert low < 0 < high and abs(value) < 0.05
    assert re.search(r"judge minus raters .{5,30} n 400 ", said)
    report = calibrated(run, "--labels", file)
    by_rater = report["criteria"]["quality"]["raters"]["ceiling"]["by_rater"]
    assert set(by_rater) == {"r1", "r2"} and all(one["items"] == 400 for one in by_rater.values())
    undecided = report["criteria"]["quality"]["undecided"]
    assert (
        f"{undecided} samples whose raters differ have no truth and are left out of the table above; here they count"
        in said
    )
    assert f"n {400 - undecided} Judge and raters" in said


def test_a_verdict_and_a_label_counts_samples_with_both(home: Path) -> None:
    run, file = raters_and_judge(home, ("r1", "r2"))
    counts = calibrated(run, "--labels", file)["counts"]
    assert counts["used"] + counts["undecided"] == 400
    words = f"400 of 400 have a verdict and a label; the raters of {counts['undecided']} differ, {counts['used']} have a truth"
    assert words in screen(run, "--labels", file)


def test_three_raters_are_each_compared_with_the_majority_of_the_others(home: Path) -> None:
    run, file = raters_and_judge(home, ("r1", "r2", "r3"))
    said = screen(run, "--labels", file)
    judge, rater = (
        row(said, "judge and majority of the other raters")[0],
        row(said, "rater and majority of the other raters")[0],
    )
    assert abs(judge - rater) < 0.06 and row(said, "judge minus raters")[1] < 0
    assert "alternative annotator test passed: the judge can replace 3 of 3 raters (exact match, epsilon 0.2)" in said


def test_a_rater_of_disputed_samples_only_is_named_and_not_averaged_in(home: Path) -> None:
    """A third rater who breaks ties: with their labels every rater would seem to differ from the others."""
    run, file = raters_and_judge(home, ("r1", "r2"))
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    given: dict[str, set[str]] = {}
    for one in rows:
        given.setdefault(one["id"], set()).add(one["value"])
    disputed = [id for id, values in given.items() if len(values) > 1]
    rng = random.Random(1)
    settled = labels(
        home, rows + [{"id": id, "rater": "third", "value": rng.choice(WORDS)} for id in disputed], "b.jsonl"
    )
    plain, found = (calibrated(run, "--labels", one)["criteria"]["quality"]["raters"] for one in (file, settled))
    n = len(disputed)
    assert found["tie_break"] == {"third": {"items": n, "disputed": n, "others": 400, "others_disputed": n}}
    for part in ("ceiling", "mean_pairwise_kappa", "krippendorff_alpha", "alt_test"):
        assert found[part] == plain[part]
    said = screen(run, "--labels", settled)
    assert "judge and r1" in said and "the other raters differ (" in said and "a tie-break, left out" in said


def test_raters_of_a_random_part_are_no_tie_breakers(home: Path) -> None:
    run, file = raters_and_judge(home, ("r1", "r2", "r3"))
    rng = random.Random(2)
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    part = [one for one in rows if one["rater"] != "r3" or rng.random() < 0.1]
    found = calibrated(run, "--labels", labels(home, part, "part.jsonl"))["criteria"]["quality"]["raters"]
    assert found["tie_break"] == {} and set(found["ceiling"]["by_rater"]) == {"r1", "r2", "r3"}


def comparisons(home: Path, names: tuple[str, ...] = ("r1", "r2"), first: float = 0.2) -> tuple[Path, Path]:
    """Pairs in both orders, a judge that says the first place in some replies, and raters who say tie now and then."""
    rng, rows, replies, said = random.Random(7), [], [], []
    for i in range(200):
        better = rng.choice("AB")
        rows.append({"id": f"p{i}", "prompt": f"t{i}", "response_a": f"a {i}", "response_b": f"b {i}"})
        for name in names:
            u = rng.random()
            value = "tie" if u < 0.1 else better if u < 0.85 else "BA"["AB".index(better)]
            said.append({"id": f"p{i}", "rater": name, "value": value})
        for order in ("given", "swapped"):
            shown = better if order == "given" else "BA"["AB".index(better)]
            replies.append(
                {
                    "id": f"p{i}",
                    "order": order,
                    "text": json.dumps({"preference": "A" if rng.random() < first else shown}),
                }
            )
    prompt = {"user": "{{ response_a }} {{ response_b }}"}
    run = scored(home, {}, rows=rows, replies=replies, kind="preference", criteria=None, prompt=prompt)
    return run, labels(home, said)


def test_raters_of_comparisons_have_the_judges_metric(home: Path) -> None:
    """Pair accuracy for both: decided by the other rater, a tie half right, by hand."""
    run, file = comparisons(home)
    said = screen(run, "--labels", file)
    found = calibrated(run, "--labels", file)["criteria"]["preference"]["raters"]["ceiling"]
    given: dict[str, dict[str, str]] = {}
    for line in file.read_text().splitlines():
        one = json.loads(line)
        given.setdefault(one["id"], {})[one["rater"]] = one["value"]
    shares = []
    for own, other in (("r1", "r2"), ("r2", "r1")):
        decided = [one for one in given.values() if one[other] != "tie"]
        shares.append(sum(0.5 if one[own] == "tie" else one[own] == one[other] for one in decided) / len(decided))
        assert found["by_rater"][own]["human_pair_accuracy"]["value"] == pytest.approx(shares[-1])
        assert found["by_rater"][own]["human_pair_accuracy"]["n"] == len(decided)
    assert found["human_pair_accuracy"]["value"] == pytest.approx(sum(shares) / 2)
    assert row(said, "one rater and the other")[0] == pytest.approx(sum(shares) / 2, abs=0.006)
    gap = found["judge_pair_accuracy"]["value"] - found["human_pair_accuracy"]["value"]
    assert found["pair_accuracy_gap"]["value"] == pytest.approx(gap)


def test_the_effect_of_the_order_is_on_the_first_screen(home: Path) -> None:
    run, file = comparisons(home)
    said = screen(run, "--labels", file)
    found = calibrated(run, "--labels", file)["criteria"]["preference"]["estimates"]
    assert "preference: does it matter which response is shown first?" in said
    assert row(said, "same winner in both orders")[0] == pytest.approx(found["order_agreement"]["value"], abs=0.006)
    assert row(said, "first response wins")[1] > 0.5
    assert "where the winner changes the first response wins 1.00" in said


def test_a_win_and_a_tie_are_a_win_that_the_other_order_does_not_repeat(home: Path) -> None:
    """As docs/rubric.md has it: the verdict is the winner, and the orders do not agree."""
    rows = [{"id": f"p{i}", "prompt": f"t{i}", "response_a": "a", "response_b": "b"} for i in range(2)]
    cast = {"p0": ("A", "tie"), "p1": ("tie", "A")}  # the second is B, once the order is undone
    replies = [
        {"id": id, "order": order, "text": json.dumps({"preference": level})}
        for id, both in cast.items()
        for order, level in zip(("given", "swapped"), both, strict=True)
    ]
    prompt = {"user": "{{ response_a }} {{ response_b }}"}
    run = scored(home, {}, rows=rows, replies=replies, kind="preference", criteria=None, prompt=prompt)
    report = calibrated(run, "--labels", truth_labels(home, {"p0": "A", "p1": "B"}))["criteria"]["preference"]
    assert report["table"] == [[1, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert report["estimates"]["order_agreement"]["value"] == 0
    assert report["estimates"]["primacy"]["value"] == 1 and "first_place_wins" not in report["estimates"]


def ordinal(home: Path) -> tuple[Path, Path]:
    """Two raters and a judge of a scale from 1 to 5, each mostly within one step of the other."""
    rng = random.Random(3)
    rows, verdicts = [], {}
    for i in range(120):
        level = rng.randint(1, 5)
        near = [str(min(5, max(1, level + rng.choice((-1, 0, 0, 1))))) for _ in range(3)]
        rows += [
            {"id": f"s{i}", "rater": name, "value": value} for name, value in zip(("r1", "r2"), near, strict=False)
        ]
        verdicts[f"s{i}"] = near[2]
    scale = [{"id": "quality", "question": "?", "scale": {"min": 1, "max": 5}}]
    return scored(home, verdicts, criteria=scale), labels(home, rows)


def test_the_alternative_annotator_test_measures_distance_on_ordered_scales(home: Path) -> None:
    run, file = ordinal(home)
    found = calibrated(run, "--labels", file)["criteria"]["quality"]["raters"]["alt_test"]
    assert (found["scoring"], found["epsilon"]) == ("distance", 0.2)
    assert "negative RMSE, epsilon 0.2" in found["omega"]["method"]
    strict = calibrated(run, "--labels", file, "--epsilon", "0.05")["criteria"]["quality"]["raters"]["alt_test"]
    assert strict["epsilon"] == 0.05 and strict["rho"]["value"] == found["rho"]["value"]
    assert "negative RMSE, epsilon 0.05)" in screen(run, "--labels", file, "--epsilon", "0.05")


def test_epsilon_decides(home: Path) -> None:
    """A judge that is a little worse than the raters passes at .2 and not at .05."""
    rng = random.Random(5)
    rows, verdicts = [], {}
    for i in range(300):
        truth = rng.random() < 0.5
        rows += [{"id": f"s{i}", "rater": r, "value": WORDS[truth ^ (rng.random() < 0.05)]} for r in ("a", "b", "c")]
        verdicts[f"s{i}"] = WORDS[truth ^ (rng.random() < 0.15)]
    run, file = scored(home, verdicts), labels(home, rows)
    passed = [
        calibrated(run, "--labels", file, *given)["criteria"]["quality"]["raters"]["alt_test"]["passed"]
        for given in ((), ("--epsilon", "0.05"))
    ]
    assert passed == [True, False]


def test_an_epsilon_without_a_test_is_said_to_have_no_effect(home: Path) -> None:
    run = scored(home, {f"s{i}": "pass" for i in range(4)})
    file = truth_labels(home, {f"s{i}": WORDS[i % 2] for i in range(4)})
    assert "--epsilon has no effect, there is no alt-test: it takes two raters or more" in screen(
        run, "--labels", file, "--epsilon", "0.1"
    )


def pitfall(home: Path, miss: float, alarm: float) -> tuple[Path, Path]:
    """Half of the answers over-promise: `pass` says that they do. The judge misses some, or accuses others."""
    rng = random.Random(3)
    bad = {f"s{i}": rng.random() < 0.5 for i in range(400)}
    seen = {id: (rng.random() >= miss) if is_bad else (rng.random() < alarm) for id, is_bad in bad.items()}
    criteria = [{"id": "overpromise", "question": "Does it promise what nobody can keep?", "weight": -1}]
    verdicts = {id: {"overpromise": WORDS[one]} for id, one in seen.items()}
    rows = [{"id": id, "criterion": "overpromise", "value": WORDS[one]} for id, one in bad.items()]
    return scored(home, verdicts, criteria=criteria), labels(home, rows)


def test_a_judge_that_misses_a_pitfall_is_the_dangerous_one(home: Path) -> None:
    run, file = pitfall(home, miss=0.2, alarm=0)
    report = calibrated(run, "--labels", file)
    assert report["trust"]["overpromise"]["answer"] != "yes"
    assert re.match(
        r"misses it in \d+ of \d+ samples where the labels find it \(\d+%, at most \d+%\); "
        r"false alarm in 0 of \d+ samples where the labels do not \(0%, at most \d+%\)",
        report["criteria"]["overpromise"]["sentence"],
    )
    said = screen(run, "--labels", file)
    assert "share found where present (TPR)" in said and "pass -> fail (missed)" in said
    assert "passes" not in said and "fails" not in said
    audit = " ".join(rftj("reward", "audit", run, "--labels", file).out.split())
    assert "overpromise: finds what is bad (tpr)" in audit and "fails what is bad" not in audit


def test_false_alarms_on_a_pitfall_are_the_lesser_fault(home: Path) -> None:
    run, file = pitfall(home, miss=0, alarm=0.2)
    report = calibrated(run, "--labels", file)
    assert report["trust"]["overpromise"]["answer"] == "yes"
    assert "fail -> pass (false alarm)" in screen(run, "--labels", file)


def test_misses_come_before_false_alarms_among_the_worst_disagreements(home: Path) -> None:
    run, file = pitfall(home, miss=0.05, alarm=0.2)
    worst = [one["truth"] for one in calibrated(run, "--labels", file)["disagreements"]]
    assert worst == sorted(worst, reverse=True) and worst[0] == "pass" and worst[-1] == "fail"


def test_a_judge_that_accuses_longer_answers_of_a_pitfall_is_stricter_with_them(home: Path) -> None:
    rng = random.Random(6)
    rows, truth, verdicts = [], {}, {}
    for i in range(200):
        words = int(2 ** rng.uniform(2, 9))
        truth[f"s{i}"] = rng.choice(WORDS)
        verdicts[f"s{i}"] = {"overpromise": WORDS[words > 40]}
        rows.append({"id": f"s{i}", "response": "word " * words, "group": f"g{i // 4}"})
    criteria = [{"id": "overpromise", "question": "?", "weight": -1}]
    run = scored(home, verdicts, rows=rows, criteria=criteria)
    file = labels(home, [{"id": id, "criterion": "overpromise", "value": value} for id, value in truth.items()])
    assert "overpromise: stricter than the labels with longer answers" in screen(run, "--labels", file)


def test_a_weighted_share_next_to_counts_says_so(home: Path) -> None:
    """One of 14 labelled fails is passed, and it stands for few: 7% of the labels, 1% of what they stand for."""
    truth = {f"s{i}": "fail" if i < 14 else "pass" for i in range(40)}
    rows = [{"id": id, "value": value, "weight": 1 if id == "s0" else 8} for id, value in truth.items()]
    run, file = scored(home, truth | {"s0": "pass"}), labels(home, rows)
    one = calibrated(run, "--labels", file)["criteria"]["quality"]
    assert one["weighted"] is True
    assert "passes 1 of 14 samples that the labels fail (weighted 1.0%, at most " in one["sentence"]
    assert "agreement with the labels, weighted, with 95% intervals" in screen(run, "--labels", file)


def table(home: Path, rows: list[tuple[str, str]]) -> tuple[Path, str, str, str, str]:
    path = home / "table.csv"
    path.write_text("judge,human\n" + "".join(f"{judge},{human}\n" for judge, human in rows))
    return path, "--judge", "judge", "--human", "human"


def test_labels_and_verdicts_of_one_number_name_no_other(home: Path) -> None:
    said = screen("--table", *table(home, [("3", "3")] * 30))
    assert "gives 30 of 30 rows the level of the labels" in said
    assert "every label is 3" in said and not re.search(r"\b4\b", said)


def test_labels_that_are_all_one_level_leave_kappa_open(home: Path) -> None:
    report = calibrated("--table", *table(home, [("x", "y"), ("y", "y"), ("z", "y")] * 10), "--levels", "x,y,z")
    assert report["trust"]["human"] == {
        "answer": "not shown", "reasons": ["kappa quadratic cannot be computed: every label is y"],
    }  # fmt: skip
    ties = calibrated("--table", *table(home, [("A", "tie"), ("B", "tie")] * 20), "--levels", "A,tie,B")
    assert ties["trust"]["human"]["answer"] == "not shown"


def test_fewer_than_five_labels_decide_nothing(home: Path) -> None:
    """One wrong verdict on one label has an upper bound of .79: an interval of one label is no ground for "no"."""
    truth = {f"s{i}": "fail" if i < 1 else "pass" for i in range(40)}
    run, file = scored(home, truth | {"s0": "pass"}), truth_labels(home, truth)
    found = calibrated(run, "--labels", file)["trust"]["quality"]
    assert found["answer"] == "not shown"
    assert "fail recall (TNR) rests on 1 labels that are fail, required at least 5" in found["reasons"]
    truth = {f"s{i}": "fail" if i < 5 else "pass" for i in range(40)}
    wrong = {f"s{i}": "pass" for i in range(40)}
    found = calibrated(scored(home, wrong, name="b"), "--labels", truth_labels(home, truth, "labels-b.jsonl"))["trust"][
        "quality"
    ]
    assert found["answer"] == "no"


def test_a_length_that_ranks_is_not_said_to_rank_no_better_than_chance(home: Path) -> None:
    rng = random.Random(1)
    rows = [
        {"id": f"s{i}", "prompt": f"t{i}", "response": "w " * (i + 1), "accepted": "yes" if i > 20 else "no"}
        for i in range(40)
    ]
    run = scored(home, {f"s{i}": rng.choice(WORDS) for i in range(40)}, rows=rows)
    said = screen(run, "--metric", "accepted")
    assert (
        "no score of the judge is shown to rank accepted better than chance; the length of the answer is: 1.00" in said
    )


def test_a_bound_just_below_its_limit_is_not_printed_as_the_limit() -> None:
    estimate = Estimate(0.81, 0.7496, 0.86, 173, "test")
    one = Criterion(
        id="p", scale="preference", levels=("A", "tie", "B"), unit="pair", table=[[9, 0, 0], [0, 0, 0], [0, 0, 9]],
        estimates={"pair_accuracy": estimate}, baselines=(), raters=None, sources={}, failed=0, stages={}, undecided=0,
        cannot_tell=0,
    )  # fmt: skip
    assert "lower bound 0.7496, required 0.75" in of_criterion(one).reasons[0]


def test_a_pitfall_that_nobody_falls_into_is_a_guard_and_carries_weight(home: Path) -> None:
    """Rare is what a pitfall should be; and with half of the weight it can fail a judge."""
    criteria = [
        {"id": "quality", "question": "?"},
        {"id": "overpromise", "question": "?", "weight": -1},
    ]
    bad = {f"s{i}": i < 100 and i % 2 == 0 for i in range(400)}
    verdicts = {id: {"quality": WORDS[i % 3 > 0], "overpromise": "fail"} for i, id in enumerate(bad)}
    run = scored(home, verdicts, criteria=criteria)
    file = labels(home, [{"id": id, "criterion": "overpromise", "value": WORDS[one]} for id, one in bad.items()])
    document = rftj("reward", "audit", run, "--labels", file, "--json").document
    states = {one["id"]: one["state"] for one in document["signal"]["parts"]}
    assert states == {"quality": "ok", "overpromise": "guard"}
    assert {one["id"]: one["decision"] for one in document["findings"]}["overpromise.tpr"] == "FAIL"
    assert "nearly never present: a guard" in " ".join(rftj("reward", "audit", run, "--labels", file).out.split())
