"""What labels say beyond agreement: rates of all that was judged, how sure the judge is, what more votes would buy."""

from __future__ import annotations

from collections.abc import Iterator

from rftj_cli.measure.trust import words_of
from rftj_cli.measure.values import Calibration, Criterion, Repeats
from rftj_cli.report.blocks import Block, Facts, Grid, Heading, Lines
from rftj_cli.report.words import exact, interval, number
from rftj_cli.stats.corrected import Corrected
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.probability import Probabilities
from rftj_cli.stats.threshold import Threshold

READINGS = {"post_stratified": "post-stratified", "rogan_gladen": "Rogan-Gladen"}


def first(report: Calibration) -> Iterator[Block]:
    """The pass rate (or mean) of everything that was judged, read in three ways."""
    found = {id: one.population for id, one in report.criteria.items() if one.population is not None}
    if not found:
        return
    yield Heading("Over everything that was judged, with and without labels")
    heads = ["", "verdicts", "labels only", "corrected"]
    rows = [
        [f"{id} {_what(report.criteria[id])}", interval(one.naive), interval(one.labels_only), interval(_chosen(one))]
        for id, one in found.items()
    ]
    yield Grid(heads, rows)
    said = {f"corrected is {READINGS[one.chosen]}: {one.why}": None for one in found.values()}
    said |= {f"{id}: {_chosen(one).note}": None for id, one in found.items() if _chosen(one).note}
    yield Lines(list(said))


def rest(one: Criterion) -> Iterator[Block]:
    """Both corrections, probabilities, threshold and votes of one criterion."""
    if one.population is not None:
        yield Heading(f"{one.id}: {_what(one)} of everything that was judged")
        readings = ("naive", "labels_only", "post_stratified", "rogan_gladen", "mismatch")
        rows = [(name.replace("_", " "), getattr(one.population, name)) for name in readings]
        yield Grid(
            ["", "value", "n", "method"],
            [
                [name, interval(e, 3) if e.value is not None else e.note or "-", f"{e.n:,}", e.method]
                for name, e in rows
            ],
            tail=1,
        )
    if one.probability is not None:
        yield from _probability(one, one.probability)
    if one.threshold is not None:
        yield Heading(f"{one.id}: from which probability to say {_top(one)}")
        yield Facts(list(_threshold(one, one.threshold)))
    if one.repeats is not None:
        yield Heading(f"{one.id}: the judge against itself, {one.repeats.votes} votes per {one.unit}")
        yield Facts(list(_repeats(one.repeats)))


def _what(one: Criterion) -> str:
    return f"{_top(one)} rate" if len(one.levels) == 2 else "mean"


def _top(one: Criterion) -> str:
    """The higher of two levels; of a pitfall, what it means."""
    return f"{one.levels[-1]} (present)" if one.pitfall else one.levels[-1]


def _chosen(one: Corrected) -> Estimate:
    return one.rogan_gladen if one.chosen == "rogan_gladen" else one.post_stratified


def _probability(criterion: Criterion, one: Probabilities) -> Iterator[Block]:
    level = _top(criterion)
    yield Heading(f"{criterion.id}: is it as often {level} as the judge says?")
    parts = one.parts
    why = (
        f"reliability {number(parts.reliability, 3)} - resolution {number(parts.resolution, 3)} + uncertainty "
        f"{number(parts.uncertainty, 3)} + within bins {number(parts.within, 3)}"
    )
    ece = interval(one.ece, 3) if one.ece.value is not None else one.ece.note or "-"
    yield Facts(
        [
            ("Brier score", interval(one.brier, 3)),
            ("its parts", why),
            ("skill", f"{interval(one.skill)} (0: no better than the base rate)"),
            ("log loss", interval(one.log_loss, 3)),
            ("calibration error", ece),
        ]
    )
    yield Grid(
        ["judge says", f"share that is {level}", "n"],
        [[number(point.said), interval(point.was), f"{point.was.n:,}"] for point in one.curve],
    )


def _threshold(criterion: Criterion, one: Threshold) -> Iterator[tuple[str, str]]:
    goal = "J = tpr + tnr - 1" if one.goal == "J" else "mean cost"
    yield "threshold", f"{exact(one.value)}; from {exact(one.low)} to {exact(one.high)} none is shown to be worse"
    yield goal, f"{number(one.apparent)} on these labels, {interval(one.crossed)} on labels it was not chosen by"
    yield (
        "rates there",
        ", ".join(
            f"{words_of(name, criterion)} {interval(found)}" for name, found in (("tpr", one.tpr), ("tnr", one.tnr))
        ),
    )


def _repeats(one: Repeats) -> Iterator[tuple[str, str]]:
    yield "not unanimous", interval(one.retest.flip_rate)
    yield "two votes differ", interval(one.retest.pair_flip_rate)
    yield (
        "kappa vote to vote",
        interval(one.retest.kappa) if one.retest.kappa.value is not None else str(one.retest.kappa.note),
    )
    if one.components is not None:
        icc = one.components.icc
        yield "reliability of one", interval(icc) if icc.value is not None else str(icc.note)
        yield "standard error", f"{interval(one.components.sem)} in values of the scale"
    if one.worth is not None:
        enough, of = one.worth.enough, one.worth.reliability
        yield "enough votes", f"{enough}: the mean repeats itself to {number(of[enough - 1])}, one more adds under .01"
    if one.right:
        yield "right by majority", ", ".join(f"of {v}: {interval(e)}" for v, e in one.right.items())
