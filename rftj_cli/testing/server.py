"""The fake service as a process of its own: its URL is the first line of output."""

from __future__ import annotations

import argparse
import signal
import sys

from rftj_cli.testing.fake import FakeJudgeServer
from rftj_cli.testing.faults import NAMES, Faults


def main(arguments: list[str] | None = None) -> None:
    """Serves until it is stopped."""
    parser = argparse.ArgumentParser(prog="python -m rftj_cli.testing.server", description=FakeJudgeServer.__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--reply", default='{"quality": "pass"}')
    parser.add_argument("--latency", type=float, default=0.0, help="seconds")
    parser.add_argument("--log", help="file to which requests and replies are appended")
    parser.add_argument("--script", default="", help=f"faults of the first requests, by comma: {', '.join(NAMES)}")
    parser.add_argument("--rate", type=float, default=0.0, help="share of the other requests that fail")
    parser.add_argument("--faults", default="429,500,503,reset,malformed", help="kinds of those failures, by comma")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hang", type=float, default=30.0, help="seconds")
    given = parser.parse_args(arguments)
    script, kinds = ([name for name in text.split(",") if name] for text in (given.script, given.faults))
    faults = Faults(script=script, rate=given.rate, kinds=kinds, seed=given.seed, hang=given.hang)
    server = FakeJudgeServer(given.reply, latency=given.latency, faults=faults, log=given.log, port=given.port)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(server.url, flush=True)
    try:
        server.serve()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
