"""The same rows again and again through a function whose judge is live: how far do its rewards repeat?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rftj_cli.reward.conformance import failure, scores_of
from rftj_cli.reward.parity import Function, Measured
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.repeatability import Components, components
from rftj_cli.stats.shares import share


@dataclass(frozen=True, slots=True)
class Repeated:
    """changed: share of rows whose rewards are not all the same; equal: share of answers that equal the run's reward;
    components: of the variance between rows and inside them (None: fewer than two rows or repeats); seconds of each
    invocation."""

    rows: int
    repeats: int
    changed: Estimate
    equal: Estimate
    components: Components | None
    seconds: tuple[float, ...]
    faults: tuple[str, ...]
    text: str


def repeated(function: Function, measured: Sequence[Measured], repeats: int) -> Repeated:
    """Invoke the function `repeats` times with the same rows."""
    rows, seconds, faults = list[list[float]](), list[float](), list[str]()
    for _ in range(repeats):
        invocation = function.invoke([one.row for one in measured])
        seconds.append(invocation.duration_s)
        scores = scores_of(invocation.payload) if invocation.error is None else []
        if len(scores) != len(measured) or not all(isinstance(score, (int, float)) for score in scores):
            faults.append(
                f"live invocation failed: {failure(invocation.error) if invocation.error else 'no score for each row'}"
            )
            continue
        rows.append([float(score) for score in scores])  # type: ignore[arg-type]
    if not rows:
        none = Estimate.missing(0, "no invocation answered")
        return Repeated(len(measured), repeats, none, none, None, tuple(seconds), tuple(faults), "")
    table = np.array(rows).T
    changed = share((table != table[:, :1]).any(1))
    run = np.array([one.reward for one in measured])
    equal = share((table == run[:, None]).mean(1) == 1)
    parts = components(table) if min(table.shape) > 1 else None
    text = f"{int((table != table[:, :1]).any(1).sum())} of {len(measured)} rows changed their reward in {len(rows)} repeats"
    if parts is not None and parts.sem.value is not None:
        text += f", SD within a row {parts.sem.value:.3g}"
    return Repeated(len(measured), len(rows), changed, equal, parts, tuple(seconds), tuple(faults), text)
