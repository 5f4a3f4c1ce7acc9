"""Whose fault a failed call is: what is committed, what waits, and what ends the run."""

from __future__ import annotations

from rftj_cli.kernel.outcome import CallError
from rftj_cli.running.doubts import Doubts

REFUSED, FATAL = CallError("call", "HTTP 400: no"), CallError("call", "HTTP 401: no key", fatal=True)
EMPTY = CallError("call", "empty reply", retry=True)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def doubts(*, service: bool = True) -> tuple[Doubts[str], Clock]:
    clock = Clock()
    return Doubts(service=service, clock=clock), clock


def test_a_refusal_is_the_samples_own_once_a_later_call_is_answered() -> None:
    kept, clock = doubts()
    clock.now = 10
    assert kept.keep("a", "s1", REFUSED, again=False)
    clock.now = 11
    assert kept.heard(2.0) == [], "that one was sent before"
    clock.now = 12
    assert kept.heard(0.5) == [("a", REFUSED)]
    assert not kept


def test_a_fault_gets_a_second_turn_and_is_only_then_held() -> None:
    kept, _ = doubts()
    assert kept.keep("a", "s1", EMPTY, again=False)
    assert (list(kept.aside), len(kept)) == ([("a", EMPTY)], 0)
    kept.aside.clear()
    assert kept.keep("a", "s1", EMPTY, again=True) and len(kept) == 1
    kept.outage()
    assert (list(kept.aside), len(kept)) == ([("a", EMPTY)], 0), "in an outage it is no fault of its own"


def test_what_says_itself_that_it_is_about_the_prompt_is_never_in_doubt() -> None:
    kept, _ = doubts()
    assert not kept.keep("a", "s1", CallError("too_long", "too long"), again=False)
    assert not kept.keep("a", "s1", CallError("filtered", "no"), again=False)


def test_three_refused_in_a_row_press_when_nobody_is_about_to_answer() -> None:
    kept, clock = doubts()
    kept.heard(0.0)
    clock.now = 1
    for sample in ("s1", "s1", "s2"):
        kept.keep("a", sample, REFUSED, again=False)
    assert not kept.pressing(1.0, waiting=False), "two samples"
    kept.keep("a", "s3", REFUSED, again=False)
    assert kept.pressing(1.0, waiting=False) and not kept.pressing(1.0, waiting=True)
    clock.now = 4
    assert kept.pressing(1.0, waiting=True)


def test_before_any_answer_three_errors_of_every_call_end_it_or_five_of_any_kind() -> None:
    for error, samples in ((FATAL, 3), (REFUSED, 5), (EMPTY, 5)):
        kept, _ = doubts()
        for number in range(samples):
            assert not kept.pressing(0.0, waiting=True)
            kept.keep("a", f"s{number}", error, again=False)
        assert kept.pressing(0.0, waiting=True)
        assert kept.worst is error


def test_without_a_service_only_what_is_fatal_is_in_doubt() -> None:
    kept, _ = doubts(service=False)
    assert not kept.keep("a", "s1", REFUSED, again=False)
    assert not kept.keep("a", "s1", EMPTY, again=False)
    assert kept.keep("a", "s1", FATAL, again=False)
