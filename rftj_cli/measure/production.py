"""`--metric`: a run's scores against what production recorded, for the reward and for each criterion."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rftj_cli.errors import InputError, nearest
from rftj_cli.kernel.numbers import read_number
from rftj_cli.measure.join import Joined, Unit
from rftj_cli.measure.values import Along, MetricReport, MetricRow, Terms
from rftj_cli.stats.arrays import Floats, Ints
from rftj_cli.stats.concordance import concordance
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.numeric import numeric_agreement
from rftj_cli.stats.production import by_score, equal_bins, partial_spearman

YES_NO = {"yes": 1.0, "no": 0.0, "true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0, "y": 1.0, "n": 0.0}
REWARD = "reward"
WITH_FAILURES = "reward with failures"
LENGTH = "length alone"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A metric by sample: 0 and 1, or numbers."""

    name: str
    binary: bool
    outcome: Mapping[str, float]


def recorded(joined: Joined, name: str) -> Recorded:
    """A metric of these samples. Raises `InputError` for a field that no sample has, or that is no number and no yes/no."""
    found = {row.sample: row.metrics[name] for row in joined.rewards if name in row.metrics}
    if not found:
        raise InputError(
            "--metric: no sample has such a field", key=name, found=name, hint=nearest(name, joined.fields)
        )
    binary = all(_yes_no(value) is not None for value in found.values())
    return Recorded(name, binary, {one: _number(value, name, one, binary) for one, value in found.items()})


def metric_report(joined: Joined, metric: Recorded, terms: Terms) -> MetricReport:
    """What each score says of a metric; the reward also in the reading that counts failures with what the rubric gives them."""
    outcome, binary = metric.outcome, metric.binary
    lengths = {row.sample: row.length for row in joined.rewards}
    clusters = {row.sample: row.cluster for row in joined.rewards}
    scores = {id: _by_sample(units) for id, units in joined.units.items()}
    rewarded = {row.sample: row.judge for row in joined.rewards if row.judge is not None}
    failed = {row.sample for row in joined.rewards if row.failed} & rewarded.keys() & outcome.keys()
    rewards = {REWARD: {one: value for one, value in rewarded.items() if one not in failed}}
    scores = rewards | ({WITH_FAILURES: rewarded} if failed else {}) | scores
    rows = {}
    for id, score in {**scores, LENGTH: lengths}.items():
        used = [sample for sample in outcome if sample in score]
        if used:
            x, y, length = (np.array([of[one] for one in used], dtype=np.float64) for of in (outcome, score, lengths))
            keys = np.unique(np.array([clusters[one] for one in used], dtype=object), return_inverse=True)[1]
            rows[id] = _row(x, y, length, keys.astype(np.int64), binary, alone=id == LENGTH, terms=terms)
    missing = sum(row.sample not in outcome for row in joined.rewards)
    return MetricReport(metric.name, "yes/no" if binary else "number", len(outcome), missing, rows, len(failed))


def _by_sample(units: Sequence[Unit]) -> dict[str, float]:
    """The judge's value for each sample; the mean over its items."""
    found: dict[str, list[float]] = {}
    for unit in units:
        if unit.value is not None:
            found.setdefault(unit.sample, []).append(unit.value)
    return {sample: math.fsum(values) / len(values) for sample, values in found.items()}


def _row(
    outcome: Floats, score: Floats, length: Floats, cluster: Ints, binary: bool, *, alone: bool, terms: Terms
) -> MetricRow:
    """What one score says of the outcome, over all samples and among samples of like length."""
    level = terms.level
    keys = None if np.unique(cluster).size == cluster.size else cluster
    estimates: dict[str, Estimate] = {}
    if binary:
        estimates["auc"] = concordance(outcome, score, clusters=keys, level=level)
        if not alone:
            bins = equal_bins(length)
            estimates["auc_at_equal_length"] = concordance(outcome, score, strata=bins, clusters=keys, level=level)
    else:
        found = numeric_agreement(outcome, score, clusters=keys, level=level)
        estimates["spearman"] = found["spearman"]
        if not alone:
            partial = partial_spearman(outcome, score, length, clusters=keys, level=level)
            estimates["spearman_at_equal_length"] = partial
    if not alone:
        estimates["length_correlation"] = numeric_agreement(length, score, clusters=keys, level=level)["spearman"]
    along = () if alone or np.ptp(score) == 0 else by_score(outcome, score, clusters=keys, level=level)
    return MetricRow(int(outcome.size), estimates, [Along(one.low, one.high, one.outcome, one.lift) for one in along])


def _yes_no(value: object) -> float | None:
    if isinstance(value, (bool, int, float)):
        return float(value) if value in (0, 1) else None
    return YES_NO.get(str(value).strip().casefold())


def _number(value: object, name: str, sample: str, binary: bool) -> float:
    if binary:
        return _yes_no(value) or 0.0
    number = float(value) if isinstance(value, (bool, int, float)) else read_number(str(value))
    if number is None or not math.isfinite(number):
        raise InputError(
            f"--metric: sample {sample} has neither a number nor yes or no", key=name, found=value,
            expected="a number in every sample, or yes/no (true/false, 1/0); leave the field out where nothing was recorded",
        )  # fmt: skip
    return number
