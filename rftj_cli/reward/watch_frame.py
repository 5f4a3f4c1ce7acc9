"""A reward log cut in time: answers of one step to one prompt (groups), windows of groups, and which are early and late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rftj_cli.errors import InputError
from rftj_cli.files.reward_log_columns import RewardLog
from rftj_cli.files.reward_log_lines import OUTCOMES, STAGES
from rftj_cli.kernel.outcome import SERVICE_STAGES
from rftj_cli.stats.arrays import Bools, Floats, Ints
from rftj_cli.stats.bursts import Bursts, bursts

ABOUT, MOST = 12, 2_000  # windows wanted, and allowed
SMALL: Final = 30  # results; fewer join the window before
LEAST_RESULTS, LEAST_PROMPTS = 30, 8  # on each side of a comparison
COMMON: Final = 0.25  # of the late prompts: where as many came early too, these alone are compared
LENGTHS: Final = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000,
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """log: its results, ordered by time;  group: (n,) codes;  window: (n,) codes in the order of `start`

    length: seconds asked of a window;  version, merged, start: (w,) of each window;  bursts: how groups were made
    compared: the version that is compared, early and late: (w,) its first and last third of windows; none where too few
    """

    log: RewardLog
    bursts: Bursts
    window: Ints
    length: float
    version: Ints
    merged: Ints
    compared: int | None
    early: Bools
    late: Bools
    needed: str | None

    @property
    def group(self) -> Ints:
        """Which answers were given in one step to one prompt."""
        return self.bursts.group

    @property
    def side(self) -> NDArray[np.int8]:
        """(n,) 0 for results of early windows, 1 for late ones, 2 between, -1 where not compared."""
        of_window = np.where(self.early, 0, np.where(self.late, 1, 2))
        of_window[self.version != (-1 if self.compared is None else self.compared)] = -1
        return of_window[self.window].astype(np.int8)


def service_failed(log: RewardLog) -> Bools:
    """(n,) whether the service failed, so that a reward is a constant."""
    ours = np.isin(log.stage, [STAGES.index(one) for one in SERVICE_STAGES])
    return np.asarray((log.outcome == OUTCOMES.index("failure")) & ours)


def earned(log: RewardLog) -> Floats:
    """(n,) rewards, NaN where the service failed: an outage must not look like a model that gets better or worse."""
    return np.where(service_failed(log), np.nan, log.reward)


def in_common(frame: Frame) -> float:
    """The share of the late prompts that came early too."""
    early, late = (np.unique(frame.log.prompt[(frame.side == side) & frame.log.named]) for side in (0, 1))
    return float(np.isin(late, early).mean()) if late.size else 0.0


def matched(frame: Frame) -> Bools:
    """(n,) results to compare: those of prompts that come early and late, where these are enough; else all.

    In a data set that is ordered, early and late hold other prompts, and what differs would be the prompts.
    """
    log, every = frame.log, np.ones(frame.log.n, np.bool_)
    early, late = (np.isin(log.prompt, log.prompt[frame.side == side]) for side in (0, 1))
    both = (early & late) | ~log.named
    enough = all(_enough(log, both & (frame.side == side)) for side in (0, 1))
    return both if enough and in_common(frame) >= COMMON else every


def stamp(seconds: float) -> str:
    """ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def cut(log: RewardLog, length: float | None, gap: float | None) -> Frame:
    """Cut a log that holds results. A group lies whole in the window in which it began."""
    made = bursts(log.prompt * max(1, len(log.versions)) + log.version, log.at, gap)
    began = np.full(int(made.group.max()) + 1, np.inf)
    np.minimum.at(began, made.group, log.at)
    span = float(log.at[-1] - log.at[0])
    if length is None:  # pauses between one reward and the next make no windows longer
        ends = [log.at[log.version == code][[0, -1]] for code in np.unique(log.version)]
        length = default_length(min(span, sum(float(last - first) for first, last in ends)))
    number = np.floor((began[made.group] - log.at[0]) / length).astype(np.int64)
    held = np.unique(number).size
    if held > MOST:
        raise InputError(
            f"that is {held:,} windows", key="--window", found=f"{length:g} s",
            expected=f"at most {MOST:,}; the log spans {span:,.0f} s",
        )  # fmt: skip
    window, version, merged = _joined(log.version, number)
    compared, early, late, needed = _sides(log, window, version)
    return Frame(log, made, window, length, version, merged, compared, early, late, needed)


def default_length(span: float) -> float:
    """The round length that gives about twelve windows."""
    return float(next((one for one in LENGTHS if span / one <= ABOUT), max(LENGTHS[-1], span / ABOUT)))


def _joined(version: Ints, number: Ints) -> tuple[Ints, Ints, Ints]:
    """Windows of a version with few results join the one before (the first ones: the one after)."""
    width = int(number.max()) + 1
    keys, inverse, counts = np.unique(version * width + number, return_inverse=True, return_counts=True)
    target = np.empty(keys.size, np.int64)
    owners: list[tuple[int, int]] = []  # number and version, for the order of time
    held = 0
    for place, (key, count) in enumerate(zip(keys, counts, strict=True)):
        fresh = place == 0 or keys[place - 1] // width != key // width
        if fresh or (held >= SMALL and int(_rest(keys, counts, place, width)) >= SMALL):
            owners.append((int(key % width), int(key // width)))
            held = 0
        target[place] = len(owners) - 1
        held += int(count)
    order = np.argsort([began * (max(v for _, v in owners) + 1) + v for began, v in owners], kind="stable")
    rank = np.empty(order.size, np.int64)
    rank[order] = np.arange(order.size)
    of_key = rank[target]
    versions = np.array([owners[i][1] for i in order], np.int64)
    return of_key[inverse], versions, np.bincount(of_key, minlength=order.size)


def _rest(keys: Ints, counts: Ints, place: int, width: int) -> int:
    """How many results the version still has from this window on."""
    return int(counts[place:][keys[place:] // width == keys[place] // width].sum())


def _sides(log: RewardLog, window: Ints, version: Ints) -> tuple[int | None, Bools, Bools, str | None]:
    """The first and the last third of the windows of the last version that has enough results, else what is missing."""
    none = np.zeros(version.size, np.bool_)
    short = ""
    for code in sorted(set(version.tolist()), key=lambda one: -float(log.at[log.version == one].max())):
        mine = np.flatnonzero(version == code)
        third = max(1, round(mine.size / 3))
        early, late = none.copy(), none.copy()
        early[mine[:third]], late[mine[-third:]] = True, True
        if mine.size >= 2 and all(_enough(log, side[window]) for side in (early, late)):
            return code, early, late, None
        short = short or _missing(log, [side[window] for side in (early, late)], int(mine.size))
    return None, none, none, short


def _enough(log: RewardLog, inside: Bools) -> bool:
    scored = inside & ~np.isnan(earned(log))
    return int(scored.sum()) >= LEAST_RESULTS and log.prompts(scored) >= LEAST_PROMPTS


def _missing(log: RewardLog, sides: list[Bools], windows: int) -> str:
    wanted = f"{LEAST_RESULTS} rewards of {LEAST_PROMPTS} prompts are needed early and late"
    scored = ~np.isnan(earned(log))
    if windows < 2:
        return f"{wanted}; there is one window of {int(scored.sum())} rewards of {log.prompts(scored)} prompts"
    said = [f"{int((side & scored).sum())} of {log.prompts(side & scored)}" for side in sides]
    return f"{wanted}; there are {said[0]} early and {said[1]} late"


def means_by(window: Ints, count: int, x: Floats) -> tuple[float | None, ...]:
    """The mean of `x` in each window, NaN left out; None where there is nothing."""
    known = ~np.isnan(x)
    mass = np.bincount(window[known], minlength=count)
    sums = np.bincount(window[known], weights=x[known], minlength=count)
    return tuple(None if not m else float(s / m) for s, m in zip(sums, mass, strict=True))
