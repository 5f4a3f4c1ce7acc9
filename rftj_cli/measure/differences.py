"""One criterion, or the reward, of two judges on the same units: what flipped, what that did to agreement, in a word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rftj_cli.measure.beyond import repeats
from rftj_cli.measure.comparison import DECIDES, CriterionChange, Flip, Noise, Paired, RewardChange, SliceChange
from rftj_cli.measure.join import RewardRow, Unit
from rftj_cli.measure.matching import Matched, Measured, pair_clusters
from rftj_cli.measure.rewards import reward_means
from rftj_cli.measure.values import Terms
from rftj_cli.stats.agreement import agreement
from rftj_cli.stats.arrays import Bools, Floats, Ints
from rftj_cli.stats.clusters import Clusters
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.groups import pair_accuracy, pair_accuracy_difference
from rftj_cli.stats.paired import (
    agreement_difference,
    agreement_p,
    credit_difference,
    credit_p,
    kappa_difference,
    kappa_p,
)
from rftj_cli.stats.shares import share
from rftj_cli.stats.table import WeightKind, cross_table
from rftj_cli.stats.verdicts import KAPPA_MARGIN, SHARE_MARGIN, Change, hedged, judge_change

NARROW = 0.9  # the interval of the two one-sided tests of equivalence
SHOWN = {
    "binary": ("agreement", "kappa", "tpr", "tnr"),
    "nominal": ("agreement", "kappa"),
    "ordinal": ("agreement", "kappa_quadratic"),
    "preference": ("agreement", "pair_accuracy"),
}


def criterion_change(
    given: Matched, terms: Terms, margin: float | None, own: tuple[Estimate | None, Estimate | None]
) -> CriterionChange:
    """Everything that is said of one criterion. `own`: how often repeat runs of either side differ from it, where there are any."""
    both, use = given.both, given.labelled
    right_a, right_b = (given.a == given.truth)[use], (given.b == given.truth)[use]
    flips = share((given.a != given.b)[both], clusters=given.cluster[both], level=terms.level)
    numbers = _numbers(given, terms) if use.any() else {}
    decides = DECIDES[given.kind]
    wrong = _failures_wrong(given, terms)
    change = _change(given, numbers[decides], terms, margin) if numbers else None
    return CriterionChange(
        id=given.id,
        kind=given.kind,
        unit="pair" if given.kind == "preference" else "item" if any(u.item is not None for u in given.first) else "sample",
        levels=given.scale.names,
        units=int(both.sum()),
        labelled=int(use.sum()),
        fixed=int((right_b & ~right_a).sum()),
        broken=int((right_a & ~right_b).sum()),
        right=int((right_a & right_b).sum()),
        wrong=int((~right_a & ~right_b).sum()),
        flips=flips,
        directions=_directions(given),
        numbers=numbers,
        decides=decides,
        change=None if change is None else hedged(change, None if wrong is None else wrong.difference),
        noise=_noise(given, flips, terms, own),
        failures_wrong=wrong, pitfall=given.pitfall,
    )  # fmt: skip


def _directions(given: Matched) -> dict[str, int]:
    names, moved = given.scale.names, given.both & (given.a != given.b)
    pairs = zip(given.a[moved].tolist(), given.b[moved].tolist(), strict=True)
    return dict(Counter(f"{names[a]} -> {names[b]}" for a, b in pairs).most_common())


def _numbers(given: Matched, terms: Terms) -> dict[str, Paired]:
    """The shown numbers of both sides on the labelled units, with their paired differences where a test is at hand."""
    use, k = given.labelled, len(given.scale.names)
    truth, cluster = given.truth[use], given.cluster[use]
    sides = [_agreement(given, truth, side[use], cluster, terms) for side in (given.a, given.b)]
    found = {}
    for name in SHOWN[given.kind]:
        difference, p = _difference(given, name, use, k, terms)
        found[name] = Paired(sides[0][name], sides[1][name], difference, p)
    return found


def _agreement(given: Matched, truth: Ints, verdict: Ints, cluster: Ints, terms: Terms) -> Mapping[str, Estimate]:
    k = len(given.scale.names)
    values = given.scale.values if given.kind == "ordinal" else None
    clusters = Clusters.of(cluster, truth, verdict, k)
    return agreement(
        cross_table(truth, verdict, k), kind=given.kind, values=values, clusters=clusters, seed=terms.seed, level=terms.level
    )  # fmt: skip


def _difference(given: Matched, name: str, use: Bools, k: int, terms: Terms) -> tuple[Estimate, Estimate]:
    """B minus A, and the p-value, of one number."""
    truth, a, b, cluster = given.truth[use], given.a[use], given.b[use], given.cluster[use]
    if name.startswith("kappa"):
        kind: WeightKind = "quadratic" if name == "kappa_quadratic" else "nominal"
        scale: Any = {
            "kind": kind,
            "values": given.scale.values if given.kind == "ordinal" else None,
            "clusters": cluster,
        }
        found = kappa_difference(truth, a, b, k, **scale, level=terms.level)
        return found, kappa_p(truth, a, b, k, **scale, seed=terms.seed)
    if name == "pair_accuracy":
        credits, keys = _credits(given, use)
        found = credit_difference(*credits, clusters=keys, level=terms.level)
        return found, credit_p(*credits, clusters=keys, seed=terms.seed)
    if name in ("tpr", "tnr"):
        of_class = truth == (1 if name == "tpr" else 0)
        truth, a, b, cluster = truth[of_class], a[of_class], b[of_class], cluster[of_class]
    right = a == truth, b == truth
    p = agreement_p(*right, clusters=cluster, seed=terms.seed)
    return agreement_difference(*right, clusters=cluster, level=terms.level), p


def _credits(given: Matched, use: Bools) -> tuple[tuple[Floats, Floats], Ints]:
    """Credits of both sides, and clusters, on the units whose labels tell right from wrong."""
    a, b = given.credit(given.a)[use], given.credit(given.b)[use]
    told = ~np.isnan(a)
    return (a[told], b[told]), given.cluster[use][told]


def margin_of(name: str) -> float:
    """The largest difference that nobody would act on, where the user names none."""
    return KAPPA_MARGIN if name.startswith("kappa") else SHARE_MARGIN


def _change(given: Matched, one: Paired, terms: Terms, margin: float | None) -> Change:
    name = DECIDES[given.kind]
    narrow, _ = _difference(given, name, given.labelled, len(given.scale.names), replace(terms, level=NARROW))
    clusters = int(np.unique(given.cluster[given.labelled]).size)
    return judge_change(one.difference, margin or margin_of(name), narrow=narrow, clusters=clusters)


def _failures_wrong(given: Matched, terms: Terms) -> Paired | None:
    """The other reading where a side failed on labelled units: a failure is wrong. None where no side did."""
    use = given.truth >= 0
    if not use.any() or given.both[use].all():
        return None
    credits = [np.nan_to_num(given.credit(side), nan=0.0) for side in (given.a, given.b)]
    told = use & ~np.isnan(given.credit(given.a))
    a, b, cluster = credits[0][told], credits[1][told], given.cluster[told]
    return _paired_credit(a, b, cluster, terms)


def _paired_credit(a: Floats, b: Floats, cluster: Ints, terms: Terms) -> Paired:
    binary = bool(np.isin(a, (0, 1)).all() and np.isin(b, (0, 1)).all())
    difference = agreement_difference if binary else credit_difference
    p = agreement_p if binary else credit_p
    return Paired(
        share(a, clusters=cluster, level=terms.level),
        share(b, clusters=cluster, level=terms.level),
        difference(a, b, clusters=cluster, level=terms.level),
        p(a, b, clusters=cluster, seed=terms.seed),
    )


def pooled(
    matches: Sequence[Matched], places: Mapping[str, str], terms: Terms, *, failures_wrong: bool = False
) -> Paired | None:
    """The share of right verdicts over all criteria; `places` are the clusters of samples, which keep them together.

    With `failures_wrong` units without a verdict count as wrong; None where there are none, or no labels.
    """
    credits_a, credits_b, keys = [], [], []
    for one in matches:
        told = (one.truth >= 0 if failures_wrong else one.labelled) & ~np.isnan(one.credit(one.a))
        credits_a.append(one.credit(one.a)[told])
        credits_b.append(one.credit(one.b)[told])
        keys += [places[unit.sample] for unit, used in zip(one.first, told, strict=True) if used]
    if not keys or (failures_wrong and all(one.both[one.truth >= 0].all() for one in matches)):
        return None
    codes = np.unique(np.array(keys, dtype=object), return_inverse=True)[1].astype(np.int64)
    return _paired_credit(np.concatenate(credits_a), np.concatenate(credits_b), codes, terms)


def _noise(given: Matched, flips: Estimate, terms: Terms, own: tuple[Estimate | None, Estimate | None]) -> Noise | None:
    """How often each judge differs from itself: by a repeat run, else by its votes; None where neither side tells."""
    sides = []
    for repeated, units in zip(own, (given.first, given.second), strict=True):
        voted = repeats(given.kind, given.scale, units, terms) if repeated is None else None
        sides.append(repeated if voted is None else voted.retest.pair_flip_rate)
    known = [one for one in sides if one is not None and one.high is not None]
    if not known:
        return None
    most = max(one.high for one in known if one.high is not None)
    return Noise(sides[0], sides[1], flips.value is not None and flips.value <= most)


def flips_of(given: Matched, texts: Mapping[str, str]) -> Iterator[Flip]:
    """Every unit whose verdict differs; `texts` holds the responses by sample."""
    names = given.scale.names
    for index in np.flatnonzero(given.both & (given.a != given.b)).tolist():
        a, b, truth = int(given.a[index]), int(given.b[index]), int(given.truth[index])
        became = "unlabelled" if truth < 0 else "fixed" if b == truth else "broken" if a == truth else "still_wrong"
        one, other = given.first[index], given.second[index]
        share_of = [given.scale.share(given.scale.values[level]) for level in (a, b)]
        yield Flip(
            one.sample, one.item, given.id, became, names[a], names[b], None if truth < 0 else names[truth],
            abs(share_of[1] - share_of[0]), _reason(one), _reason(other), texts.get(one.sample, ""),
        )  # fmt: skip


def _reason(unit: Unit) -> str:
    return "" if unit.stage else unit.reason


def slice_changes(matches: Sequence[Matched], fields: Sequence[str], terms: Terms) -> list[SliceChange]:
    """Right verdicts by slice, for every field, value and criterion; Holm comes with the caller, over all of them."""
    found = []
    for name in fields:
        for one in matches:
            use = one.labelled & ~np.isnan(one.credit(one.a))
            values = np.array([unit.slices[name] for unit in one.first], dtype=object)
            for value in sorted(set(values[use].tolist())):
                inside = use & (values == value)
                a, b = one.credit(one.a)[inside], one.credit(one.b)[inside]
                found.append(SliceChange(name, value, one.id, _paired_credit(a, b, one.cluster[inside], terms)))
    return found


def reward_change(
    a: Measured, b: Measured, base: Measured, ids: Sequence[str], terms: Terms, margin: float | None
) -> RewardChange | None:
    """Rewards on the samples that have one on both sides; None where no sample has. Groups and truth are the baseline's."""
    rows = [{row.sample: row for row in side.joined.rewards} for side in (a, b, base)]
    both = [id for id in ids if rows[0][id].judge is not None and rows[1][id].judge is not None]
    if not both:
        return None
    first, second = ([_of(side[id].judge) for id in both] for side in rows[:2])
    before, after = np.array(first), np.array(second)
    cluster = _clusters(base, both)
    rubrics = a.run.rubric, b.run.rubric
    means, difference = reward_means(rubrics, (before, after), cluster, terms)
    p = credit_p(before, after, clusters=cluster, seed=terms.seed)
    told = [index for index, id in enumerate(both) if rows[2][id].truth is not None]
    ranked = _ranked(base, [both[index] for index in told], before[told], after[told], rows[2], terms) if told else None
    change = None
    if ranked is not None:
        small = _ranked(base, [both[i] for i in told], before[told], after[told], rows[2], replace(terms, level=NARROW))
        change = judge_change(
            ranked.difference, margin or SHARE_MARGIN, narrow=small.difference if small else None,
            clusters=pair_clusters(base, [both[index] for index in told], rows[2]),
        )  # fmt: skip
    changed = share(np.abs(after - before) > 1e-9, clusters=cluster, level=terms.level)
    one_rule = a.run.rubric.reward_fingerprint == b.run.rubric.reward_fingerprint
    strict = _ranked_strictly(base, ids, rows, terms)
    change = None if change is None else hedged(change, strict)
    return RewardChange(one_rule, Paired(means[0], means[1], difference, p), changed, ranked, change, strict)


def _ranked_strictly(
    base: Measured, ids: Sequence[str], rows: Sequence[Mapping[str, RewardRow]], terms: Terms
) -> Estimate | None:
    """The difference of pair accuracies where a pair with a failed answer is wrong; None where none failed."""
    told = [id for id in ids if rows[2][id].truth is not None]
    scores = [np.array([np.nan if side[id].judge is None else _of(side[id].judge) for id in told]) for side in rows[:2]]
    if not told or not any(np.isnan(one).any() for one in scores):
        return None
    group, truth = [base.places[id].group for id in told], np.array([_of(rows[2][id].truth) for id in told])
    found, _ = pair_accuracy_difference(
        group, truth, *scores, clusters=_clusters(base, told), seed=terms.seed, level=terms.level
    )
    return found


def _ranked(
    base: Measured, ids: Sequence[str], before: Floats, after: Floats, rows: Mapping[str, RewardRow], terms: Terms
) -> Paired | None:
    """Pair accuracy inside groups of both sides; None where the labels tell no two answers to one task apart."""
    group = [base.places[id].group for id in ids]
    truth = np.array([_of(rows[id].truth) for id in ids])
    cluster = _clusters(base, ids)
    sides = [pair_accuracy(group, truth, one, clusters=cluster, level=terms.level).estimate for one in (before, after)]
    if sides[0].n == 0:
        return None
    found = pair_accuracy_difference(group, truth, before, after, clusters=cluster, seed=terms.seed, level=terms.level)
    return Paired(sides[0], sides[1], *found)


def _clusters(base: Measured, ids: Sequence[str]) -> Ints:
    keys = np.array([base.places[id].cluster for id in ids], dtype=object)
    return np.unique(keys, return_inverse=True)[1].astype(np.int64)


def _of(value: float | None) -> float:
    assert value is not None
    return value
