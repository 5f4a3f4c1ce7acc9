"""An `Audit` for people: the verdict, every question with its bar, what to do, then the numbers behind. No text of samples."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rftj_cli.errors import counted
from rftj_cli.report import html
from rftj_cli.report.blocks import Block, Entries, Facts, Grid, Heading, Lines, to_markdown
from rftj_cli.report.documents import show_json
from rftj_cli.report.words import cut, interval, look_in_words, number, percent
from rftj_cli.reward.audit_values import Audit, Bar, Finding, Noise, Part, Quality, References, Signal
from rftj_cli.stats.best_of_n import BestOfN
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.estimate import percent as of_level

MEANING = {
    "PASS": "no bar is missed",
    "WEAK": "nothing forbids it, but read the reservations below",
    "FAIL": "not fit to be a reward",
    "INSUFFICIENT DATA": "too little data to tell",
}
SHORT = {"INSUFFICIENT DATA": "TOO FEW", "NOT MEASURED": "NO DATA", "NOT SHOWN": "open"}
SIGNALS = {
    "mean_reward": "mean reward, share of the range",
    "positive": "answers above the lowest reward",
    "at_min": "answers at the lowest reward",
    "at_max": "answers at the best reward",
    "zero_variance": "prompts whose answers all score alike",
    "expected_zero_variance": "the same in groups of {size}",
    "reward_spread": "SD of the reward inside a prompt",
    "between_share": "variance that lies between prompts",
    "reward_length_correlation": "correlation with length inside prompts",
    "reward_length_slope": "reward a doubling of the words",
    "failure_rate": "no verdict",
    "constant_share": "rewards that on_failure gave",
}
URGENT = ("FAIL", "INSUFFICIENT DATA", "WEAK", "NOT MEASURED")  # what to read first
PARTS = {"guard": "holds nearly always: a guard", "near an end": "near an end, not shown"}
SHOWN = 5


def show(found: Audit, *, json: bool, markdown: bool, full: bool, page: Path | None, quiet: bool) -> None:
    """Print the audit in the wanted form, and write the page."""
    if page is not None:
        html.write(page, f"rftj reward audit: {found.rubric['name']}", list(_blocks(found, full=True)))
    if json:
        show_json(found)
        return
    blocks = list(_blocks(found, full=full))
    if markdown:
        sys.stdout.write(to_markdown(blocks))
        return
    from rftj_cli.report import console

    console.show(blocks)
    if not full and not quiet:
        print("\nevery estimate with n and method: --full, --json", file=sys.stderr)


def _blocks(found: Audit, *, full: bool) -> Iterator[Block]:
    yield Facts(list(_about(found)))
    yield Heading(f"Is it fit to be a reward? With {of_level(found.level)} intervals")
    yield _questions(found.findings)
    asks = [one for decision in URGENT for one in found.findings if one.decision == decision]
    if asks:
        yield Heading("What to do")
        yield Entries([_advice(one) for one in asks])
    if found.quality is not None:
        yield Heading("Inside prompts, beside the labels")
        yield Facts(list(_quality(found.quality)))
        yield from _curve(found.quality.curve, found.group_size)
    yield Heading("What training would see" + (" (what decides: rollouts)" if found.rollouts else ""))
    yield _signals(found)
    yield Facts(list(_failures(found.rollouts or found.signal)))
    basis = found.rollouts or found.signal
    if basis.parts:
        yield Heading(f"Criteria and checks ({basis.on})")
        yield _parts(basis.parts)
    if found.noise is not None:
        yield Heading("Repeat noise")
        yield Facts(list(_noise(found.noise)))
    if found.references is not None:
        yield Heading("References")
        yield Facts(list(_references(found.references)))
    if full:
        yield from _everything(found)
    if found.warnings:
        yield Heading("Warnings")
        yield Lines(found.warnings)


def _about(found: Audit) -> Iterator[tuple[str, str]]:
    strict = " (--strict: exit 1)" if found.verdict == "WEAK" and found.strict else ""
    failed = "; ".join(one.name for one in found.findings if one.decision == "FAIL")
    yield "audit", f"{found.verdict}: {MEANING[found.verdict]}{f' ({failed})' if failed else ''}{strict}"
    yield "run", str(found.run["folder"])
    yield "judge", f"{found.run['model']}, fingerprint {found.rubric['judge_fingerprint'][:8]}"
    yield "reward", found.formula
    one = found.signal
    sizes = f"{one.smallest}" if one.smallest == one.largest else f"{one.smallest} to {one.largest}"
    yield (
        "answers",
        f"{counted(one.answers, 'answer')} to {counted(one.prompts, 'prompt')}, {sizes} each; {found.counts['labelled']:,} labelled",
    )
    if found.rollouts is not None:
        other = found.rollouts
        yield "rollouts", f"{other.run}: {counted(other.answers, 'answer')} to {counted(other.prompts, 'prompt')}"
    yield "truth", f"{found.truth}, {found.split}, groups of {found.group_size} planned, seed {found.seed}"
    if found.look is not None:
        yield "look", look_in_words(found.look, found.level)


def _questions(findings: Sequence[Finding]) -> Grid:
    rows = [[SHORT.get(one.decision, one.decision), one.name, _found(one), _n(one), _bar(one.bar)] for one in findings]
    strong = frozenset(index for index, one in enumerate(findings) if one.decision == "FAIL")
    return Grid(["", "question", "found", "n", "asked"], rows, left=2, strong=strong)


def _found(one: Finding) -> str:
    if one.estimate.method == "counted" and one.estimate.value is not None:
        return f"{one.estimate.value:.0f} of {one.estimate.n}"
    return interval(one.estimate)


def _n(one: Finding) -> str:
    return "" if one.estimate.method == "counted" or not one.estimate.n else f"{one.estimate.n:,}"


def _bar(bar: Bar | None) -> str:
    if bar is None:
        return ""
    sign = ">=" if bar.kind == "min" else "<="
    return f"{sign} {number(bar.limit)}" + ("" if bar.point is None else f" ({number(bar.point)})")


def _advice(one: Finding) -> tuple[str, list[str]]:
    lines = [text for text in (one.says, one.do) if text]
    return f"{SHORT.get(one.decision, one.decision)}  {one.name} ({one.on})", lines


def _quality(quality: Quality) -> Iterator[tuple[str, str]]:
    of = quality.estimates
    tied = "" if not quality.tied else f", {counted(quality.tied, 'tie')} counting half"
    yield "pairs", f"right on {quality.right:,} of {quality.pairs:,} in {counted(quality.groups, 'prompt')}{tied}"
    yield "by prompt", f"{interval(of['pair_accuracy_by_group'])}; by pair {interval(of['pair_accuracy'])}"
    yield "all pairs", f"{interval(of['pooled_pair_accuracy'])}, whatever their prompt"
    phi = of["within_phi"]
    if phi.value is None:
        yield "phi", phi.note or "-"
    else:
        squared = of["within_phi_squared"]
        yield "phi", f"{interval(phi)} inside prompts; squared {interval(squared)}: the effective share of the rollouts"
    yield "false signal", f"{interval(of['false_signal'])} of the prompts: alike by the labels, not by the judge"
    gap = of["length_gap"]
    known = (
        f"{interval(gap)} SD a doubling of the words beyond the labels" if gap.value is not None else gap.note or "-"
    )
    yield "length", known


def _curve(curve: BestOfN | None, size: int) -> Iterator[Block]:
    if curve is None:
        return
    left = "" if not curve.left_out else f", {curve.left_out:,} smaller ones left out"
    left += f"; too small for n = {size}" if len(curve.steps) < size else ""
    yield Heading(f"Best of n by the judge ({counted(curve.groups, 'prompt')}{left})")
    rows = [
        [f"{one.n}{' *' if one.n == curve.peak else ''}", number(one.kl), number(one.score.value), interval(one.truth),
         interval(one.gain), number(one.regret.value)]
        for one in curve.steps
    ]  # fmt: skip
    yield Grid(["n", "KL", "reward", "true quality", "gain over n = 1", "lost to\nthe best"], rows)


def _signals(found: Audit) -> Grid:
    sides = [one for one in (found.rollouts, found.signal) if one is not None]
    rows = [
        [words.format(size=found.group_size), *(interval(side.estimates[name], 2) for side in sides)]
        for name, words in SIGNALS.items()
    ]
    rows.append(["distinct rewards", *(f"{side.levels:,}" for side in sides)])
    rows.append(["share of the commonest reward", *(number(side.modal) for side in sides)])
    rows.append(["entropy of the rewards, bits", *(number(side.entropy) for side in sides)])
    return Grid(["", *(side.on for side in sides)], rows)


def _failures(of: Signal) -> Iterator[tuple[str, str]]:
    if not of.stages and not of.without:
        yield "failures", f"none: all {of.answers:,} have a verdict or a failed check"
        return
    stages = ", ".join(f"{stage} {count:,}" for stage, count in sorted(of.stages.items()))
    yield "failures", stages or "none"
    if of.constants:
        where = f"in {counted(of.mixed, 'prompt')} such a constant stands beside verdicts"
        false = "group-relative training makes an advantage of it that no answer earned"
        yield "constants", f"{counted(of.constants, 'reward')} come from on_failure; {where}: {false}"
    if of.without:
        yield "no reward", f"{counted(of.without, 'answer')}: in training an error, and tried again"


def _parts(parts: Sequence[Part]) -> Grid:
    rows = [
        [one.id, f"{one.weight:g}{' essential' if one.essential else ''}", interval(one.base_rate), f"{one.base_rate.n:,}", _state(one)]
        for one in parts
    ]  # fmt: skip
    return Grid(["", "weight", "mean in [0, 1]", "n", ""], rows, left=2, tail=1)


def _state(one: Part) -> str:
    if one.state == "guard" and one.weight < 0:
        return "nearly never present: a guard"
    return PARTS.get(one.state, one.state)


def _noise(noise: Noise) -> Iterator[tuple[str, str]]:
    what = "votes of one run" if noise.on == "votes" else "runs"
    yield "measured", f"{noise.runs} {what}; how often two of them differ"
    yield from ((id, interval(one)) for id, one in noise.by.items())
    if noise.rewards_changed is not None:
        yield "rewards", f"{interval(noise.rewards_changed)} of the samples get another reward"
    if noise.components is not None:
        yield "reliability", f"{interval(noise.components.icc)} of one judging (ICC)"
    if noise.right:
        votes = ", ".join(f"{v}: {number(one.value)}" for v, one in noise.right.items())
        yield "right", f"share of labels that the majority of v votes meets, {votes}"
    if noise.worth is not None:
        each = ", ".join(f"{v}: {number(noise.worth.reliability[v - 1])}" for v in (1, 3, 5))
        yield (
            "votes",
            f"reliability with votes {each}; one more than {noise.worth.enough} adds less than .01. Votes cure noise, never bias",
        )


def _references(found: References) -> Iterator[tuple[str, str]]:
    failed = "" if not found.failed else f"; {found.failed:,} have no verdict"
    yield "run", f"{found.run}: {counted(found.compared, 'reference')} beside the answers to their prompts{failed}"
    yield "best of group", interval(found.best)
    top = (
        f"; where the labels give an answer the best reward {interval(found.where_labelled)}"
        if found.where_labelled.n
        else ""
    )
    yield "best reward", f"{interval(found.at_top)} have the best of the range{top}"
    if found.beaten:
        shown = ", ".join(cut(one, 40) for one in found.beaten[:SHOWN])
        rest = len(found.beaten) - SHOWN
        yield "beaten", shown + (f" and {rest:,} more" if rest > 0 else "")


def _everything(found: Audit) -> Iterator[Block]:
    sides: list[tuple[str, Mapping[str, Estimate]]] = [("samples", found.signal.estimates)]
    if found.quality is not None:
        sides.insert(0, ("labels", found.quality.estimates))
    if found.rollouts is not None:
        sides.append(("rollouts", found.rollouts.estimates))
    for on, estimates in sides:
        yield Heading(f"All estimates: {on}")
        rows = [
            [name, interval(one, 3), f"{one.n:,}", "; ".join(text for text in (one.method, one.note) if text)]
            for name, one in estimates.items()
        ]
        yield Grid(["", "estimate", "n", "method"], rows, tail=1)


__all__ = ["percent", "show"]
