"""The gate: what rules may say, and PASS, FAIL or UNDECIDED on the bounds of the report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from reporting import Said, binary, labels, rftj, scored, truth_labels
from scipy.special import comb

from rftj_cli.errors import InputError
from rftj_cli.files.yamls import Loader
from rftj_cli.gate import GateResult, compile_rules, decide
from rftj_cli.measure.values import Calibration, Counts, Criterion, RewardReport
from rftj_cli.stats.binomial import proportion
from rftj_cli.stats.estimate import Estimate


def estimate(
    value: float | None, low: float | None, high: float | None, n: int = 100, note: str | None = None
) -> Estimate:
    return Estimate(value, low, high, n, "by hand", note)


KAPPA = estimate(0.7, 0.6, 0.8)
SURE = estimate(1.0, 1.0, 1.0)


def criterion(id: str = "quality", **estimates: Estimate) -> Criterion:
    found = {"coverage": estimate(0.9, 0.8, 0.95), **estimates}
    return Criterion(id, "pass_fail", ("fail", "pass"), "sample", [[1, 0], [0, 1]], found, (), None, {}, 0, {}, 0, 0)


def report(*criteria: Criterion, failed: int = 0, reward: Estimate | None = None) -> Calibration:
    ids = [one.id for one in criteria]
    return Calibration(
        rubric={"criteria": [*ids, "unlabelled"]},
        run={"folder": "runs/x", "model": "m"},
        split="all labels",
        truth="ann",
        seed=0,
        counts=Counts(100, 100 - failed, failed, 100, 100 - failed, 1, 100, 100),
        criteria={one.id: one for one in criteria},
        reward=None
        if reward is None
        else RewardReport({"pair_accuracy": reward, "coverage": SURE}, 10, 7, 1, 5, "the formula"),
        slices={},
        disagreements=(),
        findings=(),
        warnings=(),
    )


def gated(rules: dict[str, Any], *criteria: Criterion, **about: Any) -> GateResult:
    return decide(compile_rules(rules), report(*(criteria or (criterion(kappa=KAPPA),)), **about))


EDGES = [
    ("min", 0.6, "PASS"),  # the bound itself passes
    ("min", 0.6000001, "UNDECIDED"),
    ("min", 0.8, "UNDECIDED"),
    ("min", 0.8000001, "FAIL"),
    ("max", 0.8, "PASS"),
    ("max", 0.7999999, "UNDECIDED"),
    ("max", 0.6, "UNDECIDED"),
    ("max", 0.5999999, "FAIL"),
]


@pytest.mark.parametrize(("kind", "limit", "decision"), EDGES)
def test_decisions_at_the_edges(kind: str, limit: float, decision: str) -> None:
    result = gated({kind: {"kappa": limit}})
    assert result.decision == decision
    assert result.exit_code == {"PASS": 0, "FAIL": 1, "UNDECIDED": 3}[decision]


@pytest.mark.parametrize(
    ("kind", "limit", "decision"),
    [("min", 0.7, "PASS"), ("min", 0.71, "FAIL"), ("max", 0.7, "PASS"), ("max", 0.69, "FAIL")],
)
def test_on_value_decides_on_the_point(kind: str, limit: float, decision: str) -> None:
    assert gated({"on": "value", kind: {"kappa": limit}}).decision == decision
    only_here = {"criteria": {"quality": {"on": "value", kind: {"kappa": limit}}}}
    assert gated(only_here).decision == decision


def test_one_failed_rule_fails_and_one_open_rule_leaves_it_open() -> None:
    one = criterion(kappa=KAPPA, tpr=SURE)
    assert gated({"min": {"kappa": 0.7, "tpr": 0.9}}, one).decision == "UNDECIDED"
    assert gated({"min": {"kappa": 0.9, "tpr": 0.9}}, one).decision == "FAIL"
    assert gated({"min": {"kappa": 0.5, "tpr": 0.9}}, one).decision == "PASS"


def test_undecided_may_be_only_a_warning() -> None:
    result = gated({"min": {"kappa": 0.7}, "undecided": "warn"})
    assert (result.decision, result.exit_code) == ("UNDECIDED", 0)
    assert gated({"min": {"kappa": 0.9}, "undecided": "warn"}).exit_code == 1


def test_a_rule_for_all_applies_where_the_estimate_exists() -> None:
    result = gated({"min": {"kappa": 0.5}}, criterion("one", kappa=KAPPA), criterion("two", kappa_linear=KAPPA))
    assert [ruling.criterion for ruling in result.rulings] == ["one"]


def test_a_criterions_own_limit_takes_the_place_of_the_one_for_all() -> None:
    rules = {"min": {"kappa": 0.9}, "criteria": {"one": {"min": {"kappa": 0.5}}}}
    result = gated(rules, criterion("one", kappa=KAPPA), criterion("two", kappa=SURE))
    assert {(ruling.criterion, ruling.limit, ruling.decision) for ruling in result.rulings} == {
        ("two", 0.9, "PASS"),
        ("one", 0.5, "PASS"),
    }
    both = {"min": {"kappa": 0.9}, "criteria": {"one": {"max": {"kappa": 0.95}}}}
    assert gated(both, criterion("one", kappa=KAPPA)).decision == "FAIL"  # another kind of limit replaces nothing


@pytest.mark.parametrize(
    "missing", [estimate(None, None, None, note="all one class"), estimate(1.0, None, None, note="all one class")]
)
def test_what_cannot_be_computed_is_undecided_with_its_reason(missing: Estimate) -> None:
    result = gated({"min": {"kappa": 0.5}}, criterion(kappa=missing))
    assert (result.decision, result.rulings[0].note) == ("UNDECIDED", "all one class")
    assert result.rulings[0].needed is None


def test_a_criterion_without_labels_and_a_reward_without_truth_are_undecided() -> None:
    for rules in ({"criteria": {"unlabelled": {"min": {"kappa": 0.5}}}}, {"reward": {"min": {"pair_accuracy": 0.5}}}):
        result = gated(rules)
        assert result.decision == "UNDECIDED" and result.rulings[0].note


def test_rules_that_meet_no_criterion_never_pass() -> None:
    only_a_reward = report(reward=KAPPA)
    for rules in ({"min": {"kappa": 0.5}}, {"max_flips": 0.1}):
        assert decide(compile_rules(rules), only_a_reward).decision == "UNDECIDED"
    assert decide(compile_rules({"min_coverage": 0.9}), only_a_reward).rulings[0].criterion == "reward"
    assert decide(compile_rules({"min_coverage": 0.9}), replace(only_a_reward, reward=None)).decision == "UNDECIDED"


def test_readings_of_failures_exist_also_where_nothing_failed() -> None:
    assert gated({"min": {"kappa_failures_wrong": 0.6}}).decision == "PASS"


def test_labels_needed_are_sensible() -> None:
    """Half the half-width takes four times the labels, and a value that comes out as well takes twice that: 2.04 times."""
    open_ = gated({"min": {"kappa": 0.65}}).rulings[0]
    assert open_.needed == pytest.approx(400 * 2.04, rel=0.01)
    assert open_.more == f"about {(open_.needed or 0) - 100:,} more labels, if the value stays"
    assert gated({"min": {"kappa": 0.7}}).rulings[0].needed is None  # the value lies on the limit
    assert gated({"min": {"kappa": 0.695}}).rulings[0].needed is None
    assert "100 times" in (gated({"min": {"kappa": 0.695}}).rulings[0].more or "")
    assert gated({"max": {"kappa": 0.75}}).rulings[0].needed == open_.needed


def test_new_clusters_are_asked_for() -> None:
    one = replace(criterion(kappa=KAPPA), table=[[50, 0], [0, 50]], clusters=20)
    ruling = gated({"min": {"kappa": 0.65}}, one).rulings[0]
    assert ruling.needed is not None and ruling.needed_clusters == pytest.approx(ruling.needed / 5, abs=1)
    assert "new clusters (about 5 in each)" in (ruling.more or "")
    apart = replace(one, clusters=100)
    assert gated({"min": {"kappa": 0.65}}, apart).rulings[0].needed_clusters is None


def stretched(x: float | None, ends: tuple[int, int]) -> float:
    return ends[0] + (ends[1] - ends[0]) * (x or 0.0)


@pytest.mark.parametrize("name", ["tnr", "agreement", "pabak"])
def test_shares_are_decided_on_exact_bounds(name: str) -> None:
    """One wrong label of one is what a judge that is right on .80 shows in 20%: Wilson's upper bound is .79, the exact .98."""
    ends = (-1, 1) if name == "pabak" else (0, 1)
    wilson, exact = (proportion(45, 50, exact=one) for one in (False, True))
    estimates = [
        Estimate(stretched(one.value, ends), stretched(one.low, ends), stretched(one.high, ends), 50, one.method)
        for one in (wilson, exact)
    ]
    ruling = gated({"min": {name: 0.5}}, replace(criterion(), estimates={name: estimates[0]})).rulings[0]
    assert (ruling.low, ruling.high) == pytest.approx((estimates[1].low, estimates[1].high))
    assert ruling.method == exact.method == "Clopper-Pearson 95%"
    between = ((estimates[0].low or 0) + (estimates[1].low or 0)) / 2  # Wilson passes here, the exact bound does not
    assert gated({"min": {name: between}}, replace(criterion(), estimates={name: estimates[0]})).decision == "UNDECIDED"


@pytest.mark.parametrize("n", [1, 4, 5])
def test_fewer_than_five_labels_decide_nothing(n: int) -> None:
    for one in (proportion(0, n), Estimate(-0.2, -0.4, 0.1, n, "by hand")):
        ruling = gated({"min": {"tnr": 0.8}}, criterion(tnr=one)).rulings[0]
        assert ruling.decision == ("FAIL" if n == 5 else "UNDECIDED")
        assert n == 5 or (ruling.more and f"at least 5, there {'is' if n == 1 else 'are'} {n}" in (ruling.note or ""))
    assert gated({"max": {"tnr": 0.9}}, criterion(tnr=proportion(0, n))).decision == ("PASS" if n == 5 else "UNDECIDED")


def test_labels_of_one_level_decide_nothing_about_kappa_and_a_value_below_its_limit_would_fail() -> None:
    """Kappa is 0 whatever the judge says there; and more labels for a value on the wrong side are no way to pass."""
    one = replace(criterion(kappa=Estimate(0.0, -0.1, 0.15, 30, "by hand")), table=[[0, 0], [5, 25]])
    ruling = gated({"min": {"kappa": 0.2}}, one).rulings[0]
    assert (ruling.decision, ruling.note) == ("UNDECIDED", f"every label is {one.levels[1]}")
    below = gated({"min": {"tnr": 0.8}}, criterion(tnr=proportion(12, 17))).rulings[0]
    assert below.decision == "UNDECIDED" and (below.more or "").endswith("(it would then FAIL)")


@pytest.mark.parametrize("limit", [0.7, 0.8, 0.9, 0.95, 0.99])
def test_a_judge_on_its_limit_is_seldom_failed_or_passed(limit: float) -> None:
    """By enumeration: at most 2.5% either way, whatever the number of labels."""
    for n in (1, 3, 5, 8, 15, 40, 100):
        hits = np.arange(n + 1)
        chance = comb(n, hits) * limit**hits * (1 - limit) ** (n - hits)
        made = [gated({"min": {"tnr": limit}}, criterion(tnr=proportion(k, n))).decision for k in hits.tolist()]
        for decision in ("PASS", "FAIL"):
            assert sum(c for c, one in zip(chance, made, strict=True) if one == decision) <= 0.025


def test_units_say_what_is_counted() -> None:
    one = criterion(tnr=KAPPA, tpr=KAPPA, pair_accuracy=KAPPA)
    units = {r.estimate: r.unit for r in gated({"min": {"tnr": 0.65, "tpr": 0.65, "pair_accuracy": 0.65}}, one).rulings}
    assert units == {"tnr": "labels that are fail", "tpr": "labels that are pass", "pair_accuracy": "pairs"}


@pytest.mark.parametrize(("failed", "decision"), [(0, "PASS"), (2, "PASS"), (3, "FAIL")])
def test_failures_are_counted(failed: int, decision: str) -> None:
    result = gated({"max_failures": 0.02}, failed=failed)
    assert result.decision == decision and result.rulings[0].n == 100


def test_coverage_is_counted() -> None:
    assert gated({"min_coverage": 0.9}).decision == "PASS"
    assert gated({"min_coverage": 0.91}).decision == "FAIL"
    unlabelled = replace(criterion(), estimates={"coverage": estimate(None, None, None, 0)})
    assert gated({"min_coverage": 0.9}, unlabelled).decision == "UNDECIDED"


def test_flips_are_the_worse_of_votes_and_orders() -> None:
    assert gated({"max_flips": 0.1}, criterion(flips=estimate(0.1, 0, 0.2))).decision == "PASS"
    both = criterion(flips=estimate(0.05, 0, 0.2), order_agreement=estimate(0.8, 0.7, 0.9))
    assert gated({"max_flips": 0.1}, both).decision == "FAIL"
    open_ = gated({"max_flips": 0.1})
    assert open_.decision == "UNDECIDED" and "votes" in (open_.rulings[0].note or "")


@given(
    value=st.floats(0, 1),
    width=st.tuples(st.floats(0, 0.5), st.floats(0, 0.5)),
    limits=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
    kind=st.sampled_from(["min", "max"]),
    on=st.sampled_from(["low", "value"]),
)
def test_a_tighter_rule_is_never_easier(
    value: float, width: tuple[float, float], limits: tuple[float, float], kind: str, on: str
) -> None:
    one = criterion(kappa=estimate(value, value - width[0], value + width[1]))
    loose, tight = sorted(limits, reverse=kind == "max")
    order = ["FAIL", "UNDECIDED", "PASS"]
    easy, hard = (order.index(gated({"on": on, kind: {"kappa": limit}}, one).decision) for limit in (loose, tight))
    assert hard <= easy


FAULTS: list[tuple[str, str, str]] = [
    ("min: {kapa: 0.5}", "min.kapa", "did you mean `kappa`?"),
    ("criteria: {qualty: {min: {kappa: 0.5}}}", "criteria.qualty", "did you mean `quality`?"),
    ("criteria: {quality: {min: {kapa: 0.5}}}", "criteria.quality.min.kapa", "did you mean `kappa`?"),
    ("criteria: {quality: {mni: {kappa: 0.5}}}", "criteria.quality.mni", "did you mean `min`?"),
    ("min: {kappa: high}", "min.kappa", "a number"),
    ("min: {kappa: 60}", "min.kappa", "a number from -1 to 1"),
    ("min: {kappa: .nan}", "min.kappa", "a number"),
    ("min: {kappa: true}", "min.kappa", "a number"),
    ("min: {kappa: null}", "min.kappa", ""),
    ("min: [kappa]", "min", "mapping"),
    ("min: 0.5", "min", "mapping"),
    ("mim: {kappa: 0.5}", "mim", "did you mean `min`?"),
    ("criteria: {quality: 0.6}", "criteria.quality", "mapping"),
    ("criteria: [quality]", "criteria", "mapping"),
    ("on: high\nmin: {kappa: 0.5}", "on", "low, value"),
    ("undecided: ignore\nmin: {kappa: 0.5}", "undecided", "fail, warn"),
    ("split: tset\nmin: {kappa: 0.5}", "split", "did you mean `test`?"),
    ("max_failures: 2", "max_failures", "0 to 1"),
    ("max_failures: 5%", "max_failures", "a number"),
    ("min_coverage: -0.1", "min_coverage", "0 to 1"),
    ("max_flips: .inf", "max_flips", "0 to 1"),
    ("reward: {min: {kappa: 0.5}}", "reward.min.kappa", "pair_accuracy"),
    ("reward: {min: {pair_acuracy: 0.5}}", "reward.min.pair_acuracy", "did you mean `pair_accuracy`?"),
]


@pytest.mark.parametrize(("text", "key", "says"), FAULTS)
def test_every_fault_of_the_rules_names_its_key(text: str, key: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        decide(compile_rules(yaml.load(text, Loader)), report(criterion(kappa=KAPPA), reward=KAPPA))
    assert caught.value.key == key
    assert says in str(caught.value)


@pytest.mark.parametrize("text", ["on: low", "undecided: warn", "criteria: {quality: {on: value}}", "split: test"])
def test_rules_that_decide_nothing_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="decide nothing"):
        compile_rules(yaml.load(text, Loader))


def through_the_cli(home: Path, rules: str, *options: object, code: int) -> Said:
    truth, verdicts = binary([[18, 2], [1, 39]])
    run = home / "run" if (home / "run").exists() else scored(home, verdicts)
    (home / "gate.yaml").write_text(rules)
    said = rftj("gate", run, "--labels", truth_labels(home, truth), "--rules", home / "gate.yaml", *options)
    assert said.code == code, said.out + said.err
    return said


def test_exit_codes_and_documents(home: Path) -> None:
    for rules, decision, code in (("0.5", "PASS", 0), ("0.85", "UNDECIDED", 3), ("0.999", "FAIL", 1)):
        said = through_the_cli(home, f"min: {{kappa: {rules}}}", "--json", code=code)
        assert said.document["schema"] == "rftj.gate/1" and said.document["decision"] == decision
        assert said.document["exit_code"] == code
        ruling = said.document["rulings"][0]
        assert ruling["low"] <= ruling["value"] <= ruling["high"] and ruling["n"] == 60
        assert through_the_cli(home, f"min: {{kappa: {rules}}}", code=code).out.startswith(f"gate   {decision}")
    assert through_the_cli(home, "undecided: warn\nmin: {kappa: 0.85}", code=0).out.startswith("gate   UNDECIDED")


def test_the_split_may_stand_in_the_rules(home: Path) -> None:
    truth, verdicts = binary([[5, 0], [0, 5]])
    rows = [{"id": id, "prompt": id, "response": id, "split": "test" if i % 2 else "dev"} for i, id in enumerate(truth)]
    scored(home, verdicts, rows=rows)
    file = labels(home, [{"id": id, "value": value} for id, value in truth.items()])
    (home / "gate.yaml").write_text("split: test\nmin: {agreement: 0.1}")
    said = rftj("gate", home / "run", "--labels", file, "--rules", home / "gate.yaml", "--json").document
    assert said["split"] == "test" and said["rulings"][0]["n"] == 5
    said = rftj(
        "gate", home / "run", "--labels", file, "--rules", home / "gate.yaml", "--split", "dev", "--json"
    ).document
    assert said["split"] == "dev"


def test_an_open_rule_says_what_would_decide_it(home: Path) -> None:
    out = through_the_cli(home, "min: {kappa: 0.85}", code=3).out
    assert "What would decide" in out and "more labels" in out
    assert "quality kappa >= 0.85" in out
