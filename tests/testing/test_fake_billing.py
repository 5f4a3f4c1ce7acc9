"""Usage, prompt caches and quotas."""

from __future__ import annotations

import time
from typing import Any

import pytest
from asking import bedrock, chat, converse
from botocore.exceptions import ClientError

from rftj_cli.testing import Answer, FakeJudgeServer, Faults, Model, Quota, Usage
from rftj_cli.testing.quota import Meter
from rftj_cli.testing.usage import rough_tokens

POINT = {"cachePoint": {"type": "default"}}


def words(text: str) -> int:
    return len(text.split())


def test_tokens_are_counted_with_the_counter_given() -> None:
    with FakeJudgeServer(Answer("it is so", reasoning="well now"), count_tokens=words) as server:
        usage = converse(bedrock(server), "is it", system=[{"text": "you judge"}])["usage"]
        tokens = chat(server, "is it").document["usage"]
    assert (usage["inputTokens"], usage["outputTokens"], usage["totalTokens"]) == (4, 4, 8)
    assert (tokens["prompt_tokens"], tokens["completion_tokens"], tokens["total_tokens"]) == (2, 4, 6)
    assert server.billed == Usage(input=6, output=8, replies=2)


def test_without_a_counter_four_characters_are_a_token() -> None:
    assert [rough_tokens("x" * length) for length in (0, 3, 4, 400)] == [1, 1, 2, 101]


def cached(client: Any, prefix: str, rest: str, model: str = "m", **more: Any) -> tuple[int, int, int]:
    content = [{"text": prefix}, POINT, {"text": rest}]
    usage = client.converse(modelId=model, messages=[{"role": "user", "content": content}], **more)["usage"]
    return usage["inputTokens"], usage["cacheReadInputTokens"], usage["cacheWriteInputTokens"]


def test_what_stands_before_a_cache_point_is_kept_for_its_model() -> None:
    with FakeJudgeServer("pass", count_tokens=words, model=Model(cache_minimum=3)) as server:
        client = bedrock(server)
        assert cached(client, "a b c d", "e") == (1, 0, 4)
        assert cached(client, "a b c d", "f g") == (2, 4, 0)
        assert cached(client, "a b c d", "f g", "other") == (2, 0, 4)
        assert cached(client, "a b c x", "e") == (1, 0, 4)
        assert cached(client, "a b", "e") == (3, 0, 0), "too short: nothing is said"
        assert cached(client, "y", "z", system=[{"text": "a b c"}, POINT]) == (1, 0, 4)
        assert cached(client, "w", "z", system=[{"text": "a b c"}, POINT]) == (1, 3, 1)
        tools = {"tools": [{"toolSpec": {"name": "t", "inputSchema": {"json": {}}}}]}
        assert cached(client, "a b c d", "e", toolConfig=tools) == (1, 0, 4), "the tools stand before the text"
    assert server.billed == Usage(12, 8, 7, 21, 8)


def test_openai_counts_cached_tokens_among_those_of_the_prompt() -> None:
    prefix = "x" * 6000
    with FakeJudgeServer("pass") as server:
        found = [chat(server, text).document["usage"] for text in (prefix + "a", prefix + "b", "x" * 4000, "short")]
    assert [one["prompt_tokens"] for one in found] == [1501, 1501, 1001, 2]
    assert [one["prompt_tokens_details"]["cached_tokens"] for one in found] == [0, 5632 // 4 + 1, 0, 0]
    assert server.billed.cache_read == 5632 // 4 + 1
    assert server.billed.input == 1501 + 1501 - 1409 + 1001 + 2


def test_a_model_without_a_cache_keeps_nothing() -> None:
    with FakeJudgeServer("pass", model=Model(cache=False)) as server:
        usage = [chat(server, "x" * 6000).document["usage"] for _ in range(2)]
    assert usage[1]["prompt_tokens_details"]["cached_tokens"] == 0


def test_only_what_the_model_wrote_is_billed() -> None:
    script = ["429", "500", "403", "400", "html", "reset", "truncated", "malformed", "empty", "ok"]
    with FakeJudgeServer("one two", count_tokens=words, faults=Faults(script=script)) as server:
        for _ in script:
            try:
                chat(server, "a b c")
            except OSError:
                continue
    assert server.billed == Usage(input=12, output=6, replies=4)


def test_too_many_requests_are_throttled_in_each_services_words() -> None:
    with FakeJudgeServer(quota=Quota(requests=1, retry_after=True)) as server:
        assert chat(server).status == 200
        over = chat(server)
        with pytest.raises(ClientError, match="Too many requests, please wait before trying again") as caught:
            converse(bedrock(server))
    assert (over.status, over.error["code"]) == (429, "rate_limit_exceeded")
    assert caught.value.response["Error"]["Code"] == "ThrottlingException"
    assert 58 <= int(over.headers["retry-after"]) <= 61
    assert (server.requests, server.throttled, server.billed.replies) == (3, 2, 1)


def test_too_many_tokens_are_throttled() -> None:
    with FakeJudgeServer("one", count_tokens=words, quota=Quota(tokens=10, window=True)) as server:
        client = bedrock(server)
        for _ in range(2):
            converse(client, "a b c d")  # 4 and one for the reply
        with pytest.raises(ClientError, match="Too many tokens"):
            converse(client, "a")
    assert server.throttled == 1


def test_what_is_set_aside_for_a_reply_and_not_used_is_given_back() -> None:
    with FakeJudgeServer("one", count_tokens=words, quota=Quota(tokens=60, window=True)) as server:
        assert [chat(server, "a", max_tokens=50).status for _ in range(3)] == [200, 200, 200]
        assert chat(server, "a", max_tokens=56).status == 429


def taken(meter: Meter, times: list[float], tokens: int = 0) -> list[float]:
    """Seconds to wait at each of these moments, 0 for those that pass."""
    return [0.0 if (over := meter.take(tokens, now)) is None else over.wait for now in times]


def test_a_bucket_fills_continuously() -> None:
    meter = Meter(Quota(requests=60, burst_seconds=2))
    assert taken(meter, [0, 0, 0, 0.5, 1, 1]) == [0, 0, 1, 0.5, 0, 1]
    assert taken(meter, [100, 100, 100]) == [0, 0, 1], "it holds no more than two seconds' worth"


def test_a_window_begins_anew_after_its_period() -> None:
    meter = Meter(Quota(requests=2, window=True, period=10))
    assert taken(meter, [5, 6, 7, 14, 15, 15, 15, 47]) == [0, 0, 8, 1, 0, 0, 10, 0]


def test_a_request_larger_than_the_bucket_passes_when_it_is_full() -> None:
    meter = Meter(Quota(tokens=600, burst_seconds=1))  # 10 a second
    assert taken(meter, [0, 1, 2.5, 3], 30) == [0, 2, 0.5, 0]


def test_what_is_over_one_limit_is_not_charged_to_the_other() -> None:
    meter = Meter(Quota(requests=2, tokens=60, window=True))
    assert taken(meter, [0], 50) == [0]
    assert taken(meter, [0], 20) == [60]
    assert taken(meter, [0], 10) == [0]


def test_the_rate_holds_over_time() -> None:
    with FakeJudgeServer(quota=Quota(requests=60 * 50, burst_seconds=0.1)) as server:
        began = time.monotonic()
        while time.monotonic() < began + 0.5:
            chat(server)
    assert 15 <= server.billed.replies <= 45
    assert server.throttled == server.requests - server.billed.replies > 0
