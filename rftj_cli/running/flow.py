"""How fast requests, or tokens, may be sent: a paced rate that looks for the service's own limit.

    slow start (doubles each round trip) --throttled--> cut to what was let through --> back up to 0.9 of where it was
         ^                                    ^                                            |
         |                                    +---- throttled ---- 2% a second more <------+
         +-- half as much again, and nothing refused: the limit is not there any more -----+

Additive increase and multiplicative decrease, as TCP finds its rate. Sending is paced, not in bursts: so at the first
refusal little else is on its way. While nothing is let through, the service is shut and says nothing of its limit: the
last known one stays, and what the service takes again is soon found.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

CUT: Final = 0.9  # of the rate at which the service refused
MARGIN: Final = 0.95  # of what the service let through before
STEP: Final = 0.02  # of the last known good rate, a second; grows the longer nothing is refused
STEP_A_REPLY: Final = 0.001  # the same limit by replies: at low rates a refusal costs more of them
SOON: Final = 8.0  # seconds after a refusal in which growth stays slow
GONE: Final = 1.75  # times the known rate: where so much is let through, the limit has gone
BURST: Final = 0.05  # seconds of sending that may be caught up at once
WINDOW: Final = 1.0  # seconds over which it is counted what came through
SHORT: Final = 0.2  # seconds: less shows no rate
SHUT: Final = 1.0  # seconds, and two round trips, without a word: the service was shut for a while
REOPENED: Final = 1 / 32  # of the known rate: with which a service that was shut is tried
CLOSED: Final = 0.1  # share of the rate: if less came through, the service is shut for a while, not slower
SLOWEST: Final = 0.2  # requests a second: an attempt each 5 s still finds out when the service is back


@dataclass(slots=True)
class Sent:
    """So many units, sent at a time; refused or not."""

    at: float
    units: float
    refused: bool = False


@dataclass(slots=True)
class Flow:
    """One limited quantity. Rates are units a second; `rate` None is no limit, `cap` is never exceeded. Times: seconds.

    `known` is the rate near which the service began to refuse, None before it ever did.
    """

    cap: float | None = None
    rate: float | None = None
    known: float | None = None
    _free: float = 0.0  # when the next unit may go
    _grown: float = 0.0
    _cut: float = float("-inf")
    _since: float = float("-inf")
    _before: float | None = None  # `known` when the service was last heard from since a cut
    _heard: float = float("-inf")
    _recent: deque[Sent] = field(default_factory=deque)

    def __post_init__(self) -> None:
        if self.cap is not None:
            self.rate = self.cap if self.rate is None else min(self.rate, self.cap)

    def begin(self, rate: float | None, now: float) -> None:
        """The service has answered once: slow start begins with `rate`, where no limit is known yet."""
        self._since = self._grown = now
        if self.rate is None:
            self.rate = rate

    def wait(self, now: float) -> float:
        """Seconds until something may be sent."""
        return 0.0 if self.rate is None else max(0.0, self._free - now)

    def send(self, units: float, now: float) -> Sent:
        """Note what is sent."""
        sent = Sent(now, units)
        self._recent.append(sent)
        while self._recent[0].at < now - 4 * WINDOW:
            self._recent.popleft()
        if self.rate is not None:
            self._free = max(self._free, now - BURST) + units / self.rate
        return sent

    def settle(self, sent: Sent, units: float) -> None:
        """It was `units` in truth: what is sent next waits for the rest, or goes sooner. 0 says nothing."""
        if self.rate is not None and units:
            self._free += (units - sent.units) / self.rate

    def is_news(self, refused: Sent) -> bool:
        """Whether it was sent after the last cut."""
        return refused.at > self._cut

    def restore(self, rate: float | None, now: float) -> None:
        """Go back to an earlier rate: None is no limit but the cap."""
        self.rate = self.cap if rate is None else rate if self.cap is None else min(rate, self.cap)
        self.known = self.rate
        self._cut = self._since = self._grown = now
        self._free = min(self._free, now)

    def cut(self, refused: Sent, now: float) -> None:
        """The service refuses: send less than it let through. What was sent before the last cut says nothing new."""
        refused.refused = True
        if not self.is_news(refused):
            return
        through, slowest = self._through(refused.at), SLOWEST * refused.units
        if self.rate is None:
            if not through:
                return
            self.rate = through / MARGIN
        rate = self.rate
        if through is None:
            self.known = min(self.known or rate, 0.8 * rate)
            self.rate = rate / 2
        elif through < CLOSED * rate:
            self.known = self.known or CUT * rate
            self.rate = rate / 2
        else:
            self.known = CUT * min(rate, 2 * through)
            self.rate = min(CUT * rate, MARGIN * through)
        self.rate = max(slowest, self.rate)
        self._before = self._before or self.known
        self._cut = self._grown = now
        self._free = max(self._free, now)

    def _through(self, end: float) -> float | None:
        """Units a second let through before `end`, since the last cut; None where that was too short a time to tell."""
        start = max(end - WINDOW, self._cut, self._since)
        if end - start < SHORT:
            return None
        return sum(one.units for one in self._recent if start < one.at <= end and not one.refused) / (end - start)

    def pause(self, now: float) -> None:
        """A fault: the time since the last answer does not count for growth."""
        self._grown = now

    def grow(self, now: float, sent: float, round_trip: float, paused: bool, noisy: bool) -> None:
        """Something that was sent at `sent` came back: send faster, unless growth is paused.

        Where refusals are `noisy`, they come at any rate, and none for a while says nothing of the limit.
        """
        passed, self._grown = now - self._grown, now
        if sent > self._cut:
            if self._before is not None and self.known is not None and now - self._heard > SHUT + 2 * round_trip:
                self.known = max(self.known, self._before)  # it was shut, which says nothing of its limit
                self.rate = max(self.rate or 0.0, REOPENED * self.known)
            self._before, self._heard = None, now
        if self.rate is None or paused or now - self._free > BURST / 2:
            return  # a rate that holds nothing back has nothing to prove
        if self.known is None or self.rate < self.known:
            top = self.known or float("inf")
            self.rate = min(top, self.rate * 2.0 ** min(1.0, passed / round_trip))
        else:
            faster = 1 + ((now - max(self._cut, self._since)) / SOON) ** 2
            self.rate += self.known * faster * min(STEP * passed, STEP_A_REPLY)
            if self.rate > GONE * self.known and not noisy:
                self.known = None
        if self.cap is not None:
            self.rate = min(self.rate, self.cap)
