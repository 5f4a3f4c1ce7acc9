"""What may be sent when: one for a run, asked before every attempt and told how it went. It owns the clock of a run.

    pilot (the first call goes alone) --> slow start --> as fast as the service lets through
                                       fault: growth pauses; throttled: slower; ten calls in a row at fault: the breaker
    breaker: open, wait 1, 2, 4, ... 30 s --> one probe --> closed, or open again; silent for too long: the run gives up

The probe is a request that was answered before, where one is known (`vouched`): it tells a service that is down from
samples that always fail.

Time spent here is not a call's own: a call does not age while the service is down or the rate is low, so none is lost.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rftj_cli.kernel.outcome import CallError, Reply, Request
from rftj_cli.running.flow import Flow, Sent
from rftj_cli.running.noise import Noise
from rftj_cli.running.pauses import Pauses
from rftj_cli.running.tokens import Meter

AT_FIRST: Final = 64  # calls in flight with which slow start begins
QUICKEST: Final = 0.2  # seconds: the shortest in which the rate doubles
ROUND_TRIP: Final = 2.0  # seconds: a first call that took longer (a schema is compiled, a model loaded) says little
FAULTY: Final = 0.4  # share of faults among recent attempts that stops growth
FAULTS_IN_A_ROW: Final = 10
TOGETHER: Final = 5  # faults in a row: more are an outage, and not held against the single call
LONGEST_COOLING: Final = 30.0  # seconds between two probes
COMMON: Final = 4  # refusals in a row: what they ask to wait holds for everybody, of a single one only for its own call
LONGEST_HOLD: Final = 600.0  # seconds: who is asked to wait longer has used up a quota of the day
QUIET: Final = 15.0  # seconds without a reply, but with faults, after which the service is probed
SCOUTS: Final = 5  # samples with which it is found out whether anybody is there
SCOUT_WAIT: Final = 10.0  # seconds without an answer after which the next of them goes
MOST_HISTORY: Final = 200


@dataclass(frozen=True, slots=True)
class Ticket:
    """One attempt that was let through: of the call `key`, or a probe of the service."""

    at: float
    requests: Sent
    tokens: Sent
    key: str | None = None
    probe: bool = False


class Traffic:
    """The limiter and the breaker. `rpm` and `tpm` are ceilings a minute; `patience` in seconds without any answer ends it.

    `known` is what `found` said in an earlier command. Where it ends, `over` says why, and `stop` is set. Safe to use
    from many threads.
    """

    def __init__(
        self,
        *,
        rpm: float | None = None,
        tpm: float | None = None,
        patience: float = 120.0,
        known: Mapping[str, Any] | None = None,
        stop: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] | None = None,
    ) -> None:
        self._clock = clock
        self._pauses = Pauses(clock, wall or (time.time if clock is time.monotonic else clock))
        self._lock = threading.Lock()
        self._patience = patience
        self._stop = stop or threading.Event()
        self._began = self._progress = clock()
        self._seeded = rpm is not None or tpm is not None
        self.requests = _flow(rpm, (known or {}).get("requests_a_minute"))
        self.tokens = _flow(tpm, (known or {}).get("tokens_a_minute"))
        self.noise = Noise()
        self._in_flight = 0
        self._pilot = True
        self._pilots: float | None = None  # when the first call went
        self._probing = False
        self.vouched = False  # whether a request is known that was answered before
        self._round_trip = self._slowest = 0.0
        self._hold = float("-inf")
        self._row = 0  # of refusals
        self._faulty: set[object] = set()  # calls at fault since the last reply
        self._suspicious = FAULTS_IN_A_ROW
        self._share = 0.0
        self._cooling = 0.0
        self._last = ""
        self.over: str | None = None
        self.throttled = self.sent = 0
        self.history: list[dict[str, Any]] = []

    def admit(self, tokens: float, key: str | None = None, *, probe: bool = False) -> Ticket | float:
        """A ticket for one attempt of the call `key` with so many tokens, or the seconds after which to ask again."""
        with self._lock:
            now = self._clock()
            if not probe and (self._in_flight >= self._scouts(now) or (self._cooling and self._held_back())):
                return 0.05  # few, or one alone, find out
            wait = max(self._hold - now, self.requests.wait(now), self.tokens.wait(now))
            if wait > 0:
                return wait
            self._in_flight += 1
            self.sent += 1
            self._probing = self._probing or probe
            self._pilots = now if self._pilots is None else self._pilots
            return Ticket(now, self.requests.send(1.0, now), self.tokens.send(tokens, now), key, probe)

    def _held_back(self) -> bool:
        return self.vouched or self._in_flight > 0

    def _scouts(self, now: float) -> float:
        if not self._pilot:
            return float("inf")
        silent = 0.0 if self._pilots is None else now - self._pilots
        return min(SCOUTS, 1 + len(self._faulty) + int(silent / SCOUT_WAIT))

    @property
    def scouts(self) -> float:
        """How many calls may be made at a time: few, until the service has answered."""
        return self._scouts(self._clock())

    @property
    def wants_probe(self) -> bool:
        """Whether a request that was answered before should be sent now, to find out whether the service is there."""
        now = self._clock()
        if not self.vouched or self._probing or now < self._hold:
            return False
        if self._pilot and self._pilots is not None and now - self._pilots > SCOUT_WAIT:
            return True
        return bool(self._cooling) or (bool(self._last) and now - self._progress > QUIET)

    def beat(self) -> None:
        """A turn of a loop, several a second: after a pause of the machine the run's patience starts anew."""
        with self._lock:
            if self._pauses.beat():
                self._progress = self._clock()

    def told(self, ticket: Ticket, answer: Reply | CallError) -> None:
        """How an attempt went."""
        with self._lock:
            now = self._clock()
            self._in_flight -= 1
            self._probing = self._probing and not ticket.probe
            if self.tokens.cap is not None:
                self.tokens.settle(ticket.tokens, _used(answer))
            if self._pauses.noticed():
                self._progress = now
            if ticket.at < self._pauses.last and isinstance(answer, CallError) and answer.retry and not answer.adapted:
                answer.excused = answer.paused = True  # its connection did not outlive the pause, which says nothing
                return
            self.noise.told(isinstance(answer, CallError) and answer.stage == "throttled")
            if isinstance(answer, Reply) or not (answer.retry or answer.fatal) or answer.adapted:
                self._answered(now, ticket, isinstance(answer, Reply))
            elif answer.stage == "throttled":
                self._refused(now, ticket, answer)
            elif not answer.fatal:
                self._fault(now, ticket, answer)
            if now - self._progress > self._patience and self._last:
                self._end(f"nothing has come back for {now - self._progress:.0f} s, the last with: {self._last}")

    @property
    def _pace(self) -> float:
        # A service that answers in no time would be overrun before its first refusal is heard.
        return max(QUICKEST, self._round_trip)

    @property
    def round_trip(self) -> float:
        """Seconds that a reply takes of late; 0 before the first."""
        return self._round_trip

    @property
    def slowest(self) -> float:
        """Seconds that the slowest of the latest replies took, the very first apart."""
        return self._slowest

    @property
    def answered(self) -> bool:
        """Whether the service has answered at all."""
        return not self._pilot

    @property
    def allowed(self) -> float | None:
        """Requests a second that are let through now, where a limit of the service or of the user is known."""
        limited = self.requests.known is not None or self.requests.cap is not None
        return self.requests.rate if limited else None

    def _end(self, why: str) -> None:
        self.over = self.over or why
        self._stop.set()

    def _answered(self, now: float, ticket: Ticket, reply: bool) -> None:
        self._progress, self._row, self._last, seconds = now, 0, "", now - ticket.at
        self._faulty.clear()
        # Where only the probe is answered, the others are at fault themselves: the next suspicion takes more of them.
        self._suspicious = 2 * self._suspicious if ticket.probe else FAULTS_IN_A_ROW
        if self._cooling:
            self._cooling = 0.0
            self._note(now, "answers again")
        if not reply:
            return
        self._round_trip = seconds if not self._round_trip else 0.8 * self._round_trip + 0.2 * seconds
        self._slowest = 0.0 if self._pilot else max(0.99 * self._slowest, seconds)
        if self._pilot:
            self._pilot = False
            at_first = None if self._seeded else AT_FIRST / min(self._pace, ROUND_TRIP)
            self.requests.begin(at_first, now)
            self.tokens.begin(None, now)
            self._note(now, "start")
        self._share *= 0.95
        for flow in (self.requests, self.tokens):
            flow.grow(now, now - seconds, self._pace, self._share > FAULTY, self.noise.share is not None)

    def _refused(self, now: float, ticket: Ticket, error: CallError) -> None:
        self.throttled += 1
        self._row += 1
        self._last = error.reason
        if error.retry_after is not None:
            if error.retry_after > LONGEST_HOLD:
                self._end(f"the service asks to wait {error.retry_after:.0f} s: {error.reason}")
            if self._row >= COMMON:
                self._hold = max(self._hold, now + error.retry_after)
        if self.requests.is_news(ticket.requests):
            known = self.noise.share
            if self.requests.rate and self.noise.explains(self.requests.rate, self.sent, self.throttled):
                if known is None:  # the cuts did not help: back, though not all the way
                    self.requests.restore(self.noise.start / 2, now)
                    self.tokens.restore(None, now)
                    self._note(now, "throttled at any rate")
                return
            self._note(now, "throttled")
        self.requests.cut(ticket.requests, now)
        self.tokens.cut(ticket.tokens, now)

    def _fault(self, now: float, ticket: Ticket, error: CallError) -> None:
        self._share = 0.95 * self._share + 0.05
        # Who can probe the service finds out, and need not excuse what may be the call's own fault.
        error.excused = len(self._faulty) >= TOGETHER and not (self._pilot or self.vouched)
        self.requests.pause(now)
        self.tokens.pause(now)
        self._faulty.add(object() if ticket.key is None else ticket.key)
        self._last = error.reason
        if self._cooling or ticket.probe or len(self._faulty) >= self._suspicious:
            probed = ticket.probe or (not self.vouched and self._in_flight == 0)
            self._cooling = min(LONGEST_COOLING, max(1.0, 2 * self._cooling)) if probed else self._cooling
            self._cooling = self._cooling or (0.5 if self.vouched else 1.0)
            if ticket.probe or not self.vouched:  # else the first probe goes at once
                self._hold = max(self._hold, now + self._cooling)
            self._note(now, f"no answer: {error.reason}")

    def _note(self, now: float, why: str) -> None:
        if len(self.history) >= MOST_HISTORY:  # thinned, so that a long run keeps its whole course
            del self.history[1:-1:2]
        self.history.append({"at": round(now - self._began, 3), "why": why, **self.document()})

    def document(self) -> dict[str, float | None]:
        """The rates allowed now, a minute; None where there is no limit."""
        rates = {"requests_a_minute": self.requests.rate, "tokens_a_minute": self.tokens.rate}
        return {name: _a_minute(rate) for name, rate in rates.items()}

    def found(self) -> dict[str, float | None]:
        """The rates a minute at which the service began to refuse; None where it never did."""
        known = {"requests_a_minute": self.requests.known, "tokens_a_minute": self.tokens.known}
        return {name: _a_minute(rate) for name, rate in known.items()}


def _a_minute(rate: float | None) -> float | None:
    # JSON has no infinity, and a rate that has grown so far is none.
    return None if rate is None or rate > 1e12 else round(60 * rate, 1)


def _used(answer: Reply | CallError) -> int:
    """The tokens that an attempt has taken, 0 where the service does not say. A reply's lost attempts were settled before."""
    if isinstance(answer, CallError):
        return answer.input_tokens + answer.output_tokens
    return answer.input_tokens + answer.cache_read_tokens + answer.cache_write_tokens + answer.output_tokens


def tokens_of(request: Request, traffic: Traffic, meter: Meter) -> float:
    """The size of a call for the limiter. To find a limit any measure will do; only a given one must be met in tokens."""
    if traffic.tokens.cap is None:
        turns = sum(len(text) for _, text in request.turns)
        return (len(request.system) + turns + len(request.user)) / 4 + 1
    return meter.prudent(request)


def _flow(ceiling: float | None, known: object) -> Flow:
    cap = None if ceiling is None else ceiling / 60
    found = known / 60 if isinstance(known, (int, float)) and known > 0 else None
    return Flow(cap=cap, rate=found, known=found)
