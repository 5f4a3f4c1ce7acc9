"""Weighted labels: every number that the report prints is that of the units as often as they stand for, or says that it is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from rftj_cli.measure.levels import UNWEIGHTED, Levels, criterion_report
from rftj_cli.measure.values import Criterion, Terms
from rftj_cli.stats.estimate import Estimate


def labelled() -> Levels:
    """160 labels of pass and fail; what the judge fails was labelled four times as often."""
    rng = np.random.default_rng(1)
    truth = (rng.random(160) < 0.6).astype(np.int64)
    judge = np.where(rng.random(160) < 0.8, truth, 1 - truth)
    return Levels(
        "c", "binary", "pass_fail", ("fail", "pass"), None, truth, judge, weight=np.where(judge == 0, 1.0, 4.0),
        group=np.arange(160) // 4, scores={"length": rng.random(160) * 0.9 + 0.05},
        probability=np.round(np.where(judge == 1, 0.8, 0.2) + rng.choice([-0.1, 0, 0.1], 160), 1),
    )  # fmt: skip


def repeated(given: Levels) -> Levels:
    """Every unit as often as it stands for."""
    assert given.weight is not None and given.group is not None and given.probability is not None
    times = np.repeat(np.arange(given.truth.size), given.weight.astype(int))
    return replace(
        given, truth=given.truth[times], judge=given.judge[times], weight=None, group=given.group[times],
        scores={name: one[times] for name, one in given.scores.items()}, probability=given.probability[times],
    )  # fmt: skip


def numbers(found: Criterion) -> Mapping[str, float | None]:
    assert found.probability is not None and found.threshold is not None
    estimates: dict[str, Estimate] = {
        **{name: one for name, one in found.estimates.items() if UNWEIGHTED not in str(one.note)},
        "brier": found.probability.brier, "log_loss": found.probability.log_loss, "skill": found.probability.skill,
        "threshold tpr": found.threshold.tpr, "threshold tnr": found.threshold.tnr,
        **{f"majority {name}": one for name, one in found.baselines[0].estimates.items()},
    }  # fmt: skip
    parts = found.probability.parts
    return {name: one.value for name, one in estimates.items() if name != "marginal_homogeneity"} | {
        "reliability": parts.reliability, "resolution": parts.resolution, "within": parts.within,
        "apparent": found.threshold.apparent, "said": found.probability.curve[0].said, "was": found.probability.curve[0].was.value,
    }  # fmt: skip


def test_values_are_those_of_units_as_often_as_they_stand_for() -> None:
    """Bins and the plateau's ends may move with n; the cut itself is between the same scores."""
    weighted, plain = (numbers(criterion_report(one, Terms())) for one in (labelled(), repeated(labelled())))
    assert set(weighted) == set(plain) - {"pair_accuracy"}
    for name, value in weighted.items():
        assert value == pytest.approx(plain[name], abs=1e-9), name


def test_a_number_without_weights_says_so() -> None:
    found = criterion_report(labelled(), Terms()).estimates["pair_accuracy"]
    assert UNWEIGHTED in str(found.note)
    assert UNWEIGHTED not in str(criterion_report(repeated(labelled()), Terms()).estimates["pair_accuracy"].note)


def test_baselines_are_weighed_like_the_judge() -> None:
    """Always saying pass is right on 40 of 50 and 5 of 50 units; those of the first class stand for nine times as many."""
    truth, judge = np.repeat([1, 0, 1, 0], [40, 10, 5, 45]), np.repeat([1, 0], [50, 50])
    given = Levels(
        "c", "binary", "pass_fail", ("fail", "pass"), None, truth, judge, weight=np.where(judge == 1, 9.0, 1.0)
    )
    found = criterion_report(given, Terms()).baselines[0]
    assert found.name == "majority" and found.estimates["agreement"].value == pytest.approx((9 * 40 + 5) / 500)


def test_weights_on_any_scale_are_no_more_labels_than_verdicts() -> None:
    """25 labels of weight 3 on a verdict that 30 units have: the share of everything is still told."""
    truth, judge = np.repeat([0, 1, 0], [25, 20, 5]), np.repeat([0, 1], [25, 25])
    given = Levels(
        "c", "binary", "pass_fail", ("fail", "pass"), None, truth, judge, weight=np.where(judge == 0, 3.0, 1.0),
        judged=np.repeat([0, 1], [30, 30]),
    )  # fmt: skip
    found = criterion_report(given, Terms()).population
    assert found is not None and found.post_stratified.value == pytest.approx(0.5 * 0 + 0.5 * 0.8)
