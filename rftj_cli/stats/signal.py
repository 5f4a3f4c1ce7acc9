"""Is a judge's score a learning signal? What group-relative training sees of it: differences inside a prompt's answers.

GRPO and its kin subtract the group's mean and divide by its spread. A judge that knows only which prompts are hard agrees
with people over all answers and tells nothing within a prompt; a group whose answers all score alike teaches nothing; and a
group that people find all alike while the judge does not teaches noise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv, fdtri, gammaln

from rftj_cli.stats.arrays import Bools, Floats, Ints
from rftj_cli.stats.clusters import codes_of, few, freedom, item_se
from rftj_cli.stats.estimate import LEVEL, Estimate, percent
from rftj_cli.stats.groups import LEAST_DF
from rftj_cli.stats.intervals import SCALES, symmetric_interval
from rftj_cli.stats.shares import mean, share
from rftj_cli.stats.ties import settled

NO_GROUPS = "no group holds two answers"
NO_SPREAD_WITHIN = "truth or score never varies inside a group"


@dataclass(frozen=True, slots=True)
class GroupSignal:
    """What groups of answers show of a score, label-free.

    zero_variance: groups whose answers all score alike, as they are; expected_zero: the same for groups of the planned size
    spread: mean standard deviation inside a group; at_min, at_max: share of answers at the ends of the range
    levels: distinct scores; modal: share of the most frequent one; entropy: of the scores, in bits
    """

    zero_variance: Estimate
    expected_zero: Estimate
    spread: Estimate
    at_min: Estimate
    at_max: Estimate
    levels: int
    modal: float
    entropy: float


def within_phi(
    group: ArrayLike, truth: ArrayLike, score: ArrayLike, *, clusters: ArrayLike | None = None, level: float = LEVEL
) -> tuple[Estimate, Estimate]:
    """Correlation of score and truth inside groups (deviations from the group's mean), and its square.

    group: (n,) keys; truth, score: (n,) numbers; clusters: (n,) keys of what groups belong to, by default the groups. The
    square is the share of a group-relative advantage's variance that is signal: the effective share of the rollouts.
    Interval: influence values summed by cluster, t (Satterthwaite's degrees of freedom) on the Fisher z scale; the square's ends are those of the correlation.
    """
    codes, x, y = _groups(group, truth, score)
    counts = np.bincount(codes)
    use = counts[codes] >= 2
    n = int(use.sum())
    if not n:
        return (Estimate.missing(0, NO_GROUPS),) * 2
    dx, dy = _centred(x, codes), _centred(y, codes)
    sxx, syy, sxy = float(dx @ dx), float(dy @ dy), float(dx @ dy)
    if min(sxx, syy) <= 1e-15:
        return (Estimate.missing(n, NO_SPREAD_WITHIN),) * 2
    phi = min(1.0, max(-1.0, sxy / np.sqrt(sxx * syy)))
    pull = dx * dy / np.sqrt(sxx * syy) - phi / 2 * (dx * dx / sxx + dy * dy / syy)
    keys = codes if clusters is None else codes_of(clusters, codes.size)
    kept = np.unique(keys[use], return_inverse=True)[1].astype(np.int64)
    se, units = item_se(pull[use], kept)
    df = freedom(np.bincount(kept, weights=pull[use]).astype(np.float64), LEAST_DF)
    method = f"influence {percent(level)}, t({df:.0f}), {SCALES['fisher']}, inside groups"
    if units < 2:
        found = Estimate(float(phi), None, None, n, method, "only 1 group: no interval")
    else:
        found = symmetric_interval(float(phi), se, df + 1, "fisher", n, method, few(units), level)
    return found, _squared(found)


def _squared(phi: Estimate) -> Estimate:
    if phi.value is None or phi.low is None or phi.high is None:
        return replace(phi, value=None if phi.value is None else phi.value**2)
    low = 0.0 if phi.low <= 0 <= phi.high else min(phi.low**2, phi.high**2)
    return replace(phi, value=phi.value**2, low=low, high=max(phi.low**2, phi.high**2))


def phi_from_rates(tpr: float, tnr: float, pass_rate: float) -> float:
    """Within-group correlation that a judge with these rates has on answers of which `pass_rate` pass.

    J sqrt(p (1 - p)/(q (1 - q))), J = tpr + tnr - 1, q = p J + 1 - tnr the share that the judge passes.
    """
    if not (0 < pass_rate < 1 and 0 <= tpr <= 1 and 0 <= tnr <= 1):
        raise ValueError("rates lie in [0, 1], the pass rate inside (0, 1)")
    j = tpr + tnr - 1
    q = pass_rate * j + 1 - tnr
    return 0.0 if q <= 0 or q >= 1 else j * float(np.sqrt(pass_rate * (1 - pass_rate) / (q * (1 - q))))


def between_share(group: ArrayLike, score: ArrayLike, *, level: float = LEVEL) -> Estimate:
    """ICC(1) of the score by group: the share of its variance that lies between prompts, which training never sees.

    One-way analysis of variance with the mean group size of Donner (1986) where groups are unequal; F interval.
    """
    codes, y, _ = _groups(group, score, score)
    counts = np.bincount(codes).astype(np.float64)
    groups, n = counts.size, y.size
    if groups < 2 or n <= groups:
        return Estimate.missing(int(n), NO_GROUPS if n <= groups else "only 1 group")
    means = np.bincount(codes, weights=y) / counts
    between = float(counts @ (means - y.mean()) ** 2) / (groups - 1)
    inside = float(((y - means[codes]) ** 2).sum()) / (n - groups)
    size = (n - float((counts**2).sum()) / n) / (groups - 1)
    method = f"one-way ANOVA, F {percent(level)}"
    if between + inside <= 1e-15:
        return Estimate.missing(int(n), "the score never varies", method)
    value = (between - inside) / (between + (size - 1) * inside)
    if inside <= 1e-15:
        return Estimate(value, None, None, int(n), method, "no group's scores differ: no interval")
    f, p = between / inside, 0.5 + level / 2
    low, high = f / float(fdtri(groups - 1, n - groups, p)), f * float(fdtri(n - groups, groups - 1, p))
    return Estimate(value, (low - 1) / (low + size - 1), (high - 1) / (high + size - 1), int(n), method)


def knows_the_prompt(pooled: Estimate, within: Estimate) -> bool:
    """Whether the judge agrees over all answers more than it does within prompts, beyond both intervals."""
    return pooled.low is not None and within.high is not None and pooled.low > within.high


def group_signal(
    group: ArrayLike,
    score: ArrayLike,
    *,
    size: int | None = None,
    clusters: ArrayLike | None = None,
    low: float | None = None,
    high: float | None = None,
    level: float = LEVEL,
) -> GroupSignal | None:
    """What the scores (n,) of answers in groups (n,) would teach; None without a group of two answers.

    size: planned number of answers a group (default: the mean of these). low, high: ends of the range (default: of the
    scores). clusters: (n,) keys of what groups belong to.
    """
    codes, y, _ = _groups(group, score, score)
    counts = np.bincount(codes)
    big = counts >= 2
    if not big.any():
        return None
    of_group = None if clusters is None else _of_group(codes, clusters, counts.size)[big]
    means = np.bincount(codes, weights=y) / np.maximum(counts, 1)
    spread = np.sqrt(np.bincount(codes, weights=(y - means[codes]) ** 2) / np.maximum(counts - 1, 1))
    flat = _alike(y, codes)
    values, times = np.unique(y, return_counts=True)
    p = times / y.size
    planned = round(float(counts[big].mean())) if size is None else size
    item_keys = codes if clusters is None else codes_of(clusters, codes.size)
    return GroupSignal(
        zero_variance=share(flat[big], clusters=of_group, level=level),
        expected_zero=expected_zero_variance(codes, y, planned, clusters=clusters, level=level),
        spread=mean(spread[big], clusters=of_group, level=level),
        at_min=share(y <= (values[0] if low is None else low), clusters=item_keys, level=level),
        at_max=share(y >= (values[-1] if high is None else high), clusters=item_keys, level=level),
        levels=int(values.size),
        modal=float(p.max()),
        entropy=float(-(p * np.log2(p)).sum()) + 0.0,  # not -0.0
    )


def expected_zero_variance(
    group: ArrayLike, score: ArrayLike, size: int, *, clusters: ArrayLike | None = None, level: float = LEVEL
) -> Estimate:
    """Chance that `size` answers to one prompt all score alike: E[sum over scores of p^size].

    A group of m >= size answers gives it without bias (subsets of that size: (c over size)/(m over size), c answers with the
    score); a smaller one only by (c/m)^size, which is too high. Smaller groups are used only where no group is large enough.
    """
    if size < 2:
        raise ValueError("a group has two answers or more")
    codes, y, _ = _groups(group, score, score)
    counts = np.bincount(codes)
    large = counts >= size
    unbiased = bool(large.any())
    use = large if unbiased else counts >= 2
    if not use.any():
        return Estimate.missing(0, NO_GROUPS)
    level_of = np.unique(y, return_inverse=True)[1]
    pairs, times = np.unique(codes.astype(np.int64) * (int(level_of.max()) + 1) + level_of, return_counts=True)
    of = pairs // (int(level_of.max()) + 1)
    m, c = counts[of].astype(np.float64), times.astype(np.float64)
    if unbiased:
        log_part = np.where(c >= size, _falling(c, size) - _falling(np.maximum(m, size), size), -np.inf)
    else:
        log_part = size * np.log(c / m)
    chance = np.bincount(of, weights=np.exp(log_part), minlength=counts.size)[use]
    keys = None if clusters is None else _of_group(codes, clusters, counts.size)[use]
    found = share(np.clip(chance, 0, 1), clusters=keys, level=level)
    note = None if unbiased else f"groups hold fewer than {size} answers: this is too high"
    how = f"{'unbiased' if unbiased else 'plug-in'}, groups of {size}, {found.method}"
    return replace(found, method=how, note=note or found.note)


def planned_zero_variance(as_is: Estimate, plug_in: Estimate, smallest: int, size: int) -> Estimate:
    """What groups of fewer than `size` answers allow to say of groups of `size`: a low end that holds, a high end that holds.

    as_is: groups whose answers all score alike, the smallest with `smallest` answers; plug_in: (c/m)^size, which is too high.
    Low end: with Z_m the chance of m equal scores, Z_size >= Z_m^((size - 1)/(m - 1)) (power means, then Jensen over prompts).
    """
    if as_is.low is None or plug_in.high is None or not 2 <= smallest < size:
        return plug_in
    low = as_is.low ** ((size - 1) / (smallest - 1))
    method = f"{plug_in.method}; low end by power means from groups of {smallest}"
    return replace(plug_in, low=min(low, plug_in.high), method=method)


def false_signal(
    group: ArrayLike, truth: ArrayLike, score: ArrayLike, *, clusters: ArrayLike | None = None, level: float = LEVEL
) -> Estimate:
    """Share of the groups that people find all alike and whose scores differ all the same: gradient from noise alone.

    Of all groups with two answers or more; Wilson's interval over groups (on n/deff with clusters).
    """
    codes, x, y = _groups(group, truth, score)
    counts = np.bincount(codes)
    big = counts >= 2
    if not big.any():
        return Estimate.missing(0, NO_GROUPS)
    alike = [_alike(one, codes) for one in (x, y)]
    keys = None if clusters is None else _of_group(codes, clusters, counts.size)[big]
    return share((alike[0] & ~alike[1])[big], clusters=keys, level=level)


def fooled_bound(fooled: int, n: int, *, level: float = LEVEL) -> float:
    """The largest rate of being fooled that `fooled` of `n` probes leave open: Clopper-Pearson, one-sided."""
    if not 0 <= fooled <= n or n < 1:
        raise ValueError("counts of probes: 0 <= fooled <= n, n at least 1")
    return 1.0 if fooled == n else float(betaincinv(fooled + 1, n - fooled, level))


def _alike(x: Floats, codes: Ints) -> Bools:
    """Which groups hold one score only (as `ties` has it); every group has an item."""
    top, bottom = np.full(int(codes.max()) + 1, -np.inf), np.full(int(codes.max()) + 1, np.inf)
    np.maximum.at(top, codes, x)
    np.minimum.at(bottom, codes, x)
    return np.asarray(top == bottom)


def _falling(n: Floats, k: int) -> Floats:
    """log n (n-1) ... (n-k+1), for n >= k."""
    safe = np.maximum(n, k)
    return np.asarray(gammaln(safe + 1) - gammaln(safe - k + 1))


def _centred(x: Floats, codes: Ints) -> Floats:
    return np.asarray(x - (np.bincount(codes, weights=x) / np.maximum(np.bincount(codes), 1))[codes])


def _of_group(codes: Ints, clusters: ArrayLike, groups: int) -> Ints:
    """The cluster of each group."""
    keys = codes_of(clusters, codes.size)
    found = np.zeros(groups, dtype=np.int64)
    found[codes] = keys
    if not np.array_equal(found[codes], keys):
        raise ValueError("a group lies in two clusters")
    return found


def _groups(group: ArrayLike, truth: ArrayLike, score: ArrayLike) -> tuple[Ints, Floats, Floats]:
    codes = np.unique(np.asarray(group), return_inverse=True)[1].astype(np.int64)
    x, y = np.asarray(truth, np.float64), np.asarray(score, np.float64)
    if not codes.size == x.size == y.size or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("groups, truth and scores must be of one length, truth and scores finite")
    return codes, settled(x), settled(y)
