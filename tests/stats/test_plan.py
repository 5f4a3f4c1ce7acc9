"""How many labels settle a question: the promise is kept in about 4 of 5 collections."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import bdtr, bdtrc

from rftj_cli.stats.binomial import clopper_pearson, proportion, wilson
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.exact import exact
from rftj_cli.stats.paired import agreement_difference
from rftj_cli.stats.plan import ON_THE_LIMIT, Need, labels_for_width, labels_needed
from rftj_cli.stats.resampling import PRIOR
from rftj_cli.stats.shares import share
from rftj_cli.stats.table import kappa

# The truth is fixed, the first labels are drawn; where they decide nothing, as many as are asked for are added to them.
JUDGES = [
    (0.90, 0.80, 20), (0.90, 0.80, 40), (0.95, 0.80, 20), (0.95, 0.90, 40), (0.85, 0.70, 20), (0.85, 0.80, 60), (0.70, 0.80, 40),
    (0.75, 0.80, 60), (0.98, 0.90, 20),
]  # fmt: skip


@pytest.mark.parametrize("exactly", [False, True])
def test_labels_that_are_asked_for_decide_a_share(exactly: bool) -> None:
    """By enumeration of the first labels and of those added; and of new collections of a judge as good as the first ones say."""
    again, anew = [], []
    for true, limit, n in JUDGES:
        met = decided = fresh = 0.0
        for hits in range(n + 1):
            one = exact(proportion(hits, n)) if exactly else proportion(hits, n)
            assert one.value is not None and one.low is not None and one.high is not None
            chance = float(bdtr(hits, n, true) - (bdtr(hits - 1, n, true) if hits else 0.0))
            needed = labels_needed(one, limit).units
            if chance < 1e-4 or not one.low < limit <= one.high or needed is None:
                continue
            passing, failing = edges(needed, limit, exactly)
            met += chance
            decided += chance * (
                above(passing - hits, needed - n, true) + (1.0 - above(failing + 1 - hits, needed - n, true))
            )
            won = above(passing, needed, one.value)
            fresh += chance * (won if one.value > limit else 1.0 - above(failing + 1, needed, one.value))
        again.append(decided / met)
        anew.append(fresh / met)
    assert min(again) >= 0.7 and 0.78 <= np.mean(again) <= 0.92, again
    assert min(anew) >= 0.74 and 0.78 <= np.mean(anew) <= 0.92, anew


def above(least: int, n: int, true: float) -> float:
    """P(X >= least), X ~ Bin(n, true)."""
    return 1.0 if least <= 0 else 0.0 if least > n else float(bdtrc(least - 1, n, true))


def edges(n: int, limit: float, exactly: bool) -> tuple[int, int]:
    """The fewest hits of n that pass, the most that fail."""
    bounds = [(clopper_pearson if exactly else wilson)(hits, n) for hits in range(n + 1)]
    return sum(low < limit for low, _ in bounds), sum(high < limit for _, high in bounds) - 1


def test_a_perfect_table_scales_with_n() -> None:
    """20 of 20 is at least .84; for .90, with an error to come, about 59 take the place of the root's 230."""
    found = labels_needed(proportion(20, 20), 0.9).units
    assert found is not None and 45 <= found <= 75
    sure = Estimate(1.0, 0.8, 1.0, 100, "Dirichlet posterior 95%")  # 1/n: .80 at 100, .90 at 200
    twice = labels_needed(sure, 0.9).units
    assert twice is not None and 200 <= twice <= 320


def test_a_value_that_moves_takes_twice_what_one_that_stays_does() -> None:
    found = Estimate(0.8, 0.7, 0.9, 100, "t 95%")
    one = labels_needed(found, 0.75).units
    assert one == pytest.approx(400 * (1 + 0.8416 / 1.96) ** 2, rel=0.01)
    assert labels_needed(found, 0.85).units == one


@pytest.mark.parametrize(("pass_rate", "true", "n"), [(0.5, 0.8, 60), (0.8, 0.7, 80), (0.5, 0.9, 40)])
def test_labels_that_are_asked_for_decide_kappa_and_its_width(pass_rate: float, true: float, n: int) -> None:
    """Tables that come out as the first one did: its bound clears the limit, its width the wish, in about 4 of 5."""
    rng = np.random.default_rng(1)
    off = pass_rate * (1 - pass_rate) * (1 - true)
    shares = np.array([1 - pass_rate - off, off, off, pass_rate - off])
    now = of_tables(rng, np.rint(shares * n)[None])[0]
    needed, wide = labels_needed(now, true - 0.12).units, labels_for_width(now, 0.1).units
    assert needed is not None and wide is not None
    decided = of_tables(rng, rng.multinomial(needed, shares, size=400).astype(float))
    assert 0.72 <= np.mean([(one.low or 0) >= true - 0.12 for one in decided]) <= 0.95
    # Width: the first labels are drawn too, and more are added to them.
    kept = []
    for first in rng.multinomial(n, shares, size=60):
        units = labels_for_width(of_tables(rng, first[None].astype(float))[0], 0.1).units
        assert units is not None
        [last] = of_tables(rng, (first + rng.multinomial(units - n, shares))[None].astype(float))
        kept.append((last.high or 0) - (last.low or 0) <= 0.2)
    assert 0.65 <= np.mean(kept) <= 0.95


def of_tables(rng: np.random.Generator, tables: np.ndarray) -> list[Estimate]:
    """Kappa of tables (m, 4) with the interval that a report gives it, of fewer draws."""
    drawn = rng.standard_gamma(tables[:, None] + PRIOR, size=(len(tables), 2000, 4)).reshape(len(tables), 2000, 2, 2)
    low, high = np.quantile(kappa(drawn, np.eye(2)), (0.025, 0.975), axis=1)
    values, n = kappa(tables.reshape(-1, 2, 2), np.eye(2)), tables.sum(1)
    return [
        Estimate(float(v), float(a), float(b), int(m), "Dirichlet posterior 95%")
        for v, a, b, m in zip(values, low, high, n, strict=True)
    ]


def test_new_clusters_that_are_asked_for_decide_a_share() -> None:
    """Twelve clusters of four that lean together decide nothing at a limit of .80; the clusters asked for do."""
    rng = np.random.default_rng(2)
    kept: list[bool] = []
    while len(kept) < 150:
        first = leaning(rng, 12)
        now = share(first.ravel(), clusters=np.repeat(np.arange(12), 4))
        assert now.value is not None and now.low is not None and now.high is not None
        if now.value == 0.8 or not now.low < 0.8 <= now.high:
            continue
        need = labels_needed(now, 0.8, clusters=12)
        if need.clusters is None:
            continue
        every = np.concatenate([first, leaning(rng, need.clusters - 12)])
        then = share(every.ravel(), clusters=np.repeat(np.arange(len(every)), 4))
        kept.append((then.low or 0) >= 0.8 or (then.high or 0) < 0.8)
    assert 0.72 <= np.mean(kept) <= 0.95


def leaning(rng: np.random.Generator, clusters: int) -> np.ndarray:
    return np.asarray(
        rng.random((clusters, 4)) < rng.beta(4.5, 0.5, size=(clusters, 1))
    )  # right on .90, correlation .17


def test_labels_that_are_asked_for_decide_a_difference() -> None:
    """B fixes 15% and breaks 5%: pairs that come out as the first 60 did exclude 0 in about 4 of 5."""
    rng = np.random.default_rng(3)
    a, b = np.array([0, 1] * 30, bool), np.array([0, 1] * 30, bool)
    b[[0, 2, 4, 6, 8, 10, 12, 14, 16]], b[[1, 3, 5]] = True, False
    now = agreement_difference(a, b)
    needed = labels_needed(now, 0.0).units
    assert needed is not None and now.value == pytest.approx(0.1)
    cells = rng.choice(4, p=[0.35, 0.15, 0.05, 0.45], size=(300, needed))
    made = [agreement_difference(row >= 2, row % 2 == 1) for row in cells]
    assert 0.72 <= np.mean([(one.low or 0) > 0 for one in made]) <= 0.92


def test_few_clusters_ask_for_new_ones() -> None:
    """+.30 [-.13, .73] on 15 pairs in 6 clusters was called so near to the limit that no labels would settle it."""
    found = Estimate(0.3, -0.13, 0.73, 15, "t(5) 95%")
    need = labels_needed(found, 0.0, clusters=6)
    assert need.units is not None and need.clusters is not None and 30 <= need.units <= 70
    assert need.clusters == pytest.approx(need.units * 6 / 15, abs=1)
    said = need.words("labelled pairs", 15, 6)
    assert said.startswith("only 6 clusters so far: about ") and "new clusters (about 2 in each)" in said
    near = labels_needed(Estimate(0.01, -0.4, 0.42, 15, "t(5) 95%"), 0.0, clusters=6)
    assert near.units is None and "label samples in about 9 new clusters first" in (near.reason or "")


def test_no_plan() -> None:
    """On the threshold, without a value or without an interval there is nothing to plan by."""
    assert labels_needed(Estimate(0.8, 0.7, 0.9, 100, ""), 0.8) == Need(reason=ON_THE_LIMIT)
    assert labels_needed(Estimate.missing(10, "no items"), 0.8) == Need(reason="no items")
    assert labels_needed(Estimate(0.8, None, None, 100, ""), 0.7) == Need(reason="it has no interval")
    assert "100 times" in labels_needed(Estimate(0.8, 0.7, 0.9, 100, ""), 0.799).words("labels", 100)
    assert labels_needed(proportion(0, 1, deff=40), 0.8).words("labels", 1).startswith("at least 4 more labels")
    assert labels_for_width(Estimate(0.8, 0.75, 0.85, 100, ""), 0.1).units == 100


def test_a_perfect_start_in_few_clusters_is_not_enough() -> None:
    """Two of two right in two clusters: no t is estimated from them, and 16 labels without an error are needed at least."""
    for clusters in (0, 2):
        need = labels_needed(proportion(2, 2), 0.8, clusters=clusters)
        assert need.units is not None and need.units >= 16
    assert labels_needed(proportion(6, 6), 0.8, clusters=3).units == labels_needed(proportion(6, 6), 0.8).units
