"""Can this judge be trusted? Bounds against the bars that a judge should clear before it becomes a reward.

The bars are a proposal of rftj's for where nothing else is agreed (docs/statistics.md says where they come from); a
project sets its own in the rules of `rftj gate`. What counts is the bound that the labels allow, not the value.

Where people differ, no judge can reach the bars: then it is enough to agree with them as they do with each other. That
says something only of raters who do agree with each other, on enough units, and of a judge that agrees with them at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Protocol

from rftj_cli.errors import InputError
from rftj_cli.files.runs import Run, Selection
from rftj_cli.measure.levels import KINDS
from rftj_cli.measure.values import Calibration, Criterion, Trust
from rftj_cli.stats.agreement import Kind
from rftj_cli.stats.alt_test import MIN_ITEMS
from rftj_cli.stats.estimate import LEAST_LABELS, Estimate
from rftj_cli.stats.plan import labels_needed

REWARD = "reward"
BIASED = "the samples were chosen by what came out (--only): agreement on them says nothing of others"
GAP = -0.05  # of the judge's kappa to that of a rater against the other raters, which is the most a judge can reach
RATERS = 0.40  # kappa of a rater against the others, its lower bound: what is asked of a judge is asked of those it is held to
ONE_CLUSTER = "all labels are of one cluster (by default the group): label samples of other clusters"
ONE_LEVEL = "every label is "
PITFALL = (("tpr", 0.80), ("tnr", 0.70))  # to miss what is bad is the dangerous error, whichever level names it
BARS: Mapping[str, tuple[tuple[str, float], ...]] = {
    "binary": (("tnr", 0.80), ("tpr", 0.70)),
    "ordinal": (("kappa_quadratic", 0.40),),
    "nominal": (("kappa", 0.40),),
    "preference": (("pair_accuracy", 0.75),),
    REWARD: (("pair_accuracy", 0.75),),
}


class OfRun(Protocol):
    """What tells of a run: a calibration, or a gate's decision on one."""

    @property
    def run(self) -> Mapping[str, Any]: ...


def chosen_by_outcome(report: OfRun) -> list[Selection]:
    """How the samples of a run were chosen, where it was by what came out (`score --only`)."""
    return [one for one in report.run.get("selections", ()) if one.only is not None]


def refuse_chosen(run: Run, what: str) -> None:
    """Raise `InputError` where `what` would rest on samples that were chosen by what came out."""
    for one in run.manifest.by_outcome:
        raise InputError(
            f"{what} would rest on samples chosen by what came out", file=run.folder, key="--only", found=one.words,
            expected="a run of all samples, or of a random part of them",
        )  # fmt: skip


def trusts(report: Calibration) -> dict[str, Trust]:
    """The answer for each criterion, and for the reward where the labels tell its answers apart."""
    if chosen_by_outcome(report):
        return {id: Trust("not shown", (BIASED,)) for id in _names(report)}
    found = {id: of_criterion(one) for id, one in report.criteria.items() if one.table}
    if report.reward is not None and report.reward.pairs:
        reward = report.reward
        checked = _checked(reward.estimates, BARS[REWARD], {"pair_accuracy": "pairs"}, reward.clusters)
        found[REWARD] = _answer(list(checked), reward.clusters)
    return found


def _names(report: Calibration) -> list[str]:
    measured = report.reward is not None and report.reward.pairs
    return [*(id for id, one in report.criteria.items() if one.table), *([REWARD] if measured else [])]


def kind_of(one: Criterion) -> Kind:
    """The statistics' name of a criterion's scale."""
    return "binary" if len(one.levels) == 2 and one.scale != "nominal" else KINDS.get(one.scale, "ordinal")


def bars_of(one: Criterion) -> tuple[tuple[str, float], ...]:
    """What a criterion's lower bounds must reach. Of a pitfall, pass is the bad level: the two limits change places."""
    kind = kind_of(one)
    return PITFALL if kind == "binary" and one.pitfall else BARS[kind]


def words_of(name: str, one: Criterion | None) -> str:
    """An estimate in words: of two levels, whose recall it is; of a pitfall, what it finds."""
    if one is None or name not in ("tpr", "tnr") or len(one.levels) != 2:
        return name.replace("_", " ")
    if one.pitfall:
        return "share found where present (TPR)" if name == "tpr" else "share cleared where absent (TNR)"
    return f"{one.levels[name == 'tpr']} recall ({name.upper()})"


def of_criterion(one: Criterion) -> Trust:
    """The answer for one criterion with levels."""
    kind, bars = kind_of(one), bars_of(one)
    units = {"pair_accuracy": "pairs", **{name: f"{one.unit}s" for name in ("kappa", "kappa_quadratic")}}
    if kind == "binary":
        units |= {"tnr": f"labels that are {one.levels[0]}", "tpr": f"labels that are {one.levels[1]}"}
    plain = _answer(list(_checked(informative(one), bars, units, one.together, one)), one.together)
    gap = None if one.raters is None else one.raters["ceiling"]["kappa_gap"]
    if plain.answer == "yes" or kind not in ("ordinal", "nominal") or gap is None or gap.low is None or gap.low < GAP:
        return plain
    doubts = tuple(_doubts(one, bars[0][0]))
    if doubts:
        return Trust("not shown", (*doubts, *plain.reasons))
    return Trust(
        "yes", (f"agrees with the raters as they do with each other (difference in kappa: lower bound {gap.low:.2f})",)
    )


def informative(one: Criterion) -> Mapping[str, Estimate]:
    """The estimates; labels that are all one level say nothing of agreement beyond chance, nor of another level."""
    used = [level for level, row in zip(one.levels, one.table, strict=False) if sum(row)]
    if len(used) != 1:
        return one.estimates
    why = f"{ONE_LEVEL}{used[0]}"
    return {
        name: replace(found, value=None, low=None, high=None, note=why)
        if name.startswith("kappa") or found.value is None
        else found
        for name, found in one.estimates.items()
    }


def _doubts(one: Criterion, name: str) -> Iterator[str]:
    """Why it says little that the judge agrees with the raters as they do with each other."""
    assert one.raters is not None
    own, raters, n = one.estimates[name], one.raters["ceiling"]["human_kappa"], one.raters["ceiling"]["kappa_gap"].n
    if raters.value is None or raters.low is None:
        yield f"agreement between the raters cannot be computed: {raters.note or 'no interval'}"
    elif raters.low < RATERS:
        yield f"the raters themselves agree too little: kappa {raters.value:.2f}, lower bound {raters.low:.2f}, required {RATERS:.2f}"
    if n < MIN_ITEMS:
        yield f"{n} {one.unit}s have two ratings and a verdict, required {MIN_ITEMS}"
    if own.low is None or own.low <= 0:
        yield "the judge is not shown to agree with the labels beyond chance"


def _checked(
    estimates: Mapping[str, Estimate],
    bars: tuple[tuple[str, float], ...],
    units: Mapping[str, str],
    clusters: int,
    criterion: Criterion | None = None,
) -> Iterator[tuple[str, str]]:
    """For each bar the answer and the reason."""
    for name, bar in bars:
        one, words = estimates[name], words_of(name, criterion)
        if one.value is None or one.low is None or one.high is None:
            if name in ("tpr", "tnr") and (one.note or "").startswith(ONE_LEVEL):
                words = "recall on any other level"  # which may be one that nobody ever gave
            yield "not shown", f"{words} cannot be computed: {one.note or 'no interval'}"
            continue
        lower = f"{words} {one.value:.2f}, lower bound {_figure(one.low, bar)}, required {bar:.2f}"
        if one.n < LEAST_LABELS:
            yield "not shown", f"{words} rests on {one.n} {units[name]}, required at least {LEAST_LABELS}"
        elif one.low >= bar:
            yield "yes", lower
        elif one.high < bar:
            yield "no", f"{words} {one.value:.2f}, upper bound {_figure(one.high, bar)}, required {bar:.2f}"
        else:
            more = labels_needed(one, bar, clusters=clusters).words(units[name], one.n, clusters)
            yield "not shown", lower + (f"; {more}" if one.value > bar and clusters != 1 else "")


def _figure(bound: float, bar: float) -> str:
    """A bound with as many digits as show on which side of the limit it lies."""
    texts = [f"{bound:.{digits}f}" for digits in (2, 3, 4)]
    return next((text for text in texts if (float(text) >= bar) == (bound >= bar)), texts[-1])


def _answer(checked: list[tuple[str, str]], clusters: int) -> Trust:
    """no before not shown before yes, with the reasons of the answer."""
    answers = [answer for answer, _ in checked]
    answer = next((one for one in ("no", "not shown") if one in answers), "yes")
    reasons = tuple(dict.fromkeys(reason for one, reason in checked if one == answer))
    return Trust(answer, (*reasons, ONE_CLUSTER) if answer == "not shown" and clusters == 1 else reasons)
