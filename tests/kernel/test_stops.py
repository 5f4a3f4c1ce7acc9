"""Why replies end: every service's word follows the nearest one that is known."""

from __future__ import annotations

import pytest

from rftj_cli.kernel.stops import stop_of

WORDS = {
    "end": "stop STOP end_turn end-turn tool_calls tool_use eos eos_token stop_sequence COMPLETE",
    "max_tokens": "max_tokens MAX_TOKENS length model_length model_context_window_exceeded max-output-tokens ERROR_LIMIT",
    "filtered": "content_filter content-filter Content_Filtered guardrail_intervened SAFETY RECITATION ERROR_TOXIC",
    "refused": "refusal refused REFUSAL",
    "broken": "abort ABORTED error ERROR malformed_tool_use user_cancel insufficient_system_resource",
}


@pytest.mark.parametrize(("word", "stop"), [(word, stop) for stop, words in WORDS.items() for word in words.split()])
def test_a_word_in_any_spelling_means_the_nearest_known_one(word: str, stop: str) -> None:
    assert stop_of(word) == stop


@pytest.mark.parametrize("word", ["", "something_new", "OTHER", "finish_reason_unspecified"])
def test_a_word_that_resembles_none_is_unknown(word: str) -> None:
    assert stop_of(word) is None
