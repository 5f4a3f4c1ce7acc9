"""Influence values of any functional of a count table, from its leave-one-outs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rftj_cli.stats.arrays import Floats, Ints

Functional = Callable[[Floats], Floats]


def jackknife_influence(f: Functional, table: Floats) -> Floats:
    """Influence values (k, k) of any functional: (n-1)(f - f without one item of the cell), centred; 0 in empty cells.

    There are at most k^2 distinct leave-outs, whatever n is.
    """
    out = np.zeros(table.size)
    cells = np.flatnonzero(table)
    counts = table.ravel()[cells]
    less = np.minimum(1.0, counts)  # a cell of weighted items may hold less than one
    left = _without(f, table, cells, less)
    pull = (float(table.sum()) - less) / less * (float(f(table)) - left)
    out[cells] = pull - np.average(pull, weights=counts)
    return out.reshape(table.shape)


def _without(f: Functional, table: Floats, cells: Ints, less: Floats) -> Floats:
    """f of the table with each of `cells` in turn smaller by `less`; the full value where that is undefined."""
    step = max(1, 2_000_000 // table.size)
    found = []
    for start in range(0, cells.size, step):
        some = cells[start : start + step]
        stack = np.repeat(table.reshape(1, -1), some.size, axis=0)
        stack[np.arange(some.size), some] -= less[start : start + step]
        found.append(f(stack.reshape(-1, *table.shape)))
    left = np.concatenate(found)
    return np.where(np.isfinite(left), left, float(f(table)))
