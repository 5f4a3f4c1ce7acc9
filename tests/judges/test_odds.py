"""Probabilities of levels from the log-probabilities of tokens, against numbers worked out by hand."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rftj_cli.judges.odds import probabilities
from rftj_cli.kernel.outcome import Request

Tokens = list[tuple[str, float, dict[str, float]]]


def request(*, json: bool = True, **answers: tuple[str, ...]) -> Request:
    return Request("openai:m", "", "", 0.0, 100, None, answers, "before", json)


def content(tokens: Tokens) -> list[dict[str, Any]]:
    """Entries as the service sends them; probabilities instead of their logarithms."""
    return [
        {
            "token": text,
            "logprob": math.log(probability),
            "bytes": list(text.encode()),
            "top_logprobs": [{"token": text, "logprob": math.log(probability)}]
            + [{"token": other, "logprob": math.log(p)} for other, p in others.items()],
        }
        for text, probability, others in tokens
    ]


def odds(tokens: Tokens, asked: Request) -> dict[str, dict[str, float]] | None:
    return probabilities(content(tokens), "".join(text for text, _, _ in tokens), asked)


PASS_FAIL = request(quality=("fail", "pass"))


def test_one_token_a_level() -> None:
    tokens: Tokens = [('{"quality": {"reason": "ok", "level": "', 1, {}), ("pass", 0.8, {"fail": 0.2}), ('"}}', 1, {})]
    found = odds(tokens, PASS_FAIL)
    assert found is not None and found["quality"] == pytest.approx({"fail": 0.2, "pass": 0.8})


def test_a_draft_in_the_thinking_has_no_odds() -> None:
    tokens: Tokens = [('<think>{"quality": "', 1, {}), ("fail", 0.9, {"pass": 0.1}), ('"}</think>{"quality": "', 1, {}),
                      ("pass", 0.8, {"fail": 0.2}), ('"}', 1, {})]  # fmt: skip
    found = odds(tokens, PASS_FAIL)
    assert found is not None and found["quality"] == pytest.approx({"fail": 0.2, "pass": 0.8})
    assert odds(tokens[:2] + [('"}', 1, {})], PASS_FAIL) is None


def test_levels_of_several_tokens_are_followed_to_their_end() -> None:
    """P(pass) = P(pa) P(ss) P("); the alternative `partial` after `pa` and `fail` at the start take the rest."""
    asked = request(quality=("fail", "partial", "pass"))
    tokens: Tokens = [
        ('{"quality": "', 1, {}),
        ("pa", 0.7, {"fail": 0.3}),
        ("ss", 0.9, {"rt": 0.1}),
        ('"', 1, {}),
        ("}", 1, {}),
    ]
    found = odds(tokens, asked)
    assert found is not None and found["quality"] == pytest.approx({"fail": 0.3, "partial": 0.07, "pass": 0.63})


def test_a_level_that_begins_another_is_told_from_it_by_its_end() -> None:
    asked = request(quality=("pass", "passable"))
    tokens: Tokens = [('{"quality": "', 1, {}), ("pass", 1, {}), ('"', 0.6, {"able": 0.4}), ("}", 1, {})]
    found = odds(tokens, asked)
    assert found is not None and found["quality"] == pytest.approx({"pass": 0.6, "passable": 0.4})


def test_one_and_ten_are_two_levels() -> None:
    asked = request(quality=tuple(str(n) for n in range(1, 11)))
    tokens: Tokens = [('{"quality": ', 1, {}), ("1", 0.9, {"7": 0.1}), ("0", 0.8, {"}": 0.2}), ("}", 1, {})]
    found = odds(tokens, asked)
    assert found is not None
    assert found["quality"]["10"] == pytest.approx(0.72)
    assert found["quality"]["1"] == pytest.approx(0.18)
    assert found["quality"]["7"] == pytest.approx(0.1)


def test_a_quote_may_share_its_token_with_the_level() -> None:
    tokens: Tokens = [('{"quality":', 1, {}), (' "pass', 0.75, {' "fail': 0.25}), ('"}', 1, {})]
    found = odds(tokens, PASS_FAIL)
    assert found is not None and found["quality"] == pytest.approx({"fail": 0.25, "pass": 0.75})


def test_what_several_levels_share_is_left_out_and_the_rest_scaled() -> None:
    """`p` could become two levels: 0.3 stays unknown, and what is known is scaled to 1."""
    asked = request(quality=("fail", "pass", "poor"))
    tokens: Tokens = [('{"quality": "', 1, {}), ("fail", 0.6, {"p": 0.3, "poor": 0.1}), ('"}', 1, {})]
    found = odds(tokens, asked)
    assert found is not None and found["quality"] == pytest.approx({"fail": 6 / 7, "pass": 0.0, "poor": 1 / 7})


def test_too_little_known_is_not_spoken_of() -> None:
    asked = request(quality=("pass", "poor"))
    assert odds([('{"quality": "', 1, {}), ("pass", 0.3, {"p": 0.7}), ('"}', 1, {})], asked) is None


def test_a_reason_cannot_pose_as_the_verdict() -> None:
    reason = json.dumps('so "level": "fail" and {"quality": {"level": "fail"}}')
    head = '{"quality": {"reason": ' + reason + ', "level": "'
    found = odds([(head, 1, {}), ("pass", 0.9, {"fail": 0.1}), ('"}}', 1, {})], PASS_FAIL)
    assert found is not None and found["quality"]["pass"] == pytest.approx(0.9)


def test_each_criterion_has_its_own() -> None:
    asked = request(a=("no", "yes"), b=("1", "2"))
    tokens: Tokens = [
        ('{"a": {"level": "', 1, {}), ("yes", 0.9, {"no": 0.1}), ('"}, "b": {"level": ', 1, {}), ("2", 0.6, {"1": 0.4}),
        ("}}", 1, {}),
    ]  # fmt: skip
    found = odds(tokens, asked)
    assert found == {"a": pytest.approx({"no": 0.1, "yes": 0.9}), "b": pytest.approx({"1": 0.4, "2": 0.6})}


def test_a_bare_level_is_read_where_it_is_named_once() -> None:
    asked = request(json=False, quality=("fail", "pass"))
    found = odds([("Verdict: ", 1, {}), ("pass", 0.7, {"fail": 0.3}), (".", 1, {})], asked)
    assert found is not None and found["quality"] == pytest.approx({"fail": 0.3, "pass": 0.7})
    assert odds([("fail? no, ", 1, {}), ("pass", 0.7, {"fail": 0.3})], asked) is None


def test_characters_may_be_split_over_tokens() -> None:
    text = '{"quality": {"reason": "é🙂", "level": "pass"}}'
    data, place = text.encode(), text.encode().index(b"pass")
    pieces = [data[i : i + 3] for i in range(0, place, 3)]
    pieces[-1] = data[3 * (len(pieces) - 1) : place]
    entries = [{"token": "�", "bytes": list(piece), "logprob": 0.0, "top_logprobs": []} for piece in pieces]
    entries += content([("pass", 0.8, {"fail": 0.2}), ('"}}', 1, {})])
    found = probabilities(entries, text, PASS_FAIL)
    assert found is not None and found["quality"]["pass"] == pytest.approx(0.8)


@pytest.mark.parametrize("entries", [[], [{}], [{"token": "x"}], [{"token": "x", "logprob": 0.0}], [None]])
def test_what_does_not_fit_the_text_says_nothing(entries: list[Any]) -> None:
    assert probabilities(entries, '{"quality": "pass"}', PASS_FAIL) is None


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40), st.integers(0, 10_000), st.sampled_from(["fail", "pass"]))
def test_any_cut_into_tokens_gives_probabilities_or_nothing(reason: str, seed: int, level: str) -> None:
    text = json.dumps({"quality": {"reason": reason, "level": level}}, ensure_ascii=False)
    text = text.encode("utf-8", "replace").decode()
    draw = random.Random(seed)
    tokens: Tokens = []
    at = 0
    while at < len(text):
        size = draw.randint(1, 6)
        tokens.append((text[at : at + size], draw.uniform(0.5, 1), {draw.choice(["pa", "f", '"', "x"]): 0.01}))
        at += size
    found = odds(tokens, PASS_FAIL)
    if found is not None:
        assert math.fsum(found["quality"].values()) == pytest.approx(1)
        assert found["quality"][level] > 0.5
