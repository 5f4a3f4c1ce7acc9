"""What `rftj reward audit` decides of judges whose worth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from auditing import audit, audited, decisions, finding, noisy, prompt_knowing, simulated
from making import write_rubric
from reporting import calibrated, labels, refused, rftj, scored, truth_labels


def test_a_good_judge_passes(tmp_path: Path) -> None:
    """Right on 95 of 100, three votes that agree, groups of the planned size: PASS, exit 0, no bar missed."""
    made = simulated(tmp_path, noisy(0.96, 0.96), agree=0.99)
    found = audited(made)
    assert found["verdict"] == "PASS" and found["exit_code"] == 0, decisions(found)
    assert set(decisions(found).values()) <= {"PASS", "NOT SHOWN"}
    assert finding(found, "pair_accuracy")["estimate"]["value"] > 0.9
    assert found["schema"] == "rftj.audit/1"


def test_one_vote_a_sample_is_a_reservation(tmp_path: Path) -> None:
    """The same judge with one vote is WEAK: its noise was not measured; with --strict that is exit 1."""
    made = simulated(tmp_path, noisy(0.96, 0.96), votes=1)
    found = audited(made)
    assert found["verdict"] == "WEAK" and found["exit_code"] == 0
    assert decisions(found)["flips"] == "NOT MEASURED"
    assert "judge.votes=3" in finding(found, "flips")["do"] and "--fresh" in finding(found, "flips")["do"]
    assert audit(made.run, "--labels", made.labels, "--strict").code == 1


def test_a_judge_between_bound_and_value_is_weak(tmp_path: Path) -> None:
    """Pair accuracy shown above .75 with a value below .80 is WEAK."""
    made = simulated(tmp_path, noisy(0.8, 0.78), prompts=450, size=8, agree=1.0, votes=2, seed=3)
    found = audited(made)
    one = finding(found, "pair_accuracy")
    assert 0.75 <= one["estimate"]["low"] and one["estimate"]["value"] < 0.80
    assert one["decision"] == "WEAK"


def test_a_judge_that_knows_the_prompt_fails(tmp_path: Path) -> None:
    """It agrees over all pairs and is a coin inside prompts: FAIL, and the report says what it knows."""
    made = simulated(tmp_path, prompt_knowing, prompts=120, rates=(0.4, 0.4))
    found = audited(made)
    assert found["verdict"] == "FAIL" and found["exit_code"] == 1
    assert decisions(found)["pair_accuracy"] == "FAIL"
    assert decisions(found)["pooled_pair_accuracy"] == "WEAK" and found["quality"]["knows_the_prompt"]
    assert found["quality"]["estimates"]["pooled_pair_accuracy"]["low"] > 0.7
    assert found["signal"]["estimates"]["between_share"]["low"] > 0.2


def test_a_saturated_reward_fails(tmp_path: Path) -> None:
    """Where nearly every answer has the whole reward, training has nothing to learn from it."""
    made = simulated(tmp_path, lambda rng, good, rate: True, prompts=90)
    found = audited(made)
    assert found["verdict"] == "FAIL"
    said = decisions(found)
    assert said["mean_reward"] == "FAIL" and said["zero_variance"] == "FAIL"
    assert said["dead_parts"] == "WEAK" and "never varies" in finding(found, "dead_parts")["says"]
    assert found["signal"]["levels"] == 1 and found["signal"]["entropy"] == 0


def test_no_positive_reward_asks_for_sft(tmp_path: Path) -> None:
    made = simulated(tmp_path, lambda rng, good, rate: False, prompts=80)
    found = audited(made)
    assert decisions(found)["positive"] == "FAIL"
    assert "SFT" in finding(found, "positive")["do"] and "not one answer" in finding(found, "positive")["says"]


def test_a_falling_best_of_n_fails(tmp_path: Path) -> None:
    """A judge that likes most what people like least, at the top of its scale, is found by best of n."""
    rng = np.random.default_rng(5)
    scale = {"min": 1, "max": 5, "step": 1}
    criteria = [{"id": "quality", "question": "Is it good?", "scale": scale}]
    rows, verdicts, truth = [], {}, {}
    for prompt in range(60):
        for answer, (quality, score) in enumerate(((1, 1), (2, 2), (3, 3), (4, 4), (1, 5), (2, 2), (3, 3), (4, 4))):
            id = f"p{prompt}-{answer}"
            rows.append({"id": id, "group": f"p{prompt}", "prompt": f"task {prompt}", "response": f"answer {id}"})
            verdicts[id] = str(score)
            truth[id] = int(np.clip(quality + rng.integers(0, 2), 1, 5))
    run = scored(tmp_path, verdicts, rows=rows, criteria=criteria)
    found = audit(run, "--labels", truth_labels(tmp_path, truth)).document
    one = finding(found, "best_of_n")
    assert one["decision"] == "FAIL" and found["quality"]["falling"]
    assert found["quality"]["curve"]["peak"] < 8 and found["verdict"] == "FAIL"


def test_few_labels_are_too_few_and_it_says_how_many_more(tmp_path: Path) -> None:
    """Six prompts of a fair judge decide nothing: exit 3, with the number of prompts that would."""
    made = simulated(tmp_path, noisy(0.9, 0.9), prompts=6, size=4)
    said = audit(made.run, "--labels", made.labels)
    found = said.document
    assert found["verdict"] == "INSUFFICIENT DATA" and said.code == 3
    one = finding(found, "pair_accuracy")
    assert one["decision"] == "INSUFFICIENT DATA" and (one["needed"] is None or one["needed"] > one["estimate"]["n"])
    assert one["do"]


def test_a_run_without_labels_measures_what_needs_none(tmp_path: Path) -> None:
    """Signal, failures and noise are reported; without labels the verdict is open, and how many to label is said."""
    made = simulated(tmp_path, noisy(0.9, 0.9))
    found = audit(made.run).document
    assert found["verdict"] == "INSUFFICIENT DATA" and found["quality"] is None
    one = finding(found, "pair_accuracy")
    assert one["needed"] > 50 and "label" in one["do"]
    assert found["signal"]["estimates"]["expected_zero_variance"]["value"] is not None
    assert decisions(found)["flips"] == "PASS"


def test_a_run_without_groups_of_two_is_too_little(tmp_path: Path) -> None:
    """One answer a prompt has no inside: INSUFFICIENT DATA with what to do, no crash."""
    verdicts = {f"s{i}": ("pass", "fail")[i % 2] for i in range(30)}
    run = scored(tmp_path, verdicts)
    given = truth_labels(tmp_path, verdicts)
    found = audit(run, "--labels", given).document
    assert found["verdict"] == "INSUFFICIENT DATA"
    assert finding(found, "zero_variance")["estimate"]["value"] is None
    assert "--rollouts" in finding(found, "zero_variance")["do"]
    assert rftj("reward", "audit", run, "--labels", given).code == 3  # and as text


def test_failures_are_counted_and_their_constants_told(tmp_path: Path) -> None:
    """A judge that cannot be read in a third of the cases fails, by stage, with the false advantage that it makes."""
    ids = [f"p{i // 4}-{i % 4}" for i in range(160)]
    rows = [{"id": id, "group": id.split("-")[0], "prompt": "p", "response": f"answer {id}"} for id in ids]
    verdicts = {id: (None if i % 3 == 0 else ("pass", "fail")[i % 2]) for i, id in enumerate(ids)}
    run = scored(tmp_path, verdicts, rows=rows, reward={"on_failure": {"service": "error", "content": 0}})
    found = audit(run).document
    assert decisions(found)["failure_rate"] == "FAIL"
    assert finding(found, "failure_rate")["says"] == "unparsed 54"
    signal = found["signal"]
    assert signal["constants"] == 54 and signal["mixed"] == 40
    assert "Clopper-Pearson" in signal["estimates"]["failure_rate"]["method"]


def test_failures_without_a_reward_are_left_out(tmp_path: Path) -> None:
    """`on_failure: error` gives no reward: such answers count as failures and stand in no group."""
    ids = [f"p{i // 4}-{i % 4}" for i in range(40)]
    rows = [{"id": id, "group": id.split("-")[0], "prompt": "p", "response": f"answer {id}"} for id in ids]
    verdicts = {id: (None if i % 4 == 0 else "pass") for i, id in enumerate(ids)}
    run = scored(tmp_path, verdicts, rows=rows, reward={"on_failure": {"service": "error", "content": "error"}})
    signal = audit(run).document["signal"]
    assert signal["without"] == 10 and signal["constants"] == 0 and signal["levels"] == 1


def test_samples_chosen_by_outcome_are_refused(tmp_path: Path) -> None:
    """A run of `--only failing` says nothing of other samples."""
    made = simulated(tmp_path, noisy(0.8, 0.8), votes=1)
    again = tmp_path / "again"
    done = rftj(
        "score", tmp_path / "run.yaml", tmp_path / "run.jsonl", "--only", "failing", "--from", made.run,
        "--labels", made.labels, "--import-replies", tmp_path / "run-replies.jsonl", "--run", again, "--quiet",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert refused("reward", "audit", again, "--labels", made.labels, "--ignore-unknown")["key"] == "--only"


def test_criteria_that_say_the_same_are_named(tmp_path: Path) -> None:
    """Two criteria with phi of 1 count twice; one that never varies adds a constant."""
    criteria = [{"id": id, "question": "?"} for id in ("first", "second", "third")]
    ids = [f"p{i // 4}-{i % 4}" for i in range(80)]
    rows = [{"id": id, "group": id.split("-")[0], "prompt": "p", "response": f"answer {id}"} for id in ids]
    rng = np.random.default_rng(2)
    verdicts = {}
    for id in ids:
        level = ("pass", "fail")[int(rng.integers(2))]
        verdicts[id] = {"first": level, "second": level, "third": "pass"}
    run = scored(tmp_path, verdicts, rows=rows, criteria=criteria)
    found = audit(run).document
    assert "first and second" in finding(found, "redundant_parts")["says"]
    assert {one["id"]: one["state"] for one in found["signal"]["parts"]} == {
        "first": "ok",
        "second": "ok",
        "third": "dead",
    }


def test_a_criterion_with_a_quarter_of_the_weight_can_fail_the_judge(tmp_path: Path) -> None:
    """One that passes most of what is bad is a FAIL by its tnr; with less weight it is a reservation."""
    heavy = [{"id": "quality", "question": "?"}]
    light = [{**heavy[0], "weight": 0.2}, {"id": "style", "question": "?"}]
    made = simulated(tmp_path, noisy(0.98, 0.4), prompts=80, criteria=heavy)
    assert decisions(audited(made))["quality.tnr"] == "FAIL"
    ids, given = list(made.truth), []
    verdicts = {id: {"quality": "pass", "style": made.truth[id]} for id in ids}
    for id in ids:
        given += [{"id": id, "criterion": name, "value": made.truth[id]} for name in ("quality", "style")]
    rows = [{"id": id, "group": id.split("-")[0], "prompt": "p", "response": f"answer {id}"} for id in ids]
    run = scored(tmp_path, verdicts, rows=rows, name="light", criteria=light)
    said = decisions(audit(run, "--labels", labels(tmp_path, given, "both.jsonl")).document)
    assert said["quality.tnr"] == "WEAK" and said["style.tnr"] == "PASS"


def test_labels_of_one_class_only_are_no_crash(tmp_path: Path) -> None:
    made = simulated(tmp_path, noisy(0.9, 0.9), prompts=10)
    same = labels(tmp_path, [{"id": id, "value": "pass"} for id in made.truth], "same.jsonl")
    found = audit(made.run, "--labels", same).document
    assert decisions(found)["pair_accuracy"] == "INSUFFICIENT DATA"
    assert "tell apart" in finding(found, "pair_accuracy")["says"]


def test_a_learned_map_moves_the_ends(tmp_path: Path) -> None:
    """The lowest and the best reward are those that the map can give, not the ends of the range."""
    ids = [f"p{i // 4}-{i % 4}" for i in range(40)]
    rows = [{"id": id, "group": id.split("-")[0], "prompt": "p", "response": f"answer {id}"} for id in ids]
    verdicts = {id: ("fail", "pass")[i % 2] for i, id in enumerate(ids)}
    run = scored(tmp_path, verdicts, rows=rows, reward={"map": [[0, 0.2], [1, 0.9]]})
    of = audit(run).document["signal"]["estimates"]
    assert {name: of[name]["value"] for name in ("mean_reward", "positive", "at_min", "at_max")} == {
        "mean_reward": 0.5, "positive": 0.5, "at_min": 0.5, "at_max": 0.5,
    }  # fmt: skip


def test_labels_of_another_range_are_put_on_one_scale(tmp_path: Path) -> None:
    """With --truth-rubric the labels' reward is in that rubric's range; gains are shares of it."""
    ids = [f"p{i // 4}-{i % 4}" for i in range(80)]
    rows = [{"id": id, "group": id.split("-")[0], "prompt": "p", "response": f"answer {id}"} for id in ids]
    verdicts = {id: ("fail", "pass")[i % 2] for i, id in enumerate(ids)}
    run = scored(tmp_path, verdicts, rows=rows)
    other = write_rubric(tmp_path, "other.yaml", criteria=[{"id": "human", "question": "?"}], reward={"range": [0, 10]})
    given = labels(tmp_path, [{"id": id, "criterion": "human", "value": level} for id, level in verdicts.items()])
    found = audit(run, "--labels", given, "--truth-rubric", other).document
    assert found["quality"]["curve"]["steps"][-1]["truth"]["value"] == pytest.approx(1.0)
    assert decisions(found)["pair_accuracy"] == "PASS" and "quality.tnr" not in decisions(found)
    reward = calibrated(run, "--labels", given, "--truth-rubric", other)["reward"]
    assert (reward["estimates"]["bias"]["value"], reward["estimates"]["mae"]["value"]) == (
        0,
        0,
    )  # not -4.5, of other units
    assert "in [0, 10]" in reward["formula"] and "moved into the judge's range [0, 1]" in reward["formula"]


@pytest.mark.parametrize("count, decision", [(1, "INSUFFICIENT DATA"), (3, "INSUFFICIENT DATA"), (6, "FAIL")])
def test_a_handful_fails_no_judge(tmp_path: Path, count: int, decision: str) -> None:
    """One bad answer that the judge passes has Wilson's upper end .79 under the bar of .80: chance in one case of five."""
    ids = [f"p{i // 2}-{i % 2}" for i in range(60)]
    rows = [{"id": id, "group": id.split("-")[0], "prompt": "p", "response": f"answer {id}"} for id in ids]
    run = scored(tmp_path, dict.fromkeys(ids, "pass"), rows=rows)
    truth = {id: ("fail" if i < 2 * count and i % 2 else "pass") for i, id in enumerate(ids)}
    found = audit(run, "--labels", truth_labels(tmp_path, truth)).document
    one = finding(found, "quality.tnr")
    assert one["estimate"]["n"] == count and one["decision"] == decision
    if decision != "FAIL":
        assert one["needed"] >= 5 and one["do"].startswith(("about ", "at least "))


def test_failures_on_rollouts_and_on_samples_are_told_apart(tmp_path: Path) -> None:
    """The headline names each reason once."""
    ids = [f"p{i // 4}-{i % 4}" for i in range(40)]
    rows = [{"id": id, "group": id.split("-")[0], "prompt": "p", "response": f"answer {id}"} for id in ids]
    runs = [
        scored(tmp_path, dict.fromkeys(ids), rows=rows, name=name, reward={"on_failure": {"content": 0}})
        for name in ("run", "other")
    ]
    said = rftj("reward", "audit", runs[0], "--rollouts", runs[1])
    assert "the judge gives no verdict; the judge gives no verdict (samples)" in " ".join(said.out.split())


def test_answers_of_one_cluster_are_not_called_labels(tmp_path: Path) -> None:
    """What is open for want of prompts is told in the words of what is missing."""
    made = simulated(tmp_path, noisy(0.9, 0.9), prompts=1)
    found = audited(made)
    assert finding(found, "zero_variance")["do"].startswith("all answers are of one cluster")
    assert finding(found, "pair_accuracy")["do"].startswith("all labels are of one cluster")
