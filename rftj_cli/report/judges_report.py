"""The judge next to rules that need no judge, to the raters, and to itself in the other order of a comparison."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rftj_cli.measure.levels import headline
from rftj_cli.measure.trust import kind_of
from rftj_cli.measure.values import Calibration, Criterion
from rftj_cli.report.blocks import Block, Facts, Grid, Heading, Lines
from rftj_cli.report.words import interval
from rftj_cli.stats.alt_test import SCORINGS
from rftj_cli.stats.estimate import Estimate, percent

FEW_COLUMNS = 3
MAJORITY = "majority of the other raters"
NAMES = {"kappa_quadratic": "quadratic kappa", "spearman": "rank correlation"}


def first(report: Calibration) -> Iterator[Block]:
    """Judge and baselines on the units with a truth; judge and raters on the units with two ratings; orders."""
    weighted = ", weighted" if any(one.weighted for one in report.criteria.values()) else ""
    level = percent(report.level)
    yield Heading(f"Judge and baselines: agreement with the labels{weighted}, with {level} intervals")
    key = {id: headline(kind_of(one))[0] if one.table else "spearman" for id, one in report.criteria.items()}
    yield _columns(key, list(_baselines(report, key)))
    rated = {id: one for id, one in report.criteria.items() if _compared(one)}
    if rated:
        unit = next(iter(rated.values())).unit
        yield Heading(f"Judge and raters, compared on the same {unit}s, with {level} intervals")
        yield _columns({id: key[id] for id in rated}, list(_raters(rated, key)))
        yield Lines(list(_notes(rated)))
    for id, one in report.criteria.items():
        if "primacy" in one.estimates:
            yield Heading(f"{id}: does it matter which response is shown first?")
            yield Facts(list(_orders(one.estimates)))


def _columns(key: Mapping[str, str], rows: Sequence[list[str]]) -> Grid:
    """A column per criterion; many criteria are a line each where the terminal is wide enough."""
    ids = list(key)
    words = [NAMES.get(key[id], key[id].replace("_", " ")) for id in ids]
    heads = [f"{id}\n{word}" for id, word in zip(ids, words, strict=True)]
    columns = tuple(
        Grid(["", *heads[at : at + FEW_COLUMNS]], [[row[0], *row[1:][at : at + FEW_COLUMNS]] for row in rows])
        for at in range(0, len(ids), FEW_COLUMNS)
    )
    if len(columns) == 1:
        return replace(columns[0], strong=frozenset({0}))
    lines = [[id, words[index], *(row[index + 1] for row in rows)] for index, id in enumerate(ids)]
    return Grid(["", "", *(row[0] for row in rows)], lines, left=2, instead=columns)


def _baselines(report: Calibration, key: Mapping[str, str]) -> Iterator[list[str]]:
    """The most telling estimate of each criterion, by the judge and by each baseline, and how many units it rests on."""
    own = {id: report.criteria[id].estimates[name] for id, name in key.items()}
    yield ["judge", *(interval(one) for one in own.values())]
    for name in dict.fromkeys(b.name for one in report.criteria.values() for b in one.baselines):
        yield [name, *(_baseline(report.criteria[id], name, key[id]) for id in key)]
    yield ["n", *(f"{one.n:,}" for one in own.values())]


def _baseline(one: Criterion, name: str, key: str) -> str:
    found = next((b.estimates.get(key) for b in one.baselines if b.name == name), None)
    return "-" if found is None else interval(found)


def _compared(one: Criterion) -> bool:
    return one.raters is not None and one.raters["ceiling"]["kappa_gap"].n > 0


def _raters(rated: Mapping[str, Criterion], key: Mapping[str, str]) -> Iterator[list[str]]:
    """Two raters: each pair of the three. More: the judge and a rater, each against the majority of the other raters."""
    ceilings = {id: one.raters["ceiling"] for id, one in rated.items() if one.raters is not None}
    names = {tuple(of["by_rater"]) for of in ceilings.values()}
    measure = {id: "pair_accuracy" if key[id] == "pair_accuracy" else "kappa" for id in rated}
    if len(names) == 1 and len(pair := next(iter(names))) == 2 and "pair_accuracy" not in measure.values():
        # Where one of two raters is left out, the other is all that is left: the judge against that one.
        for out, other in (pair[::-1], pair):
            yield [f"judge and {other}", *(interval(of["by_rater"][out]["judge_kappa"]) for of in ceilings.values())]
        both = " and ".join(pair)
        yield [both, *(interval(of["by_rater"][pair[0]]["human_kappa"]) for of in ceilings.values())]
    else:
        two = all(len(one) <= 2 for one in names)
        words = (
            ("judge and a rater", "one rater and the other")
            if two
            else (f"judge and {MAJORITY}", f"rater and {MAJORITY}")
        )
        for side, word in zip(("judge", "human"), words, strict=True):
            yield [word, *(interval(of[f"{side}_{measure[id]}"]) for id, of in ceilings.items())]
    yield ["judge minus raters", *(interval(of[f"{measure[id]}_gap"]) for id, of in ceilings.items())]
    yield ["n", *(f"{of[f'{measure[id]}_gap'].n:,}" for id, of in ceilings.items())]


def _notes(rated: Mapping[str, Criterion]) -> Iterator[str]:
    """Why the judge's numbers differ from those above, and whether it can take a rater's place."""
    for id, one in rated.items():
        assert one.raters is not None
        if one.undecided:
            where = "" if len(one.raters["ceiling"]["by_rater"]) == 2 else " where the other raters have a majority"
            yield (
                f"{id}: {one.undecided} {one.unit}s whose raters differ have no truth and are left out of the table above; "
                f"here they count{where}"
            )
        if one.raters["alt_test"]["tested"]:
            yield f"{id}: {alternative(one.raters['alt_test'])}"


def alternative(of: Mapping[str, Any]) -> str:
    """The alternative annotator test in a sentence, with its settings."""
    terms = f"{SCORINGS[of['scoring']]}, epsilon {of['epsilon']:g}"
    if not of["tested"]:
        return f"not computed: {of['omega'].note} ({terms})"
    passed = "passed" if of["passed"] else "not passed"
    note = f"; {of['omega'].note}" if of["omega"].note else ""
    return f"alternative annotator test {passed}: the judge can replace {of['won']} of {of['tested']} raters ({terms}){note}"


def _orders(estimates: Mapping[str, Estimate]) -> Iterator[tuple[str, str]]:
    agreement, primacy = estimates["order_agreement"], estimates["primacy"]
    yield "same winner in both orders", f"{interval(agreement)} of {agreement.n:,} pairs"
    yield "first response wins", f"{interval(primacy)} of the replies that name a winner; .50 is no effect"
    changed = estimates.get("first_place_wins")
    if changed is not None:
        yield "where the winner changes", f"the first response wins {interval(changed)} of {changed.n:,} pairs"


def estimates(raters: Mapping[str, Any]) -> dict[str, Estimate]:
    """Everything that the raters' part of a criterion holds, by name."""
    found = {f"ceiling {k}": v for k, v in raters["ceiling"].items() if isinstance(v, Estimate)}
    for name, row in raters["ceiling"]["by_rater"].items():
        found |= {f"{name}: {k}": v for k, v in row.items() if isinstance(v, Estimate)}
    found |= {f"kappa {names}": one for names, one in raters["pairwise_kappa"].items()}
    found["mean pairwise kappa"] = raters["mean_pairwise_kappa"]
    found["krippendorff alpha"] = raters["krippendorff_alpha"]
    return found | {f"alt-test {k}": v for k, v in raters["alt_test"].items() if isinstance(v, Estimate)}
