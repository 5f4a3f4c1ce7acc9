"""Labels without order: read, asked, voted on, and a reward only where every label has a value."""

from __future__ import annotations

from typing import Any

import pytest
from making import judged, rubric, sample

from rftj_cli.errors import InputError
from rftj_cli.kernel.asks import asks
from rftj_cli.kernel.outcome import Failure, Verdict
from rftj_cli.kernel.reward import refuse_without_reward, reward_of
from rftj_cli.kernel.structure import answer_schema

PLAIN = ["billing", {"label": "bug", "is": "something does not work"}, "other"]
VALUED = [{"label": "billing", "value": 0.5}, {"label": "bug", "value": 1}, {"label": "other", "value": 0}]


def topic(labels: Any, **changes: Any) -> dict[str, Any]:
    return {"id": "topic", "question": "What is it about?", "scale": {"labels": labels}, **changes}


def test_labels_are_shown_asked_for_and_read() -> None:
    made = rubric(criteria=[topic(PLAIN)], prompt={"user": "{{ response }} {{ criteria }}"})
    [ask] = asks(made, sample())
    assert "- billing\n   - bug: something does not work\n   - other" in ask.request.user
    assert '"level": "billing | bug | other"' in ask.request.user
    level = answer_schema(ask.request)["properties"]["topic"]["properties"]["level"]
    assert level == {"type": "string", "enum": ["billing", "bug", "other"]}
    found = judged(made, sample(), ['{"topic": "Bug"}'])
    assert isinstance(found, Verdict) and found.ratings[0].level == "bug"


def test_without_values_there_is_no_reward() -> None:
    made = rubric(criteria=[topic(PLAIN)])
    found = reward_of(made, judged(made, sample(), ['{"topic": "bug"}']), [])
    assert (found.value, found.parts, found.note) == (None, (), "no criterion has a scale with values")
    with pytest.raises(InputError, match="gives no reward") as caught:
        refuse_without_reward(made)
    assert caught.value.key == "criteria[0].scale.labels"


def test_the_reward_is_that_of_the_other_criteria() -> None:
    both = rubric(criteria=[topic(PLAIN), {"id": "right", "question": "Right?"}])
    found = reward_of(both, judged(both, sample(), ['{"topic": "other", "right": "pass"}']), [])
    assert (found.value, [part.id for part in found.parts]) == (1.0, ["right"])
    refuse_without_reward(both)


@pytest.mark.parametrize(("label", "value"), [("billing", 0.5), ("bug", 1.0), ("other", 0.0)])
def test_values_in_any_order_give_a_reward(label: str, value: float) -> None:
    made = rubric(criteria=[topic(VALUED)])
    assert reward_of(made, judged(made, sample(), [f'{{"topic": "{label}"}}']), []).value == value


def test_votes_take_the_majority() -> None:
    made = rubric(criteria=[topic(PLAIN)], judge={"model": "openai:x", "votes": 3})
    says = ['{"topic": "bug"}', '{"topic": "other"}', '{"topic": "bug"}']
    found = judged(made, sample(), says)
    assert isinstance(found, Verdict) and found.ratings[0].level == "bug"
    assert isinstance(judged(made, sample(), [*says[:2], '{"topic": "billing"}']), Failure)


@pytest.mark.parametrize(
    ("changes", "key", "problem"),
    [
        ({"criteria": [topic(PLAIN, weight=1)]}, "criteria[0].weight", "labels without values give no reward"),
        ({"criteria": [topic(PLAIN, essential=True)]}, "criteria[0].essential", "labels without values give no reward"),
        ({"criteria": [topic([*VALUED[:2], "other"])]}, "criteria[0].scale.labels[2].value", "a value for some labels"),
        ({"criteria": [topic([{"label": x, "value": 1} for x in "ab"])]}, "criteria[0].scale.labels", "one value"),
        ({"criteria": [topic(["a", "A"])]}, "criteria[0].scale.labels[1].label", "the same label twice"),
        ({"criteria": [topic(["a"])]}, "criteria[0].scale.labels", "at least two labels"),
        ({"criteria": [topic([{"level": "a"}, "b"])]}, "criteria[0].scale.labels[0].label", "missing key"),
        ({"criteria": [topic(["a", True])]}, "criteria[0].scale.labels[1]", "expected a mapping"),
        ({"criteria": [topic("a, b")]}, "criteria[0].scale.labels", "wrong type"),
        ({"criteria": [{**topic(PLAIN), "scale": {"labels": PLAIN, "min": 1}}]}, "criteria[0].scale.min", "unknown key"),
        (
            {"criteria": [topic(VALUED)], "judge": {"model": "openai:x", "vote": "mean", "votes": 3}},
            "judge.vote",
            "which have no mean",
        ),
        (
            {"criteria": [topic(VALUED)], "judge": {"model": "openai:x", "votes_tie": "worst", "votes": 3}},
            "judge.votes_tie",
            "none of them is the worst",
        ),
    ],
)  # fmt: skip
def test_what_labels_cannot_have_is_refused_at_its_key(changes: dict[str, Any], key: str, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        rubric(**changes)
    assert caught.value.key == key
    assert problem in caught.value.problem


def test_a_sample_s_own_labels_meet_the_same_rules() -> None:
    made = rubric(judge={"model": "openai:x", "vote": "mean", "votes": 3})
    with pytest.raises(InputError, match="which have no mean"):
        judged(made, sample(criteria=[topic(PLAIN)]), [])
