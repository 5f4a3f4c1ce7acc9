"""Many samples within a given time: order, deadline, retries, and one fault that is nobody else's."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from making import rubric, sample

from rftj_cli.errors import InputError
from rftj_cli.kernel.outcome import CallError, Failure, Reply, Request, Verdict
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.kernel.sample import Sample
from rftj_cli.kernel.scoring import Scored, Scorer

FAILS = {"on_failure": {"service": 0.25, "content": 0.5}}
PASS, FAIL = '{"quality": "pass"}', '{"quality": "fail"}'


def some(count: int) -> list[Sample]:
    return [sample(id=f"s{i}", response=f"number {i}.") for i in range(count)]


def number(request: Request) -> int:
    return int(request.user.split("number ")[1].split(".")[0])


def scorer(judge: Callable[[Request], Reply] | None, made: Rubric | None = None, **settings: Any) -> Scorer:
    return Scorer(made or rubric(reward=FAILS), judge, **settings)


def rewards(scored: list[Scored | InputError]) -> list[float | None]:
    return [None if isinstance(one, InputError) else one.judged.reward.value for one in scored]


def stages(scored: list[Scored | InputError]) -> list[str]:
    found = []
    for one in scored:
        assert isinstance(one, Scored)
        found.append(one.judged.outcome.stage if isinstance(one.judged.outcome, Failure) else "verdict")
    return found


def ended(within: float = 10.0) -> bool:
    """Whether no call is being made any more."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        if not BUSY:
            return True
        time.sleep(0.01)
    return False


BUSY: set[int] = set()


def slow(seconds: float) -> Callable[[Request], Reply]:
    """A judge that ends at its deadline, as transports do."""
    from rftj_cli.kernel.retry import time_left

    def judge(request: Request) -> Reply:
        me = threading.get_ident()
        BUSY.add(me)
        try:
            left = time_left(1000)
            time.sleep(min(left, seconds))
            if left < seconds:
                raise CallError("timeout", "no answer", retry=True, billed=None)
            return Reply(PASS)
        finally:
            BUSY.discard(me)

    return judge


def test_rewards_come_in_the_order_of_the_samples() -> None:
    def judge(request: Request) -> Reply:
        time.sleep(0.002 * (20 - number(request)))
        return Reply(PASS if number(request) % 3 else FAIL)

    assert rewards(scorer(judge).score(some(20), 10)) == [float(i % 3 > 0) for i in range(20)]


def test_a_slow_judge_costs_its_samples_their_verdict_and_nobody_the_answer() -> None:
    def judge(request: Request) -> Reply:
        return slow(30)(request) if number(request) % 2 else Reply(PASS)

    scored = scorer(judge).score(some(6), 0.4)
    assert stages(scored) == ["verdict", "timeout"] * 3 and rewards(scored) == [1.0, 0.25] * 3
    assert ended()  # the threads end at the same deadline


def test_a_judge_that_knows_no_deadline_delays_no_answer() -> None:
    gate = threading.Event()

    def judge(request: Request) -> Reply:
        gate.wait(20)
        return Reply(PASS)

    made = scorer(judge, workers=2)
    assert stages(made.score(some(5), 0.2)) == ["timeout"] * 5
    gate.set()
    assert rewards(made.score(some(5), 10)) == [1.0] * 5  # and what it left behind is gone


def test_faults_are_tried_again_within_the_time() -> None:
    tried: dict[int, int] = {}

    def judge(request: Request) -> Reply:
        tried[number(request)] = tried.get(number(request), 0) + 1
        if tried[number(request)] < 3:
            raise CallError("throttled", "slow down", retry=True)
        return Reply(PASS)

    (one,) = scorer(judge).score(some(1), 20)
    assert isinstance(one, Scored) and one.judged.reward.value == 1 and one.replies[0].attempts == 3


def test_faults_without_end_end_with_the_time() -> None:
    def judge(request: Request) -> Reply:
        raise CallError("throttled", "slow down", retry=True, retry_after=0.05)

    scored = scorer(judge).score(some(3), 0.5)
    assert set(stages(scored)) <= {"throttled", "timeout"}
    assert rewards(scored) == [0.25] * 3


def test_a_fatal_fault_is_not_tried_again() -> None:
    calls: list[int] = []

    def judge(request: Request) -> Reply:
        calls.append(1)
        raise CallError("call", "no such model", fatal=True)

    assert stages(scorer(judge).score(some(2), 5)) == ["call", "call"] and len(calls) == 2


def test_calls_are_made_at_once() -> None:
    """64 calls of .2 s take nowhere near 64 times .2 s; they are 64 at once, which a barrier shows."""
    barrier = threading.Barrier(64)

    def judge(request: Request) -> Reply:
        barrier.wait(20)
        return Reply(PASS)

    assert rewards(scorer(judge).score(some(64), 30)) == [1.0] * 64


def test_more_calls_than_workers_are_all_made_and_no_more_at_a_time() -> None:
    now, most = 0, 0
    lock = threading.Lock()

    def judge(request: Request) -> Reply:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.005)
        with lock:
            now -= 1
        return Reply(PASS)

    assert rewards(scorer(judge, workers=3).score(some(40), 30)) == [1.0] * 40
    assert most == 3


@pytest.mark.parametrize(
    "error", [ValueError("secret"), SystemExit(3), KeyboardInterrupt(), RecursionError(), AssertionError()]
)
def test_whatever_is_raised_in_a_call_is_that_calls_failure_and_is_not_quoted(error: BaseException) -> None:
    def judge(request: Request) -> Reply:
        if number(request) == 1:
            raise error
        return Reply(PASS)

    scored = scorer(judge).score(some(3), 10)
    assert rewards(scored) == [1.0, 0.25, 1.0]
    one = scored[1]
    assert isinstance(one, Scored) and isinstance(one.replies[0], CallError)
    assert type(error).__name__ in one.replies[0].reason and "secret" not in one.replies[0].reason
    assert "test_scoring.py:" in one.replies[0].reason


def test_a_judge_that_returns_nonsense_fails() -> None:
    assert stages(scorer(lambda request: "pass").score(some(1), 5)) == ["call"]  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_without_time_every_sample_is_late(seconds: float) -> None:
    calls: list[int] = []

    def judge(request: Request) -> Reply:
        calls.append(1)
        return Reply(PASS)

    assert stages(scorer(judge).score(some(100), seconds)) == ["timeout"] * 100 and not calls


def test_no_samples_are_no_rewards() -> None:
    assert scorer(lambda request: Reply(PASS)).score([], 5) == []


CHECK = {"id": "short", "type": "max_words", "max": 3, "essential": True}


def test_a_failed_essential_check_costs_no_call() -> None:
    calls: list[int] = []

    def judge(request: Request) -> Reply:
        calls.append(1)
        return Reply(PASS)

    made = scorer(judge, rubric(checks=[CHECK], reward=FAILS))
    scored = made.score([sample(response="far too many words"), sample(response="few words")], 10)
    assert rewards(scored) == [0.0, 1.0] and len(calls) == 1
    assert isinstance(scored[0], Scored) and scored[0].seconds == 0 and scored[0].replies == ()


def test_checks_alone_need_no_judge() -> None:
    made = scorer(None, rubric(criteria=None, checks=[CHECK], reward=FAILS))
    scored = made.score([sample(response="far too many words"), sample(response="few words")], 0)
    assert rewards(scored) == [0.0, 1.0]


def test_a_row_that_brings_criteria_where_there_is_no_judge_changes_no_other() -> None:
    made = scorer(None, rubric(criteria=None, checks=[CHECK], reward=FAILS))
    own = sample(response="a b", criteria=[{"id": "own", "question": "Q"}])
    scored = made.score([sample(response="few words"), own, sample(response="few words")], 5)
    assert isinstance(scored[1], InputError) and rewards(scored) == [1.0, None, 1.0]


def test_votes_and_items_are_calls_of_one_sample() -> None:
    made = rubric(
        criteria=[{"id": "quality", "question": "Q", "on": "item"}],
        items={"path": "$"},
        prompt={"user": "{{ item }}"},
        judge={"model": "openai:fake", "votes": 3},
        reward=FAILS,
    )

    def judge(request: Request) -> Reply:
        good = request.user.startswith("good") or request.vote == 2
        return Reply(PASS if good else FAIL)

    (one,) = scorer(judge, made).score([sample(response='["good 1", "bad", "good 2", "good 3"]')], 10)
    assert isinstance(one, Scored) and len(one.replies) == 12
    assert isinstance(one.judged.outcome, Verdict) and one.judged.reward.value == 0.75


def deep(levels: int = 3000) -> list[Any]:
    made: list[Any] = []
    for _ in range(levels):
        made = [made]
    return made


def test_a_sample_that_overflows_what_reads_it_changes_no_other() -> None:
    made = scorer(lambda request: Reply(PASS), rubric(prompt={"user": "{{ x }} {{ response }}"}, reward=FAILS))
    scored = made.score([sample(x="a"), sample(x=deep()), sample(x="a")], 10)
    assert isinstance(scored[1], InputError) and rewards(scored) == [1.0, None, 1.0]
    unseen = scorer(lambda request: Reply("prose " + PASS)).score([sample(), sample(y=deep()), sample()], 10)
    assert isinstance(unseen[1], InputError) and rewards(unseen) == [1.0, None, 1.0]


def test_what_the_template_misses_is_that_samples_fault() -> None:
    made = scorer(lambda request: Reply(PASS), rubric(prompt={"user": "{{ context.a }} {{ response }}"}, reward=FAILS))
    scored = made.score([sample(context={"a": "x"}), sample(context={"b": "x"}), sample()], 10)
    assert [isinstance(one, InputError) for one in scored] == [False, True, True]


def test_one_scorer_serves_several_threads_and_one_call_after_another() -> None:
    made = scorer(lambda request: Reply(PASS if number(request) % 2 else FAIL), workers=8)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: rewards(made.score(some(10), 20)), range(12)))
    assert found == [[0.0, 1.0] * 5] * 12


BACKTRACKS = {"id": "words", "type": "regex", "pattern": r"^(\w+\s?)*$"}


def test_a_text_on_which_a_regular_expression_backtracks_costs_its_own_row_alone() -> None:
    """Else it would hold the interpreter for years, and all rewards with it."""
    made = scorer(lambda request: Reply(PASS), rubric(reward=FAILS, checks=[BACKTRACKS]))
    rows = [sample(id="a"), sample(id="b", response="a" * 60 + "!"), sample(id="c")]
    first, second, third = made.score(rows, 3)
    assert isinstance(second, InputError) and "too long" in second.problem and "aaa" not in str(second)
    assert isinstance(first, Scored) and isinstance(third, Scored)
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0 and signal.getsignal(signal.SIGALRM) == signal.SIG_DFL


def test_a_reply_on_which_a_regular_expression_backtracks_costs_its_own_row_alone() -> None:
    def judge(request: Request) -> Reply:
        return Reply("pass" if number(request) != 1 else "a" * 60 + "!")

    reads = rubric(reward=FAILS, parse={"regex": r"^((?:\w+\s?)*)$"})
    first, second, third = scorer(judge, reads).score(some(3), 3)
    assert isinstance(second, InputError)
    assert isinstance(first, Scored) and isinstance(third, Scored)


def test_an_alarm_of_somebody_else_s_is_left_alone() -> None:
    rang: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: rang.append(number))
    try:
        assert rewards(scorer(lambda request: Reply(PASS)).score(some(2), 3)) == [1.0, 1.0]
        signal.raise_signal(signal.SIGALRM)
        assert rang == [signal.SIGALRM]
    finally:
        signal.signal(signal.SIGALRM, before)


def test_in_another_thread_there_is_no_limit() -> None:
    """Signals are the main thread's."""
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(scorer(lambda request: Reply(PASS)).score, some(2), 3).result()
    assert rewards(found) == [1.0, 1.0]


def test_items_with_the_same_text_are_one_call() -> None:
    """Models repeat themselves: equal requests of a sample get one reply, and it is counted once."""
    calls: list[str] = []

    def judge(request: Request) -> Reply:
        calls.append(request.user)
        return Reply(PASS if len(calls) % 2 else FAIL, input_tokens=7)

    criteria = [{"id": "quality", "question": "?", "on": "item"}]
    made = rubric(reward=FAILS, criteria=criteria, items={"path": "$.c"}, prompt={"user": "{{ response }} {{ item }}"})
    (one,) = scorer(judge, made, workers=1).score([sample(response='{"c": ["same", "same", "other"]}')], 10)
    assert isinstance(one, Scored) and isinstance(one.judged.outcome, Verdict)
    assert len(calls) == 2 and len(one.replies) == 2
    assert [rating.level for rating in one.judged.outcome.ratings] == ["pass", "pass", "fail"]


def test_equal_answers_to_a_prompt_have_equal_rewards() -> None:
    """The judge's noise would make an advantage between them; each request is asked, and counted, once."""
    calls: list[str] = []

    def judge(request: Request) -> Reply:
        calls.append(request.user)
        return Reply(PASS if len(calls) % 2 else FAIL, input_tokens=7)

    samples = [sample(id=f"s{i}", response=f"number {i % 2}.") for i in range(8)]
    scored = scorer(judge, workers=1).score(samples, 10)
    assert rewards(scored) == [1.0, 0.0] * 4
    assert len(calls) == 2
    assert [(len(one.replies), len(one.own)) for one in scored if isinstance(one, Scored)] == [(1, 1)] * 2 + [
        (1, 0)
    ] * 6
