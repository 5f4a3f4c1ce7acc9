"""Labels between the levels of a numeric scale, as means of raters are: verdicts and labels measured as continuous scores.

To round 3.5 to a level would invent a label. One such label makes the whole criterion continuous: its correlations and errors
use every label as it is, and numbers of the table of levels are missing, with this reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rftj_cli.kernel.rubric import Scale
from rftj_cli.measure.join import Unit
from rftj_cli.measure.levels import UNWEIGHTED
from rftj_cli.measure.values import Criterion, Terms
from rftj_cli.stats.agreement import agreement
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.groups import pair_accuracy
from rftj_cli.stats.numeric import numeric_agreement
from rftj_cli.stats.shares import share


def between_levels(units: Sequence[Unit]) -> int:
    """How many units have a truth that is a number and none of the levels."""
    return sum(unit.truth is not None and unit.truth.between for unit in units)


def continuous_report(id: str, scale: Scale, units: Sequence[Unit], terms: Terms) -> Criterion:
    """What is said of a criterion some of whose labels lie between the levels."""
    asked = [unit for unit in units if unit.stage != "skipped"]
    decided = [unit for unit in asked if unit.truth is not None and unit.truth.decided]
    both = [unit for unit in decided if unit.value is not None]
    labelled = [unit.truth for unit in units if unit.truth is not None]
    return Criterion(
        id=id,
        scale="continuous",
        levels=(),
        unit="item" if any(unit.item is not None for unit in units) else "sample",
        table=(),
        estimates=_estimates(scale, decided, both, terms),
        baselines=(),
        raters=None,
        sources=dict(Counter(source for truth in labelled for source in truth.sources)),
        failed=len(decided) - len(both),
        stages=dict(Counter(unit.stage or "" for unit in decided if unit.value is None)),
        undecided=sum(not truth.decided and truth.said for truth in labelled),
        cannot_tell=sum(value is None for truth in labelled for value in truth.raters.values()),
        clusters=len({unit.cluster for unit in both}),
    )


def continuous_slice(scale: Scale, units: Sequence[Unit], terms: Terms) -> dict[str, Any] | None:
    """The same numbers of one slice; None where it has no truth."""
    decided = [unit for unit in units if unit.stage != "skipped" and unit.truth is not None and unit.truth.decided]
    both = [unit for unit in decided if unit.value is not None]
    return {"n": len(decided), "estimates": _estimates(scale, decided, both, terms)} if decided else None


def _estimates(scale: Scale, decided: Sequence[Unit], both: Sequence[Unit], terms: Terms) -> dict[str, Estimate]:
    truth = np.array([unit.truth.number(scale) for unit in both if unit.truth is not None], dtype=np.float64)
    judge = np.array([unit.value for unit in both], dtype=np.float64)
    cluster, group = [unit.cluster for unit in both], [unit.group for unit in both]
    found = numeric_agreement(truth, judge, clusters=cluster, level=terms.level)
    found["pair_accuracy"] = pair_accuracy(group, truth, judge, clusters=cluster, level=terms.level).estimate
    found["coverage"] = share(
        [unit.value is not None for unit in decided], clusters=[unit.cluster for unit in decided], level=terms.level
    )
    if len({unit.truth.weight for unit in decided if unit.truth is not None}) > 1:
        notes = {name: "; ".join(filter(None, (one.note, UNWEIGHTED))) for name, one in found.items()}
        found = {name: replace(one, note=notes[name]) for name, one in found.items()}
    reason = (
        f"{between_levels(decided):,} of {len(decided):,} labels lie between the levels, as means of raters do: "
        "labels and verdicts are measured as continuous scores"
    )
    absent = agreement(np.zeros((3, 3)), kind="ordinal").keys() - found.keys()
    return found | {name: Estimate.missing(len(both), reason) for name in sorted(absent)}
