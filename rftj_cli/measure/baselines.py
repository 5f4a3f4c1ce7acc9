"""What rules that need no judge would score on the same samples: rows beside the judge in every report.

A baseline's score (share of wording found in the source, length) becomes a level by cut points that give the levels
their share in the labels. Cut points and direction are taken from other folds than the one they are applied to, by
cluster, so that a baseline is not flattered by its own data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rftj_cli.measure.values import Baseline, Terms
from rftj_cli.stats.agreement import Kind
from rftj_cli.stats.arrays import Floats, Ints
from rftj_cli.stats.clusters import Clusters
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.intervals import kappa_interval
from rftj_cli.stats.shares import share
from rftj_cli.stats.table import WeightKind, cross_table

FOLDS = 5
WHAT = {
    "majority": "always the most frequent label",
    "length": "longer or shorter, cut points cross-fitted",
    "lexical": "share of its wording found in the source, cut points cross-fitted",
}


def baselines(
    kind: Kind,
    k: int,
    values: Sequence[float] | None,
    truth: Ints,
    scores: Mapping[str, Floats],
    cluster: Ints | None,
    terms: Terms,
    weights: Floats | None = None,
) -> tuple[Baseline, ...]:
    """Agreement and kappa of each baseline on units with truth (n,); `scores` (n,) by baseline.

    weights: (n,) of mean 1, as the judge's own numbers are weighed.
    """
    most = int(np.bincount(truth, weights=weights, minlength=k).argmax())
    verdicts: dict[str, Ints] = {"majority": np.full_like(truth, most)}
    for name, score in scores.items():
        if kind == "preference":
            verdicts[name] = np.where(score > 0, 0, np.where(score < 0, 2, 1)).astype(np.int64)
        elif kind != "nominal" and truth.size >= 2 * FOLDS:
            verdicts[name] = _cross_fitted(score, truth, k, cluster, weights)
    return tuple(
        Baseline(name, WHAT[name], _estimates(kind, k, values, truth, verdict, cluster, terms, weights))
        for name, verdict in verdicts.items()
    )


def _estimates(
    kind: Kind, k: int, values: Sequence[float] | None, truth: Ints, verdict: Ints, cluster: Ints | None, terms: Terms,
    weights: Floats | None,
) -> dict[str, Estimate]:  # fmt: skip
    clusters = Clusters.of(cluster, truth, verdict, k, weights)
    table = cross_table(truth, verdict, k) if clusters is None else clusters.table(k)
    weight: WeightKind = "quadratic" if kind == "ordinal" else "nominal"
    name = "kappa_quadratic" if kind == "ordinal" else "kappa"
    found = {
        "agreement": share(truth == verdict, clusters=cluster, weights=weights, level=terms.level),
        name: _constant(truth)
        if (verdict == verdict[0]).all()
        else kappa_interval(table, weight, values, clusters=clusters, seed=terms.seed, level=terms.level),
    }
    if kind == "preference":
        decided = truth != 1
        credit = np.where(verdict == 1, 0.5, (verdict == truth).astype(np.float64))[decided]
        found["pair_accuracy"] = share(
            credit,
            clusters=None if cluster is None else cluster[decided],
            weights=None if weights is None else weights[decided],
            level=terms.level,
        )
    return found


def _constant(truth: Ints) -> Estimate:
    """Kappa of a rule that always says the same: 0 by its definition, on any labels that vary."""
    n = int(truth.size)
    if (truth == truth[0]).all():
        return Estimate.missing(n, "all labels and verdicts are one class", "by definition")
    return Estimate(0.0, None, None, n, "by definition", "a constant verdict agrees by chance alone")


def _cross_fitted(score: Floats, truth: Ints, k: int, cluster: Ints | None, weights: Floats | None) -> Ints:
    verdict = np.zeros_like(truth)
    units = np.arange(truth.size) if cluster is None else np.unique(cluster, return_inverse=True)[1]
    fold = units % FOLDS
    for one in range(FOLDS):
        train, held = fold != one, fold == one
        if not held.any() or not train.any():
            continue
        w = None if weights is None else weights[train]
        rises = np.cov(score[train], truth[train], aweights=w)[0, 1] >= 0 if train.sum() > 1 else True
        signed = score if rises else -score
        # The level shares of the training labels, as quantiles of the training scores.
        upto = np.cumsum(np.bincount(truth[train], weights=w, minlength=k))
        cuts = np.quantile(
            signed[train],
            np.minimum(upto[:-1] / upto[-1], 1.0),
            weights=w,
            method="linear" if w is None else "inverted_cdf",
        )
        verdict[held] = np.searchsorted(cuts, signed[held], side="right")
    return verdict
