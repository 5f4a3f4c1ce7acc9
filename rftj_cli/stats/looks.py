"""What a look at a test split costs: the k-th judge that meets the same items may claim less than the first."""

from __future__ import annotations

from math import pi

from rftj_cli.stats.estimate import LEVEL


def level_of_look(number: int, level: float = LEVEL) -> float:
    """The level of two-sided intervals at look `number` (1, 2, ...): 1 - 6 alpha/(pi^2 k^2), alpha = 1 - level.

    The alphas of all looks that will ever be made sum to alpha (Basel series, sum 1/k^2 = pi^2/6), so that the chance
    that any of them misleads stays below it (Bonferroni), however many judges follow.
    """
    if number < 1:
        raise ValueError(f"looks are counted from 1, not {number}")
    return 1 - 6 * (1 - level) / (pi * number) ** 2
