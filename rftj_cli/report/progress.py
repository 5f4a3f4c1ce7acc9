"""How a run gets on: a live line on a terminal, a plain line now and then elsewhere, nothing when quiet."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rftj_cli.errors import counted
from rftj_cli.report.words import cut, duration, money
from rftj_cli.rft.rollout_order import Expected
from rftj_cli.running.account import Progress, Silent, Snapshot
from rftj_cli.running.preflight import Forecast

LIVE_EVERY, PLAIN_EVERY = 0.1, 10.0  # seconds


def chooser(*, quiet: bool) -> Callable[[Forecast, Path], Progress]:
    """What makes the progress of a run, once its forecast is known."""
    if quiet:
        return lambda forecast, folder: Silent()
    return _begin


def sampling(*, quiet: bool) -> Callable[[Expected, Path], Progress]:
    """The same for rollouts, whose length nobody knows before."""
    if quiet:
        return lambda expected, folder: Silent()
    return _begin_sampling


def _begin_sampling(expected: Expected, folder: Path) -> Progress:
    if not expected.calls:
        return Silent()
    cost = "cost unknown (--prices FILE)"
    if expected.price is not None:
        cost = f"at most {money(expected.cost)} (prices: {expected.price.source})"
    done = f", {expected.settled:,} sampled before" if expected.settled else ""
    print(
        f"sampling {counted(expected.calls, 'answer')} to {counted(expected.prompts, 'prompt')}{done}; about "
        f"{expected.input_tokens:,} tokens in, at most {expected.output_tokens:,} out, {cost}",
        file=sys.stderr,
    )
    return _Lines(live=sys.stderr.isatty())


def _begin(forecast: Forecast, folder: Path) -> Progress:
    if not forecast.calls:
        return Silent()
    waiting = forecast.samples - forecast.settled
    cost = "cost unknown (--prices FILE)"
    if forecast.price is not None:
        cost = f"{money(forecast.cost)} (prices: {forecast.price.source})"
    done = f", {forecast.settled:,} judged before" if forecast.settled else ""
    print(
        f"judging {counted(waiting, 'sample')} with {counted(forecast.calls, 'call')}{done}; about "
        f"{forecast.input_tokens + forecast.output_tokens:,} tokens, {cost}",
        file=sys.stderr,
    )
    return _Lines(live=sys.stderr.isatty())


class _Lines:
    """One line, rewritten in place on a terminal and repeated rarely elsewhere."""

    def __init__(self, *, live: bool) -> None:
        self._live = live
        self._next = time.monotonic() + (0 if live else PLAIN_EVERY)
        self._shown = False

    def update(self, snapshot: Snapshot) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + (LIVE_EVERY if self._live else PLAIN_EVERY)
            self._show(_line(snapshot))

    def close(self, snapshot: Snapshot) -> None:
        if self._shown and self._live:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
        elif self._shown:
            self._show(_line(snapshot))

    def _show(self, line: str) -> None:
        self._shown = True
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write(f"\r\033[K{cut(line, width)}" if self._live else f"{line}\n")
        sys.stderr.flush()


def _line(s: Snapshot) -> str:
    share = f" {s.done / s.total:.0%}" if s.total else ""
    failed = f", {s.failed:,} failed" if s.failed else ""
    failed += f", {skipped:,} skipped" if (skipped := s.stages.get("skipped", 0)) else ""
    left = "" if s.left is None else f", {duration(s.left)} left"
    allowed = "" if s.allowed is None else f" of {s.allowed:.3g}/s"
    cost = "" if s.cost is None or s.cost == 0 else f", {money(s.cost)}"
    again = f", {counted(s.retries, 'retry')}" if s.retries else ""
    return f"{s.done:,} of {s.total:,}{share}{failed}{left}, {s.rate:.3g}/s{allowed}{cost}{again}"


def steps(*, quiet: bool) -> Callable[[str], None]:
    """Says which step is going on: in place on a terminal, nowhere else (the report names the steps). "" clears it."""
    if quiet or not sys.stderr.isatty():
        return lambda line: None

    def say(line: str) -> None:
        sys.stderr.write(f"\r\033[K{cut(line, 78)}")
        sys.stderr.flush()

    return say
