"""Which calls are made for one sample: orders, votes, items, criteria."""

from __future__ import annotations

import json
from typing import Any

import pytest
from making import data, pairs, rubric, sample

from rftj_cli.errors import InputError
from rftj_cli.kernel.asks import asks, items_of, rubric_for
from rftj_cli.kernel.compile import compile_rubric
from rftj_cli.kernel.evaluate import finish, prepare
from rftj_cli.kernel.outcome import Failure, Verdict
from rftj_cli.kernel.rubric import Items, Rubric

TWO = [{"id": "quality", "question": "Good?"}, {"id": "tone", "question": "Kind?", "scale": ["rude", "kind"]}]


def judge(**settings: Any) -> dict[str, Any]:
    return {"model": "openai:fake", **settings}


def itemed(**changes: Any) -> Rubric:
    items = {"path": "$.comments", "id": "n", "max": 3, **changes.pop("items", {})}
    criteria = [{"id": "quality", "question": "Good?", "on": "item"}]
    return compile_rubric(data(**{"criteria": criteria, "items": items, "prompt": {"user": "{{ item }}"}, **changes}))


def comments(*values: object) -> str:
    return json.dumps({"comments": list(values)})


def test_one_sample_is_one_call_by_default() -> None:
    (ask,) = asks(rubric(criteria=TWO), sample())
    assert [criterion.id for criterion in ask.criteria] == ["quality", "tone"]
    assert ask.request.answers == {"quality": ("fail", "pass"), "tone": ("rude", "kind")}


def test_per_criterion_asks_each_criterion_by_itself() -> None:
    found = asks(rubric(criteria=TWO, judge=judge(calls="per_criterion")), sample())
    assert [tuple(ask.request.answers) for ask in found] == [("quality",), ("tone",)]


def test_votes_are_calls_whose_requests_differ() -> None:
    found = asks(rubric(judge=judge(votes=3)), sample())
    assert [ask.vote for ask in found] == [0, 1, 2]
    assert len({ask.request.key for ask in found}) == 3


def test_the_first_vote_is_the_request_of_a_rubric_with_one_vote() -> None:
    """So that raising `votes` reuses what was judged before."""
    one, three = asks(rubric(), sample()), asks(rubric(judge=judge(votes=3)), sample())
    assert one[0].request.key == three[0].request.key


def test_both_orders_swap_the_responses_in_the_prompt() -> None:
    given, swapped = asks(pairs(), sample("preference", response_a="one", response_b="two"))
    assert (given.order, swapped.order) == ("given", "swapped")
    assert given.request.user.startswith("A: one\nB: two")
    assert swapped.request.user.startswith("A: two\nB: one")


def test_orders_given_asks_once() -> None:
    assert [ask.order for ask in asks(pairs(orders="given"), sample("preference"))] == ["given"]


def test_orders_and_votes_multiply() -> None:
    assert len(asks(pairs(judge=judge(votes=3)), sample("preference"))) == 6


def test_a_request_says_all_that_determines_a_reply_and_no_id() -> None:
    one, two = (asks(rubric(), sample(id=id))[0].request for id in ("a", "b"))
    assert one.key == two.key
    assert asks(rubric(judge=judge(temperature=1)), sample())[0].request.key != one.key


def test_the_answer_format_is_appended_unless_placed_or_refused() -> None:
    def user(**prompt: str) -> str:
        return asks(rubric(prompt=prompt), sample())[0].request.user

    line = "Answer with one JSON object"
    assert user(user="{{ response }}").count(line) == 1
    assert user(user="{{ answer_format }}\n{{ response }}").startswith(line)
    assert user(user="{{ response }}", system="{{ answer_format }}").count(line) == 0
    assert user(user="{{ response }}", answer_format="none") == "an answer"


def test_a_rubric_with_its_own_parser_gets_no_answer_format() -> None:
    (ask,) = asks(rubric(parse={"regex": "x"}), sample())
    assert ask.request.user == "Judge this: an answer"
    assert not ask.request.json


@pytest.mark.parametrize(("reason", "keys"), [("before", ["reason", "level"]), ("after", ["level", "reason"])])
def test_the_reason_stands_before_or_after_the_verdict(reason: str, keys: list[str]) -> None:
    (ask,) = asks(rubric(judge=judge(reason=reason)), sample())
    shape = json.loads(ask.request.user.split("for each:\n")[1])
    assert list(shape["quality"]) == keys


def test_criteria_are_shown_with_the_meaning_of_their_levels() -> None:
    scale = [{"level": "rude", "is": "insults"}, {"level": "kind", "is": "helps"}]
    made = rubric(criteria=[{"id": "tone", "question": "Kind?", "scale": scale}], prompt={"user": "{{ criteria }}"})
    assert asks(made, sample())[0].request.user.startswith("1. tone: Kind?\n   - rude: insults\n   - kind: helps\n")


def test_a_row_may_bring_criteria_of_its_own() -> None:
    one = sample(criteria=[{"id": "cites", "question": "Cites?", "weight": 3}])
    own = rubric_for(rubric(), one)
    assert [criterion.id for criterion in own.criteria] == ["quality", "cites"]
    assert tuple(asks(own, one)[0].request.answers) == ("quality", "cites")


@pytest.mark.parametrize("criteria", [[{"id": "quality", "question": "Q"}], [{"id": "a", "question": "Q"}] * 2])
def test_a_criterion_of_a_row_may_not_repeat_an_id(criteria: list[dict[str, str]]) -> None:
    with pytest.raises(InputError, match="this id already"):
        rubric_for(rubric(), sample(criteria=criteria))


def test_a_faulty_criterion_of_a_row_is_refused_at_its_key() -> None:
    with pytest.raises(InputError) as caught:
        rubric_for(rubric(), sample(criteria=[{"id": "a"}]))
    assert caught.value.key == "criteria[0].question"


def test_each_item_is_a_call_with_its_id() -> None:
    found = asks(itemed(), sample(response=comments({"n": "c7", "t": "x"}, {"t": "y"})))
    assert [ask.item for ask in found] == ["c7", "1"]
    assert '"t": "x"' in found[0].request.user


def test_criteria_on_the_response_are_asked_once_beside_the_items() -> None:
    criteria = [{"id": "quality", "question": "Q", "on": "item"}, {"id": "whole", "question": "Q"}]
    found = asks(itemed(criteria=criteria), sample(response=comments("x", "y")))
    assert [(ask.item, tuple(ask.request.answers)) for ask in found] == [
        (None, ("whole",)), ("0", ("quality",)), ("1", ("quality",)),
    ]  # fmt: skip


def test_the_path_may_be_the_root() -> None:
    assert [part.id for part in items_of("[1, 2]", Items("$"))] == ["0", "1"]


@pytest.mark.parametrize(
    ("response", "why"),
    [
        ("not json", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("{}", "no `comments`"),
        ('{"comments": {}}', "not a list"),
        (comments(1, 2, 3, 4), "more than items.max"),
        (comments({"n": "a"}, {"n": "a"}), "same id"),
        ("[]", "no `comments`"),
    ],
)
def test_a_response_whose_items_cannot_be_read_is_a_failure(response: str, why: str) -> None:
    task = prepare(itemed(), sample(response=response))
    outcome = finish(task, ()).outcome
    assert task.asks == ()
    assert isinstance(outcome, Failure) and outcome.stage == "skipped" and why in outcome.reason


@pytest.mark.parametrize(("empty", "reward"), [("fail", 0.0), ("pass", 1.0)])
def test_a_response_without_items_is_judged_as_the_rubric_says(empty: str, reward: float) -> None:
    judged = finish(prepare(itemed(items={"empty": empty}), sample(response=comments())), ())
    assert isinstance(judged.outcome, Verdict)
    assert judged.reward.value == reward


def test_a_response_without_items_is_a_failure_by_default() -> None:
    judged = finish(prepare(itemed(), sample(response=comments())), ())
    assert isinstance(judged.outcome, Failure) and judged.reward.value is None


def test_baselines_get_the_sample_and_no_prompt() -> None:
    (ask,) = asks(
        rubric(judge={"model": "lexical"}, prompt={"user": "{{ response }} {{ source }}"}),
        sample(source="S", other="O"),
    )
    assert ask.request.sample == {"response": "an answer", "source": "S"}
    assert ask.request.user == ""
