"""The estimate against stored counts of real tokenizers, the expected length of replies, and what a meter learns."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import data, pair_data
from texts import TEXTS

from rftj_cli.kernel.asks import asks
from rftj_cli.kernel.compile import compile_rubric
from rftj_cli.kernel.outcome import Reply, Request
from rftj_cli.kernel.sample import read_sample
from rftj_cli.running.tokens import (
    MESSAGE_TOKENS,
    PRIMING_TOKENS,
    PROSE_TOKENS,
    REASON_OF_SEVERAL,
    REASON_TOKENS,
    Meter,
    answer_tokens,
    estimate,
    request_tokens,
)


def request(**changes: Any) -> Request:
    """A request for a verdict on two criteria, with a reason before each."""
    known: dict[str, Any] = {
        "model": "openai:fake",
        "system": "",
        "user": "Is this a good answer to the question? " * 20,
        "temperature": 0.0,
        "max_tokens": 1024,
        "seed": None,
        "answers": {"clarity": ("fail", "pass"), "accuracy": ("fail", "pass")},
        "reason": "before",
        "json": True,
    }
    return Request(**{**known, **changes})


@pytest.mark.parametrize("kind", TEXTS)
def test_the_estimate_is_near_real_counts(kind: str) -> None:
    text, o200k, deepseek, percent = TEXTS[kind]
    assert estimate(text) == pytest.approx(o200k, rel=percent / 100)
    assert estimate(text) == pytest.approx(deepseek, rel=0.4)


def test_it_is_nearer_than_a_quarter_of_the_characters() -> None:
    ours = sum(abs(estimate(text) / tokens - 1) for text, tokens, *_ in TEXTS.values())
    quarters = sum(abs(len(text) / 4 / tokens - 1) for text, tokens, *_ in TEXTS.values())
    assert ours < quarters / 2.5


def test_long_texts_are_the_sum_of_their_parts() -> None:
    """Sums are taken block by block, so that none runs over."""
    text = TEXTS["Chinese"][0] + TEXTS["emoji"][0]
    assert estimate(text * 200) == pytest.approx(200 * estimate(text), rel=0.02)


@given(st.text(st.characters(), max_size=400))
def test_any_text_has_an_estimate(text: str) -> None:
    """Also one of unpaired surrogates, or of one character a thousand times."""
    assert bool(text) <= estimate(text) <= 2 * len(text.encode("utf-8", "surrogatepass")) + 1
    assert estimate(text[:1] * 1000) >= bool(text)


def test_messages_have_marks_around_them() -> None:
    alone, both = request(), request(system="You judge answers.")
    assert request_tokens(alone)[0] == estimate(alone.user) + MESSAGE_TOKENS + PRIMING_TOKENS
    assert request_tokens(both)[0] == request_tokens(alone)[0] + estimate("You judge answers.") + MESSAGE_TOKENS


def test_a_reply_is_its_skeleton_its_levels_and_its_reasons() -> None:
    without = request(reason="none")
    assert answer_tokens(without) == pytest.approx(13, abs=2), '{"clarity": "pass", "accuracy": "fail"}'
    shape = estimate('{"clarity": {"reason": "", "level": ""}, "accuracy": {"reason": "", "level": ""}}') + 2
    assert answer_tokens(request()) == answer_tokens(request(reason="after")) == shape + 2 * REASON_OF_SEVERAL


def test_a_reply_is_never_longer_than_its_limit() -> None:
    assert answer_tokens(request(max_tokens=30)) == 30
    assert answer_tokens(request(json=False, max_tokens=10)) == 10
    assert answer_tokens(request(json=False)) == PROSE_TOKENS
    meter = Meter({"input_ratio": 1.0, "output_ratio": 50.0, "replies": 100})
    assert meter.expected(request(max_tokens=300))[1] == 300


@pytest.mark.parametrize(
    ("prompt", "reasons"),
    [
        ('Answer with JSON only: {"clarity": "pass" or "fail", "accuracy": "pass" or "fail"}', 0),
        ('Answer: {"evidence": "<what you checked>", "clarity": "pass|fail", "accuracy": "pass|fail"}', 1),
        ('{"clarity": {"reason": "...", "level": "pass"}, "accuracy": {"why": "...", "level": "pass"}} Reply so.', 2),
        ('{"clarity": 1, "accuracy": 2}\nThe comment: {"quote": "two words", "risk": "none"}', 0),
        ('Say whether "clarity" is given. {"clarity": "pass"}', 2),
        ("Answer with JSON.", 2),
    ],
)
def test_where_the_prompt_alone_says_how_to_answer_it_is_read(prompt: str, reasons: int) -> None:
    found = answer_tokens(request(user=prompt, structure="text"))
    expected = {0: 0, 1: REASON_TOKENS, 2: 2 * REASON_OF_SEVERAL}[reasons]
    assert 10 <= found - expected <= 35, "the rest is the skeleton and the levels"
    assert answer_tokens(request(user="Judge.", system=prompt, structure="text")) == found
    assert answer_tokens(request(user=prompt)) == answer_tokens(request()), "a schema asks for what it asks for"


@pytest.mark.parametrize("changes", [{}, {"judge": {"model": "openai:fake", "structure": "text"}}])
def test_the_answer_format_of_rftj_is_read_as_a_schema_is(changes: dict[str, Any]) -> None:
    rubric = compile_rubric(data(**changes))
    sample = read_sample({"id": "s", "response": '{"quality": "pass"}'}, "rubric")
    assert answer_tokens(asks(rubric, sample)[0].request) // REASON_TOKENS == 1


def test_preferences_have_one_answer() -> None:
    sample = read_sample({"id": "s", "response_a": "x", "response_b": "y"}, "preference")
    assert answer_tokens(asks(compile_rubric(pair_data()), sample)[0].request) // REASON_TOKENS == 1


def told(meter: Meter, count: int, given: float, written: float, one: Request | None = None) -> None:
    """Replies that report this multiple of the estimates."""
    one = request() if one is None else one
    estimated = request_tokens(one)
    for _ in range(count):
        reply = Reply("x", input_tokens=round(given * estimated[0]), output_tokens=round(written * estimated[1]))
        meter.told(one, reply)


def test_a_new_meter_expects_the_estimate() -> None:
    assert Meter().expected(request()) == request_tokens(request())
    assert Meter().document() == {"input_ratio": 1.0, "output_ratio": 1.0, "replies": 0}


def test_one_reply_does_not_swing_it() -> None:
    meter, estimated = Meter(), request_tokens(request())
    told(meter, 1, 1.0, 7.0)
    assert meter.expected(request())[0] == estimated[0]
    assert meter.expected(request())[1] == pytest.approx(2 * estimated[1], rel=0.02)


def test_many_replies_teach_it_input_and_output_apart() -> None:
    meter, estimated = Meter(), request_tokens(request())
    told(meter, 500, 1.3, 6.0)
    found = meter.expected(request())
    assert (found[0] / estimated[0], found[1] / estimated[1]) == pytest.approx((1.3, 6.0), rel=0.02)


def test_the_ratio_is_one_of_sums() -> None:
    """Long prompts count for what they are."""
    meter = Meter()
    told(meter, 10, 1.0, 1.0, request(user="A short one."))
    told(meter, 10, 2.0, 1.0, request(user="A long one, with much to say. " * 200))
    assert meter.document()["input_ratio"] == pytest.approx(2.0, rel=0.03)


def test_cached_tokens_are_tokens_of_the_prompt() -> None:
    meter, given = Meter(), request_tokens(request())[0]
    reply = Reply("x", input_tokens=10, output_tokens=50, cache_read_tokens=given - 30, cache_write_tokens=20)
    meter.told(request(), reply)
    assert meter.document()["input_ratio"] == pytest.approx(1.0)


@pytest.mark.parametrize("usage", [{}, {"input_tokens": 100}, {"output_tokens": 5}])
def test_replies_without_usage_teach_nothing(usage: dict[str, int]) -> None:
    meter = Meter()
    meter.told(request(), Reply("x", **usage))
    assert meter.document()["replies"] == 0


def test_what_one_run_learned_the_next_one_knows() -> None:
    first = Meter()
    told(first, 40, 1.2, 3.0)
    second = Meter(first.document())
    assert second.document() == pytest.approx(first.document())
    assert second.expected(request()) == first.expected(request())
    told(second, 40, 1.2, 3.0)
    assert second.document()["replies"] == 80
    assert second.document()["output_ratio"] == pytest.approx(3.0, rel=0.01)


def test_what_was_learned_long_ago_is_unlearned() -> None:
    meter = Meter({"input_ratio": 1.0, "output_ratio": 9.0, "replies": 10**6})
    told(meter, 800, 1.0, 1.0)
    assert meter.document()["output_ratio"] == pytest.approx((200 * 9 + 800) / 1000, rel=0.01)


@pytest.mark.parametrize(
    "known",
    [
        {},
        {"input_ratio": 1.0},
        {"input_ratio": "1", "output_ratio": 2.0, "replies": 5},
        {"input_ratio": float("nan"), "output_ratio": 2.0, "replies": 5},
        {"input_ratio": 1.0, "output_ratio": -2.0, "replies": 5},
        {"input_ratio": 1.0, "output_ratio": 2.0, "replies": -5},
        {"input_ratio": 1.0, "output_ratio": 2.0, "replies": 2.5},
    ],
)
def test_a_document_that_no_meter_wrote_counts_for_nothing(known: dict[str, Any]) -> None:
    assert Meter(known).expected(request()) == request_tokens(request())


def test_many_threads_may_tell() -> None:
    meter = Meter()
    threads = [threading.Thread(target=told, args=(meter, 100, 1.1, 1.5)) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert meter.document()["replies"] == 800
    assert meter.document()["output_ratio"] == pytest.approx(1.5, rel=0.01)


def test_votes_of_one_request_are_expected_alike() -> None:
    assert Meter().expected(replace(request(), vote=3)) == Meter().expected(request())
