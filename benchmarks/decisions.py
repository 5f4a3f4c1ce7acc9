"""How often a decision is wrong where nothing is better, and the intervals that decisions on groups and scores rest on.

"better": two judges that are equally good, of which one fails whole clusters. PASS and FAIL: a judge that is exactly on the
limit of a gate, which decides on exact bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.designs import Count, Tally
from benchmarks.harder import ITEMS, PROCESSES, Markdown
from rftj_cli.stats.concordance import concordance
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.exact import exact
from rftj_cli.stats.groups import pair_accuracy
from rftj_cli.stats.numeric import numeric_agreement
from rftj_cli.stats.paired import agreement_difference, agreement_p
from rftj_cli.stats.shares import share

GROUPS = (10, 20, 40, 100)
GATES = (
    "whole clusters wrong, 10%, Zipf", "whole clusters wrong, 10%, of 8", "difficulty, 10% wrong, Zipf",
    "items alone wrong, 5%, labels alike, Zipf", "items alone wrong, 15%, of 4",
)  # fmt: skip
RIVALS = (("whole clusters wrong, 10%, Zipf", "items alone"), ("whole clusters wrong, 10%, of 4", "items alone"),
          ("difficulty, 10% wrong, Zipf", "difficulty"))  # fmt: skip


def decision_tables(data_sets: int, seed: int, markdown: Markdown) -> str:
    """All of it, as Markdown."""
    better = [
        [f"B: {name}; A: {other}", *(_better(name, other, n, data_sets, seed) for n in ITEMS)] for name, other in RIVALS
    ]
    gates = [[name, *(_gate(name, n, data_sets, seed) for n in ITEMS)] for name in GATES]
    sizes = [f"n = {n}" for n in ITEMS]
    parts = [
        "B is called better, of two judges that are equally good (coverage and width of the difference):\n\n"
        + markdown(["judges", *sizes], better),
        f"A gate whose limit is the true agreement: PASS / FAIL:\n\n{markdown(['process', *sizes], gates)}",
        f"Groups and scores, coverage and width:\n\n{_others(data_sets, seed, markdown)}",
    ]
    return "\n".join(parts)


def _better(name: str, other: str, n: int, data_sets: int, seed: int) -> str:
    """Share of data sets in which B is called better than A, and coverage of the difference 0."""
    process, rng, count, said = PROCESSES[name], np.random.default_rng([seed, n, len(name)]), Count(), 0
    truth, judge, _ = process.draw(np.random.default_rng(99), 400_000)
    wrong = float((truth != judge).mean())
    for data_set in range(data_sets):
        truth, judge, cluster = process.draw(rng, n)
        b = judge == truth
        chance = rng.beta(wrong, 1 - wrong, n)[cluster] if other == "difficulty" else wrong
        a = rng.random(n) >= chance
        found = agreement_difference(a, b, clusters=cluster)
        count.add(found.low, found.high, 0.0)
        if found.low is not None and found.low > 0:
            p = agreement_p(a, b, clusters=cluster, seed=data_set).value
            said += p is not None and p <= 0.05
    return f"{100 * said / data_sets:.1f} ({100 * count.hits / count.made:.1f}, {count.width / count.made:.2f})"


def _gate(name: str, n: int, data_sets: int, seed: int) -> str:
    process, rng = PROCESSES[name], np.random.default_rng([seed, n, len(name), 1])
    truth, judge, _ = process.draw(np.random.default_rng(99), 400_000)
    limit, passed, failed = float((truth == judge).mean()), 0, 0
    for _ in range(data_sets):
        truth, judge, cluster = process.draw(rng, n)
        found = exact(share(truth == judge, clusters=cluster))
        passed += found.low is not None and found.low >= limit
        failed += found.high is not None and found.high < limit
    return f"{100 * passed / data_sets:.1f} / {100 * failed / data_sets:.1f}"


def one_in_five_large(rng: np.random.Generator, groups: int) -> Mapping[str, Estimate]:
    """Pair accuracy of groups of 4, one in five of 20, of a judge whose errors lean together inside a group."""
    sizes = np.where(rng.random(groups) < 0.2, 20, 4)
    group = np.repeat(np.arange(groups), sizes)
    good = rng.normal(size=group.size)
    score = good * np.repeat(rng.normal(1.0, 0.7, groups), sizes) + rng.normal(size=group.size)
    return {"pair accuracy, one group in five of 20": pair_accuracy(group, good, score).estimate}


def rare_outcomes(rng: np.random.Generator, n: int) -> Mapping[str, Estimate]:
    """AUC where 14% are positive; bounded scores in clusters of a Zipf law."""
    outcome = (rng.random(n) < 0.14).astype(np.float64)
    law = 1 / np.arange(1, 21) ** 1.2
    cluster = np.repeat(np.arange(n), rng.choice(np.arange(1, 21), n, p=law / law.sum()))[:n]
    truth = rng.beta(2, 1, n)
    judge = np.clip(truth + 0.1 * rng.normal(size=n) + 0.15 * rng.normal(size=n)[cluster], 0, 1)
    numbers = numeric_agreement(truth, judge, clusters=cluster)
    return {"auc, 14% positive": concordance(outcome, outcome + rng.normal(size=n))} | {
        f"{name}, scores from 0 to 1, Zipf": numbers[name] for name in ("bias", "mae", "pearson", "ccc", "spearman")
    }


def _others(data_sets: int, seed: int, markdown: Markdown) -> str:
    rows = _covered(one_in_five_large, GROUPS, data_sets, seed)
    heads = ["estimate", *(f"{n} groups" for n in GROUPS)]
    return f"{markdown(heads, rows)}\n" + markdown(
        ["estimate", *(f"n = {n}" for n in ITEMS)], _covered(rare_outcomes, ITEMS, data_sets, seed)
    )


def _covered(
    design: Callable[[np.random.Generator, int], Mapping[str, Estimate]],
    sizes: tuple[int, ...],
    data_sets: int,
    seed: int,
) -> list[list[str]]:
    true = {name: one.value for name, one in design(np.random.default_rng(99), 100_000).items()}
    tallies = []
    for n in sizes:
        rng, tally = np.random.default_rng([seed, n]), Tally()
        for _ in range(data_sets):
            for name, one in design(rng, n).items():
                tally.add(name, one, true[name])
        tallies.append(tally.of)
    return [[name, *(_one(of[name]) for of in tallies)] for name in true]


def _one(count: Count) -> str:
    return f"{100 * count.hits / count.made:.1f}, {count.width / count.made:.2f}" if count.made else "-"
