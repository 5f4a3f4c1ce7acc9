"""Adaptive votes: what is still asked, and that it never changes a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import pairs, rubric, sample

from rftj_cli.errors import InputError
from rftj_cli.kernel.evaluate import Task, finish, prepare
from rftj_cli.kernel.outcome import CallError, Failure, Reply, Verdict
from rftj_cli.kernel.votes import needed, refuse_fixed_votes

LOST = CallError("timeout", "no answer", retry=True)


def task(votes: int, **judge: Any) -> Task:
    return prepare(rubric(judge={"model": "openai:m", "votes": votes, "reason": "none", **judge}), sample())


def said(level: str | None) -> Reply | CallError:
    return LOST if level is None else Reply(f'{{"quality": "{level}"}}')


def played(task: Task, levels: Sequence[str | None]) -> tuple[list[Reply | CallError | None], int]:
    """The answers where vote i would say levels[i] but only what is needed is asked, and the number of rounds."""
    answers: list[Reply | CallError | None] = [None] * len(task.asks)
    rounds = 0
    while more := needed(task, answers):
        rounds += 1
        for index in more:
            answers[index] = said(levels[task.asks[index].vote])
    return answers, rounds


def asked(answers: Sequence[object]) -> int:
    return sum(answer is not None for answer in answers)


def test_a_majority_that_agrees_is_enough() -> None:
    answers, rounds = played(task(5), ["pass"] * 5)
    assert (asked(answers), rounds) == (3, 1)


def test_while_it_is_open_one_more_vote_at_a_time_is_asked() -> None:
    answers, rounds = played(task(5), ["pass", "fail", "pass", "pass", "fail"])
    assert (asked(answers), rounds) == (4, 2)


def test_a_split_is_asked_to_the_end() -> None:
    answers, _ = played(task(5), ["pass", "fail", "pass", "fail", "pass"])
    assert asked(answers) == 5


def test_lost_votes_do_not_make_a_majority() -> None:
    answers, _ = played(task(5), ["pass", "pass", None, None, "pass"])
    assert asked(answers) == 5


def test_votes_of_each_criterion_are_counted_apart_where_they_are_asked_apart() -> None:
    own = rubric(
        criteria=[{"id": "a", "question": "A?"}, {"id": "b", "question": "B?"}],
        judge={"model": "openai:m", "votes": 3, "calls": "per_criterion"},
    )
    made = prepare(own, sample())
    assert len(needed(made, [None] * 6)) == 4


def level_of(task: Task, answers: Sequence[Reply | CallError | None]) -> str:
    answered = [(ask, answer) for ask, answer in zip(task.asks, answers, strict=True) if answer is not None]
    outcome = finish(task, answered).outcome
    return outcome.ratings[0].level if isinstance(outcome, Verdict) else outcome.stage


@settings(max_examples=300, deadline=None)
@given(st.integers(3, 9).flatmap(lambda n: st.lists(st.sampled_from(["pass", "fail", None]), min_size=n, max_size=n)))
def test_the_verdict_is_that_of_all_votes(levels: list[str | None]) -> None:
    made = task(len(levels))
    answers, _ = played(made, levels)
    whole = [said(level) for level in levels]
    assert level_of(made, answers) == level_of(made, whole)
    assert asked(answers) <= len(levels)


def test_three_levels_are_settled_only_beyond_every_rival() -> None:
    scale = ["vague", "usable", "ready"]
    own = rubric(
        criteria=[{"id": "quality", "question": "Q?", "scale": scale}], judge={"model": "openai:m", "votes": 5}
    )
    answers, _ = played(prepare(own, sample()), ["vague", "usable", "vague", "vague", "ready"])
    assert asked(answers) == 4


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (rubric(judge={"model": "openai:m", "votes": 1}), "votes: 1"),
        (rubric(judge={"model": "openai:m", "votes": 5, "vote": "mean"}), "mean"),
        (pairs(judge={"model": "openai:m", "votes": 5}), "preference"),
    ],
)
def test_where_every_vote_counts_none_is_left_out(made: Any, says: str) -> None:
    with pytest.raises(InputError, match="adaptive-votes") as caught:
        refuse_fixed_votes(made)
    assert says in str(caught.value.found)


def test_a_failure_keeps_its_stage() -> None:
    made = task(3)
    answers, _ = played(made, [None, None, None])
    outcome = finish(made, [(ask, a) for ask, a in zip(made.asks, answers, strict=True) if a is not None]).outcome
    assert isinstance(outcome, Failure) and outcome.stage == "timeout"
