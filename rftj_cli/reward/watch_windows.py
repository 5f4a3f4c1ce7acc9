"""The numbers of each window: rewards, failures, groups without variance, length, criteria, latency, tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rftj_cli.files.reward_log_columns import RewardLog
from rftj_cli.files.reward_log_lines import OUTCOMES, STAGES
from rftj_cli.reward.watch_frame import Frame, earned, stamp
from rftj_cli.reward.watch_values import EARLY, LATE, MIDDLE, Version, Window
from rftj_cli.stats.arrays import Bools, Floats, Ints
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.shares import mean, share
from rftj_cli.stats.signal import within_phi
from rftj_cli.stats.slope import within_slope

BINS = 10
FAILURE, MALFORMED = OUTCOMES.index("failure"), OUTCOMES.index("malformed")


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Groups with at least two rewards: (g,) the place of each one's first result, whether all rewards are alike, their
    standard deviation."""

    first: Ints
    flat: Bools
    spread: Floats


def groups_of(reward: Floats, group: Ints) -> Groups:
    """The groups that could teach; NaN is no reward."""
    scored = np.flatnonzero(~np.isnan(reward))
    codes, x = group[scored], reward[scored]
    count = int(group.max(initial=-1)) + 1
    size = np.bincount(codes, minlength=count)
    safe = np.maximum(size, 1)
    centre = np.bincount(codes, weights=x, minlength=count) / safe
    off = x - centre[codes]
    spread = np.sqrt(np.bincount(codes, weights=off * off, minlength=count) / np.maximum(size - 1, 1))
    first = np.zeros(count, np.int64)
    first[codes[::-1]] = scored[::-1]
    use = size >= 2
    scale = max(1.0, float(np.abs(x).max(initial=0.0)))
    return Groups(first[use], spread[use] <= 1e-9 * scale, spread[use])


def windows_of(frame: Frame) -> tuple[Window, ...]:
    """All windows, in the order of their start."""
    known = frame.log.reward[~np.isnan(frame.log.reward)]
    ends = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    ends = (min(0.0, ends[0]), max(1.0, ends[1])) if -1 <= ends[0] and ends[1] <= 1 else ends
    ends = (-1.0, 1.0) if -1 <= ends[0] < 0 and ends[1] <= 1 else ends
    order = np.argsort(frame.window, kind="stable")
    edges = np.searchsorted(frame.window[order], np.arange(frame.version.size + 1))
    return tuple(
        _window(frame, number, order[edges[number] : edges[number + 1]], ends) for number in range(frame.version.size)
    )


def versions_of(log: RewardLog) -> tuple[Version, ...]:
    """The rewards that the log knows, with the time of their first and last result."""
    out = []
    for code, (judge, reward) in enumerate(log.versions):
        at = log.at[log.version == code]
        times = (stamp(float(at[0])), stamp(float(at[-1]))) if at.size else ("", "")
        out.append(Version(judge, reward, int(at.size), *times))
    return tuple(out)


def trends_of(frame: Frame) -> dict[str, Estimate]:
    """How words and reward grow from window to window of the compared version."""
    inside = frame.side >= 0
    if not inside.any():
        return {}
    log, out = frame.log, {}
    place = np.cumsum(frame.version == frame.compared)[frame.window].astype(np.float64)
    for name, y in (("words_per_window", log.response_words), ("reward_per_window", earned(log))):
        use = inside & ~np.isnan(y)
        if use.any():
            out[name] = within_slope(place[use], y[use], clusters=log.prompt[use], flat="only 1 window")
    return out


def _window(frame: Frame, number: int, places: Ints, ends: tuple[float, float]) -> Window:
    log = frame.log.take(places)
    groups = groups_of(log.reward, np.unique(frame.group[places], return_inverse=True)[1].astype(np.int64))
    known = log.reward[~np.isnan(log.reward)]
    quartiles = tuple(float(q) for q in np.quantile(known, (0.25, 0.5, 0.75))) if known.size else None
    part = None
    if frame.version[number] == frame.compared:
        part = EARLY if frame.early[number] else LATE if frame.late[number] else MIDDLE
    stages = np.bincount(log.stage[log.stage >= 0], minlength=len(STAGES))
    return Window(
        start=stamp(float(log.at[0])),
        end=stamp(float(log.at[-1])),
        version=int(frame.version[number]),
        part=part,
        merged=int(frame.merged[number]),
        results=log.n,
        prompts=log.prompts(),
        groups=int(np.unique(frame.group[places]).size),
        estimates=_estimates(log, groups, frame.group[places]),
        quartiles=quartiles,  # type: ignore[arg-type]
        histogram=tuple(int(one) for one in np.histogram(known, BINS, ends)[0]),
        stages={name: int(count) for name, count in zip(STAGES, stages, strict=True) if count},
        parts={name: _mean(u, log) for name, u in log.parts.items() if not np.isnan(u).all()},
        latency_ms={f"p{q}": _quantile(log.latency_ms, q) for q in (50, 95)},
        tokens={"input": _average(log.input_tokens), "output": _average(log.output_tokens)},
        throttled=int((log.stage == STAGES.index("throttled")).sum()),
    )


def _estimates(log: RewardLog, groups: Groups, group: Ints) -> dict[str, Estimate]:
    prompts = log.prompt
    retried = log.attempts > np.maximum(np.nan_to_num(log.calls, nan=1.0), 1.0)
    whole = ~np.isnan(log.reward) & ~np.isnan(log.response_words)
    length = within_phi(group[whole], log.response_words[whole], log.reward[whole], clusters=prompts[whole])[0]
    return {
        "reward": _mean(log.reward, log),
        "failures": share((log.outcome == FAILURE).astype(float), clusters=prompts),
        "malformed": share((log.outcome == MALFORMED).astype(float), clusters=prompts),
        "essential": share((log.essential >= 0).astype(float), clusters=prompts),
        "zero_variance": share(groups.flat.astype(float), clusters=prompts[groups.first])
        if groups.first.size
        else Estimate.missing(0, "no group of two rewards"),
        "spread": mean(groups.spread, clusters=prompts[groups.first]),
        "words": _mean(log.response_words, log),
        "length_correlation": length,
        "retried": share(retried.astype(float), clusters=prompts),
    }


def _mean(x: Floats, log: RewardLog) -> Estimate:
    known = ~np.isnan(x)
    return mean(x[known], clusters=log.prompt[known])


def _quantile(x: Floats, percent: int) -> float | None:
    known = x[~np.isnan(x)]
    return float(np.quantile(known, percent / 100)) if known.size else None


def _average(x: Floats) -> float | None:
    known = x[~np.isnan(x)]
    return float(known.mean()) if known.size else None
