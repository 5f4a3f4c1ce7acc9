"""One criterion's disagreements by direction, and inside a direction by what their texts have in common.

criterion -> direction (fail -> pass; too high, too low; A -> B) -> texts that share words -> Cluster with its gain
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rftj_cli.measure.error_slices import slice_rates
from rftj_cli.measure.error_values import SORTS, Cluster, Direction, ErrorUnit, InSlice, UnitId
from rftj_cli.measure.gather import truth_level
from rftj_cli.measure.join import Unit
from rftj_cli.measure.levels import Levels
from rftj_cli.stats.arrays import Bools, Floats
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.jackknife import Functional
from rftj_cli.stats.mended import mended_gain
from rftj_cli.stats.shares import share
from rftj_cli.stats.table import kappa, ratio, weights, youden_j
from rftj_cli.stats.texts import Words, cluster_texts, telling_words, words

EXAMPLES = 3
FEWEST_TEXTS = 10  # disagreements: fewer are one cluster, since words shared by so few are chance
REFERENCE = 2_000  # texts of agreeing units that words are compared with
SAME_VERDICT = 10  # agreeing units of the same verdict that are enough to compare with
MENDABLE = ("stable", "not repeated")
Texts = Callable[[Unit], str]


@dataclass(frozen=True, slots=True)
class Compared:
    """Units of one criterion that have a verdict and a truth, their arrays, and the disagreements among them, sorted."""

    units: Sequence[Unit]
    levels: Levels  # of these units alone: `truth` and `judge` are (n,), every verdict is there
    now: Mapping[str, Estimate]  # the headline numbers as they are
    errors: Mapping[UnitId, ErrorUnit]
    response: Texts


def headline_functionals(levels: Levels) -> dict[str, Functional]:
    """What mending is measured by: the criterion's headline numbers as functionals of its table."""
    k = len(levels.levels)
    if levels.kind == "binary":
        return {"balanced_accuracy": lambda t: (youden_j(t) + 1) / 2, "kappa": lambda t: kappa(t, np.eye(k))}
    if levels.kind == "nominal":
        return {"kappa": lambda t: kappa(t, np.eye(k))}
    if levels.kind == "preference":
        return {"pair_accuracy": _pair_accuracy}
    w = weights(k, "quadratic", levels.values)
    return {"kappa_quadratic": lambda t: kappa(t, w)}


def _pair_accuracy(table: Floats) -> Floats:
    decided = table[..., [0, 2], :]
    right = table[..., 0, 0] + table[..., 2, 2] + decided[..., 1].sum(-1) / 2
    return ratio(right, decided.sum((-2, -1)))


def clustered_errors(given: Compared, by: Sequence[str], seed: int) -> list[tuple[Direction, list[Cluster], bool]]:
    """Each direction with its clusters, and whether it had too many texts to compare each with each."""
    found = []
    truth, judge = given.levels.truth, given.levels.judge
    names = np.array([_direction(given.levels, h, j) for h, j in zip(truth.tolist(), judge.tolist(), strict=True)])
    for name in dict.fromkeys(names[truth != judge].tolist()):
        error = names == name
        possible = _possible(given.levels, name)
        at = [given.units[index] for index in np.flatnonzero(possible).tolist()]
        rates, untested = slice_rates(at, error[possible], by, seed)
        cluster = None if given.levels.cluster is None else given.levels.cluster[possible]
        weight = given.levels.weights(possible)
        rate = share(error[possible], clusters=cluster, weights=weight)
        gains = _gains(given, _mendable(given, error))
        direction = Direction(
            given.levels.id, name, int(error.sum()), int(possible.sum()), rate, *_split(gains), rates, untested
        )
        clusters, capped = _clusters(given, error, name, seed)
        found.append((direction, clusters, capped))
    return found


def _direction(levels: Levels, truth: int, judge: int) -> str:
    if levels.kind == "ordinal":
        return "right" if truth == judge else "too high" if judge > truth else "too low"
    return f"{levels.levels[truth]} -> {levels.levels[judge]}"


def _possible(levels: Levels, name: str) -> Bools:
    """The units on which an error in this direction could be made."""
    if levels.kind == "ordinal":
        return levels.truth < len(levels.levels) - 1 if name == "too high" else levels.truth > 0
    return np.asarray(np.array(levels.levels)[levels.truth] == name.split(" -> ")[0])


def _clusters(given: Compared, error: Bools, direction: str, seed: int) -> tuple[list[Cluster], bool]:
    wrong = [given.units[index] for index in np.flatnonzero(error).tolist()]
    by, text = _text(given, wrong)
    docs = [words(text(unit)) for unit in wrong]
    if len(wrong) < FEWEST_TEXTS or not by:
        of, capped = np.zeros(len(wrong), dtype=np.int64), False
    else:
        divided = cluster_texts(docs, seed=seed)
        of, capped = divided.of, divided.capped
    reference = [words(text(unit)) for unit in _reference(given, error)] if by else []
    found = []
    for code in sorted(set(of.tolist()), key=lambda code: (code < 0, code)):
        inside = np.flatnonzero(of == code).tolist()
        elsewhere = reference or [docs[at] for at in range(len(docs)) if of[at] != code]
        found.append(
            _cluster(given, direction, [wrong[at] for at in inside], by, _terms(docs, inside, elsewhere), code < 0)
        )
    return found, capped


def _terms(docs: Sequence[Words], inside: Sequence[int], elsewhere: Sequence[Words]) -> tuple[str, ...]:
    return telling_words([docs[at] for at in inside], elsewhere) if elsewhere else ()


def _text(given: Compared, wrong: Sequence[Unit]) -> tuple[str, Texts]:
    """What the texts of a direction are: the judge's reasons where most have one, else the responses."""
    reasons = sum(bool(unit.reason.strip()) for unit in wrong)
    if 2 * reasons >= len(wrong):
        return "reasons", lambda unit: unit.reason
    if any(given.response(unit).strip() for unit in wrong):
        return "responses", given.response
    return "", lambda unit: ""


def _reference(given: Compared, error: Bools) -> list[Unit]:
    """Agreeing units to compare words with: those of the same verdicts where there are enough, evenly spaced."""
    truth, judge = given.levels.truth, given.levels.judge
    right = truth == judge
    alike = right & np.isin(judge, judge[error])
    places = np.flatnonzero(alike if alike.sum() >= SAME_VERDICT else right)
    kept = places if places.size <= REFERENCE else places[(np.arange(REFERENCE) * places.size) // REFERENCE]
    return [given.units[at] for at in kept.tolist()]


def _cluster(
    given: Compared, direction: str, units: Sequence[Unit], by: str, terms: tuple[str, ...], others: bool
) -> Cluster:
    ids = [(unit.sample, unit.item) for unit in units]
    errors = [given.errors[id] for id in ids]
    sorts = Counter(error.sort for error in errors)
    mendable = {error.id for error in errors if error.sort in MENDABLE}
    gains, then = _split(_gains(given, mendable))
    shown = sorted(errors, key=lambda error: SORTS.index(error.sort))[:EXAMPLES]
    where = {id: unit for id, unit in zip(ids, units, strict=True)}
    return Cluster(
        criterion=given.levels.id,
        direction=direction,
        units=tuple(ids),
        share=len(ids) / len(given.errors),
        sorts={sort: sorts[sort] for sort in SORTS},
        by=by,
        terms=terms,
        others=others,
        slices=(),
        mendable=len(mendable),
        gains=gains,
        then=then,
        examples=tuple(replace(one, response=given.response(where[one.id])) for one in shown),
    )


def _mendable(given: Compared, error: Bools) -> set[UnitId]:
    """The errors that an edit of the prompt could mend: the judge repeats them, or nobody knows, and the label stands."""
    units = [given.units[index] for index in np.flatnonzero(error).tolist()]
    ids = [(unit.sample, unit.item) for unit in units]
    return {id for id in ids if given.errors[id].sort in MENDABLE}


def _split(gains: Mapping[str, tuple[Estimate, float | None]]) -> tuple[dict[str, Estimate], dict[str, float | None]]:
    return {name: gain for name, (gain, _) in gains.items()}, {name: then for name, (_, then) in gains.items()}


def _gains(given: Compared, mendable: set[UnitId]) -> dict[str, tuple[Estimate, float | None]]:
    """For each headline: what it gains at most where these units were right, and what it then is."""
    levels = given.levels
    mended = np.array([(unit.sample, unit.item) in mendable for unit in given.units], dtype=np.bool_)
    found: dict[str, tuple[Estimate, float | None]] = {}
    for name, f in headline_functionals(levels).items():
        now = given.now[name].value
        gain = mended_gain(
            f, levels.truth, levels.judge, mended, len(levels.levels), clusters=levels.cluster,
            weights=levels.weights(), undefined=given.now[name].note or "it cannot be computed on these labels",
        )  # fmt: skip
        found[name] = gain, None if gain.value is None or now is None else now + gain.value
    return found


def in_slices(cluster: Cluster, direction: Direction, units: Mapping[UnitId, Unit]) -> Cluster:
    """The cluster with the slices in which its error is clearly more frequent."""
    higher = [
        InSlice(rate.field, rate.value, sum(units[id].slices[rate.field] == rate.value for id in cluster.units))
        for rate in direction.slices
        if rate.higher
    ]
    return replace(cluster, slices=tuple(one for one in higher if one.units))


def comparable(unit: Unit) -> bool:
    """Whether a unit was put to the judge, has a verdict, and has labels that decide."""
    decided = unit.truth is not None and unit.truth.level is not None
    return decided and unit.level is not None and unit.stage != "skipped"


def differs(unit: Unit) -> bool:
    """Whether judge and truth differ on a unit that can be compared."""
    return comparable(unit) and unit.level != truth_level(unit)
