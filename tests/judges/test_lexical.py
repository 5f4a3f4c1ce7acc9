"""The baselines: what they count, and how a score becomes a level."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rftj_cli.errors import InputError
from rftj_cli.judges.lexical import LengthJudge, LexicalJudge, length_score, lexical_score, overlap
from rftj_cli.kernel.outcome import CallError, Request


def request(sample: dict[str, object] | None, *levels: str) -> Request:
    return Request("lexical", "", "", 0.0, 10, None, {"quality": levels}, "none", True, sample=sample)


def verdict(judge: LexicalJudge, sample: dict[str, object], *levels: str) -> Any:
    return json.loads(judge(request(sample, *levels)).text)["quality"]


@pytest.mark.parametrize(
    ("response", "source", "expected"),
    [
        ("the cat sat", "The cat sat down.", 1.0),
        ("the cat ran", "The cat sat down.", 0.5),
        ("Cat!", "the cat sat", 1.0),
        ("dog", "the cat sat", 0.0),
        ("", "the cat sat", 0.0),
        ("the cat", "", 0.0),
        ("the cat the cat", "the cat", 0.5),  # distinct pairs: the cat, cat the
        ('{"the": "cat sat", "n": 3}', "cat sat", 1.0),
        ('[{"a": "cat"}, {"b": "sat"}]', "sat cat", 1.0),  # no pairs: looked up as words
        ("{the cat", "the cat", 1.0),  # looks like JSON and is none
        ("été à Nîmes", "Un été à Nîmes", 1.0),
    ],
)
def test_overlap(response: str, source: str, expected: float) -> None:
    assert overlap(response, source) == expected


def test_the_sources_are_all_other_strings_of_the_sample_but_no_copy_of_the_response() -> None:
    sample = {
        "response": "one two three four",
        "messages": [{"role": "assistant", "content": "one two three four"}],
        "prompt": "one two",
        "context": {"deep": ["three four", 7]},
    }
    assert lexical_score(sample) == pytest.approx(2 / 3), "`two three` stands in no single source"


def test_a_pair_is_a_difference() -> None:
    sample = {"response_a": "one two", "response_b": "three four", "prompt": "one two"}
    assert lexical_score(sample) == 1.0
    assert length_score({"response_a": "a " * 100, "response_b": ""}) == 0.5


def test_pass_at_the_threshold() -> None:
    sample: dict[str, object] = {"response": "the cat ran", "prompt": "the cat sat"}
    assert verdict(LexicalJudge(), sample, "fail", "pass") == "pass"
    assert verdict(LexicalJudge("lexical:0.6"), sample, "fail", "pass") == "fail"


@pytest.mark.parametrize(("words", "level"), [(0, "low"), (49, "low"), (50, "mid"), (199, "mid"), (200, "high")])
def test_levels_are_equal_cuts(words: int, level: str) -> None:
    assert verdict(LengthJudge("length"), {"response": "word " * words}, "low", "mid", "high") == level


def test_the_best_score_is_the_best_level() -> None:
    assert verdict(LexicalJudge(), {"response": "a b", "prompt": "a b"}, "1", "2", "3", "4") == "4"


@pytest.mark.parametrize(("a", "b", "winner"), [("x y", "x y z", "B"), ("x y z", "x", "A"), ("x", "y", "tie")])
def test_the_longer_of_a_pair_wins(a: str, b: str, winner: str) -> None:
    assert verdict(LengthJudge("length"), {"response_a": a, "response_b": b}, "A", "tie", "B") == winner


@pytest.mark.parametrize("model", ["lexical:much", "lexical:1.5", "length:-1", "lexical:nan"])
def test_a_threshold_that_is_none_is_refused(model: str) -> None:
    with pytest.raises(InputError, match="threshold"):
        (LengthJudge if model.startswith("length") else LexicalJudge)(model)


def test_without_a_sample_there_is_nothing_to_read() -> None:
    with pytest.raises(CallError, match="no sample"):
        LexicalJudge()(request(None, "fail", "pass"))
