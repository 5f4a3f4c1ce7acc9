"""What changed between the early and the late windows: one number a question, with intervals clustered by prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rftj_cli.files.reward_log_columns import RewardLog
from rftj_cli.reward.watch_frame import Frame, earned, matched, means_by, service_failed
from rftj_cli.reward.watch_values import Moved
from rftj_cli.reward.watch_windows import FAILURE, MALFORMED, groups_of
from rftj_cli.stats.arrays import Bools, Floats, Ints
from rftj_cli.stats.change import Change, change

PART = "part "  # before the name of a criterion or check


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """A number's change, with what the signs need: the p-values, and x (m,) at `places` of the log."""

    moved: Moved
    p_up: float
    p_down: float
    places: Ints
    x: Floats

    @property
    def early(self) -> float:
        """The early mean; 0 where there is none (the p-values are then 1)."""
        return self.moved.early or 0.0

    @property
    def late(self) -> float:
        """The late mean."""
        return self.moved.late or 0.0

    @property
    def by(self) -> float:
        """Late minus early, or late over early."""
        return self.moved.difference.value or 0.0


def moves_of(frame: Frame, level: float) -> dict[str, Move]:
    """Every number by its name, parts as `part NAME`. The constants of a failed service are no rewards here."""
    if frame.compared is None:
        return {}
    log, side, reward = frame.log, frame.side, earned(frame.log)
    every = np.flatnonzero(side >= 0)
    groups = groups_of(reward, frame.group)
    inside = side[groups.first] >= 0
    first, flat, spread = groups.first[inside], groups.flat[inside], groups.spread[inside]
    scored = every[~np.isnan(reward[every])]
    counted = every[~np.isnan(log.response_words[every])]
    found: dict[str, tuple[str, Ints, Floats]] = {
        "reward": ("mean", scored, reward[scored]),
        "words": ("ratio", counted, np.log1p(log.response_words[counted])),
        "zero_variance": ("share", first, flat.astype(float)),
        "spread": ("mean", first, spread),
        "at_max": ("share", scored, _at_max(reward[scored])),
        "content_failures": ("share", every, _broken(log)[every].astype(float)),
        "service_failures": ("share", every, service_failed(log)[every].astype(float)),
        "malformed": ("share", every, (log.outcome[every] == MALFORMED).astype(float)),
        "essential": ("share", every, (log.essential[every] >= 0).astype(float)),
        "repeats": ("share", every, repeated(log, every).astype(float)),
    }
    for name, u in log.parts.items():
        known = every[~np.isnan(u[every])]
        if known.size:
            found[PART + name] = ("share", known, u[known])
    use = matched(frame)
    return {name: _move(frame, use, name, *one, level) for name, one in found.items() if one[1].size}


def repeated(log: RewardLog, places: Ints) -> Bools:
    """Whether the same response was given to another prompt too, anywhere among `places`."""
    pairs = np.unique(np.stack([log.response[places], log.prompt[places]]), axis=1)
    prompts = np.bincount(pairs[0], minlength=int(log.response.max(initial=0)) + 1)
    return np.asarray(prompts[log.response[places]] >= 2)


def _move(frame: Frame, use: Bools, name: str, kind: str, places: Ints, x: Floats, level: float) -> Move:
    side = frame.side[places]
    ends = (side != 2) & use[places]
    found: Change = change(
        x[ends], side[ends] == 1, frame.log.prompt[places][ends], share=kind == "share", ratio=kind == "ratio",
        level=level,
    )  # fmt: skip
    mine = frame.version == frame.compared
    rank = (np.cumsum(mine) - 1)[frame.window[places]]
    by_window = means_by(rank, int(mine.sum()), x)
    if kind == "ratio":
        by_window = tuple(None if one is None else float(np.exp(one)) for one in by_window)
    moved = Moved(name, kind, found.early, found.late, found.difference, by_window)
    return Move(moved, found.p_up, found.p_down, places, x)


def _at_max(reward: Floats) -> Floats:
    return np.asarray(reward >= reward.max(initial=-np.inf) - 1e-9, np.float64)


def _broken(log: RewardLog) -> Bools:
    """Failures that the answer itself brought about."""
    return np.asarray((log.outcome == FAILURE) & ~service_failed(log))


def part_names(moves: Mapping[str, Move]) -> list[str]:
    """The names of the criteria and checks that moves are known of."""
    return [name.removeprefix(PART) for name in moves if name.startswith(PART)]
