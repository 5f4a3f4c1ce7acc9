"""What several raters say of each other and of the judge, on the same units and with the same metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rftj_cli.measure.values import Terms
from rftj_cli.stats.alt_test import Scoring, alt_test
from rftj_cli.stats.arrays import Floats, Ints
from rftj_cli.stats.ceiling import Ceiling, leave_one_out_ceiling
from rftj_cli.stats.reliability import krippendorff_alpha, pairwise_kappa
from rftj_cli.stats.tie_break import tie_breakers

if TYPE_CHECKING:
    from rftj_cli.measure.levels import Levels


def raters_report(given: Levels, terms: Terms) -> dict[str, Any] | None:
    """Agreement between the raters, the ceiling for any judge, and the judge next to it; None without two ratings of a unit.

    A rater who saw disputed units only is named (`tie_break`) and left out of all of it: on these units every other rater
    looks bad, and so does whoever agrees with most of them.
    """
    matrix, judge, codes = given.matrix, given.rated_judge, given.rated_cluster
    if matrix is None or judge is None or not matrix.size:
        return None
    k = len(given.levels)
    extra = {one.rater: one for one in tie_breakers(matrix, k)}
    kept = [rater for rater in range(len(given.raters)) if rater not in extra]
    matrix, names = matrix[:, kept], [given.raters[rater] for rater in kept]
    shared: dict[str, Any] = {"values": given.values, "clusters": codes, "seed": terms.seed, "level": terms.level}
    ceiling = leave_one_out_ceiling(matrix, judge, k, kind=given.kind, **shared)
    weight: Any = "quadratic" if given.kind == "ordinal" else "nominal"
    pairwise = pairwise_kappa(matrix, k, kind=weight, **shared)
    distance: Any = "ordinal" if given.kind == "ordinal" else "nominal"
    return {
        "names": list(given.raters),
        "tie_break": {
            given.raters[rater]: {name: getattr(one, name) for name in ("items", "disputed", "others", "others_disputed")}
            for rater, one in extra.items()
        },
        "ceiling": _ceiling(ceiling, names),
        "pairwise_kappa": {f"{names[a]}, {names[b]}": estimate for (a, b), estimate in pairwise.pairs.items()},
        "mean_pairwise_kappa": pairwise.mean,
        "krippendorff_alpha": krippendorff_alpha(
            matrix, distance=distance, k=k, clusters=codes, seed=terms.seed, level=terms.level
        ),
        "alt_test": _alternative(given, matrix, judge, terms),
    }  # fmt: skip


def _ceiling(found: Ceiling, names: Sequence[str]) -> dict[str, Any]:
    """The means over the raters, and each rater's row."""
    sides = ("human_agreement", "human_kappa", "judge_agreement", "judge_kappa")
    pairs = ("human_pair_accuracy", "judge_pair_accuracy") if found.pair_accuracy_gap is not None else ()
    return {
        **{name: getattr(found, name) for name in (*sides, "kappa_gap")},
        "undecided": found.undecided,
        **{name: getattr(found, name) for name in (*pairs, *(["pair_accuracy_gap"] if pairs else []))},
        "by_rater": {
            names[row.rater]: {"items": row.items, **{name: getattr(row, name) for name in (*sides, *pairs)}}
            for row in found.raters
            if row.items
        },
    }


def _alternative(given: Levels, matrix: Ints, judge: Ints, terms: Terms) -> dict[str, Any]:
    """The alternative annotator test: on ordered scales by the distance of the levels' values, else by exact match."""
    scoring: Scoring = "distance" if given.kind == "ordinal" else "match"
    found = alt_test(
        _numbers(given, matrix) if given.kind == "ordinal" else matrix,
        _numbers(given, judge) if given.kind == "ordinal" else judge,
        epsilon=terms.epsilon,
        scoring=scoring,
    )
    return {
        "omega": found.omega,
        "rho": found.rho,
        "passed": found.passed,
        "epsilon": terms.epsilon,
        "scoring": scoring,
        "won": sum(one.rejected for one in found.raters),
        "tested": len(found.raters),
    }


def _numbers(given: Levels, codes: Ints) -> Floats:
    """The levels' values, nan where there is no level."""
    values = np.array(range(len(given.levels)) if given.values is None else given.values, dtype=np.float64)
    return np.where(codes >= 0, values[codes], np.nan)
