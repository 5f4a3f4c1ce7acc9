"""The bars of `rftj reward audit`, in one table, and how a number is held against its bar.

They are rftj's proposal where nothing else is agreed; docs/commands/reward-audit.md says where each comes from. What
counts is the bound of the printed interval, so that a reader can check every decision:

    min: low >= limit                 PASS (WEAK where the value misses `point`)
         high < limit                 FAIL (WEAK where the bar is not critical; on fewer than LEAST_LABELS units as below)
         else                         INSUFFICIENT DATA; not critical: WEAK where the value misses the bar, else NOT SHOWN
    max: the mirror image
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rftj_cli.reward.audit_values import Bar, Decision, Finding
from rftj_cli.stats.estimate import LEAST_LABELS, Estimate
from rftj_cli.stats.plan import Need, labels_needed
from rftj_cli.stats.power import gate_labels

HOPED: Final = 0.85  # pair accuracy that is planned with where nothing is known: gate_labels of it against the bar
DEAD: Final = (0.05, 0.95)  # base rates between which a criterion tells answers apart
REDUNDANT: Final = 0.80
TO_NEW: Final = "answers, to new prompts"
OPEN: Final = ("INSUFFICIENT DATA", "NOT SHOWN")  # what more data may settle

BARS: Final[Mapping[str, Bar]] = {
    "pair_accuracy": Bar(
        "ranks two answers as the labels do", "min", 0.75, True, "prompts",
        "read `rftj errors` within prompts and edit the prompt (`rftj refine`), or take a stronger judge", point=0.80,
    ),
    "best_of_n": Bar(
        "best of n gets better", "min", 0.0, True, "prompts",
        "read the answers that the judge likes best and people do not: they are what training will find",
    ),
    "criterion": Bar(
        "agrees with the labels", "min", 0.0, True, "labels",
        "`rftj calibrate` shows in which direction it errs, `rftj errors` on what",
    ),
    "pooled_pair_accuracy": Bar(
        "knows the answer, not only the prompt", "max", 0.0, False, "prompts",
        "its agreement over all answers comes in part from knowing which prompts are hard: trust the within-prompt number",
    ),
    "length_gap": Bar(
        "likes long answers no more than the labels", "max", 0.10, False, TO_NEW,
        "say in the prompt that length is no merit, or add a max_words check; watch the length of answers in training",
    ),
    "zero_variance": Bar(
        "groups that teach nothing", "max", 0.50, True, "prompts",
        "add criteria or levels that tell good answers apart, drop prompts that are always solved or never", point=0.30,
    ),
    "mean_reward": Bar(
        "leaves something to learn", "max", 0.95, True, TO_NEW,
        "the answers have nearly all of the reward already: RFT is unnecessary, or the rubric is too mild",
    ),
    "positive": Bar(
        "gives some answers a reward", "min", 0.05, True, TO_NEW,
        "fine-tune on good answers first (SFT), or give partial credit: with under 5% positive, training struggles",
    ),
    "dead_parts": Bar(
        "criteria that never vary", "max", 0.0, False, TO_NEW,
        "drop them, or ask for more than every answer (or none) does: they add a constant to the reward",
    ),
    "redundant_parts": Bar(
        "criteria that say the same", "max", REDUNDANT, False, TO_NEW,
        "merge them, or give them the weight of one: together they count twice",
    ),
    "failure_rate": Bar(
        "the judge gives no verdict", "max", 0.01, False, TO_NEW,
        "see docs/running.md for each stage, then `rftj score --only failures --from RUN`: in training each is a constant or an error",
        worst=0.10,
    ),
    "flips": Bar(
        "another verdict when asked again", "max", 0.10, False, "samples",
        "raise judge.votes, or make the criteria that flip more specific",
    ),
    "references": Bar(
        "the reference has the best reward", "min", 0.80, True, "references",
        "read those that lose: either the reference is no good answer, or the judge does not know one", point=0.95,
    ),
}  # fmt: skip


def held(
    id: str, on: str, estimate: Estimate, *, bar: Bar | None = None, says: str = "", name: str = "", clusters: int = 0
) -> Finding:
    """A number held against its bar. clusters: that its units are in, 0 where each is its own."""
    bar = bar or BARS[id]
    decision = _decision(bar, estimate)
    need = Need() if decision == "PASS" else _need(bar, estimate, clusters)
    more = (
        (estimate.note or "it cannot be computed")
        if estimate.value is None
        else need.words(bar.unit, estimate.n, clusters)
    )
    if decision == "WEAK" and need.units is not None:
        says = "; ".join(part for part in (says, f"not shown: {more}") if part)
    do = "" if decision == "PASS" else more if decision in OPEN else bar.do
    return Finding(id, name or bar.name, on, estimate, bar, decision, says, do, need.units)


def _decision(bar: Bar, one: Estimate) -> Decision:
    if one.value is None:
        return "INSUFFICIENT DATA" if bar.critical else "NOT MEASURED"
    sign = 1 if bar.kind == "min" else -1
    near, far = (one.low, one.high) if sign > 0 else (one.high, one.low)
    good = sign * one.value >= sign * bar.limit
    if near is None or far is None:
        return "INSUFFICIENT DATA" if bar.critical else "NOT SHOWN" if good else "WEAK"
    if sign * near >= sign * bar.limit:
        return "PASS" if bar.point is None or sign * one.value >= sign * bar.point else "WEAK"
    if bar.worst is not None and sign * far < sign * bar.worst and one.n >= LEAST_LABELS:
        return "FAIL"
    if sign * far < sign * bar.limit and (one.n >= LEAST_LABELS or not bar.critical):
        return "FAIL" if bar.critical else "WEAK"
    if bar.critical:
        return "INSUFFICIENT DATA"
    return "NOT SHOWN" if good else "WEAK"


def _need(bar: Bar, one: Estimate, clusters: int) -> Need:
    """Nothing, where the interval clears the bar on either side already."""
    if one.low is not None and one.high is not None and not one.low < bar.limit <= one.high and one.n >= LEAST_LABELS:
        return Need()
    return labels_needed(one, bar.limit, clusters=clusters)


def prompts_to_plan() -> int:
    """Prompts with a pair that labels tell apart, to show the bar of pair accuracy for a judge of .85 in 4 cases of 5.

    One pair a prompt is counted, the exact lower end of the 95% interval: more pairs of a prompt help, less than new prompts.
    """
    return gate_labels(HOPED, BARS["pair_accuracy"].limit, level=0.95, exact=True)
