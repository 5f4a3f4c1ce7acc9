"""A Lambda zip, run for real on this machine: AWS's own runtime client against a Runtime API of ours, without Docker.

    with LocalFunction(Path("reward.zip"), Limits(timeout=60, memory=512, concurrency=4)) as function:
        invocation = function.invoke([{"id": "1", "messages": [...]}])

    function     the pool: concurrency, throttling, cleaning up     entry     the first lines of every process
    environment  one execution environment: init, invoke, limits    packages  what a function may import
    api          the Runtime API on 127.0.0.1                       settings  limits and environment variables
    process      the process: start, logs, memory, end              outcome   what an invocation gives

What differs from AWS: `/tmp` is the machine's (`TMPDIR` is private and its size not limited), the processor is not slowed
down with the memory, a function is not frozen between invocations, root may write to the unpacked zip, and the network is
the machine's.
"""

from __future__ import annotations

from rftj_cli.reward.local.function import LocalFunction, Throttled
from rftj_cli.reward.local.outcome import FunctionError, Invocation
from rftj_cli.reward.local.settings import Limits

__all__ = ["FunctionError", "Invocation", "Limits", "LocalFunction", "Throttled"]
