"""The fake service as a process of its own: its URL is the first line of output.

SIGUSR1 makes it print its counts as one line of JSON, the same that GET /__fake__ answers; SIGTERM ends it.
"""

from __future__ import annotations

import argparse
import json
import signal
from dataclasses import fields
from pathlib import Path
from types import FrameType

from rftj_cli.errors import InputError
from rftj_cli.testing.fake import FakeJudgeServer
from rftj_cli.testing.faults import NAMES, Faults
from rftj_cli.testing.model import Model
from rftj_cli.testing.quota import Quota
from rftj_cli.testing.replies import Matched

_CLOSED = frozenset(field.name for field in fields(Model) if isinstance(field.default, bool))


def main(arguments: list[str] | None = None) -> None:
    """Serves until it is stopped."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        server = _server(given)
    except (InputError, OSError) as error:
        parser.error(str(error))

    def counts(number: int, frame: FrameType | None) -> None:
        print(json.dumps(server.counts()), flush=True)

    for end in (signal.SIGTERM, signal.SIGINT):
        # An exit raised here would break into whatever the loop is doing.
        signal.signal(end, lambda *_: server.stop())
    signal.signal(signal.SIGUSR1, counts)
    print(server.url, flush=True)
    server.serve()


def _server(given: argparse.Namespace) -> FakeJudgeServer:
    faults = Faults(
        script=_names(given.script),
        rate=given.rate,
        kinds=_names(given.faults),
        seed=given.seed,
        hang=given.hang,
        retry_after=given.retry_after,
        drip=given.drip,
        down=given.down,
        stale=given.stale,
    )
    limited = given.rpm is not None or given.tpm is not None
    quota = Quota(given.rpm, given.tpm, given.burst, window=given.window, retry_after=given.quota_retry_after)
    return FakeJudgeServer(
        Matched.read(Path(given.replies), given.reply) if given.replies else given.reply,
        latency=given.latency,
        faults=faults,
        log=given.log,
        port=given.port,
        tls=given.tls,
        keep=given.keep,
        model=_model(_names(given.model_refuses)),
        models=_names(given.models),
        profiles={name: regions.split("+") for name, _, regions in (one.partition("=") for one in given.profile)},
        quota=quota if limited else None,
        api_key=given.api_key,
        strict=given.strict,
        threads=0,  # a reply from a file never blocks
    )


def _model(refused: list[str]) -> Model:
    """Features of `Model` are switched off; any other name is a parameter's."""
    off = {name: False for name in refused if name in _CLOSED}
    return Model(**off, refuses=tuple(name for name in refused if name not in _CLOSED))


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rftj_cli.testing.server", description=FakeJudgeServer.__doc__)
    add = parser.add_argument
    add("--port", type=int, default=0)
    add("--reply", default='{"quality": "pass"}')
    add("--replies", metavar="FILE", help='JSON Lines of {"match": text, "reply": text}; the first match answers')
    add("--latency", type=float, default=0.0, help="seconds")
    add("--log", help="file to which requests and replies are appended")
    add("--keep", type=int, default=0, help="request bodies kept in memory (default: none)")
    add("--tls", nargs=2, metavar=("CERT", "KEY"), help="files; the URL is then https")
    faults = parser.add_argument_group("faults")
    add = faults.add_argument
    add("--script", default="", help=f"faults of the first requests, by comma: {', '.join(NAMES)}")
    add("--rate", type=float, default=0.0, help="share of the other requests that fail")
    add("--faults", default="429,500,503,reset,malformed", help="kinds of those failures, by comma")
    add("--seed", type=int, default=0)
    add("--hang", type=float, default=30.0, help="seconds")
    add("--drip", type=float, default=0.2, help="seconds between two bytes")
    add("--down", type=float, default=2.0, help="seconds for which `refused` refuses connections")
    add("--stale", type=float, default=0.05, help="seconds within which `twice` sends its second answer")
    add("--retry-after", type=float, default=1.0, help="seconds that 429-after and 429-ms ask to wait")
    quota = parser.add_argument_group("quota")
    add = quota.add_argument
    add("--rpm", type=float, help="requests a minute")
    add("--tpm", type=float, help="tokens a minute")
    add("--burst", type=float, default=1.0, help="seconds of quota that may be used at once")
    add("--window", action="store_true", help="fixed minutes instead of a bucket that fills continuously")
    add("--quota-retry-after", action="store_true", help="say in a Retry-After header how long to wait")
    model = parser.add_argument_group("model")
    add = model.add_argument
    add("--model-refuses", default="", help=f"by comma: {', '.join(sorted(_CLOSED))}, or names of parameters")
    add("--models", default="fake-judge", help="names that are listed, by comma")
    add("--profile", action="append", default=[], metavar="ID=REGION+REGION", help="an inference profile")
    add("--api-key", help="the only key that is let in")
    add("--no-strict", dest="strict", action="store_false", help="let requests in that the real service does not know")
    return parser


if __name__ == "__main__":
    main()
