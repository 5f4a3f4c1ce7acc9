"""Recorded replies as a judge: what was answered then is answered now, and a miss is a fault."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import judged, rubric, sample

from rftj_cli.kernel.asks import asks
from rftj_cli.kernel.outcome import CallError, Outcome, Reply, Request, Stage
from rftj_cli.kernel.recorded import RecordedJudge, recorded_line
from rftj_cli.kernel.scoring import Scored, Scorer

MADE = rubric(reward={"on_failure": {"service": 0, "content": 0}})
ONE = sample()
(ASK,) = asks(MADE, ONE)
STAGES: list[Stage] = ["throttled", "timeout", "call", "too_long", "filtered", "refused", "truncated", "unparsed"]
replies = st.builds(
    Reply,
    text=st.text(min_size=1).filter(str.strip) | st.sampled_from(['{"quality": "pass"}', '{"quality": "fail"}']),
    stop=st.sampled_from(["end", "max_tokens", "filtered", "refused"]),
    input_tokens=st.integers(0, 9),
    output_tokens=st.integers(0, 9),
    seconds=st.floats(0, 9),
    reasoning=st.text(),
    probabilities=st.none() | st.just({"quality": {"pass": 0.75, "fail": 0.25}}),
)
errors = st.builds(CallError, st.sampled_from(STAGES), st.text(min_size=1))


def again(answer: Reply | CallError) -> Outcome:
    """The outcome over a recording of the answer, through the reward function's scorer."""
    line = recorded_line(ASK.request.key, answer)
    assert "\n" not in line
    (scored,) = Scorer(MADE, RecordedJudge([line, "", "\n"])).score([ONE], 20)
    assert isinstance(scored, Scored)
    return scored.judged.outcome


@given(replies | errors)
def test_a_recorded_answer_has_the_outcome_that_it_had(answer: Reply | CallError) -> None:
    assert again(answer) == judged(MADE, ONE, [answer])


def test_an_empty_text_with_a_stop_is_kept() -> None:
    assert again(Reply("", stop="filtered")) == judged(MADE, ONE, [Reply("", stop="filtered")])


def test_a_request_without_a_recording_is_a_fatal_failed_call() -> None:
    with pytest.raises(CallError) as caught:
        RecordedJudge([recorded_line("other", Reply("x"))])(ASK.request)
    assert (caught.value.stage, caught.value.fatal, caught.value.retry) == ("call", True, False)
    assert ASK.request.key[:12] in caught.value.reason


def test_a_vote_has_its_own_recording() -> None:
    votes = [ask.request for ask in asks(rubric(judge={"model": "openai:fake", "votes": 3}), ONE)]
    lines = [recorded_line(request.key, Reply(f"vote {request.vote}")) for request in votes]
    judge = RecordedJudge(lines)
    assert [judge(request).text for request in votes] == ["vote 0", "vote 1", "vote 2"]


def test_the_last_recording_of_a_request_counts() -> None:
    request: Request = ASK.request
    judge = RecordedJudge([recorded_line(request.key, Reply("a")), recorded_line(request.key, Reply("b"))])
    assert judge(request).text == "b"


def test_what_is_at_its_default_is_not_written() -> None:
    assert json.loads(recorded_line("k", Reply("x"))) == {"request": "k", "text": "x", "stop": "end"}
