"""What needs no labels: would these rewards teach anything? Variance inside prompts, saturation, dead criteria, failures."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from rftj_cli.kernel.rubric import Rubric
from rftj_cli.reward.audit_answers import Answer, Rewarded, attainable, rewarded, shares
from rftj_cli.reward.audit_bars import DEAD, REDUNDANT
from rftj_cli.reward.audit_values import Part, Redundancy, Signal
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.exact import exact, exactly
from rftj_cli.stats.numeric import numeric_agreement
from rftj_cli.stats.shares import share
from rftj_cli.stats.signal import NO_GROUPS, between_share, group_signal, planned_zero_variance, within_phi
from rftj_cli.stats.slope import within_slope

NEAR = 1e-9  # shares of the range that are one and the same
FEWEST = 10  # answers on which two criteria must meet before their correlation is worth a word
NO_REWARDS = "no answer has a reward"


def signal_of(on: str, run: str, answers: Sequence[Answer], rubric: Rubric, size: int, level: float) -> Signal:
    """The label-free numbers of these answers, with groups of `size` planned."""
    have = rewarded(answers, rubric)
    low, high = shares(attainable(rubric), rubric)
    ends = (float(low), float(high))
    counts = Counter(one.group for one in answers)
    several = [count for count in counts.values() if count >= 2]
    values, times = np.unique(np.round(have.reward, 9), return_counts=True)
    p = times / max(1, have.n)
    return Signal(
        on=on,
        run=run,
        answers=len(answers),
        prompts=len(counts),
        groups=len(several),
        smallest=min(counts.values(), default=0),
        largest=max(counts.values(), default=0),
        without=len(answers) - have.n,
        constants=sum(one.constant for one in answers),
        mixed=_mixed(answers),
        stages=dict(Counter(one.stage for one in answers if one.stage is not None)),
        estimates=exactly(_estimates(answers, have, ends, size, level), level),
        levels=int(values.size),
        modal=float(p.max()) if have.n else None,
        entropy=float(-(p * np.log2(p)).sum()) + 0.0 if have.n else None,
        parts=tuple(_parts(answers, rubric, level)),
        redundant=tuple(_redundant(answers, rubric, level)),
    )


def _mixed(answers: Sequence[Answer]) -> int:
    """Groups in which a constant of `on_failure` stands beside verdicts: an advantage that no answer earned."""
    seen: dict[str, set[bool]] = defaultdict(set)
    for one in answers:
        if one.reward is not None:
            seen[one.group].add(one.constant)
    return sum(len(kinds) > 1 for kinds in seen.values())


def _estimates(
    answers: Sequence[Answer], have: Rewarded, ends: tuple[float, float], size: int, level: float
) -> dict[str, Estimate]:
    low, high = ends
    inside = np.clip((have.reward - low) / (high - low), 0.0, 1.0)
    asked = [one for one in answers if one.asked]
    earned = np.array([not one.constant for one in answers if one.reward is not None], dtype=np.bool_)
    found = {
        "mean_reward": share(inside, clusters=have.cluster, graded=True, level=level),
        "positive": share(
            (have.reward > low + NEAR)[earned],
            clusters=have.cluster[earned],
            level=level,
            note=None if earned.any() else NO_REWARDS,
        ),
        **_groups(have, (low + NEAR, high - NEAR), size, level),
        **{f"reward_{name}": one for name, one in length(have, level).items()},
        "failure_rate": share([one.stage is not None for one in asked], level=level),
        "constant_share": share([one.constant for one in answers if one.reward is not None], level=level),
    }
    if not have.n:
        found |= {name: Estimate.missing(0, NO_REWARDS) for name in ("mean_reward", "positive", "constant_share")}
    return found


def _groups(have: Rewarded, ends: tuple[float, float], size: int, level: float) -> dict[str, Estimate]:
    low, high = ends
    named = ("zero_variance", "expected_zero_variance", "reward_spread", "at_min", "at_max")
    of = None
    if have.n:
        of = group_signal(have.group, have.reward, size=size, clusters=have.cluster, low=low, high=high, level=level)
    if of is None:
        missing = dict.fromkeys(named, Estimate.missing(have.n, NO_GROUPS if have.n else NO_REWARDS))
        return {**missing, "between_share": missing["at_min"]}
    between = between_share(have.group, have.reward, level=level)
    counts = np.unique(have.group, return_counts=True)[1]
    expected = of.expected_zero
    if counts.max() < size:
        expected = planned_zero_variance(of.zero_variance, expected, int(counts[counts >= 2].min()), size)
    values = (of.zero_variance, expected, of.spread, of.at_min, of.at_max, between)
    return dict(zip((*named, "between_share"), values, strict=True))


def length(have: Rewarded, level: float) -> dict[str, Estimate]:
    """How the reward goes with the length of the answer inside prompts: correlation, and slope per doubling of words."""
    if not have.n:
        return dict.fromkeys(("length_correlation", "length_slope"), Estimate.missing(0, NO_REWARDS))
    return {
        "length_correlation": within_phi(have.group, have.words, have.reward, clusters=have.cluster, level=level)[0],
        "length_slope": within_slope(have.words, have.reward, group=have.group, clusters=have.cluster, level=level),
    }


def _named(answers: Sequence[Answer], rubric: Rubric) -> dict[str, tuple[float, bool]]:
    """id -> (weight, essential) of the rubric's own criteria and checks that some answer was judged by."""
    known = [(one.id, one.weight, one.essential) for one in rubric.criteria]
    known += [(one.id, one.weight, one.essential) for one in rubric.checks]
    seen = {id for one in answers for id in one.parts}
    return {id: (weight, essential) for id, weight, essential in known if id in seen}


def _parts(answers: Sequence[Answer], rubric: Rubric, level: float) -> Iterator[Part]:
    for id, (weight, essential) in _named(answers, rubric).items():
        have = [one for one in answers if id in one.parts]
        u = np.array([one.parts[id] for one in have])
        rate = exact(share(np.clip(u, 0, 1), clusters=[one.cluster for one in have], level=level), level)
        state = _state(rate, constant=bool(np.ptp(u) == 0), essential=essential, pitfall=weight < 0)
        yield Part(id, weight, essential, rate, state)


def _state(rate: Estimate, *, constant: bool, essential: bool, pitfall: bool) -> str:
    assert rate.value is not None
    low, high = DEAD
    if low <= rate.value <= high:
        return "ok"
    if (essential and rate.value > high) or (pitfall and rate.value < low):
        return "guard"
    if constant:
        return "dead"
    shown = (rate.high is not None and rate.high < low) or (rate.low is not None and rate.low > high)
    return "nearly dead" if shown else "near an end"


def _redundant(answers: Sequence[Answer], rubric: Rubric, level: float) -> Iterator[Redundancy]:
    for a, b in combinations(_named(answers, rubric), 2):
        both = [one for one in answers if a in one.parts and b in one.parts]
        if len(both) < FEWEST:
            continue
        x, y = (np.array([one.parts[id] for one in both]) for id in (a, b))
        phi = numeric_agreement(x, y, clusters=[one.cluster for one in both], level=level)["pearson"]
        if phi.value is not None and abs(phi.value) > REDUNDANT:
            yield Redundancy(a, b, phi)
