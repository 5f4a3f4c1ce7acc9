"""Votes and orders to one rating a criterion, or the failure that stands in its way."""

from __future__ import annotations

import json
from typing import Any

import pytest
from making import LEVELS, judged, pairs, rubric, sample

from rftj_cli.kernel.outcome import CallError, Failure, Outcome, Reply, Verdict

LOST = "no verdict here"


def vote(*levels: str, **judge: Any) -> Outcome:
    """The outcome of votes on the levels of `LEVELS`; LOST is a reply that cannot be read."""
    made = rubric(
        criteria=[{"id": "quality", "question": "Q", "scale": LEVELS}],
        judge={"model": "openai:x", "votes": len(levels), **judge},
    )
    return judged(made, sample(), [said(level) for level in levels])


def said(level: str, criterion: str = "quality") -> str:
    return level if level == LOST else json.dumps({criterion: {"reason": f"because {level}", "level": level}})


def rated(outcome: Outcome) -> tuple[str, float]:
    assert isinstance(outcome, Verdict), outcome
    return outcome.ratings[0].level, outcome.ratings[0].value


def test_one_vote_is_the_verdict_with_its_reason() -> None:
    outcome = vote("ready")
    assert rated(outcome) == ("ready", 3)
    assert isinstance(outcome, Verdict)
    assert (outcome.ratings[0].reason, outcome.ratings[0].unanimous) == ("because ready", 1)


def test_the_majority_wins_and_its_share_is_kept() -> None:
    outcome = vote("ready", "vague", "ready")
    assert rated(outcome) == ("ready", 3)
    assert isinstance(outcome, Verdict)
    assert outcome.ratings[0].unanimous == pytest.approx(2 / 3)
    assert [ballot.level for ballot in outcome.ballots] == ["ready", "vague", "ready"]


def test_the_mean_keeps_its_value_beside_the_nearest_level() -> None:
    level, value = rated(vote("ready", "usable", "usable", vote="mean"))
    assert (level, value) == ("usable", pytest.approx(7 / 3))


def test_an_even_split_is_a_failure() -> None:
    outcome = vote("ready", "vague")
    assert isinstance(outcome, Failure)
    assert outcome.stage == "unparsed" and "tie" in outcome.reason
    assert len(outcome.ballots) == 2


@pytest.mark.parametrize(("rule", "level"), [("worst", "vague"), ("best", "ready")])
def test_votes_tie_settles_an_even_split(rule: str, level: str) -> None:
    assert rated(vote("ready", "vague", votes_tie=rule))[0] == level


def test_a_vote_that_is_lost_does_not_lose_the_verdict() -> None:
    assert rated(vote("ready", LOST, "ready"))[0] == "ready"


@pytest.mark.parametrize("levels", [("ready", LOST), ("ready", LOST, LOST), (LOST,)])
def test_a_verdict_needs_more_than_half_of_its_votes(levels: tuple[str, ...]) -> None:
    outcome = vote(*levels)
    assert isinstance(outcome, Failure) and outcome.stage == "unparsed"


def test_where_votes_are_lost_a_failure_of_the_service_is_named_first() -> None:
    """It is tried again; a failure of the content would stand, although a retry may bring the majority."""
    made = rubric(judge={"model": "openai:x", "votes": 3})
    outcome = judged(made, sample(), [LOST, said("pass"), CallError("throttled", "slow down")])
    assert isinstance(outcome, Failure) and outcome.stage == "throttled"


@pytest.mark.parametrize(
    ("stop", "stage"), [("max_tokens", "truncated"), ("filtered", "filtered"), ("refused", "refused")]
)
def test_a_reply_that_did_not_end_is_a_failure_even_if_it_holds_a_verdict(stop: Any, stage: str) -> None:
    outcome = judged(rubric(), sample(), [Reply(said("pass"), stop=stop)])
    assert isinstance(outcome, Failure) and outcome.stage == stage


def test_a_failed_call_keeps_its_stage_and_reason() -> None:
    outcome = judged(rubric(), sample(), [CallError("timeout", "120 s")])
    assert isinstance(outcome, Failure) and (outcome.stage, outcome.reason) == ("timeout", "120 s")


def compare(*winners: str, **changes: Any) -> Outcome:
    """The outcome of a comparison; `winners` as the judge names them, in each order's own letters."""
    return judged(pairs(**changes), sample("preference"), [said(winner, "preference") for winner in winners])


@pytest.mark.parametrize(
    ("given", "swapped", "level"),
    [
        ("A", "B", "A"),
        ("B", "A", "B"),
        ("tie", "tie", "tie"),
        ("A", "A", "tie"),  # whatever comes first wins: no preference
        ("B", "B", "tie"),
        ("A", "tie", "A"),
        ("tie", "A", "B"),
    ],
)
def test_the_swapped_order_is_un_swapped_and_a_winner_that_changes_is_a_tie(
    given: str, swapped: str, level: str
) -> None:
    assert rated(compare(given, swapped))[0] == level


def test_the_ballot_of_the_swapped_order_is_kept_un_swapped() -> None:
    outcome = compare("A", "B")
    assert [(ballot.order, ballot.level) for ballot in outcome.ballots] == [("given", "A"), ("swapped", "A")]


@pytest.mark.parametrize("winners", [("A", LOST), (LOST, "B")])
def test_a_comparison_needs_both_orders(winners: tuple[str, str]) -> None:
    assert isinstance(compare(*winners), Failure)


def test_both_orders_must_be_there_however_many_votes_are() -> None:
    three = {"model": "openai:x", "votes": 3}
    # Calls go vote by vote, both orders each.
    assert isinstance(compare("A", LOST, "A", LOST, "A", LOST, judge=three), Failure)
    assert rated(compare("A", "B", "A", LOST, "A", "B", judge=three))[0] == "A"


def test_votes_of_a_comparison_are_combined_by_their_mean_over_orders() -> None:
    three = {"model": "openai:x", "votes": 3}
    assert rated(compare("A", "B", "A", "B", "B", "B", judge=three)) == ("A", pytest.approx((2 / 3 + 1) / 2))


def test_an_even_split_of_votes_in_one_order_is_a_failure_unless_votes_tie_says_tie() -> None:
    two = {"model": "openai:x", "votes": 2}
    outcome = compare("A", "B", orders="given", judge=two)
    assert isinstance(outcome, Failure) and "tie" in outcome.reason
    assert rated(compare("A", "B", orders="given", judge={**two, "votes_tie": "tie"}))[0] == "tie"
    assert rated(compare("tie", "tie", orders="given", judge=two))[0] == "tie"


def test_items_are_rated_one_by_one() -> None:
    made = rubric(
        criteria=[{"id": "quality", "question": "Q", "on": "item"}],
        items={"path": "$"},
        prompt={"user": "{{ item }}"},
    )
    outcome = judged(made, sample(response='["x", "y"]'), [said("pass"), said("fail")])
    assert isinstance(outcome, Verdict)
    assert [(rating.item, rating.level) for rating in outcome.ratings] == [("0", "pass"), ("1", "fail")]


def test_probabilities_are_un_swapped_and_averaged() -> None:
    first = Reply(said("A", "preference"), probabilities={"preference": {"A": 0.9, "B": 0.1}})
    second = Reply(said("B", "preference"), probabilities={"preference": {"A": 0.3, "B": 0.7}})
    outcome = judged(pairs(), sample("preference"), [first, second])
    assert isinstance(outcome, Verdict)
    assert outcome.ratings[0].probabilities == {"A": pytest.approx(0.8), "B": pytest.approx(0.2)}


def test_the_same_replies_give_the_same_outcome() -> None:
    assert vote("ready", "vague", "ready") == vote("ready", "vague", "ready")
