"""How often is a comparison wrong? Simulated judges on the same items: words, families, searches, the luck of the best.

All judges are right on 80% of the items (kappa .6 with labels that pass half of them). Their errors come from normal
variables with a given correlation: two prompts of one model err on the same items more often than by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import ndtri
from scipy.stats import binom

from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.groups import pair_accuracy_difference
from rftj_cli.stats.optimism import best_of
from rftj_cli.stats.paired import agreement_difference, agreement_p, kappa_difference, kappa_p
from rftj_cli.stats.verdicts import KAPPA_MARGIN, SHARE_MARGIN, held, holm, judge_change, replaces

RIGHT = 0.8
Ints = np.ndarray


def errors(
    rng: np.random.Generator, n: int, judges: int, correlation: float, size: int = 1, right: float = RIGHT
) -> Ints:
    """Who is right on what, (n, judges) of 0 and 1; half of a cluster's items of `size` repeat its first one."""
    shared, own = rng.normal(size=(n, 1)), rng.normal(size=(n, judges))
    z = correlation**0.5 * shared + (1 - correlation) ** 0.5 * own
    if size > 1:
        lead = np.arange(n) // size * size
        z = np.where((rng.random(n) < 0.5)[:, None], z[lead], z)
    return (z < ndtri(right)).astype(np.int64)


def verdicts(rng: np.random.Generator, n: int, judges: int, correlation: float, size: int = 1) -> tuple[Ints, Ints]:
    """Truth (n,) of two levels, and verdicts (n, judges)."""
    right = errors(rng, n, judges, correlation, size)
    truth = rng.integers(0, 2, n)
    if size > 1:
        truth = truth[np.arange(n) // size * size]
    return truth, np.where(right == 1, truth[:, None], 1 - truth[:, None])


def share_word(a: Ints, b: Ints, keys: Ints | None, seed: int) -> tuple[str, float]:
    """The word on the share right of two judges, and its p."""
    full = agreement_difference(a, b, clusters=keys)
    word = judge_change(full, SHARE_MARGIN, narrow=agreement_difference(a, b, clusters=keys, level=0.9)).word
    return word, _p(agreement_p(a, b, clusters=keys, seed=seed))


def kappa_word(truth: Ints, a: Ints, b: Ints, keys: Ints | None, seed: int) -> tuple[str, float]:
    full = kappa_difference(truth, a, b, 2, clusters=keys)
    word = judge_change(full, KAPPA_MARGIN, narrow=kappa_difference(truth, a, b, 2, clusters=keys, level=0.9)).word
    return word, _p(kappa_p(truth, a, b, 2, clusters=keys, seed=seed))


def _p(found: Estimate) -> float:
    return 1.0 if found.value is None else found.value


def words(n: int, size: int, data_sets: int, seed: int) -> dict[str, float]:
    """Two judges that are equally good: how often each number says better (worse is as often)."""
    rng, keys = np.random.default_rng([seed, n, size]), None if size == 1 else np.arange(n) // size
    count = dict.fromkeys(("share right", "kappa", "pair accuracy"), 0)
    for data_set in range(data_sets):
        truth, said = verdicts(rng, n, 2, 0.5, size)
        a, b = said.T
        count["share right"] += share_word(a == truth, b == truth, keys, data_set)[0] == "better"
        count["kappa"] += kappa_word(truth, a, b, keys, data_set)[0] == "better"
        group = np.arange(n) // 4
        score = rng.normal(size=(n, 3))
        pairs, _ = pair_accuracy_difference(group, score[:, 0], score[:, 0] + score[:, 1], score[:, 0] + score[:, 2])
        count["pair accuracy"] += judge_change(pairs, SHARE_MARGIN).word == "better"
    return {name: 100 * hits / data_sets for name, hits in count.items()}


def families(n: int, candidates: int, data_sets: int, seed: int) -> float:
    """As many candidates, all as good as the baseline: how often any of them is called better."""
    rng, wrong = np.random.default_rng([seed, n, candidates]), 0
    for data_set in range(data_sets):
        right = errors(rng, n, candidates + 1, 0.5)
        found = [share_word(right[:, 0], right[:, m], None, data_set) for m in range(1, candidates + 1)]
        adjusted = holm([p for _, p in found])
        for (word, _), p, m in zip(found, adjusted, range(1, candidates + 1), strict=True):
            change = judge_change(agreement_difference(right[:, 0], right[:, m]), SHARE_MARGIN)
            if word == "better" and held(change, float(p), candidates).word == "better":
                wrong += 1
                break
    return 100 * wrong / data_sets


def power(n: int, discordant: float, ratio: float, data_sets: int, seed: int) -> tuple[float, float]:
    """One judge wins `ratio` of the `discordant` items: how often the word is better, and exact McNemar's p below .05."""
    rng, ours, exact = np.random.default_rng([seed, n]), 0, 0
    for data_set in range(data_sets):
        counts = rng.multinomial(n, [discordant * ratio, discordant * (1 - ratio), 0.7 - discordant, 0.3])
        b = np.repeat([1, 0, 1, 0], counts)
        a = np.repeat([0, 1, 1, 0], counts)
        ours += share_word(a, b, None, data_set)[0] == "better"
        least, total = min(counts[0], counts[1]), counts[0] + counts[1]
        exact += counts[0] > counts[1] and min(1.0, 2 * binom.cdf(least, total, 0.5)) <= 0.05
    return 100 * ours / data_sets, 100 * exact / data_sets


def at_the_margin(n: int, data_sets: int, seed: int) -> tuple[float, float]:
    """A judge that is worse by just the margin: how often it is called equivalent, and not worse or equivalent."""
    rng, equivalent, not_worse = np.random.default_rng([seed, n, 7]), 0, 0
    for data_set in range(data_sets):
        counts = rng.multinomial(n, [0.05, 0.05 + SHARE_MARGIN, 0.8, 0.2 - 0.1 - SHARE_MARGIN])
        b, a = np.repeat([1, 0, 1, 0], counts), np.repeat([0, 1, 1, 0], counts)
        word = share_word(a, b, None, data_set)[0]
        equivalent += word == "equivalent"
        not_worse += word in ("equivalent", "not_worse", "better")
    return 100 * equivalent / data_sets, 100 * not_worse / data_sets


def null_search(n: int, prompts: int, correlation: float, data_sets: int, seed: int) -> tuple[float, float]:
    """A search over equal prompts by the Ladder's rule: how often the last one is called better on dev, and on test."""
    rng, on_dev, on_test = np.random.default_rng([seed, n, prompts]), 0, 0
    for data_set in range(data_sets):
        dev, test = (errors(rng, n, prompts + 1, correlation) for _ in range(2))
        best = 0
        for m in range(1, prompts + 1):
            one = agreement_difference(dev[:, best], dev[:, m])
            assert one.high is not None and one.low is not None
            best = m if replaces(one, (one.high - one.low) / (2 * 1.959964)) else best
        if best:
            on_dev += share_word(dev[:, 0], dev[:, best], None, data_set)[0] == "better"
            on_test += share_word(test[:, 0], test[:, best], None, data_set)[0] == "better"
    return 100 * on_dev / data_sets, 100 * on_test / data_sets


def luck(n: int, prompts: int, correlation: float, data_sets: int, seed: int) -> tuple[float, float]:
    """The best of equal prompts (kappa .6): its kappa over .6 on the average, and the optimism that is reported."""
    rng, true, told = np.random.default_rng([seed, n, prompts, int(10 * correlation)]), [], []
    for data_set in range(data_sets):
        truth, said = verdicts(rng, n, prompts, correlation)
        found = best_of(truth, said, 2, seed=data_set)
        assert found.apparent.value is not None and found.optimism.value is not None
        true.append(found.apparent.value - 0.6)
        told.append(found.optimism.value)
    return float(np.mean(true)), float(np.mean(told))


Table = Callable[[Sequence[str], Sequence[Sequence[str]]], str]


def page(data_sets: int, seed: int, table: Table) -> str:
    """All of it as Markdown."""
    return "\n".join([*_of_two(data_sets, seed, table), *_of_many(data_sets, seed, table)])


def _of_two(data_sets: int, seed: int, table: Table) -> list[str]:
    """Equal judges, families of five, power."""
    rows = []
    for size in (1, 4):
        for n in (50, 100, 200):
            found = words(n, size, data_sets, seed)
            rows.append(
                [f"{n}, {'independent' if size == 1 else 'clusters of 4'}", *(f"{one:.1f}" for one in found.values())]
            )
    parts = [
        "## Two judges that are equally good\n\nHow often (percent) one is called better; 2.5 is what a 95% interval allows. Pair "
        "accuracy: groups of 4, continuous scores.\n\n"
        + table(["items", "share right", "kappa", "pair accuracy"], rows)
    ]
    family = [[str(n), f"{families(n, 5, data_sets, seed):.1f}"] for n in (50, 100, 200)]
    parts.append(
        "## Five candidates, none of them better\n\nHow often (percent) any is called better, after Holm; at most 5.\n\n"
        + table(["items", "any better"], family)
    )
    strong = [
        [f"{n}, {d:g}", *(f"{x:.1f}" for x in power(n, d, 0.75, data_sets, seed))]
        for n, d in ((50, 0.2), (100, 0.2), (200, 0.2), (200, 0.1))
    ]
    parts.append(
        "## Power\n\nOne judge wins three of four items that tell the two apart: how often (percent) it is found.\n\n"
        + table(["items, share that tells apart", "better", "exact McNemar"], strong)
    )
    return parts


def _of_many(data_sets: int, seed: int, table: Table) -> list[str]:
    """Losses as large as the margin, searches among equals, the luck of the best."""
    parts = []
    edge = [[str(n), *(f"{x:.1f}" for x in at_the_margin(n, data_sets, seed))] for n in (200, 500, 1000)]
    parts.append(
        f"## Worse by just the margin ({SHARE_MARGIN:g})\n\nHow often (percent) the difference is passed over; 5 and 2.5 are allowed.\n\n"
        + table(["items", "equivalent", "not worse or better"], edge)
    )
    searched = [
        [f"{n}, {r:g}", *(f"{x:.1f}" for x in null_search(n, 20, r, data_sets, seed))]
        for n in (50, 100, 200)
        for r in (0.3, 0.7)
    ]
    parts.append(
        "## A search over 20 prompts, none of them better\n\nHow often (percent) its end is called better than its beginning: on the "
        "samples that it was chosen by, and on the held-out ones.\n\n"
        + table(["items of each split, correlation of errors", "on dev", "held out"], searched)
    )
    few = max(1, data_sets // 3)
    lucky = [
        [f"{n}, {m}, {r:g}", *(f"{x:.3f}" for x in luck(n, m, r, few, seed))]
        for n in (50, 100, 200)
        for m in (5, 20)
        for r in (0.3, 0.7)
    ]
    parts.append(
        "## The luck of the best\n\nThe best of equal prompts, by kappa: how much too good it looks, and the optimism that is reported.\n\n"
        + table(["items, prompts, correlation of errors", "true", "reported"], lucky)
    )
    return parts
