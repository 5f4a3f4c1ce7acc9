"""The reward of thirty verdicts and failures, computed by hand: from the judge's words to the number that is trained on.

Every row of `GOLDENS` holds the sum in words beside the number, which was typed and not computed by code.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from making import rubric, sample

from rftj_cli.kernel.evaluate import finish, prepare
from rftj_cli.kernel.outcome import CallError, Failure, Reply

PF, FIVE, TEN = "pass_fail", {"min": 1, "max": 5}, {"min": 0, "max": 10, "step": 0.5}
LEVELS = ["vague", "usable", "ready"]  # values 1, 2, 3: u = 0, .5, 1
VALUED = [{"level": "none", "value": 0}, {"level": "some", "value": 1}, {"level": "all", "value": 5}]  # u = 0, .2, 1


def c(id: str, scale: Any = PF, weight: float = 1, **more: Any) -> dict[str, Any]:
    """A criterion."""
    return {"id": id, "question": "Q", "scale": scale, "weight": weight, **more}


SHORT = {"id": "short", "type": "max_words", "max": 3}  # "an answer" passes it
CONTRACT = [c("grounding", PF, 2), c("consistency", PF, 2), c("actionability", LEVELS, 1)]
ITEMS = {"path": "$.comments", "id": "id"}
TWO = json.dumps({"comments": [{"id": "x", "text": "one"}, {"id": "y", "text": "two"}]})
NONE = json.dumps({"comments": []})


@dataclass(frozen=True)
class Golden:
    """A rubric, what the judge says (in the order of the calls), and the reward with its sum in words."""

    what: str
    criteria: list[dict[str, Any]]
    said: list[str | Reply | CallError]
    sum: str
    reward: float
    rubric: dict[str, Any] = field(default_factory=dict)
    response: str = "an answer"
    failed: bool = False


GOLDENS = [
    # --- weights -----------------------------------------------------------------------------------------------------
    Golden("all criteria at their best", CONTRACT,
           ['{"grounding": "pass", "consistency": "pass", "actionability": "ready"}'],
           "(2*1 + 2*1 + 1*1) / 5 = 5/5", 1.0),
    Golden("weights count", CONTRACT,
           ['{"grounding": "pass", "consistency": "fail", "actionability": "usable"}'],
           "(2*1 + 2*0 + 1*.5) / 5 = 2.5/5", 0.5),
    Golden("the least weight alone", CONTRACT,
           ['Here it is: {"grounding": "fail", "consistency": "fail", "actionability": "ready"}'],
           "(0 + 0 + 1*1) / 5", 0.2),
    Golden("a third that has no end in decimals is rounded to 12 digits", [c("a"), c("b"), c("d")],
           ['{"a": {"reason": "r", "level": "pass"}, "b": "pass", "d": "fail"}'],
           "2/3 = .666666666666|67", 0.666666666667),
    Golden("a criterion of weight 0 takes no part", [c("a"), c("b", FIVE, 0)],
           ['{"a": "pass", "b": 1}'],
           "(1*1) / 1", 1.0),
    # --- scales ------------------------------------------------------------------------------------------------------
    Golden("a number from 1 to 5", [c("depth", FIVE)], ['{"depth": 4}'],
           "(4 - 1) / (5 - 1) = 3/4", 0.75),
    Golden("a number in words and as a float", [c("depth", FIVE), c("form", FIVE)], ['{"depth": "2", "form": 5.0}'],
           "((2-1)/4 + (5-1)/4) / 2 = (.25 + 1) / 2", 0.625),
    Golden("steps of a half from 0 to 10", [c("depth", TEN)], ['{"depth": 6.5}'],
           "6.5 / 10", 0.65),
    Golden("levels with values of their own", [c("cover", VALUED)], ['{"cover": "some"}'],
           "(1 - 0) / (5 - 0)", 0.2),
    Golden("a regex reads the verdict", [c("rating", {"min": 1, "max": 10})], ["A fair answer.\nRating: [[7]]"],
           "(7 - 1) / (10 - 1) = 6/9 = .666666666666|67", 0.666666666667,
           {"parse": {"regex": r"\[\[(\d+)\]\]"}}),
    # --- ranges ------------------------------------------------------------------------------------------------------
    Golden("from -1 to 1", [c("depth", FIVE)], ['{"depth": 2}'],
           "-1 + 2 * .25", -0.5, {"reward": {"range": [-1, 1]}}),
    Golden("from 1 to 5", CONTRACT,
           ['{"grounding": "pass", "consistency": "pass", "actionability": "vague"}'],
           "1 + 4 * (4/5) = 1 + 3.2", 4.2, {"reward": {"range": [1, 5]}}),
    # --- essentials --------------------------------------------------------------------------------------------------
    Golden("a failed essential criterion gives the bottom", [c("safe", PF, 1, essential=True), c("depth", FIVE, 9)],
           ['{"safe": "fail", "depth": 5}'],
           "the bottom of -1..1, whatever 9*1/10 would be", -1.0, {"reward": {"range": [-1, 1]}}),
    Golden("an essential criterion that holds counts with its weight", [c("safe", PF, 1, essential=True), c("depth", FIVE, 3)],
           ['{"safe": "pass", "depth": 3}'],
           "(1*1 + 3*.5) / 4 = 2.5/4", 0.625),
    Golden("a failed essential check costs no call", [c("depth", FIVE)], [],
           "the bottom of 1..5", 1.0,
           {"checks": [{**SHORT, "essential": True}], "reward": {"range": [1, 5]}}, "many more words than three", failed=True),
    Golden("an essential check that holds adds nothing", [c("depth", FIVE)], ['{"depth": 3}'],
           "(1*.5) / 1; the check's weight is 0", 0.5, {"checks": [{**SHORT, "essential": True}]}),
    # --- checks ------------------------------------------------------------------------------------------------------
    Golden("a check that holds counts 1 with its weight", [c("depth", FIVE)], ['{"depth": 1}'],
           "(1*0 + 3*1) / 4", 0.75, {"checks": [{**SHORT, "weight": 3}]}),
    Golden("a check that fails counts 0", [c("a"), c("depth", FIVE)], ['{"a": "pass", "depth": 5}'],
           "(1*1 + 1*1 + .5*0) / 2.5 = 2/2.5", 0.8,
           {"checks": [{**SHORT, "weight": 0.5}]}, "many more words than three"),
    # --- pitfalls ----------------------------------------------------------------------------------------------------
    Golden("a pitfall that is met", [c("depth", FIVE, 3), c("invents", PF, -1)], ['{"depth": 5, "invents": "pass"}'],
           "sum 3*1 - 1*1 = 2, attainable from -1 to 3: (2 + 1) / 4", 0.75),
    Golden("a pitfall that is avoided", [c("depth", FIVE, 3), c("invents", PF, -1)], ['{"depth": 3, "invents": "fail"}'],
           "sum 3*.5 - 0 = 1.5: (1.5 + 1) / 4", 0.625),
    # --- combine -----------------------------------------------------------------------------------------------------
    Golden("all_pass with one short of its top", CONTRACT,
           ['{"grounding": "pass", "consistency": "pass", "actionability": "usable"}'],
           "not all at the top: the bottom", 0.0, {"reward": {"combine": "all_pass"}}),
    Golden("all_pass with all at the top, a pitfall avoided", [c("a"), c("depth", FIVE), c("invents", PF, -1)],
           ['{"a": "pass", "depth": 5, "invents": "fail"}'],
           "all at their best: the top of -1..1", 1.0, {"reward": {"combine": "all_pass", "range": [-1, 1]}}),
    Golden("minimum is the worst of them, weights aside", [c("a", PF, 9), c("depth", FIVE, 1)], ['{"a": "pass", "depth": 2}'],
           "min(1, .25), from 0 to 8: 8 * .25", 2.0, {"reward": {"combine": "minimum", "range": [0, 8]}}),
    # --- items -------------------------------------------------------------------------------------------------------
    Golden("items count by their mean", [c("each", LEVELS, 3, on="item"), c("whole", PF, 1)],
           ['{"whole": "fail"}', '{"each": "ready"}', '{"each": "usable"}'],
           "each: (1 + .5) / 2 = .75; (3*.75 + 1*0) / 4 = 2.25/4", 0.5625, {"items": ITEMS}, TWO),
    Golden("items count by their worst", [c("each", LEVELS, 3, on="item"), c("whole", PF, 1)],
           ['{"whole": "pass"}', '{"each": "ready"}', '{"each": "usable"}'],
           "each: min(1, .5); (3*.5 + 1*1) / 4 = 2.5/4", 0.625, {"items": {**ITEMS, "combine": "minimum"}}, TWO),
    Golden("no items, and that is right", [c("each", LEVELS, 3, on="item"), c("whole", PF, 1)], ['{"whole": "fail"}'],
           "each: 1 for none; (3*1 + 1*0) / 4", 0.75, {"items": {**ITEMS, "empty": "pass"}}, NONE),
    Golden("no items, and that is wrong", [c("each", LEVELS, 3, on="item"), c("whole", PF, 1)], ['{"whole": "pass"}'],
           "each: 0 for none; (3*0 + 1*1) / 4", 0.25, {"items": {**ITEMS, "empty": "fail"}}, NONE),
    # --- votes -------------------------------------------------------------------------------------------------------
    Golden("the mean of three votes", [c("depth", FIVE)], ['{"depth": 5}', '{"depth": 4}', '{"depth": 3}'],
           "(5 + 4 + 3) / 3 = 4; (4 - 1) / 4", 0.75,
           {"judge": {"model": "openai:fake", "votes": 3, "vote": "mean"}}),
    Golden("the majority of three votes", [c("a")], ['{"a": "pass"}', '{"a": "fail"}', '{"a": "pass"}'],
           "two of three pass", 1.0, {"judge": {"model": "openai:fake", "votes": 3}}),
    # --- a learned map -----------------------------------------------------------------------------------------------
    Golden("between two knots of a map", [c("depth", FIVE)], ['{"depth": 4}'],
           ".75 lies halfway from .5 to 1: .2 + (.9 - .2) / 2", 0.55,
           {"reward": {"map": [[0, 0.1], [0.5, 0.2], [1, 0.9]]}}),
    Golden("below the first knot", [c("depth", FIVE)], ['{"depth": 1}'],
           "0 is below .25: .3", 0.3, {"reward": {"map": [[0.25, 0.3], [1, 0.8]]}}),
    # --- failures ----------------------------------------------------------------------------------------------------
    Golden("a service that does not answer", [c("a")], [CallError("throttled", "slow down")],
           "on_failure.service, as it is: no map", -0.25,
           {"reward": {"range": [-1, 1], "map": [[-1, 0], [1, 1]], "on_failure": {"service": -0.25, "content": 0.5}}},
           failed=True),
    Golden("a reply without a verdict", [c("a")], ["I would say it passes."],
           "on_failure.content", 0.5, {"reward": {"on_failure": {"service": 0, "content": 0.5}}}, failed=True),
    Golden("a reply that was cut off", [c("a")], [Reply('{"a": "pass"', stop="max_tokens")],
           "on_failure.content", 0.125, {"reward": {"on_failure": {"service": 1, "content": 0.125}}}, failed=True),
    Golden("two verdicts in one reply", [c("a")], ['First {"a": "pass"}, then {"a": "fail"}.'],
           "on_failure.content", 0.0, {"reward": {"on_failure": {"service": 1, "content": 0}}}, failed=True),
    Golden("a weighted check does not soften a failure", [c("a")], [CallError("timeout", "late")],
           "on_failure.service, not (0 + 3*1) / 4", 0.1,
           {"checks": [{**SHORT, "weight": 3}], "reward": {"on_failure": {"service": 0.1, "content": 0}}}, failed=True),
    Golden("an essential check goes before a failure", [c("a")], [],
           "the bottom of -2..2, not .5", -2.0,
           {"checks": [{**SHORT, "essential": True}],
            "reward": {"range": [-2, 2], "on_failure": {"service": 0.5, "content": 0.5}}},
           "many more words than three", failed=True),
]  # fmt: skip


@pytest.mark.parametrize("golden", GOLDENS, ids=lambda golden: golden.what)
def test_golden(golden: Golden) -> None:
    """The judge's words give the reward that was computed by hand, to the last bit."""
    user = "{{ item }}" if "items" in golden.rubric else "{{ response }}"
    made = rubric(**{"criteria": golden.criteria, "prompt": {"user": user}, **golden.rubric})
    task = prepare(made, sample(response=golden.response))
    assert len(task.asks) == len(golden.said)
    answers = [Reply(one) if isinstance(one, str) else one for one in golden.said]
    judged = finish(task, list(zip(task.asks, answers, strict=True)))
    assert judged.reward.value == golden.reward, golden.sum
    assert isinstance(judged.outcome, Failure) is golden.failed


def test_there_are_thirty_verdicts_and_more() -> None:
    assert sum(not golden.failed for golden in GOLDENS) >= 30 and len({golden.what for golden in GOLDENS}) == len(
        GOLDENS
    )
