"""More designs for `coverage.py`: two judges on the same items, the chosen one of many, labels with weights, votes, sureness.

A design draws n items in clusters of `size` and returns estimates, each alone (its true value is that of very many items)
or with its true value where that depends on the data set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy.special import ndtr, ndtri

from rftj_cli.measure.levels import Levels, criterion_report
from rftj_cli.measure.values import Terms
from rftj_cli.stats.best_of_n import best_of_n
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.groups import pair_accuracy_difference
from rftj_cli.stats.mended import mended_gain
from rftj_cli.stats.optimism import best_of
from rftj_cli.stats.paired import agreement_difference, credit_difference, kappa_difference
from rftj_cli.stats.power import neyman
from rftj_cli.stats.probability import calibration_error
from rftj_cli.stats.production import by_score
from rftj_cli.stats.repeatability import retest, right_by_votes
from rftj_cli.stats.scoremap import map_gain
from rftj_cli.stats.signal import between_share, expected_zero_variance
from rftj_cli.stats.table import kappa
from rftj_cli.stats.threshold import choose_threshold

Array = np.ndarray
Found = Mapping[str, Estimate | tuple[Estimate, float]]
Draw = Callable[[np.random.Generator, int, int], Found]
SHARED = 0.5  # correlation of the errors of two judges; share of items that repeat their cluster's first


def leaning(rng: np.random.Generator, size: int, *columns: Array) -> tuple[Array, ...]:
    """Half of the items repeat the first one of their cluster."""
    n = len(columns[0])
    lead = np.arange(n) // size * size
    source = np.where(rng.random(n) < SHARED, lead, np.arange(n)) if size > 1 else np.arange(n)
    return tuple(one[source] for one in columns)


def passing(rng: np.random.Generator, n: int, pass_rate: float, kappas: Array) -> tuple[Array, Array]:
    """Truth (n,) and verdicts (n, judges) with these kappas, judge and labels passing alike often, errors correlated."""
    truth = (rng.random(n) < pass_rate).astype(np.int64)
    luck = SHARED**0.5 * (rng.normal(size=(n, 1)) + rng.normal(size=(n, kappas.size)))
    other = np.where(truth == 1, 1 - pass_rate, pass_rate)[:, None]
    wrong = luck < ndtri((1 - kappas) * other)
    return truth, np.where(wrong, 1 - truth[:, None], truth[:, None])


def keys_of(n: int, size: int) -> Array | None:
    return None if size == 1 else np.arange(n) // size


def two_judges(rng: np.random.Generator, n: int, size: int) -> Found:
    """B less A: two levels with 50, 80 and 90% passing (kappa .6 and .8, or alike), five levels, comparisons, groups of 4."""
    found: dict[str, Estimate] = {}
    keys = keys_of(n, size)
    for rate, a, b in ((0.5, 0.6, 0.8), (0.8, 0.6, 0.6), (0.9, 0.6, 0.8), (0.9, 0.9, 0.9)):
        truth, said = passing(rng, n, rate, np.array([a, b]))
        truth, first, second = leaning(rng, size, truth, said[:, 0], said[:, 1])
        what = f"pass {rate:g}, kappa {a:g} and {b:g}"
        found[f"kappa, {what}"] = kappa_difference(truth, first, second, 2, clusters=keys)
        found[f"agreement, {what}"] = agreement_difference(first == truth, second == truth, clusters=keys)
    level = rng.integers(0, 5, n)
    shared = rng.normal(size=n)
    off = [np.rint(0.6 * (shared + rng.normal(size=n)) * spread).astype(np.int64) for spread in (1.0, 0.7)]
    level, *moved = leaning(rng, size, level, *off)
    sides = [np.clip(level + one, 0, 4) for one in moved]
    found["kappa_quadratic, five levels"] = kappa_difference(level, *sides, 5, kind="quadratic", clusters=keys)
    credit = [rng.choice([0.0, 0.5, 1.0], size=n, p=p) for p in ((0.3, 0.2, 0.5), (0.15, 0.1, 0.75))]
    found["pair accuracy of comparisons"] = credit_difference(*leaning(rng, size, *credit), clusters=keys)
    group = np.arange(n) // 4
    good = rng.normal(size=n)
    found["pair accuracy in groups of 4"], _ = pair_accuracy_difference(
        group, good, good + rng.normal(size=n), good + 0.7 * rng.normal(size=n)
    )
    return found


def chosen(rng: np.random.Generator, n: int, size: int) -> Found:
    """The corrected kappa of the best of M judges: all of kappa .6, or from .5 to .7."""
    found: dict[str, tuple[Estimate, float]] = {}
    for tried in (5, 20):
        for spread in (0.0, 0.1):
            kappas = np.linspace(0.6 - spread, 0.6 + spread, tried)
            truth, said = leaning(rng, size, *passing(rng, n, 0.5, kappas))
            best = best_of(truth, said, 2, clusters=keys_of(n, size), seed=int(rng.integers(1 << 31)))
            found[f"best of {tried}, {'alike' if not spread else 'kappa .5 to .7'}"] = best.corrected, kappas[best.best]
    return found


def weighted(rng: np.random.Generator, n: int, size: int) -> Found:
    """n of 10 n judged units labelled as `plan --next` draws them: by verdict, where the judge errs, with weights."""
    total = 10 * n
    truth = (rng.random(total) < 0.8).astype(np.int64)
    judge = np.where(rng.random(total) < np.where(truth == 1, 0.9, 0.8), truth, 1 - truth)
    truth, judge = leaning(rng, size, truth, judge)
    places = [np.flatnonzero(judge == verdict) for verdict in (0, 1)]
    labels = neyman([one.size for one in places], [0.3, 0.06], n)
    labelled = np.concatenate([rng.choice(one, m, replace=False) for one, m in zip(places, labels, strict=True)])
    weight = np.array([one.size / max(m, 1) for one, m in zip(places, labels, strict=True)])[judge[labelled]]
    keys = np.arange(total) // size
    given = Levels(
        "c", "binary", "pass_fail", ("fail", "pass"), None, truth[labelled], judge[labelled], weight=weight, judged=judge,
        cluster=keys[labelled] if size > 1 else None, judged_cluster=keys if size > 1 else None,
    )  # fmt: skip
    report = criterion_report(given, Terms())
    assert report.population is not None
    names = ("agreement", "kappa", "tpr", "tnr", "precision", "npv", "balanced_accuracy", "bias")
    found: dict[str, Estimate | tuple[Estimate, float]] = {
        "pass rate of all, post-stratified": (report.population.post_stratified, 0.8),
        "pass rate of all, labels alone": (report.population.labels_only, 0.8),
    }
    return found | {
        name: (report.estimates[name], true) for name, true in zip(names, _true(0.8, 0.9, 0.8), strict=True)
    }


def _true(rate: float, tpr: float, tnr: float) -> tuple[float, ...]:
    table = np.array([[(1 - rate) * tnr, (1 - rate) * (1 - tnr)], [rate * (1 - tpr), rate * tpr]])
    right, said = float(np.trace(table)), float(table[:, 1].sum())
    return (
        right, float(kappa(table, np.eye(2))), tpr, tnr, rate * tpr / said, (1 - rate) * tnr / (1 - said), (tpr + tnr) / 2,
        said - rate,
    )  # fmt: skip


def votes(rng: np.random.Generator, n: int, size: int) -> Found:
    """Three votes of two levels, right with a chance that clusters share; votes of three levels with values 0, 1, 10."""
    keys = keys_of(n, size)
    chance = np.repeat(rng.beta(2, 1, n // size + 1), size)[:n]
    right = right_by_votes(rng.binomial(3, chance), np.full(n, 3), clusters=keys)
    base = rng.integers(0, 3, n)
    runs = np.where(rng.random((n, 3)) < 0.8, base[:, None], rng.integers(0, 3, (n, 3)))
    (runs,) = leaning(rng, size, runs)
    again = retest(runs, 3, kind="quadratic", values=(0, 1, 10), clusters=keys)
    return {"right by 1 vote": right[1], "right by 3 votes": right[3], "run_run_kappa, values 0, 1, 10": again.kappa}


def sureness(rng: np.random.Generator, n: int, size: int) -> Found:
    """Probabilities in ten steps, too bold by a known amount; a threshold's J on items it was not chosen by."""
    units = n // size + 1
    said = np.repeat((rng.integers(0, 10, units) + 0.5) / 10, size)[:n]
    luck = (
        np.where(rng.random(n) < SHARED, np.repeat(rng.random(units), size)[:n], rng.random(n))
        if size > 1
        else rng.random(n)
    )
    was = luck < 0.2 + 0.6 * said
    keys = keys_of(n, size)
    error = float(np.sqrt(np.mean([(0.2 - 0.4 * (i + 0.5) / 10) ** 2 for i in range(10)])))
    found: dict[str, Estimate | tuple[Estimate, float]] = {"ece": (calibration_error(said, was, clusters=keys), error)}
    y = np.repeat(rng.random(units) < 0.6, size)[:n].astype(float)
    score = y + 0.8 * rng.normal(size=n) + 0.6 * np.repeat(rng.normal(size=units), size)[:n]
    cut = choose_threshold(score, y, clusters=keys)
    if cut is not None:
        found["threshold, J"] = cut.crossed, float(ndtr(cut.value) - ndtr(cut.value - 1))
    return found


def signals(rng: np.random.Generator, n: int, size: int) -> Found:
    """n answers in groups of 4: best of n, groups without a signal, variance between prompts, a map's gain, lift, mended gain."""
    group = np.arange(n) // 4
    hard = rng.beta(1, 2, n // 4 + 1)[group]
    truth = (rng.random(n) < hard).astype(np.int64)
    judge = np.where(rng.random(n) < 0.8, truth, 1 - truth)
    score = np.rint(judge + rng.normal(size=n))
    gain = best_of_n(group, truth, score, most=4)
    mapped = map_gain(truth, 0.5 * score, 0.2 + 0.2 * judge, clusters=group)
    mended = (judge != truth) & (judge == 1)
    assert gain is not None
    return {
        "best of 4, gain": gain.steps[3].gain,
        "best of 4, regret": gain.steps[3].regret,
        "groups of 4 without variance, expected": expected_zero_variance(group, judge, 4),
        "share between groups": between_share(
            np.arange(n) // 4, np.repeat(rng.normal(size=n // 4 + 1), 4)[:n] + rng.normal(size=n)
        ),
        "mse_gain": mapped["mse_gain"],
        "lift of the lower bin": by_score(truth, judge, clusters=group)[0].lift,
        "gain of mending all false passes, kappa": mended_gain(
            lambda t: kappa(t, np.eye(2)), truth, judge, mended, 2, clusters=group
        ),
    }


BESIDE: tuple[tuple[str, Draw, tuple[int, ...]], ...] = (
    ("Two judges on the same items, B less A", two_judges, (1, 4)),
    ("The chosen one of many judges", chosen, (1, 4)),
    ("Weighted labels, drawn by verdict from ten times as many judged units", weighted, (1, 4)),
    ("Repeated votes", votes, (1, 4)),
    ("How sure the judge is", sureness, (1, 4)),
    ("Answers in groups of 4", signals, (4,)),
)
