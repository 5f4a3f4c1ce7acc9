"""`rftj reward watch`: the reward logs of a training run, read and weighed.

files | CloudWatch --> Intake --> RewardLog --> Frame (groups, windows, early and late)
                                                  |--> windows, moves, signs (Holm over all), choice for labelling
run --> Anchors --> results of its samples, put aside --> Drift of the judge
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from rftj_cli.cloud import Cloud, CloudError
from rftj_cli.errors import InputError
from rftj_cli.files.reward_log_columns import RewardLog
from rftj_cli.files.reward_logs import Intake, LogFiles
from rftj_cli.reward.watch_anchors import Anchors, drift_of, places_in, read_anchors
from rftj_cli.reward.watch_cloud import LogEvents, LogGroup, group_of
from rftj_cli.reward.watch_frame import COMMON, Frame, cut, in_common, matched, stamp
from rftj_cli.reward.watch_label import write_choice
from rftj_cli.reward.watch_moves import moves_of
from rftj_cli.reward.watch_signs import signs_of
from rftj_cli.reward.watch_times import duration, moment
from rftj_cli.reward.watch_values import Drift, Watched
from rftj_cli.reward.watch_windows import trends_of, versions_of, windows_of
from rftj_cli.running.signals import ends_on_signals
from rftj_cli.stats.estimate import LEVEL
from rftj_cli.stats.looks import level_of_look

CLOUD_SINCE = "1d"  # of CloudWatch, where --since does not say
FILES_EVERY, CLOUD_EVERY, LEAST_EVERY = 2.0, 30.0, 0.2
MOST = 0.95  # of the early and late results: where fewer are compared, it is said


@dataclass(frozen=True, slots=True)
class WatchQuestion:
    """What was asked on the command line."""

    logs: str
    window: str | None = None
    group_gap: str | None = None
    since: str | None = None
    until: str | None = None
    region: str | None = None
    anchors: str | None = None
    to_label: Path | None = None
    label_size: int = 60
    records: Path | None = None
    follow: bool = False
    every: str | None = None
    seed: int = 0


class _Source(Protocol):
    def read(self, intake: Intake) -> int: ...


class Watching:
    """A question with its source opened: `look` reads what is there and weighs it, `follow` does so again and again."""

    def __init__(self, question: WatchQuestion, tell: Callable[[int], None] = lambda _: None) -> None:
        self._question, self._now = question, time.time()
        self._window, self._gap = duration(question.window, "--window"), duration(question.group_gap, "--group-gap")
        self._since, self._until = (
            moment(text, key, self._now) for text, key in ((question.since, "--since"), (question.until, "--until"))
        )
        every = duration(question.every, "--every")
        if self._since is not None and self._until is not None and self._since >= self._until:
            raise InputError("--since is not before --until", key="--since", found=question.since)
        if question.records is not None and question.to_label is None:
            raise InputError("--records gives texts to --to-label", key="--records", hint="add --to-label FILE")
        if question.to_label is not None and question.to_label.exists():
            raise InputError(
                "this file exists; nothing is overwritten", file=question.to_label, hint="name another with --to-label"
            )
        self._anchors = None if question.anchors is None else read_anchors(question.anchors)
        self._intake, self.looks, self._reached = Intake(), 0, False
        group = group_of(question.logs)
        self.cloud = group is not None
        self.every = max(LEAST_EVERY, every or (CLOUD_EVERY if self.cloud else FILES_EVERY))
        self.name = question.logs if group is None else group.name
        self._source = _Files(question) if group is None else self._events(group, tell)

    def _events(self, group: LogGroup, tell: Callable[[int], None]) -> _Source:
        since = self._since if self._since is not None else moment(CLOUD_SINCE, "--since", self._now)
        assert since is not None
        try:
            cloud = Cloud(self._question.region or group.region)
        except InputError as error:
            hint = (
                f"there is no file or folder {self._question.logs!r}; it was taken for a log group. {error.hint or ''}"
            )
            raise InputError(error.problem, key=error.key, hint=hint.strip()) from None
        until = None if self._until is None else int(self._until * 1000)
        return LogEvents(cloud, group.name, int(since * 1000), until, tell=tell)

    def look(self) -> Watched:
        """Read what is there. Raises `InputError` where there is no result in it."""
        self._source.read(self._intake)
        early = self.cloud and self._since is None
        self._intake.refuse_empty(
            self.name, f"CloudWatch was read from {CLOUD_SINCE} ago: --since 7d" if early else None
        )
        return self._weighed()

    def follow(self, trouble: Callable[[str], None]) -> Iterator[Watched]:
        """What is there, then what it has become whenever results were added, until Ctrl-C.

        A service that cannot be reached for a while is told as `trouble`, unless it never could.
        """
        with ends_on_signals() as signals:
            while True:
                new = self._read(trouble)
                found = self._weighed() if new and self._intake.builder.n else None
                signals.waiting = True
                if found is not None:
                    yield found
                if signals.stop.wait(self.every):
                    return
                signals.waiting = False

    def _read(self, trouble: Callable[[str], None]) -> int:
        try:
            new = self._source.read(self._intake)
        except CloudError as error:
            if not self._reached:
                raise
            trouble(str(error))
            return 0
        self._reached = True
        return new

    def _weighed(self) -> Watched:
        """Each look is charged: look k at one log has 6 alpha/(pi^2 k^2)."""
        self.looks += 1
        level = level_of_look(self.looks) if self._question.follow else LEVEL
        return weigh(self._cut_in_time(self._intake.builder.log()), self._question, self, level)

    def _cut_in_time(self, log: RewardLog) -> RewardLog:
        inside = np.ones(log.n, np.bool_)
        if self._since is not None:
            inside &= log.at >= self._since
        if self._until is not None:
            inside &= log.at < self._until
        if not inside.any():
            first, last = stamp(float(log.at[0])), stamp(float(log.at[-1]))
            raise InputError(
                "no result lies between --since and --until", file=self.name, found=f"results from {first} to {last}"
            )
        return log if inside.all() else log.take(inside)

    @property
    def intake(self) -> Intake:
        """What was read so far."""
        return self._intake

    @property
    def anchors(self) -> Anchors | None:
        """The samples whose scores tell of the judge."""
        return self._anchors

    @property
    def lengths(self) -> tuple[float | None, float | None]:
        """Seconds of a window and of the silence that ends a group, where they were given."""
        return self._window, self._gap


class _Files:
    def __init__(self, question: WatchQuestion) -> None:
        self._files, self._follow = LogFiles(Path(question.logs)), question.follow

    def read(self, intake: Intake) -> int:
        return self._files.read(intake, final=not self._follow)


def weigh(log: RewardLog, question: WatchQuestion, state: Watching, level: float = LEVEL) -> Watched:
    """Everything that a log says."""
    anchors, drift, training = state.anchors, None, log
    if anchors is not None:
        drift = drift_of(log, anchors)
        training = log.take(~places_in(log, anchors)[0])
    frame = cut(training if training.n else log, *state.lengths)
    moves = moves_of(frame, level)
    found = signs_of(frame, moves, level, question.seed)
    chosen = None
    if question.to_label is not None:
        chosen = write_choice(frame, found, question.to_label, question.label_size, question.seed, question.records)
    intake = state.intake
    return Watched(
        source={"logs": state.name, "cloudwatch": state.cloud, "start": stamp(float(log.at[0])), "end": stamp(float(log.at[-1]))},
        counts=_counts(log, frame, intake),
        bad_lines=tuple(intake.bad),
        other_lines=dict(intake.other),
        versions=versions_of(frame.log),
        compared=frame.compared,
        groups=_groups(frame),
        windows=windows_of(frame),
        moved=tuple(one.moved for one in moves.values()),
        signs=found.signs,
        tested=found.tested,
        level=level,
        needed=frame.needed,
        trends=trends_of(frame),
        drift=drift,
        chosen=chosen,
        warnings=tuple(_warnings(log, frame, intake, drift)),
        seed=question.seed,
    )  # fmt: skip


def _counts(log: RewardLog, frame: Frame, intake: Intake) -> dict[str, int]:
    return {
        "results": log.n,
        "anchors": log.n - frame.log.n,
        "prompts": frame.log.prompts(),
        "groups": int(frame.group.max()) + 1,
        "rewards": int((~np.isnan(frame.log.reward)).sum()),
        "lines": intake.lines,
        "bad_lines": intake.bad_lines,
        "twice": log.twice,
    }


def _groups(frame: Frame) -> dict[str, object]:
    gap = frame.bursts.gap
    return {
        "gap_seconds": None if np.isinf(gap) else gap, "size": frame.bursts.size, "regular": frame.bursts.regular,
        "window_seconds": frame.length,
    }  # fmt: skip


def exit_code(found: Watched, *, strict: bool) -> int:
    """0; 1 where --strict asks for no sign and no drift, and there is one; 3 where there was too little to compare."""
    if strict and (found.signs or (found.drift is not None and found.drift.drifted)):
        return 1
    return 0 if found.needed is None else 3


def _warnings(log: RewardLog, frame: Frame, intake: Intake, drifted: Drift | None) -> Iterator[str]:
    live = np.unique(frame.log.version).size
    if live > 1:
        yield (
            f"{live} different rewards in one log (judge or reward fingerprint): the reward was changed while the model was"
            " trained; windows are split there, and early and late are of one reward only"
        )
    if intake.bad_lines:
        yield f"{intake.bad_lines:,} lines of the log could not be used; they are in no number here"
    if log.twice:
        yield f"{log.twice:,} lines stand in more than one file; each is counted once"
    if log.unnamed_parts:
        yield f"rows bring criteria of their own: {log.unnamed_parts:,} further names are in no table"
    if frame.bursts.size >= 2 and frame.bursts.regular < 0.5:
        yield "groups differ in size: give --group-gap if the cut between training steps is not where it should be"
    if frame.compared is not None:
        common, used = in_common(frame), float(matched(frame)[np.isin(frame.side, (0, 1))].mean())
        if used < MOST:
            yield f"early and late are compared on the prompts that come in both: {used:.0%} of their results"
        elif common < COMMON:
            yield (
                f"early and late have few prompts in common ({common:.0%} of the late ones): if the data set is ordered, what"
                " moved may be the prompts"
            )
    if drifted is not None and drifted.results + drifted.failed == log.n:
        yield "every result is one of an anchor: the windows are theirs"
    if not np.any(np.diff(frame.log.at)):
        yield "all results carry the same time"
