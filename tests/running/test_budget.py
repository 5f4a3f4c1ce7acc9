"""The ceiling holds whatever the service bills; what nobody knows is counted as it was expected."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rftj_cli.files.prices import Price
from rftj_cli.kernel.outcome import CallError, Reply, Request
from rftj_cli.running.budget import Budget
from rftj_cli.running.tokens import Meter, estimate

PRICE = Price(1.0, 5.0, "test", cache_read=0.1, cache_write=1.25)


def request(user: str = "Judge this: an answer", vote: int = 0) -> Request:
    answers = {"quality": ("fail", "pass")}
    return Request("openai:fake", "", user, 0.0, 500, None, answers, "before", True, vote)


def expected(one: Request) -> float:
    return PRICE.cost(*Meter().expected(one))


usages = st.builds(
    Reply,
    st.just("x"),
    input_tokens=st.integers(0, 5000),
    output_tokens=st.integers(0, 500),
    cache_read_tokens=st.integers(0, 5000),
    lost_input_tokens=st.integers(0, 5000),
)
errors = st.builds(
    CallError,
    st.just("call"),
    st.just("no"),
    input_tokens=st.integers(0, 900),
    billed=st.sampled_from([True, False, None]),
)
calls = st.lists(st.tuples(st.integers(1, 6000), st.one_of(usages, errors), st.integers(0, 7)), max_size=60)


@given(calls, st.floats(0, 0.2))
def test_the_ceiling_is_passed_by_no_more_than_what_was_in_flight(
    steps: list[tuple[int, Reply | CallError, int]], ceiling: float
) -> None:
    """In flight: the calls that were out when the last one was let go, that one among them. Each step is the length of a
    prompt, what its call brings, and how many calls stay out."""
    budget = Budget(PRICE, ceiling)
    flying: list[tuple[Request, Reply | CallError]] = []
    in_flight = 0.0

    def settle() -> float:
        before = budget.spent
        budget.settle(*flying.pop(0))
        assert before is not None and budget.spent is not None
        return budget.spent - before

    for number, (length, answer, stay) in enumerate(steps):
        one = request("x" * length, number % 3)
        if budget.reserve(one):
            flying.append((one, answer))
            if len(flying) > stay:
                in_flight = sum(settle() for _ in range(len(flying) - stay))
            else:
                in_flight = 0.0
        elif flying:
            in_flight += settle()
    in_flight += sum(settle() for _ in range(len(flying)))
    assert budget.spent is not None and budget.spent <= ceiling + in_flight + 1e-9
    assert budget._reserved == 0.0 and budget._aside == {}, "nothing is set aside once all calls are settled"


@given(st.lists(usages, max_size=40), st.floats(0, 0.05))
def test_one_call_at_a_time_passes_it_by_less_than_that_call(replies: list[Reply], ceiling: float) -> None:
    budget, last = Budget(PRICE, ceiling), 0.0
    for reply in replies:
        if not budget.reserve(request()):
            break
        budget.settle(request(), reply)
        last = PRICE.cost_of(reply)
    assert budget.spent is not None and budget.spent <= ceiling + last + 1e-9


def test_what_is_set_aside_counts_until_it_is_settled() -> None:
    one, cost = request(), expected(request())
    budget = Budget(PRICE, 2.5 * cost)
    assert [budget.reserve(one), budget.reserve(one), budget.reserve(one)] == [True, True, False]
    assert not budget.exhausted, "what is in flight may cost less than was set aside"
    budget.settle(one, Reply("x", input_tokens=1, output_tokens=1))
    assert budget.reserve(one), "the reply was far cheaper than expected"
    assert budget.spent == pytest.approx(PRICE.cost(1, 1))
    for _ in range(2):
        budget.settle(one, CallError("timeout", "no reply", billed=None))
    assert not budget.reserve(one) and budget.exhausted


@pytest.mark.parametrize("given_tokens", [0, 300])
@pytest.mark.parametrize("written", [0, 40])
def test_a_reply_without_usage_is_charged_by_the_estimate_and_counted(given_tokens: int, written: int) -> None:
    one, budget = request(), Budget(PRICE, None)
    text = '{"quality": {"reason": "because it is good", "level": "pass"}}'
    reply = Reply(text, input_tokens=given_tokens, output_tokens=written)
    budget.settle(one, reply)
    lacking = PRICE.cost(0 if given_tokens else Meter().expected(one)[0], 0 if written else estimate(text))
    assert budget.uncertain == pytest.approx(lacking) and budget.unmetered == (lacking > 0)
    assert budget.cost_of(one, reply) == budget.spent == pytest.approx(lacking + PRICE.cost(given_tokens, written))


@pytest.mark.parametrize("count", [1, 3, 7, 1000])
def test_a_ceiling_of_exactly_so_many_calls_lets_so_many_go(count: int) -> None:
    """Sums of many small costs are not exact."""
    one = request()
    budget = Budget(PRICE, count * expected(one))
    given_tokens, written = Meter().expected(one)
    for _ in range(count):
        assert budget.reserve(one)
        budget.settle(one, Reply("x", input_tokens=given_tokens, output_tokens=written))
    assert not budget.exhausted and not budget.reserve(one)


def test_the_output_set_aside_is_no_less_than_replies_had_on_average() -> None:
    """A model that reasons at length is expected to go on so, before its meter has seen enough."""
    one = request()
    budget = Budget(PRICE, 1.0)
    assert budget.reserve(one)
    budget.settle(one, Reply("x", input_tokens=20, output_tokens=400))
    rest = Budget(PRICE, PRICE.cost(20, 400) + expected(one) * 1.01)
    assert rest.reserve(one)
    rest.settle(one, Reply("x", input_tokens=20, output_tokens=400))
    assert not rest.reserve(one)


def test_the_meter_of_the_run_is_used() -> None:
    one, meter = request(), Meter({"input_ratio": 2.0, "output_ratio": 2.0, "replies": 10**6})
    assert PRICE.cost(*meter.expected(one)) > 1.9 * expected(one)
    assert not Budget(PRICE, 1.5 * expected(one), meter).reserve(one)


def test_a_meter_that_learns_meanwhile_releases_what_was_set_aside() -> None:
    one, meter = request(), Meter()
    budget = Budget(PRICE, 1.0, meter)
    assert budget.reserve(one)
    for _ in range(100):
        meter.told(one, Reply("x", input_tokens=5000, output_tokens=500))
    budget.settle(one, Reply("x"))
    assert budget._reserved == 0.0


@pytest.mark.parametrize("ceiling", [None, 1.0])
def test_a_failure_of_unknown_billing_is_spent_as_expected_and_told_apart(ceiling: float | None) -> None:
    one = request()
    budget = Budget(PRICE, ceiling)
    answers: list[Any] = [
        CallError("timeout", "no reply", billed=None, input_tokens=300),
        CallError("throttled", "429"),
        CallError("call", "unreadable", billed=True, input_tokens=100, output_tokens=10),
        Reply("x", input_tokens=10, output_tokens=1, lost_input_tokens=7, lost_output_tokens=2),
    ]
    for answer in answers:
        assert budget.reserve(one)
        budget.settle(one, answer)
    assert budget.uncertain == pytest.approx(expected(one))
    assert budget.spent == pytest.approx(expected(one) + PRICE.cost(300 + 100 + 10 + 7, 10 + 1 + 2))


def test_without_a_price_nothing_is_known() -> None:
    budget = Budget(None, None)
    assert budget.reserve(request())
    budget.settle(request(), CallError("timeout", "no reply", billed=None))
    assert budget.spent is None and budget.uncertain is None and not budget.exhausted


def test_many_threads_may_reserve_and_settle() -> None:
    cost = expected(request())
    budget, let_go, lock = Budget(PRICE, 100.5 * cost), [0], threading.Lock()
    given_tokens, written = Meter().expected(request())

    def work(number: int) -> None:
        for _ in range(50):
            one = request(vote=number % 2)
            if budget.reserve(one):
                with lock:
                    let_go[0] += 1
                budget.settle(one, Reply("x", input_tokens=given_tokens, output_tokens=written))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    # A refusal needs the others' calls to be in flight: 100 calls fit, and whoever asks late finds all settled.
    assert let_go[0] == 100
    assert budget.spent == pytest.approx(100 * cost)
