"""Tables and items for the tests of the statistics."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rftj_cli.stats.arrays import Floats, Ints


def short_or_long(name: str, short: int, long: int) -> pytest.MarkDecorator:
    """A number of simulated data sets: few in every run, as many as the bound was set for in `make test-slow`."""
    return pytest.mark.parametrize(name, [short, pytest.param(long, marks=pytest.mark.slow)])


COHEN = np.array([[88.0, 14, 18], [10, 40, 10], [2, 6, 12]])
FCE = 200 * np.array([[0.53, 0.05, 0.02], [0.11, 0.14, 0.05], [0.01, 0.06, 0.03]])


def items(table: Floats) -> tuple[Ints, Ints]:
    """Truth and judge codes (n,) of the items of a table."""
    cells = np.repeat(np.arange(table.size), table.astype(np.int64).ravel())
    return cells // table.shape[0], cells % table.shape[0]


def random_tables(k: int, count: int = 5, n: int = 80, seed: int = 0) -> list[Floats]:
    """Tables (k, k) of judges that are right more often than not."""
    rng = np.random.default_rng(seed + k)
    shares = [rng.dirichlet((np.eye(k) * 3 + 0.6).ravel()) for _ in range(count)]
    return [rng.multinomial(n, share).reshape(k, k).astype(np.float64) for share in shares]


def clustered_items(groups: int, size: int, seed: int, copies: float = 0.5) -> tuple[Ints, Ints, Ints]:
    """Binary truth, verdict and cluster of items of which a share `copies` repeats its cluster's first item."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(groups), size)
    truth = (rng.random(cluster.size) < 0.6).astype(np.int64)
    judge = np.where(rng.random(cluster.size) < 0.85, truth, 1 - truth)
    same = rng.random(cluster.size) < copies
    first = cluster * size
    return np.where(same, truth[first], truth), np.where(same, judge[first], judge), cluster


def tables(k: int, least: int = 1) -> st.SearchStrategy[Floats]:
    """Tables with every cell in use (hypothesis)."""
    return arrays(np.float64, (k, k), elements=st.integers(least, 30).map(float))
