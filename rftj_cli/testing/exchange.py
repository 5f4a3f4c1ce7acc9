"""One request for a reply, from its arrival to the last byte of the answer.

arrive --+-- a fault before the model ----------------------------> fail
         +-- refused: caller, body, model or quota ----------------> refuse
         +-- latency --> rule --> spoilt by a fault --> billed ----> deliver
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from rftj_cli.testing.chat import Chat
from rftj_cli.testing.converse import Converse
from rftj_cli.testing.engine import Connection
from rftj_cli.testing.faults import Faults, runs_the_model, wait_headers
from rftj_cli.testing.http import Incoming
from rftj_cli.testing.problems import Canned, Problem
from rftj_cli.testing.quota import Over
from rftj_cli.testing.record import name_of
from rftj_cli.testing.replies import Answer, Ask, spoilt

if TYPE_CHECKING:
    from rftj_cli.testing.fake import FakeJudgeServer

Dialect = Chat | Converse
_HTML: Final = Canned(200, "<html><body>Sign in to the network</body></html>", {"Content-Type": "text/html"})
_GARBAGE: Final = b'\x1f\x8b\x08\x00{"output": \xff\xfe\x00'
_BEFORE_RESET: Final = 0.02  # seconds in which what was written can leave


class Exchange:
    """The course of one request; `begin` starts it, everything else happens in the server's loop."""

    def __init__(self, server: FakeJudgeServer, dialect: Dialect, incoming: Incoming, peer: Connection) -> None:
        self._server, self._dialect, self._incoming, self._peer = server, dialect, incoming, peer
        self._arrived = time.monotonic()
        self._faults: Faults = server.faults
        self._fault: str | Canned = "ok"
        self._body: dict[str, Any]
        self._ask: Ask
        self._charged = self._number = 0

    def begin(self) -> None:
        """Answers the request, now or later."""
        self._act(self._arrive)

    def _act(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - of a rule or a counter: the user reads it, instead of waiting
            said = f"The fake server cannot answer: {error!r}"
            self._send(self._dialect.problem(replace(self._dialect.faults["500"], message=said)))

    def _wait(self, seconds: float, act: Callable[[], None]) -> None:
        if seconds > 0:
            self._peer.later(seconds, self._act, act)
        else:
            act()

    def _arrive(self) -> None:
        """Counts the request, and decides what becomes of it."""
        body = _object(self._incoming.body)
        if body is None:
            self._peer.answer(self._dialect.problem(Problem(400, "ValidationException", "The body is no JSON object.")))
            return
        self._body = body
        record = self._server.record
        self._number = record.received(unquote(self._incoming.path), body)
        self._fault = self._faults.of(self._number, self._incoming.body)
        record.faults[name_of(self._fault)] += 1
        if not runs_the_model(self._fault):
            self._wait(self._server.latency, self._fail)
        elif (problem := self._problem()) is not None:
            self._refuse(problem)  # at once: a refusal takes no time of the model
        else:
            self._wait(self._server.latency, self._generate)

    def _problem(self) -> Problem | None:
        server, dialect, body, path = self._server, self._dialect, self._body, self._incoming.path
        if (problem := dialect.admit(self._incoming, server.api_key, server.credentials)) is not None:
            return problem
        try:
            if server.strict and (problem := dialect.check(body, path)) is not None:
                return problem
            if (problem := dialect.refusal(server.model, body)) is not None:
                return problem
            self._ask = dialect.read(body, path)
        except (TypeError, ValueError, AttributeError, KeyError, IndexError) as error:
            return Problem(400, "ValidationException", f"The body has another shape: {error!r}")
        return self._over_quota()

    def _over_quota(self) -> Problem | None:
        server = self._server
        if server.meter is None:
            return None
        self._charged = server.count_tokens(self._ask.text) + self._ask.max_tokens
        over = server.meter.take(self._charged, time.monotonic())
        if over is None:
            return None
        server.record.throttled += 1
        return self._dialect.over(over.kind, self._retry_after(over))

    def _retry_after(self, over: Over) -> dict[str, str]:
        quota = self._server.quota
        if quota is None or not quota.retry_after:
            return {}
        # Whole seconds, as the header's definition wants them; a quota of nothing would be without end.
        return {"Retry-After": str(max(1, math.ceil(min(over.wait, 86400.0))))}

    def _refuse(self, problem: Problem) -> None:
        if problem.status != 429:
            self._server.record.refused += 1
        self._send(self._dialect.problem(problem))

    def _fail(self) -> None:
        fault = self._fault
        if isinstance(fault, Canned):
            self._send(fault)
        elif fault == "reset":
            self._peer.reset()
        elif fault == "refused":
            self._server.outage(self._faults.down)
        elif fault == "html":
            self._send(_HTML)
        else:
            headers = wait_headers(fault, self._faults.retry_after, self._dialect.bedrock)
            self._send(self._dialect.problem(replace(self._dialect.faults[fault], headers=headers)))

    def _generate(self) -> None:
        rule = self._server.rule
        if not callable(rule):
            self._generated(rule)
        elif self._server.threads is None:
            self._generated(_applied(rule, self._body))
        else:
            self._server.threads.run(
                lambda: _applied(rule, self._body),
                lambda said: self._server.engine.post(self._act, lambda: self._generated(said)),
            )

    def _generated(self, said: str | Answer | Exception) -> None:
        server, dialect = self._server, self._dialect
        if self._peer.killed:  # in an outage, which took the model along
            return
        if isinstance(said, Exception):
            raise said
        answer = spoilt(said, self._fault)
        minimum = server.model.cache_minimum if server.model.cache else None
        usage = server.cache.used(answer, self._ask, server.count_tokens, minimum, dialect.bedrock)
        server.record.billed += usage
        if server.meter is not None:
            server.meter.give_back(self._charged - usage.prompt - usage.output)
        seconds = time.monotonic() - self._arrived
        content = dialect.write(answer, self._ask, usage, self._number, seconds)
        headers = {dialect.request_id: f"fake-{self._number}"}
        if server.echo and (sent := self._incoming.headers.get("x-request-id")):
            headers["X-Request-Id"] = sent
        response = Canned(200, content, headers)
        self._wait(self._faults.hang if self._fault == "hang" else 0, lambda: self._deliver(response, answer.text))

    def _deliver(self, response: Canned, text: str) -> None:
        peer, data = self._peer, response.body.encode("utf-8", "replace")
        if self._fault == "drip":
            peer.begin(200, len(data), response.headers)
            self._drip(data, 0, text)
        elif self._fault == "reset-mid":
            peer.begin(200, len(data), response.headers, data[: len(data) // 2])
            peer.later(_BEFORE_RESET, peer.reset)
        elif self._fault == "garbage":
            peer.begin(200, 2 * len(_GARBAGE), response.headers, _GARBAGE, close=True)
            peer.end(close=True)
        elif self._fault == "truncated":
            self._send(replace(response, body=response.body[: len(response.body) // 2]), text, close=True)
        elif self._fault == "malformed":
            self._send(replace(response, body="{}"), text)
        elif self._fault == "excess":
            peer.begin(200, len(data), response.headers, data)
            self._send(response, text)
        else:
            self._send(response, text)
            if self._fault == "twice":
                peer.later(self._faults.late(self._number), peer.begin, 200, len(data), response.headers, data)

    def _drip(self, data: bytes, at: int, text: str) -> None:
        if self._peer.gone:
            return
        self._peer.write(data[at : at + 1])
        if at + 1 < len(data):
            self._peer.later(self._faults.drip, self._drip, data, at + 1, text)
        else:
            self._server.record.finished(self._number, self._fault, text)
            self._peer.end()

    def _send(self, response: Canned, text: str = "", *, close: bool = False) -> None:
        gone = self._peer.gone
        self._peer.answer(response, close=close)
        if not gone:
            self._server.record.finished(self._number, self._fault, text)


def _applied(rule: Callable[[dict[str, Any]], Any], body: dict[str, Any]) -> str | Answer | Exception:
    """What a rule says, or raises."""
    try:
        said = rule(body)
    except Exception as error:  # noqa: BLE001 - it is carried from the rule's thread to the loop
        return error
    return said if isinstance(said, str | Answer) else TypeError(f"a rule gives a text or an Answer, not {said!r}")


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
