"""Hierarchical clustering by Ward's criterion, where to cut the tree, and how well a division fits."""

from __future__ import annotations

import numpy as np

from rftj_cli.stats.arrays import Floats, Ints


def ward(distance: Floats) -> Floats:
    """The n - 1 merges (a, b, height) of squared distances (n, n), lowest first; a and b are items of the merged parts.

    Each merge is the one that adds least to the sum of squares within parts (Ward 1963), by Lance and Williams' formula
    and the nearest-neighbour chain (Murtagh 1983): n^2 steps in all. Ties go to the lowest index, so that the same matrix
    gives the same merges.
    """
    d = distance.astype(np.float64, copy=True)
    n = len(d)
    np.fill_diagonal(d, np.inf)
    sizes, alive = np.ones(n), np.ones(n, dtype=bool)
    chain: list[int] = []
    merges = np.empty((max(0, n - 1), 3))
    for step in range(n - 1):
        if not chain:
            chain.append(int(np.flatnonzero(alive)[0]))
        a, b = _mutual(d, chain)
        merges[step] = a, b, d[a, b]
        alive[b] = False
        rest = np.flatnonzero(alive)
        s, t = sizes[a], sizes[b]
        new = ((s + sizes[rest]) * d[a, rest] + (t + sizes[rest]) * d[b, rest] - sizes[rest] * d[a, b]) / (
            s + t + sizes[rest]
        )
        d[a, rest], d[rest, a] = new, new
        d[a, a] = d[b, :] = d[:, b] = np.inf
        sizes[a] += t
    return merges[np.argsort(merges[:, 2], kind="stable")]


def _mutual(d: Floats, chain: list[int]) -> tuple[int, int]:
    """Follow nearest neighbours from the end of the chain to two that are each other's, and take them off it."""
    while True:
        a = chain[-1]
        b = int(d[a].argmin())
        if len(chain) > 1 and d[a, chain[-2]] <= d[a, b]:
            b = chain[-2]
            del chain[-2:]
            return a, b
        chain.append(b)


def cut(merges: Floats, n: int, parts: int) -> Ints:
    """Codes (n,) of the `parts` that are left after the lowest n - parts merges, numbered by first appearance."""
    parent = list(range(n))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for a, b, _ in merges[: n - parts]:
        low, high = sorted((root(int(a)), root(int(b))))
        parent[high] = low
    _, codes = np.unique([root(item) for item in range(n)], return_inverse=True)
    return codes.astype(np.int64)


def mean_silhouette(distance: Floats, codes: Ints) -> float:
    """Mean of (b - a)/max(a, b) over the items (Rousseeuw 1987): a is the mean distance to the own part, b to the next.

    An item that is alone counts 0, and so does everything where there is one part.
    """
    n, k = codes.size, int(codes.max(initial=0)) + 1
    if k < 2:
        return 0.0
    sizes = np.bincount(codes, minlength=k).astype(np.float64)
    sums = distance @ np.eye(k)[codes]
    own = sizes[codes] - 1
    rows = np.arange(n)
    inside = np.divide(sums[rows, codes], own, out=np.zeros(n), where=own > 0)
    means = sums / sizes
    means[rows, codes] = np.inf
    outside = means.min(axis=1)
    most = np.maximum(inside, outside)
    found = np.divide(outside - inside, most, out=np.zeros(n), where=(most > 0) & (own > 0))
    return float(found.mean())
