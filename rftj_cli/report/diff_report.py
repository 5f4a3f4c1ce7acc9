"""A `Comparison` for people: what it means first, then what changed in the prompt and what happened to the verdicts."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rftj_cli.errors import counted
from rftj_cli.measure.comparison import Against, Answer, Best, Comparison, CriterionChange, Flip, Paired
from rftj_cli.report import html
from rftj_cli.report.blocks import Block, Entries, Facts, Grid, Heading, Lines, to_markdown
from rftj_cli.report.change_report import changed
from rftj_cli.report.documents import show_json
from rftj_cli.report.words import cut, duration, interval, look_in_words, money, number
from rftj_cli.stats.estimate import Estimate, percent
from rftj_cli.stats.plan import Need
from rftj_cli.stats.verdicts import Change

WORST, LONGEST = 3, 110
NAMES = {"agreement": "accuracy", "kappa_quadratic": "quadratic kappa", "pair_accuracy": "pair accuracy"}


def show(
    found: Comparison, *, json: bool, markdown: bool, full: bool, text: bool | None, page: Path | None, quiet: bool
) -> None:
    """Print a comparison in the wanted form, and write the page. Without `text` no words of samples or judges are shown.

    None shows text except where CI keeps logs that others read (the environment variable CI is set).
    """
    text = "CI" not in os.environ if text is None else text
    if page is not None:
        html.write(page, f"{found.baseline} and {_others(found)}", list(blocks(found, text=text, full=True)))
    if json:
        show_json(found if text else without_text(found))
    elif markdown:
        sys.stdout.write(to_markdown(list(blocks(found, text=text, full=full))))
    else:
        from rftj_cli.report import console

        console.show(list(blocks(found, text=text, full=full)))
        if not (full or quiet):
            print("\neverything else: --full (all numbers, slices, flips), --html FILE, --json", file=sys.stderr)


def _others(found: Comparison) -> str:
    return ", ".join(one.after.name for one in found.candidates)


def without_text(found: Comparison) -> Comparison:
    """The same without words of samples and judges."""
    return replace(found, candidates=[bare(one) for one in found.candidates])


def bare(one: Against) -> Against:
    """One candidate without words of samples and judges."""
    return replace(one, flips=[replace(flip, reason_before="", reason_after="", response="") for flip in one.flips])


def blocks(found: Comparison, *, text: bool, full: bool) -> Iterator[Block]:
    """The whole report, part by part."""
    yield Facts(list(_about(found)))
    yield Heading("What it means")
    yield Facts([(one.after.name, _meaning(one)) for one in found.candidates])
    for one in found.candidates:
        several = f": {one.after.name}" if len(found.candidates) > 1 else ""
        yield Heading(f"What changed{several}")
        yield from changed(one, full)
        yield Heading(f"What happened{several}, with {percent(found.level)} intervals")
        yield from _happened(one, full)
        if one.flips:
            yield from _flips(one, text, full)
    if found.best:
        yield Heading("The best of everything tried on these labels, by kappa")
        yield Facts([(id, _luck(best)) for id, best in found.best.items()])
    if found.warnings:
        yield Heading("Warnings")
        yield Lines(found.warnings)


def _about(found: Comparison) -> Iterator[tuple[str, str]]:
    first = found.candidates[0].before
    yield "baseline", f"{first.name} ({first.model})"
    for one in found.candidates:
        yield "candidate", f"{one.after.name} ({one.after.model})"
    split = "all samples" if found.split == "all" else f"split {found.split}"
    clusters = f", {counted(found.clusters, 'cluster')}" if found.clusters != found.samples else ""
    truth = f", truth {found.truth}" if found.labelled else ", no labels"
    yield "compared", f"{counted(found.samples, 'sample')}{clusters}, {split}{truth}, seed {found.seed}"
    for look in sorted(found.looks, key=lambda one: one.number)[-1:]:
        yield "look", look_in_words(look, found.level)


def _meaning(one: Against) -> str:
    if one.answer is None:
        shared = any(each.labelled for each in one.criteria.values())
        if one.reward is not None and one.reward.pair_accuracy is not None and not shared:
            return "cannot be told: no criterion in common; --on reward compares rewards, by the baseline's rule"
        return "cannot be told: no label on these samples says which verdict is right"
    return answer_in_words(one.answer)


def answer_in_words(answer: Answer) -> str:
    """`better, by reward (pair accuracy): +.31 [.20, .41] on 214 pairs in 36 clusters; the interval excludes 0`."""
    on = "reward (pair accuracy)" if answer.on == "reward" else answer.on
    units = counted(answer.difference.n, answer.unit)
    if answer.change.clusters:
        units += f" in {counted(answer.change.clusters, 'cluster')}"
    return f"{_word(answer.change)}, by {on}: {_signed(answer.difference)} on {units}; {_why(answer)}"


def _word(change: Change) -> str:
    return change.word.replace("_", " ")


def _why(answer: Answer) -> str:
    change = answer.change
    if change.word != "undecided":
        return change.why
    why = f"{change.why} ({change.margin:g})"
    need = Need(change.needed, change.needed_clusters, change.reason)
    if need == Need():
        return why
    words = need.words(f"labelled {answer.unit}s", answer.difference.n, change.clusters)
    return f"{why}; {words}" if need.units is None else f"{why}; what would decide: {words}"


def _signed(estimate: Estimate) -> str:
    if estimate.value is None:
        return "-"
    sign = "+" if estimate.value > 0 else ""
    return sign + interval(estimate)


def _happened(one: Against, full: bool) -> Iterator[Block]:
    labelled = [each for each in one.criteria.values() if each.numbers]
    if labelled:
        yield _table(one, labelled)
        yield Facts([(each.id, _criterion(each)) for each in labelled])
    for each in one.criteria.values():
        if not each.numbers:
            turned = ", ".join(f"{count:,} {way}" for way, count in each.directions.items()) or "none"
            yield Facts([(each.id, f"{_percent(each.flips)} of {each.units:,} verdicts flip: {turned}{_meant(each)}")])
    yield Facts(list(_rest(one)))
    if full:
        yield from _everything(one)


def _table(one: Against, labelled: Sequence[CriterionChange]) -> Grid:
    """The deciding number of each criterion, and of the reward; where that is too wide, both sides without intervals."""
    pairs = [(each.id, f"{each.fixed:,}", f"{each.broken:,}", each.numbers[each.decides]) for each in labelled]
    if one.reward is not None and one.reward.pair_accuracy is not None:
        pairs.append(("reward", "", "", one.reward.pair_accuracy))
    holm = any(pair.p_holm is not None for *_, pair in pairs)
    heads = ["", "fixed", "broken", "before", "after", "difference", "p (Holm)" if holm else "p"]
    short = [
        [*names, number(pair.before.value), number(pair.after.value), _signed(pair.difference), _p(pair)]
        for *names, pair in pairs
    ]
    return Grid(heads, [[*names, *_figures("", pair)[1:]] for *names, pair in pairs], instead=(Grid(heads, short),))


def _named(name: str, each: CriterionChange) -> str:
    """A number in words: of two levels, on which of them; of a pitfall, what that level means."""
    if name not in ("tpr", "tnr"):
        return NAMES.get(name, name)
    if each.pitfall:
        return "right where present" if name == "tpr" else "right where absent"
    return f"right on {each.levels[name == 'tpr']}"


def _figures(name: str, pair: Paired) -> list[str]:
    return [name, interval(pair.before), interval(pair.after), _signed(pair.difference), _p(pair)]


def _p(pair: Paired) -> str:
    value = pair.p.value if pair.p_holm is None else pair.p_holm
    return "-" if value is None else "<.001" if value < 0.001 else number(value, 3)


def _criterion(each: CriterionChange) -> str:
    assert each.change is not None
    both = f"{each.right:,} right and {each.wrong:,} wrong on both sides"
    ways = ", ".join(f"{count:,} {way}" for way, count in each.directions.items())
    text = f"{_word(each.change)} by {NAMES[each.decides]}; {both}" + (
        f"; flips: {ways}{_meant(each)}" if ways else "; no verdict flips"
    )
    if each.noise is not None:
        known = [one for one in (each.noise.before, each.noise.after) if one is not None and one.value is not None]
        own = " and ".join(_percent(one) for one in known)
        text += f"; {_percent(each.flips)} flip, {own} when one judge is asked twice" + (
            ": noise" if each.noise.within else ""
        )
    if each.failures_wrong is not None:
        text += f"; with failures as wrong {_signed(each.failures_wrong.difference)}"
    return text


def _meant(each: CriterionChange) -> str:
    """Which level is the bad one, where that is the higher one."""
    return f" (a pitfall: {each.levels[-1]} means present)" if each.pitfall else ""


def _percent(one: Estimate) -> str:
    if one.value is None:
        return "-"
    if one.low is None or one.high is None:
        return f"{one.value:.0%}"
    return f"{one.value:.0%} [{one.low:.0%}, {one.high:.0%}]"


def _rest(one: Against) -> Iterator[tuple[str, str]]:
    if one.reward is not None:
        mean = one.reward.mean
        yield (
            "rewards",
            f"mean {number(mean.before.value)} -> {number(mean.after.value)}, {_percent(one.reward.changed)} change",
        )
    before, after = one.before, one.after
    if before.failed or after.failed:
        skipped = f"; skipped {before.skipped:,} -> {after.skipped:,}" if before.skipped or after.skipped else ""
        yield "failures", f"{before.failed - before.skipped:,} -> {after.failed - after.skipped:,}{skipped}"
    tokens = [(side.input_tokens, side.output_tokens) for side in (one.before, one.after)]
    if any(value is not None for pair in tokens for value in pair):
        shown = [f"{_count(pair[0])} + {_count(pair[1])}" for pair in tokens]
        yield "tokens", f"{shown[0]} -> {shown[1]} a reply (read + written)"
    if one.before.calls or one.after.calls:
        calls = f"{one.before.calls:,} and {one.after.calls:,} calls"
        yield "cost", f"{money(one.before.cost)} -> {money(one.after.cost)} for {calls}"
    if one.before.seconds is not None or one.after.seconds is not None:
        yield "latency", " -> ".join(duration(side.seconds) for side in (one.before, one.after)) + " a reply"


def _count(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _everything(one: Against) -> Iterator[Block]:
    for each in one.criteria.values():
        if each.numbers:
            yield Heading(f"{each.id}: all numbers ({counted(each.labelled, each.unit)})")
            yield Grid(
                ["", "before", "after", "difference", "p"],
                [_figures(_named(n, each), p) for n, p in each.numbers.items()],
            )
            how = [(name, f"{pair.difference.method}; {pair.p.method}") for name, pair in each.numbers.items()]
            yield Facts([(_named(name, each), text) for name, text in how])
    if one.pooled is not None and len(one.criteria) > 1:
        yield Heading("All criteria together")
        yield Grid(["", "before", "after", "difference", "p"], [_figures(NAMES["agreement"], one.pooled)])
    if one.slices:
        yield Heading("Slices: accuracy (p after Holm over all of them)")
        rows = [
            [
                each.field,
                cut(each.value, 40),
                each.criterion,
                *_figures("agreement", each.right)[1:],
                f"{each.right.before.n:,}",
            ]
            for each in one.slices
        ]
        yield Grid(["field", "value", "criterion", "before", "after", "difference", "p", "n"], rows, left=3)


def _flips(one: Against, text: bool, full: bool) -> Iterator[Block]:
    shown = one.flips if full else one.flips[:WORST]
    yield Heading(f"Flipped, the worst first ({len(shown)} of {one.flipped:,})")
    yield Entries([(_flip(flip), _said(flip, text)) for flip in shown])


def _flip(flip: Flip) -> str:
    name = flip.sample if flip.item is None else f"{flip.sample} / {flip.item}"
    label = "" if flip.truth is None else f" (label {flip.truth})"
    return f"{name}  {flip.criterion}: {flip.before} -> {flip.after}{label}  {flip.became.replace('_', ' ')}"


def _said(flip: Flip, text: bool) -> list[str]:
    if not text:
        return []
    reasons = (("before", flip.reason_before), ("after", flip.reason_after))
    said = [f"{side}: {cut(reason, LONGEST)}" for side, reason in reasons if reason]
    return said or ([f"response: {cut(flip.response, LONGEST)}"] if flip.response else [])


def _luck(best: Best) -> str:
    luck = best.optimism.optimism.value
    told = "selection optimism cannot be computed" if luck is None else f"selection optimism about {number(luck)}"
    out = f"; without verdicts on some: {', '.join(best.left_out)}" if best.left_out else ""
    return f"{best.run}, best of {len(best.tried)} tried: {interval(best.optimism.apparent)}, {told}{out}"
