"""Why a number is missing where verdicts are missing: the statistics see the units with a verdict alone, and blame the labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from rftj_cli.stats.estimate import Estimate

if TYPE_CHECKING:
    from rftj_cli.measure.levels import Levels

CLASSES = ("tnr", "tpr")  # of the worse and of the better of two levels


def with_reasons(estimates: Mapping[str, Estimate], given: Levels) -> dict[str, Estimate]:
    """The same estimates; those that are missing for want of verdicts say so."""
    found, done = dict(estimates), given.judge >= 0
    if given.truth.size and not done.any():
        note = f"no {given.unit} that has a label has a verdict"
        return {name: replace(one, note=note) if one.value is None else one for name, one in found.items()}
    for level, name in enumerate(CLASSES if given.kind == "binary" else ()):
        labelled = given.truth == level
        if found[name].value is None and labelled.any() and not (labelled & done).any():
            note = f"no {given.unit} whose label is {given.levels[level]} has a verdict"
            found[name] = replace(found[name], note=note)
    return found
