"""In which slices is an error clearly more frequent? Every direction of every criterion against every value of every field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rftj_cli.errors import InputError
from rftj_cli.measure.calibrate import MOST_SLICES
from rftj_cli.measure.error_values import Direction, SliceRate
from rftj_cli.measure.join import Unit
from rftj_cli.stats.arrays import Bools
from rftj_cli.stats.shares import share
from rftj_cli.stats.slices import slice_p
from rftj_cli.stats.verdicts import holm

FEWEST = 5  # units on either side: fewer say nothing, and each test makes the others harder
CLEAR = 0.05


def slice_rates(units: Sequence[Unit], error: Bools, by: Sequence[str], seed: int) -> tuple[tuple[SliceRate, ...], int]:
    """The error's rate in every slice of the units (n,) on which it was possible, and how many slices could not be tested.

    `p_holm` is still the plain p: see `adjusted`.
    """
    found: list[SliceRate] = []
    untested = 0
    cluster = np.unique(np.array([unit.cluster for unit in units], dtype=object), return_inverse=True)[1]
    for name in by:
        values = np.array([unit.slices[name] for unit in units], dtype=object)
        counts = Counter(values.tolist())
        if len(counts) > MOST_SLICES:
            expected = f"at most {MOST_SLICES} values: rates on a handful of samples say nothing"
            raise InputError("--by: this field has too many values", key=name, found=len(counts), expected=expected)
        for value in sorted(counts):
            inside = np.asarray(values == value)
            if min(counts[value], len(units) - counts[value]) < FEWEST:
                untested += 1
                continue
            p = slice_p(error, inside, clusters=cluster, seed=seed)
            if p.value is None:
                untested += 1
                continue
            rates = [share(error[part], clusters=cluster[part]) for part in (inside, ~inside)]
            errors = int((error & inside).sum())
            found.append(SliceRate(name, str(value), errors, rates[0], rates[1], p, p.value, higher=False))
    return tuple(found), untested


def adjusted(directions: Sequence[Direction]) -> tuple[Direction, ...]:
    """The directions with their slices' p-values raised by Holm over all of them, and what is clearly higher marked."""
    raised = iter(holm([rate.p_holm for one in directions for rate in one.slices]).tolist())
    return tuple(replace(one, slices=tuple(_marked(rate, next(raised)) for rate in one.slices)) for one in directions)


def _marked(rate: SliceRate, p: float) -> SliceRate:
    higher = p < CLEAR and (rate.inside.value or 0.0) > (rate.outside.value or 0.0)
    return replace(rate, p_holm=p, higher=higher)
