"""Whether a service throttles because of the rate, or a share of all calls whatever the rate.

Under a quota, slowing down ends the refusals after a few cuts. Where each of many cuts in a row begins lower than the one
before, and most calls get through all the same, the rate is not the reason: slowing down further only costs time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CUTS: Final = 8
ATTEMPTS: Final = 24
MOST: Final = 0.5  # share refused: beyond it the service is shut, or the rate far too high
MORE: Final = 0.15  # refusals beyond the known share: the rate is the reason after all
SMOOTH: Final = 0.04  # weight of the newest attempt in the recent share


@dataclass(slots=True)
class Noise:
    """The `share` of attempts that is refused at any rate; None as long as the rate explains the refusals.

    `start` is the rate with which the present row of cuts began.
    """

    share: float | None = None
    start: float = 0.0
    _recent: float = 0.0
    _lowest: float = float("inf")
    _cuts: int = 0
    _sent: int = 0
    _refused: int = 0

    def told(self, refused: bool) -> None:
        """Hear of one attempt."""
        self._recent += SMOOTH * (refused - self._recent)

    def explains(self, rate: float, sent: int, refused: int) -> bool:
        """Whether a refusal at this rate is noise. `sent` and `refused` count all attempts so far."""
        if self.share is not None:
            if self._recent <= self.share + MORE:
                return True
            self.share, self._cuts = None, 0
        if not self._cuts or rate >= self._lowest:
            self._cuts, self.start, self._sent, self._refused = 0, rate, sent, refused
        self._cuts, self._lowest = self._cuts + 1, rate
        attempts = sent - self._sent
        if self._cuts >= CUTS and attempts >= ATTEMPTS and (refused - self._refused) / attempts < MOST:
            self.share = (refused - self._refused) / attempts
        return self.share is not None
