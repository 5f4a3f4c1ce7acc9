"""A judge's service on this machine, with faults on demand: OpenAI chat completions and Bedrock Converse.

    POST /v1/chat/completions       POST /model/{id}/converse       GET /inference-profiles/{id}
    GET  /v1/models                 GET  /api/tags                  GET /__fake__  (counts as JSON)

In a test `with FakeJudgeServer('{"quality": "pass"}') as server:`, then `--base-url server.base_url`, or
AWS_ENDPOINT_URL_BEDROCK_RUNTIME=server.url. As a process of its own `python -m rftj_cli.testing.server --port 0 --reply ...`,
whose first line of output is the URL. Standard library only; botocore where a Converse request is checked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from rftj_cli.testing.chat import Chat
from rftj_cli.testing.converse import Converse
from rftj_cli.testing.engine import Connection, Engine
from rftj_cli.testing.exchange import Exchange
from rftj_cli.testing.faults import Faults
from rftj_cli.testing.http import Incoming
from rftj_cli.testing.listing import PROFILES, inference_profile, ollama_tags, openai_models
from rftj_cli.testing.model import Model
from rftj_cli.testing.problems import Canned, Problem
from rftj_cli.testing.quota import Meter, Quota
from rftj_cli.testing.record import Record
from rftj_cli.testing.replies import Said
from rftj_cli.testing.threads import Threads
from rftj_cli.testing.usage import CountTokens, PromptCache, Usage, rough_tokens

COUNTS: Final = "/__fake__"
_CHAT, _CONVERSE = Chat(), Converse()


class FakeJudgeServer:
    """A service that answers every request with `reply`: a text, an `Answer`, or a rule from the body to either.

    `latency` in seconds is waited before every answer but a refusal; `faults` say which requests fail and how; `log` is a file of JSON
    Lines. `model` says which parameters are accepted, `quota` how much, `api_key` and `credentials` (access key, secret
    key, perhaps session token) from whom. `strict` refuses what the real service does not know. `profiles` maps
    inference profiles to their regions, `models` are listed. With `echo` an answer names its request's X-Request-Id. `tls` is (certificate, key), as files. `keep` bounds the
    bodies kept. A rule runs in one of `threads` threads; with 0 in the server's loop, faster, where it must not block.

    `rule`, `latency`, `faults` and `model` may be replaced while the server runs.
    """

    def __init__(
        self,
        reply: Said = '{"quality": "pass"}',
        *,
        latency: float = 0.0,
        faults: Faults | None = None,
        log: Path | str | None = None,
        port: int = 0,
        tls: tuple[str | Path, str | Path] | None = None,
        keep: int | None = None,
        model: Model | None = None,
        models: Sequence[str] = ("fake-judge",),
        profiles: Mapping[str, Sequence[str]] | None = None,
        quota: Quota | None = None,
        count_tokens: CountTokens = rough_tokens,
        api_key: str | None = None,
        credentials: Sequence[str] | None = None,
        strict: bool = True,
        threads: int = 64,
        echo: bool = False,
    ) -> None:
        self.rule, self.latency, self.faults = reply, latency, faults or Faults()
        self.model, self.models, self.profiles = model or Model(), models, profiles or {}
        self.quota, self.meter = quota, None if quota is None else Meter(quota)
        self.count_tokens, self.cache = count_tokens, PromptCache()
        self.api_key, self.credentials, self.strict, self.echo = api_key, credentials, strict, echo
        self.record = Record(log, keep)
        self.threads = Threads(threads) if threads else None
        self.engine = Engine(self._handle, port, None if tls is None else (str(tls[0]), str(tls[1])))

    @property
    def url(self) -> str:
        """The address, for AWS_ENDPOINT_URL_BEDROCK_RUNTIME."""
        return f"{'https' if self.engine.secure else 'http'}://127.0.0.1:{self.engine.port}"

    @property
    def base_url(self) -> str:
        """The address of the OpenAI API, for --base-url."""
        return f"{self.url}/v1"

    @property
    def requests(self) -> int:
        """How many requests for a reply have arrived."""
        return self.record.requests

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The bodies of these requests in order of arrival, the first `keep` of them."""
        return self.record.bodies

    @property
    def billed(self) -> Usage:
        """What a real service would bill: all replies that were generated, also those that faults kept from arriving."""
        return self.record.billed

    @property
    def throttled(self) -> int:
        """How many requests were over the quota."""
        return self.record.throttled

    def counts(self) -> dict[str, Any]:
        """All counts as plain data: what GET /__fake__ answers."""
        return {
            **self.record.counts(),
            "connections": self.engine.accepted,
            "open": len(self.engine.connections),
        }

    def __enter__(self) -> Self:
        self.engine.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.engine.stop()
        self._close()

    def serve(self) -> None:
        """Serves in this thread until `stop`, or until an exception such as KeyboardInterrupt comes in."""
        try:
            self.engine.run()
        finally:
            self._close()

    def stop(self) -> None:
        """Ends `serve`, from a signal handler or another thread."""
        self.engine.stop()

    def outage(self, seconds: float) -> None:
        """From now on every connection is closed and new ones are refused, for a time; then the same port listens."""
        self.engine.outage(seconds)

    def _close(self) -> None:
        if self.threads is not None:
            self.threads.stop()
        self.record.close()

    def _handle(self, incoming: Incoming, peer: Connection) -> None:
        path = incoming.path
        if incoming.method == "POST" and path.endswith("/chat/completions"):
            Exchange(self, _CHAT, incoming, peer).begin()
        elif incoming.method == "POST" and path.startswith("/model/") and path.endswith("/converse"):
            Exchange(self, _CONVERSE, incoming, peer).begin()
        else:
            peer.answer(self._listed(incoming, path) if incoming.method == "GET" else _nowhere(path))

    def _listed(self, incoming: Incoming, path: str) -> Canned:
        if path == COUNTS:
            return Canned(200, json.dumps(self.counts()))
        if path.startswith(PROFILES):
            problem = _CONVERSE.admit(incoming, self.api_key, self.credentials)
            return inference_profile(path, self.profiles) if problem is None else _CONVERSE.problem(problem)
        if path.endswith("/models") or path == "/api/tags":
            problem = _CHAT.admit(incoming, self.api_key, self.credentials)
            if problem is not None:
                return _CHAT.problem(problem)
            return ollama_tags(self.models) if path == "/api/tags" else openai_models(self.models)
        return _nowhere(path)


def _nowhere(path: str) -> Canned:
    return _CHAT.problem(Problem(404, "not_found", f"no such path: {path}"))
