"""The forecast of a training job, held to cases that can be worked out by hand."""

from __future__ import annotations

import pytest

from rftj_cli.reward.forecast import Job, forecast


def test_equal_latencies_are_arithmetic() -> None:
    """64 calls of 1 s on 16 workers take 4 s; 8 invocations on 4 at a time take 8 s; 512 calls in 8 s are 3,840 a minute."""
    job = Job(prompts=64, group=8, batch=64, concurrency=4, records=640, epochs=2)
    found = forecast(job, [1.0, 1.0], 1.0, 0.0, 16, seed=0)
    assert (found.invocation_p50, found.invocation_p99, found.step) == (4.0, 4.0, 8.0)
    assert found.calls_a_minute == pytest.approx(3840)
    assert found.calls == 640 * 2 * 8
    assert found.hours == pytest.approx(20 * 8 / 3600)  # 640 * 2 / 64 steps of 8 s
    assert (found.over_timeout, found.obstacles) == (0.0, ())


def test_own_work_is_added_to_each_row() -> None:
    """64 rows of 10 ms are .64 s beside the judge's time."""
    assert forecast(Job(), [1.0, 1.0], 1.0, 0.01, 64, seed=0).invocation_p50 == pytest.approx(1.64)


def test_a_quota_that_binds_stretches_the_step() -> None:
    """A quota of half the rate doubles the step, and is named."""
    free = forecast(Job(concurrency=4), [1.0, 1.0], 1.0, 0.0, 16, seed=0)
    bound = forecast(Job(concurrency=4, quota=free.calls_a_minute / 2), [1.0, 1.0], 1.0, 0.0, 16, seed=0)
    assert bound.step == pytest.approx(2 * free.step)
    assert bound.calls_a_minute == pytest.approx(free.calls_a_minute / 2)
    assert "quota" in bound.obstacles[0]


def test_a_quota_that_binds_makes_invocations_late() -> None:
    """8 invocations of 64 calls at 100 calls a minute take 5 minutes, and end after 60 s without their answers."""
    found = forecast(Job(timeout=60, quota=100), [1.0, 1.0], 1.0, 0.0, 64, seed=0)
    assert found.invocation_p50 == pytest.approx(60 * 8 * 64 / 100)
    assert found.over_timeout == 1
    assert "a larger quota" in found.obstacles[0] and "its quota is 100" in found.obstacles[1]
    assert forecast(Job(timeout=60), [1.0, 1.0], 1.0, 0.0, 64, seed=0).over_timeout == 0


def test_slow_calls_show_in_the_timeout() -> None:
    """One call in ten of 400 s: an invocation of 64 rows nearly always meets one, and runs out of 300 s."""
    found = forecast(Job(timeout=300), [1.0] * 9 + [400.0], 1.0, 0.0, 64, seed=1)
    assert found.over_timeout > 0.99  # 1 - .9^64 = .9988
    assert "raise the timeout" in found.obstacles[0]


def test_checks_alone_need_no_latency() -> None:
    """Without calls only the function's own work counts."""
    found = forecast(Job(), [], 0.0, 0.001, 64, seed=0)
    assert (found.calls, found.invocation_p50) == (0, pytest.approx(0.064))
    assert found.calls_a_minute == 0


def test_the_same_seed_gives_the_same_numbers() -> None:
    """The draws hang on the seed alone."""
    latencies = [0.5, 1.0, 2.0, 8.0]
    first, again, other = (forecast(Job(), latencies, 3.0, 0.0, 64, seed=seed) for seed in (4, 4, 5))
    assert first == again
    assert first.step != other.step


def test_more_invocations_than_an_account_has_are_named() -> None:
    """Lambda's default quota of concurrent executions, less what must stay unreserved."""
    job = Job(concurrency=1000)
    assert "1,000 for all its functions" in forecast(job, [1.0, 1.0], 1.0, 0.0, 64, seed=0).obstacles[-1]
    assert forecast(Job(concurrency=900), [1.0, 1.0], 1.0, 0.0, 64, seed=0).obstacles == ()
