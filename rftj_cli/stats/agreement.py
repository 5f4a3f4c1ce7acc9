"""The door for judges that answer in levels: every agreement number of a table, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from rftj_cli.stats import scores
from rftj_cli.stats.arrays import Bools, Floats
from rftj_cli.stats.binomial import proportion
from rftj_cli.stats.clusters import ONE_CLUSTER, RARER, Clusters, clustered, few, rarer, share_effect, share_influence
from rftj_cli.stats.estimate import LEVEL, Estimate
from rftj_cli.stats.homogeneity import marginal_homogeneity
from rftj_cli.stats.intervals import ONE_CLASS, Scale, functional_interval
from rftj_cli.stats.jackknife import Functional
from rftj_cli.stats.resampling import Draws
from rftj_cli.stats.table import (
    balanced_accuracy,
    gwet_ac,
    influence,
    kappa,
    kappa_max,
    macro_f1,
    mcc,
    scott_pi,
    total,
    weights,
    youden_j,
)

Kind = Literal["binary", "nominal", "ordinal", "preference"]

NO_VARIATION = "the labels or the verdicts never vary"
ALL_ONE = f"{ONE_CLASS}: 1 by the formula, with no evidence on any other class"
ONE_SIDE = "the labels hold only one of the two classes"


def agreement(
    table: Floats,
    *,
    kind: Kind,
    values: Sequence[float] | None = None,
    clusters: Clusters | None = None,
    seed: int = 0,
    level: float = LEVEL,
) -> dict[str, Estimate]:
    """All agreement numbers of a k x k count table (row = human level, column = judge level).

    binary:     levels are (fail, pass), worst first; pass is the positive class
    ordinal:    `values` are the k levels' numbers (default 0..k-1)
    preference: levels are (A, tie, B) after the order of presentation is undone
    clusters:   where items belong together or are weighted; every interval then allows for it
    level:      of the two-sided intervals

    The same seed gives the same numbers. What cannot be computed is missing, with its reason.
    """
    table = np.asarray(table, dtype=np.float64)
    k = table.shape[0]
    if table.shape != (k, k) or (kind == "binary" and k != 2) or (kind == "preference" and k != 3):
        raise ValueError(f"a {kind} table cannot have the shape {table.shape}")
    if not np.isfinite(table).all() or (table < 0).any():
        raise ValueError("the counts of a table are finite and not negative")
    if clusters is not None and not np.allclose(clusters.table(k), table, rtol=1e-9, atol=1e-9):
        raise ValueError("the clusters do not hold the items of the table")
    groups = clustered(clusters)
    board = _Board(table, groups, seed, Draws(table, seed), level)
    if kind == "binary":
        return _binary(board)
    if kind == "preference":
        return _preference(board)
    if kind == "nominal":
        return _nominal(board)
    return _ordinal(board, np.asarray(range(k) if values is None else values, np.float64))


@dataclass(frozen=True, slots=True, eq=False)
class _Board:
    """One table with its clusters and its drawn tables, shared by all numbers."""

    table: Floats
    clusters: Clusters | None
    seed: int
    draws: Draws
    level: float

    def of(
        self,
        f: Functional,
        undefined: str = NO_VARIATION,
        scale: Scale = "fisher",
        psi: Callable[[Floats], Floats] | None = None,
    ) -> Estimate:
        return functional_interval(
            self.table,
            f,
            clusters=self.clusters,
            seed=self.seed,
            psi=psi,
            scale=scale,
            draws=self.draws,
            undefined=undefined,
            level=self.level,
        )

    def kappa(self, w: Floats) -> Estimate:
        return self.of(lambda t: kappa(t, w), ONE_CLASS, psi=lambda t: influence(t, w))

    def share(self, credit: Floats, within: Bools, reason: str) -> Estimate:
        """sum(T credit)/sum(T) over the cells `within`."""
        n = float(self.table[within].sum())
        if n == 0:
            return Estimate.missing(0, reason)
        hits = float((self.table * credit)[within].sum())
        if self.clusters is None:
            return proportion(hits, n, level=self.level)
        if self.clusters.count < 2 and self.clusters.n > 1:
            return Estimate(hits / n, None, None, round(n), "none", ONE_CLUSTER)
        psi = share_influence(self.table, credit, within)
        count, deff = share_effect(psi, self.clusters, within, credit, n, self.level)
        note = self._caution(credit, within) if self.clusters.count < self.clusters.n else None
        return proportion(hits / n * count, count, deff=deff, note=note, level=self.level)

    def _caution(self, credit: Floats, within: Bools) -> str | None:
        """What to say of few clusters: that have items of the share's denominator, or its rarer outcome."""
        assert self.clusters is not None
        sizes = self.clusters.counts(within.astype(np.float64))
        hits = self.clusters.counts(np.where(within, credit, 0.0))
        return few(int(np.count_nonzero(sizes)), rarer(hits, sizes), RARER)

    def chance_free(self, w: Floats) -> Estimate:
        """AC1 or AC2; 1 where all is one class, with a note, since kappa is undefined there and 1 flatters."""
        found = self.of(lambda t: gwet_ac(t, w))
        used = np.count_nonzero(self.table.sum(0) + self.table.sum(1))
        return replace(found, note="; ".join(filter(None, (ALL_ONE, found.note)))) if used == 1 else found

    def rate(self, rows: slice | int, columns: slice | int, hit: Floats, reason: str) -> Estimate:
        """The share of `hit` among the items in these rows and columns."""
        within = np.zeros(self.table.shape, dtype=bool)
        within[rows, columns] = True
        return self.share(hit, within, reason)

    def described(self, f: Functional, reason: str = ONE_CLASS) -> Estimate:
        """A number that describes this table and is no estimate of anything."""
        n, value = round(float(self.table.sum())), float(f(self.table))
        if not np.isfinite(value):
            return Estimate.missing(n, reason if n else "no items")
        return Estimate(value, None, None, n, "describes the table: no interval")


ALL = slice(None)


def _common(board: _Board) -> dict[str, Estimate]:
    eye = np.eye(board.table.shape[0])
    return {
        "agreement": board.rate(ALL, ALL, eye, "no items"),
        "kappa": board.kappa(eye),
        "scott_pi": board.of(scott_pi, ONE_CLASS),
        "ac1": board.chance_free(eye),
        "mcc": board.of(mcc),
        "kappa_max": board.described(kappa_max),
        "macro_f1": board.of(macro_f1, scale="logit"),
    }


def _binary(board: _Board) -> dict[str, Estimate]:
    eye = np.eye(2)
    found = _common(board)
    share = found["agreement"]
    return found | {
        "tpr": board.rate(1, ALL, eye, "no item is positive in the labels"),
        "tnr": board.rate(0, ALL, eye, "no item is negative in the labels"),
        "precision": board.rate(ALL, 1, eye, "the judge calls no item positive"),
        "npv": board.rate(ALL, 0, eye, "the judge calls no item negative"),
        "balanced_accuracy": board.of(lambda t: (youden_j(t) + 1) / 2, ONE_SIDE, "logit"),
        "youden_j": board.of(youden_j, ONE_SIDE),
        "pabak": _doubled(share),
        "prevalence_index": board.described(lambda t: np.abs(t[..., 0, 0] - t[..., 1, 1]) / total(t)),
        "bias_index": board.described(lambda t: np.abs(t[..., 0, 1] - t[..., 1, 0]) / total(t)),
        "bias": board.of(lambda t: scores.bias(t, np.arange(2.0)), scale="identity"),
        "marginal_homogeneity": marginal_homogeneity(board.table, board.clusters),
    }


def _doubled(share: Estimate) -> Estimate:
    """2p - 1 with p's interval carried along: PABAK of the exact agreement (Byrt 1993)."""
    value, low, high = (None if x is None else 2 * x - 1 for x in (share.value, share.low, share.high))
    return Estimate(value, low, high, share.n, share.method, share.note)


def _nominal(board: _Board) -> dict[str, Estimate]:
    return _common(board) | {
        "balanced_accuracy": board.of(balanced_accuracy, scale="logit"),
        "marginal_homogeneity": marginal_homogeneity(board.table, board.clusters),
    }


def _ordinal(board: _Board, values: Floats) -> dict[str, Estimate]:
    k, scale = values.size, list(values)
    linear, quadratic = weights(k, "linear", scale), weights(k, "quadratic", scale)
    # Correlations and the CCC do not change with the unit; on [0, 1] a spread of 0 is told from a small one.
    unit = (values - values.min()) / (np.ptp(values) or 1.0)
    return _nominal(board) | {
        "kappa_linear": board.kappa(linear),
        "kappa_quadratic": board.kappa(quadratic),
        "ac2": board.chance_free(quadratic),
        "spearman": board.of(scores.spearman),
        "kendall_tau_b": board.of(scores.kendall_tau_b),
        "pearson": board.of(lambda t: scores.pearson(t, unit)),
        "ccc": board.of(lambda t: scores.ccc(t, unit), ONE_CLASS),
        "icc": board.of(lambda t: scores.icc(t, unit), ONE_CLASS),
        "krippendorff_alpha": board.of(scores.alpha_ordinal, ONE_CLASS),
        "mae": board.of(lambda t: scores.mae(t, values), scale="log"),
        "bias": board.of(lambda t: scores.bias(t, values), scale="identity"),
    }


def _preference(board: _Board) -> dict[str, Estimate]:
    eye = np.eye(3)
    credit, decisive = eye.copy(), np.zeros((3, 3), dtype=bool)
    credit[:, 1] = 0.5
    decisive[[0, 2]] = True
    tie = np.zeros((3, 3))
    tie[1] = 1.0
    return _common(board) | {
        "pair_accuracy": board.share(credit, decisive, "the labels prefer neither side in any pair"),
        "tie_rate_truth": board.rate(ALL, ALL, tie, "no pairs"),
        "tie_rate_judge": board.rate(ALL, ALL, tie.T, "no pairs"),
        "kendall_tau_b": board.of(scores.kendall_tau_b),
    }
