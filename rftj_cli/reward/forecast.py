"""How fast a reward function answers a training job, and whether limits stand in the way: a simulation, called one.

seconds of the judge's recorded replies --drawn again--> an invocation's calls on its workers --> its duration
invocations of a step on the job's concurrency --> a step's duration, calls a minute --> beside the quota
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Final

import numpy as np

from rftj_cli.kernel import handler

DRAWS: Final = 400
MOST: Final = 20_000_000  # jobs laid onto workers in one simulation: beyond it there are fewer draws
ACCOUNT, UNRESERVED = 1000, 100  # concurrent executions of an account by default, and those that stay unreserved
NO_LATENCY: Final = "the run's replies do not say how long the judge took: --judge-latency SECONDS supposes it"


@dataclass(frozen=True, slots=True)
class Job:
    """A training job: prompts a step, answers a prompt, rows an invocation, invocations at a time; prompts in all, epochs.

    `timeout` in seconds and `memory` in MB are the function's, `quota` the judge's requests a minute (None: unknown).
    """

    prompts: int = 64
    group: int = 8
    batch: int = 64
    concurrency: int = 12
    records: int = 1000
    epochs: int = 1
    timeout: float = 300.0
    memory: int = 512
    quota: float | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """Seconds of an invocation (median, 95th, 99th percentile), the share of them over the timeout, seconds of a step,
    judge calls a minute while it runs, calls in all, hours of reward in all; and what stands in the way, in sentences."""

    job: Job
    calls_a_sample: float
    latency_p50: float
    latency_p95: float
    invocation_p50: float
    invocation_p95: float
    invocation_p99: float
    over_timeout: float
    step: float
    calls_a_minute: float
    calls: int
    hours: float
    obstacles: tuple[str, ...]
    method: str


def forecast(
    job: Job, latencies: Sequence[float], calls_a_sample: float, overhead: float, workers: int, *, seed: int
) -> Forecast:
    """The forecast. `latencies` are seconds of single replies, `overhead` own seconds of processor a row, `workers` calls
    at a time in one invocation. Rows are independent of each other in it. Where the quota binds, the invocations share it
    evenly, so that each takes longer by the same factor; a throttled call is not modelled."""
    rng = np.random.default_rng(seed)
    job = replace(job, prompts=min(job.prompts, job.records * job.epochs))  # a step takes no more than there are
    known = np.asarray(latencies, np.float64)
    calls = max(0, round(job.batch * calls_a_sample))
    taken = np.array([
        _on_workers(rng.choice(known, calls), workers) + overhead * job.batch if calls else overhead * job.batch
        for _ in range(_draws(calls))
    ])  # fmt: skip
    invocations = ceil(job.prompts * job.group / job.batch)
    steps = [_on_workers(rng.choice(taken, invocations), job.concurrency) for _ in range(_draws(invocations))]
    step, calls_a_step = float(np.mean(steps)), job.prompts * job.group * calls_a_sample
    rate = 60 * calls_a_step / step if step else 0.0
    slower = 1.0 if job.quota is None else max(1.0, rate / job.quota)
    taken, step = taken * slower, step * slower
    rounds = ceil(job.records * job.epochs / job.prompts)
    found = [float(np.quantile(taken, q)) for q in (0.5, 0.95, 0.99)]
    over = float((taken > job.timeout - reserve(job.timeout)).mean())
    return Forecast(
        job, calls_a_sample, float(np.median(known)) if known.size else 0.0,
        float(np.quantile(known, 0.95)) if known.size else 0.0, found[0], found[1], found[2], over, step,
        min(rate, job.quota or rate), round(job.records * job.epochs * job.group * calls_a_sample), rounds * step / 3600,
        _obstacles(job, found[2], over, rate), f"simulated from {_source(known.size)}, {min(taken.size, len(steps))} draws, seed {seed}",
    )  # fmt: skip


def reserve(timeout: float) -> float:
    """Seconds of its time that a function keeps for its answer: calls that go on then are failures."""
    return min(handler.MOST, max(handler.LEAST, handler.RESERVE * timeout))


def _draws(jobs: int) -> int:
    return max(2, min(DRAWS, MOST // max(1, jobs)))


def _source(size: int) -> str:
    return "a supposed latency" if size == 1 else f"{size:,} recorded latencies" if size else "own work alone"


def _on_workers(seconds: np.ndarray[tuple[int], np.dtype[np.float64]], workers: int) -> float:
    """When the last of these jobs ends, each taken up by the first free worker."""
    free = [0.0] * min(workers, len(seconds))
    for one in seconds:
        heapq.heapreplace(free, free[0] + float(one))
    return max(free, default=0.0)


def _obstacles(job: Job, late: float, over: float, rate: float) -> tuple[str, ...]:
    found, bound = [], job.quota is not None and rate > job.quota
    way = (
        "have fewer at a time, or a larger quota" if bound else "or let more calls run at a time (build --concurrency)"
    )
    if over > 0 or late > 0.8 * job.timeout:
        found.append(f"an invocation of {job.batch} rows takes {late:.3g} s (99th percentile) of the {job.timeout:g} s that it may: "
                     f"raise the timeout, send fewer rows, {way}")  # fmt: skip
    if job.quota is not None and bound:
        found.append(f"the job would call the judge {rate:,.0f} times a minute, and its quota is {job.quota:,.0f}: steps take "
                     f"{rate / job.quota:.1f} times as long")  # fmt: skip
    if job.concurrency > ACCOUNT - UNRESERVED:
        found.append(f"{job.concurrency:,} invocations at a time: an account has {ACCOUNT:,} for all its functions unless AWS raised "
                     f"that (new ones have fewer), and {UNRESERVED} of them cannot be reserved")  # fmt: skip
    return tuple(found)
