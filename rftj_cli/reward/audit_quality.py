"""What needs labels: is the reward right inside prompts, and does choosing by it choose what people like?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rftj_cli.kernel.rubric import Rubric
from rftj_cli.reward.audit_answers import Answer, Rewarded, rewarded, shares
from rftj_cli.reward.audit_signal import length
from rftj_cli.reward.audit_values import Quality
from rftj_cli.stats.arrays import Floats
from rftj_cli.stats.best_of_n import BestOfN, best_of_n
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.exact import exactly
from rftj_cli.stats.groups import pair_accuracy, pooled_pair_accuracy
from rftj_cli.stats.signal import between_share, false_signal, knows_the_prompt, within_phi
from rftj_cli.stats.slope import within_slope


def quality_of(answers: Sequence[Answer], rubric: Rubric, labels: Rubric, size: int, level: float) -> Quality | None:
    """The reward beside that of the labels, which is in the range of the rubric `labels`; None where no answer has both."""
    both = [one for one in answers if one.reward is not None and one.truth is not None]
    if not both:
        return None
    have, truth = rewarded(both, rubric), shares([one.truth for one in both], labels)
    pairs = pair_accuracy(have.group, truth, have.reward, clusters=have.cluster, level=level)
    phi, squared = within_phi(have.group, truth, have.reward, clusters=have.cluster, level=level)
    curve, falling = _curve(have, truth, size, level)
    by_labels = length(Rewarded(have.group, have.cluster, truth, have.words), level)
    estimates = {
        "pair_accuracy_by_group": pairs.by_group,
        "pair_accuracy": pairs.estimate,
        "tie_rate": pairs.tie_rate,
        "within_phi": phi,
        "within_phi_squared": squared,
        "pooled_pair_accuracy": pooled_pair_accuracy(truth, have.reward, clusters=have.cluster, level=level),
        "false_signal": false_signal(have.group, truth, have.reward, clusters=have.cluster, level=level),
        "label_between_share": between_share(have.group, truth, level=level),
        **{f"label_{name}": one for name, one in by_labels.items()},
        "length_gap": _length_gap(have, truth, level),
    }
    estimates = exactly(estimates, level)
    return Quality(
        answers=len(both),
        groups=pairs.groups,
        pairs=pairs.pairs,
        right=pairs.right,
        tied=pairs.tied,
        estimates=estimates,
        knows_the_prompt=knows_the_prompt(estimates["pooled_pair_accuracy"], estimates["pair_accuracy_by_group"]),
        curve=curve,
        falling=falling,
    )


def _length_gap(have: Rewarded, truth: Floats, level: float) -> Estimate:
    """Slope of (reward - labels' reward) per doubling of the words, in standard deviations of the reward inside prompts."""
    slope = within_slope(have.words, have.reward - truth, group=have.group, clusters=have.cluster, level=level)
    codes = np.unique(have.group, return_inverse=True)[1]
    counts = np.bincount(codes)
    inside = have.reward - (np.bincount(codes, weights=have.reward) / counts)[codes]
    free = have.n - counts.size
    spread = float(np.sqrt(inside @ inside / free)) if free > 0 else 0.0
    if spread <= 1e-9:
        return Estimate.missing(have.n, "the reward never varies inside a prompt")
    value, low, high = (None if one is None else one / spread for one in (slope.value, slope.low, slope.high))
    return Estimate(value, low, high, slope.n, f"{slope.method}, over the reward's SD inside prompts", slope.note)


def _curve(have: Rewarded, truth: Floats, size: int, level: float) -> tuple[BestOfN | None, bool]:
    """Best of n up to the planned size, and whether it is shown to fall.

    The peak is chosen by the data out of `top` places: the fall is tested at (1 - level)/(top - 1) (Bonferroni).
    """
    counts = np.unique(have.group, return_counts=True)[1]
    several = counts[counts >= 2]
    if not several.size:
        return None, False
    top = min(size, int(np.median(several)))
    curve = best_of_n(have.group, truth, have.reward, most=top, clusters=have.cluster, level=level)
    strict = 1 - (1 - level) / max(1, top - 1)
    tested = best_of_n(have.group, truth, have.reward, most=top, clusters=have.cluster, level=strict)
    return curve, tested is not None and tested.falling
