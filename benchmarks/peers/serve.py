"""The fake judges' service in a process of its own. Its URL is the first line of output.

It serves until its standard input ends. Then it prints one JSON line: the requests it received, its CPU seconds.
"""

from __future__ import annotations

import argparse
import inspect
import json
import resource
import sys
from typing import Any

from rftj_cli.testing import FakeJudgeServer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, required=True, help="seconds")
    parser.add_argument("--reply", required=True)
    given = parser.parse_args()
    # Other tools send what rftj does not, and ten thousand bodies need not be kept.
    known = inspect.signature(FakeJudgeServer).parameters
    lenient: dict[str, Any] = {name: value for name, value in {"strict": False, "keep": 0}.items() if name in known}
    with FakeJudgeServer(given.reply, latency=given.latency, **lenient) as server:
        before = cpu()
        print(server.url, flush=True)
        sys.stdin.read()
        print(json.dumps({"requests": server.requests, "cpu": cpu() - before}), flush=True)


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
