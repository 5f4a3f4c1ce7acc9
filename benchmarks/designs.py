"""Simulated data whose true values are known: rates of everything judged, numbers inside groups, scores, raters, votes.

Each function draws data sets, hands them to the functions that reports call, and counts whose interval holds the truth.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.beside import BESIDE, Draw
from rftj_cli.stats import corrected, resampling
from rftj_cli.stats.ceiling import leave_one_out_ceiling
from rftj_cli.stats.concordance import concordance
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.groups import pair_accuracy
from rftj_cli.stats.numeric import numeric_agreement
from rftj_cli.stats.probability import probability_scores
from rftj_cli.stats.production import equal_bins, partial_spearman
from rftj_cli.stats.reliability import krippendorff_alpha, pairwise_kappa
from rftj_cli.stats.repeatability import components, retest
from rftj_cli.stats.signal import false_signal, within_phi
from rftj_cli.stats.slope import within_slope

DRAWS, RESAMPLES = 4_000, 2_000
MANY = 200_000  # items whose estimate stands for the truth


def fewer_draws() -> None:
    """Of posterior and bootstrap, in this process."""
    resampling.POSTERIOR_DRAWS, resampling.DRAWS, corrected.DRAWS = DRAWS, RESAMPLES, DRAWS
    resampling.RESAMPLES = RESAMPLES


@dataclass
class Count:
    """Data sets whose interval holds the truth, all that have an interval, all, and the summed width."""

    hits: int = 0
    made: int = 0
    all: int = 0
    width: float = 0.0

    def add(self, low: float | None, high: float | None, true: float) -> None:
        self.all += 1
        if low is not None and high is not None:
            self.made += 1
            self.hits += low - 1e-9 <= true <= high + 1e-9
            self.width += high - low


@dataclass
class Tally:
    """Counts by estimate."""

    of: dict[str, Count] = field(default_factory=lambda: defaultdict(Count))

    def add(self, name: str, one: Estimate, true: float | None) -> None:
        if one.value is not None and true is not None:
            self.of[name].add(one.low, one.high, true)


RATES = (
    (0.5, 0.9, 0.8, 100, None), (0.8, 0.9, 0.8, 50, None), (0.8, 0.9, 0.8, 100, None), (0.8, 0.9, 0.8, 200, None),
    (0.95, 0.9, 0.8, 100, None), (0.8, 0.75, 0.7, 100, None), (0.8, 0.9, 0.8, 100, 0.5),
)  # fmt: skip


def rate_cell(scenario: tuple[float, float, float, int, float | None], data_sets: int, seed: int) -> dict[str, Count]:
    """Corrected pass rates: 1,000 judged units, m of them labelled at random, or balanced labels from elsewhere."""
    theta, tpr, tnr, m, prevalence = scenario
    fewer_draws()
    rng = np.random.default_rng([seed, m, int(theta * 100), int(tpr * 100)])
    tally, total, peers = Tally(), 1000, _peers()
    for data_set in range(data_sets):
        truth = rng.random(total) < theta
        verdict = np.where(truth, rng.random(total) < tpr, rng.random(total) >= tnr)
        if prevalence is None:
            y, f, u = truth[:m], verdict[:m], verdict[m:]
        else:
            y = rng.random(m) < prevalence
            f = np.where(y, rng.random(m) < tpr, rng.random(m) >= tnr)
            u = verdict
        table = np.bincount(y.astype(int) * 2 + f, minlength=4).reshape(2, 2).astype(np.float64)
        judged = np.bincount(verdict.astype(int), minlength=2).astype(np.float64)
        everyone = judged if prevalence is None else judged + table.sum(0)
        found = corrected.corrected(
            table, everyone, sampling="random" if prevalence is None else "balanced", seed=data_set
        )
        # Balanced labels are no part of the population whose rate is asked for: `judged` holds only its verdicts.
        tally.add("verdicts as they are", found.naive, theta)
        tally.add("labels alone", found.labels_only, theta)
        tally.add("post-stratified", corrected.post_stratified(table, judged, seed=data_set), theta)
        tally.add("Rogan-Gladen, Lee", corrected.rogan_gladen(table, judged), theta)
        tally.add("PPI++", corrected.ppi_mean(y, f, u), theta)
        for name, peer in peers.items() if data_set < min(data_sets, 200) else ():
            try:
                low, high = peer(y, f, u, verdict)
            except (ValueError, RuntimeError):
                low = high = None
            tally.of[name].add(low, high, theta)
    return dict(tally.of)


def _peers() -> dict[str, Callable[..., tuple[float | None, float | None]]]:
    """judgy and evalproof, where they are installed."""
    found: dict[str, Callable[..., Any]] = {}
    try:
        from judgy import estimate_success_rate

        def judgy(y: Any, f: Any, u: Any, everyone: Any) -> tuple[float, float]:
            return estimate_success_rate(y.astype(int), f.astype(int), u.astype(int), bootstrap_iterations=1000)[1:]

        found["judgy"] = judgy
    except ImportError:
        pass
    try:
        from evalproof.calibration import acc_estimate, ppi_estimate

        def acc(y: Any, f: Any, u: Any, everyone: Any) -> tuple[float | None, float | None]:
            one = acc_estimate(everyone.tolist(), f.tolist(), y.tolist(), n_boot=1000)
            return one.low, one.high

        def ppi(y: Any, f: Any, u: Any, everyone: Any) -> tuple[float | None, float | None]:
            one = ppi_estimate(u.tolist(), f.tolist(), y.tolist())
            return one.low, one.high

        found |= {"evalproof ACC": acc, "evalproof PPI": ppi}
    except ImportError:
        pass
    return found


def group_cell(prompts: int, size: int, data_sets: int, seed: int) -> dict[str, Count]:
    """Within-group numbers of a judge with rates .85 on prompts of every difficulty."""

    def data(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        group = np.repeat(np.arange(count), size)
        truth = (rng.random(group.size) < rng.beta(2, 2, count)[group]).astype(float)
        right = np.where(rng.random(group.size) < 0.85, truth, 1 - truth)
        return group, truth, right

    def numbers(group: np.ndarray, truth: np.ndarray, score: np.ndarray) -> dict[str, Estimate]:
        pairs = pair_accuracy(group, truth, score)
        phi, square = within_phi(group, truth, score)
        return {
            "pair accuracy": pairs.estimate, "pair accuracy by group": pairs.by_group, "tie rate": pairs.tie_rate,
            "phi": phi, "phi^2": square, "false signal": false_signal(group, truth, score),
        }  # fmt: skip

    true = {name: one.value for name, one in numbers(*data(np.random.default_rng(99), MANY)).items()}
    rng, tally = np.random.default_rng([seed, prompts, size]), Tally()
    for _ in range(data_sets):
        for name, one in numbers(*data(rng, prompts)).items():
            tally.add(name, one, true[name])
    return dict(tally.of)


def scores_of(rng: np.random.Generator, n: int, size: int) -> Mapping[str, Estimate]:
    """Continuous scores and outcomes: clusters of `size` share a third of their variance; the judge likes long answers."""
    cluster = np.arange(n) // size
    shared = rng.normal(size=(int(cluster[-1]) + 1, 3))[cluster] if size > 1 else np.zeros((n, 3))
    own = rng.normal(size=(n, 3)) * ((2 / 3) ** 0.5 if size > 1 else 1)
    quality, noise, long = (shared * (1 / 3) ** 0.5 + own).T
    words = np.exp(4 + 0.5 * long + 0.25 * quality)
    truth, judge = quality, 0.8 * quality + 0.6 * noise + 0.2 * long + 0.3
    outcome = (rng.random(n) < 1 / (1 + np.exp(-0.5 - quality))).astype(float)
    said = 1 / (1 + np.exp(-1.2 * judge))
    keys = cluster if size > 1 else None
    found = dict(numeric_agreement(truth, judge, clusters=keys))
    found["auc"] = concordance(outcome, judge, clusters=keys)
    found["auc_at_equal_length"] = concordance(outcome, judge, strata=equal_bins(words), clusters=keys)
    found["spearman_at_equal_length"] = partial_spearman(truth, judge, words, clusters=keys)
    found["length_slope"] = within_slope(np.log2(words), judge - truth, clusters=keys)
    scores = probability_scores(said, outcome, clusters=keys)
    assert scores is not None
    return {**found, "brier": scores.brier, "log_loss": scores.log_loss, "skill": scores.skill}


def raters_of(rng: np.random.Generator, n: int, size: int) -> Mapping[str, Estimate]:
    """Pass and fail by a judge and three raters who are right on 85%, and three votes of the judge."""
    cluster = np.arange(n) // size
    lead = cluster * size  # the first item of the cluster
    truth = rng.random(n) < 0.6
    right = rng.random((n, 7)) < 0.85
    if size > 1:
        copies = rng.random(n) < 0.5
        truth, right = np.where(copies, truth[lead], truth), np.where(copies[:, None], right[lead], right)
    given = np.where(right, truth[:, None], ~truth[:, None]).astype(np.int64)
    people, judge, votes = given[:, :3], given[:, 3], given[:, 4:]
    keys = cluster if size > 1 else None
    ceiling = leave_one_out_ceiling(people, judge, 2, clusters=keys)
    again = retest(votes, 2, clusters=keys)
    found = {name: getattr(ceiling, name) for name in ("human_agreement", "human_kappa", "judge_kappa", "kappa_gap")}
    found["mean_pairwise_kappa"] = pairwise_kappa(people, 2, clusters=keys).mean
    found["krippendorff_alpha"] = krippendorff_alpha(people, k=2, clusters=keys)
    return {**found, "flip_rate": again.flip_rate, "pair_flip_rate": again.pair_flip_rate, "run_run_kappa": again.kappa}


def votes_of(rng: np.random.Generator, n: int, size: int) -> Mapping[str, Estimate]:
    """Scores of three runs a sample: variance components."""
    found = components(rng.normal(size=(n, 1)) + 0.6 * rng.normal(size=(n, 3)))
    assert found is not None
    return {"icc": found.icc, "sem": found.sem}


OTHERS: tuple[tuple[str, Draw, tuple[int, ...]], ...] = (
    ("Scores, outcomes and probabilities", scores_of, (1, 4)),
    ("Raters and repeated votes, pass and fail", raters_of, (1, 4)),
    ("Scores of repeated runs", votes_of, (1,)),
    *BESIDE,
)


def other_cell(which: int, n: int, size: int, data_sets: int, seed: int) -> dict[str, Count]:
    """Coverage of one of `OTHERS` at n items in clusters of `size`."""
    fewer_draws()
    draw = OTHERS[which][1]
    rng, tally = np.random.default_rng([seed, which, n, size]), Tally()
    true: Mapping[str, float | None] = {}
    for _ in range(data_sets):
        for name, one in draw(rng, n, size).items():
            if isinstance(one, tuple):
                tally.add(name, *one)
                continue
            if not true:
                true = {of: each.value for of, each in draw(np.random.default_rng(99), MANY, size).items()}  # type: ignore[union-attr]
            tally.add(name, one, true[name])
    return dict(tally.of)
