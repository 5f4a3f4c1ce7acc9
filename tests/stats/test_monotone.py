"""More errors never give a better bound: right units are made wrong one at a time, and no end of an interval rises."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rftj_cli.stats.agreement import agreement
from rftj_cli.stats.arrays import Ints
from rftj_cli.stats.clusters import Clusters
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.shares import share
from rftj_cli.stats.table import cross_table

from .oracles import short_or_long

SHARES = ("agreement", "tpr", "tnr", "pabak")
OTHERS = (
    "kappa", "ac1", "mcc", "macro_f1", "balanced_accuracy", "youden_j", "kappa_linear", "kappa_quadratic", "ac2", "ccc",
    "krippendorff_alpha",
)  # fmt: skip


def clusters_of(kind: str, n: int, rng: np.random.Generator) -> Ints:
    """Items alone, in fours, in twenties, or in clusters of 1 to 20 of which most are small."""
    if kind == "uneven":
        sizes = np.minimum(rng.zipf(1.6, n), 20)
        return np.repeat(np.arange(n), sizes)[:n].astype(np.int64)
    return np.arange(n) // {"alone": 1, "fours": 4, "twenties": 20}[kind]


def spoiled(truth: Ints, cluster: Ints, k: int, steps: int, rng: np.random.Generator) -> Iterator[Ints]:
    """Verdicts (n,) that are all right, then one error more each time: anywhere, or mostly in clusters that have some."""
    judge, gathered, near = truth.copy(), rng.random() < 0.5, rng.random() < 0.5
    yield judge
    for _ in range(steps):
        right = np.flatnonzero(judge == truth)
        leaning = np.bincount(cluster, weights=judge != truth)[cluster][right] if gathered else np.zeros(right.size)
        one = rng.choice(right, p=(1 + 20 * leaning) / (1 + 20 * leaning).sum())
        judge[one] = abs(truth[one] - 1) if near else (truth[one] + rng.integers(1, k)) % k
        yield judge


def rises(before: Estimate, after: Estimate) -> float:
    """By how much of the interval's width an end has risen although the estimate has not."""
    if None in (before.low, before.high, after.low, after.high) or (after.value or 0) > (before.value or 0) + 1e-12:
        return 0.0
    moved = (after.low - before.low, after.high - before.high)  # type: ignore[operator]
    return max(moved) / (before.high - before.low)  # type: ignore[operator]


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    kind=st.sampled_from(["alone", "fours", "twenties", "uneven"]),
    n=st.sampled_from([24, 60, 144, 300]),
)
def test_shares(seed: int, kind: str, n: int) -> None:
    """From no error to all wrong, the ends of a share never rise."""
    rng = np.random.default_rng(seed)
    cluster = clusters_of(kind, n, rng)
    before = share(np.ones(n), clusters=cluster)
    for judge in spoiled(np.zeros(n, dtype=np.int64), cluster, 2, n // 2, rng):
        after = share(judge == 0, clusters=cluster)
        assert rises(before, after) <= 0.002, (before, after)
        before = after


@short_or_long("errors", 4, 12)
@pytest.mark.parametrize("k", [2, 3, 4, 5])
@pytest.mark.parametrize("kind", ["alone", "fours", "uneven"])
def test_tables(k: int, kind: str, errors: int) -> None:
    """Every number of agreement of two to five levels, errors one by one: rates exactly, the others within 4% of the width.

    Marginals, the design effect and the far errors that were not seen move a little with each error.
    """
    for seed in [k % 2] if errors < 12 else range(2):
        rng = np.random.default_rng([seed, k])
        n = (60, 144)[seed]
        cluster = clusters_of(kind, n, rng)
        truth = rng.choice(k, n, p=rng.dirichlet(np.full(k, 2.0)))
        truth[:k] = np.arange(k)
        before: dict[str, Estimate] = {}
        for judge in spoiled(truth, cluster, k, errors, rng):
            clusters = None if kind == "alone" else Clusters(cluster, truth * k + judge)
            found = agreement(cross_table(truth, judge, k), kind="binary" if k == 2 else "ordinal", clusters=clusters)
            for name, one in before.items():
                allowed = 0.002 if name in SHARES else 0.04 if name in OTHERS else 1.0
                assert rises(one, found[name]) <= allowed, (name, one, found[name])
            before = found
