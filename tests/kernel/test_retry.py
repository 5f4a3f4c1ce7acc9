"""The retry policy: what is tried again, how long is waited, and when it ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from rftj_cli.kernel.outcome import CallError, Reply, Request
from rftj_cli.kernel.retry import CAP, GATED_CAP, Policy, Retry, time_left

REQUEST = Request(
    model="fake",
    system="",
    user="judge",
    temperature=0.0,
    max_tokens=10,
    seed=None,
    answers={"quality": ("fail", "pass")},
    reason="none",
    json=True,
)


@dataclass
class Script:
    """A judge that plays a list of replies and errors, and a clock that only its waits and calls move."""

    plays: Iterator[Reply | CallError]
    seconds: float = 0.0
    now: float = 0.0
    waits: list[float] = field(default_factory=list)
    calls: int = 0

    def __call__(self, request: Request) -> Reply:
        self.calls += 1
        self.now += self.seconds
        play = next(self.plays)
        if isinstance(play, CallError):
            raise play
        return play

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def retry(
    *plays: Reply | CallError, seconds: float = 0.0, random: float = 1.0, **settings: Any
) -> tuple[Retry, Script]:
    script = Script(iter(plays), seconds)
    policy = Policy(clock=lambda: script.now, random=lambda: random, **settings)
    return Retry(script, policy, sleep=script.sleep), script


def busy(**settings: Any) -> CallError:
    return CallError("throttled", "slow down", retry=True, **settings)


def broken(**settings: Any) -> CallError:
    return CallError("call", "reset", retry=True, **settings)


def test_a_good_reply_is_returned_at_once() -> None:
    judge, script = retry(Reply("pass"))
    assert judge(REQUEST) == Reply("pass", attempts=1)
    assert script.waits == []


def test_waits_double_up_to_the_cap_and_attempts_are_counted() -> None:
    judge, script = retry(*[broken() for _ in range(7)], Reply("pass"), attempts=8, deadline=1000)
    assert judge(REQUEST).attempts == 8
    assert script.waits == [0.5, 1, 2, 4, 8, 16, CAP]


def test_jitter_is_full() -> None:
    judge, script = retry(busy(), busy(), Reply("pass"), random=0.1)
    judge(REQUEST)
    assert script.waits == pytest.approx([0.05, 0.1])


def test_the_wait_that_the_service_asks_for_is_kept() -> None:
    judge, script = retry(busy(retry_after=7.5), Reply("pass"))
    judge(REQUEST)
    assert script.waits == [7.5]


def test_what_cannot_get_better_is_not_tried_again() -> None:
    judge, script = retry(CallError("call", "no access", fatal=True, advice="ask for it"), Reply("pass"))
    with pytest.raises(CallError) as caught:
        judge(REQUEST)
    assert (caught.value.fatal, caught.value.advice, script.calls) == (True, "ask for it", 1)


def test_the_last_error_is_raised_when_attempts_are_used_up() -> None:
    judge, script = retry(*[broken() for _ in range(3)], attempts=3)
    with pytest.raises(CallError, match=r"call: reset \(after 3 attempts\)") as caught:
        judge(REQUEST)
    assert (script.calls, len(script.waits)) == (3, 2)
    assert (caught.value.attempts, caught.value.waited) == (3, 1.5)


def test_being_throttled_is_no_attempt_and_ends_by_time_alone() -> None:
    judge, _ = retry(*[busy() for _ in range(5)], broken(), Reply("pass"), attempts=2, deadline=1000)
    assert judge(REQUEST).attempts == 7


def test_where_a_limiter_slows_all_calls_a_throttled_one_pauses_briefly() -> None:
    judge, script = retry(*[busy() for _ in range(5)], Reply("pass"), gated=True)
    judge(REQUEST)
    assert script.waits == [0.5, 1, GATED_CAP, GATED_CAP, GATED_CAP]


def test_what_a_throttled_call_is_asked_to_wait_is_not_its_own_time_behind_a_limiter() -> None:
    judge, script = retry(*[busy(retry_after=30) for _ in range(9)], Reply("pass"), gated=True, deadline=60)
    assert judge(REQUEST).waited == 270
    assert script.waits == [30] * 9


def test_what_a_backend_has_learned_is_tried_at_once_and_counts_for_nothing() -> None:
    adapted = CallError("call", "no temperature, please", retry=True, adapted=True)
    judge, script = retry(adapted, adapted, Reply("pass"), attempts=1)
    assert judge(REQUEST) == Reply("pass")
    assert script.waits == []


def test_what_lost_replies_cost_is_kept_with_the_reply() -> None:
    judge, _ = retry(Reply("", input_tokens=100, output_tokens=7), broken(), Reply("pass", input_tokens=100))
    reply = judge(REQUEST)
    assert (reply.input_tokens, reply.lost_input_tokens, reply.lost_output_tokens) == (100, 100, 7)
    assert (reply.attempts, reply.waited) == (3, 1.5)


def test_a_failure_says_whether_its_attempts_may_have_been_billed() -> None:
    judge, _ = retry(broken(billed=None), broken(billed=False), attempts=2)
    with pytest.raises(CallError) as caught:
        judge(REQUEST)
    assert caught.value.billed is None


def test_time_at_the_gate_is_not_the_calls_own() -> None:
    class Slow:
        def enter(self, request: Request) -> None:
            script.now += 500

        def told(self, request: Request, answer: Reply | CallError) -> None:
            heard.append(answer)

    heard: list[Reply | CallError] = []
    judge, script = retry(broken(), Reply("pass"), deadline=10)
    judge.gate = Slow()
    assert judge(REQUEST).attempts == 2
    assert [type(one) for one in heard] == [CallError, Reply]


def test_no_wait_begins_that_would_pass_the_deadline() -> None:
    judge, script = retry(busy(), busy(retry_after=60), Reply("pass"), deadline=30)
    with pytest.raises(CallError) as caught:
        judge(REQUEST)
    assert (caught.value.stage, script.waits) == ("throttled", [0.5])


def test_the_time_of_the_calls_counts() -> None:
    judge, script = retry(*[CallError("timeout", "slow", retry=True) for _ in range(9)], seconds=20, deadline=50)
    with pytest.raises(CallError, match="timeout"):
        judge(REQUEST)
    assert script.calls == 3


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_reply_is_tried_again(text: str) -> None:
    judge, _ = retry(Reply(text), Reply("pass"))
    assert judge(REQUEST).attempts == 2


def test_an_empty_reply_that_says_why_is_a_reply() -> None:
    judge, script = retry(Reply("", stop="max_tokens"))
    assert judge(REQUEST).stop == "max_tokens"
    assert script.calls == 1


def test_a_plug_in_that_returns_something_else_is_told_so() -> None:
    judge = Retry(lambda request: "pass")  # type: ignore[arg-type]
    with pytest.raises(CallError, match="returned a str, not a Reply"):
        judge(REQUEST)


def test_backends_can_ask_how_long_an_attempt_may_take() -> None:
    left: list[float] = []

    def judge(request: Request) -> Reply:
        left.append(time_left(60))
        return Reply("pass")

    Retry(judge, Policy(deadline=5))(REQUEST)
    assert 4 < left[0] <= 5
    assert time_left(60) == 60, "outside of a call only the backend's own limit holds"


def test_a_real_wait_takes_real_time() -> None:
    script = Script(iter([busy(retry_after=0.05), Reply("pass")]))
    started = time.monotonic()
    Retry(script, Policy(random=lambda: 0.0))(REQUEST)
    assert time.monotonic() - started >= 0.05
