"""`plan`: how many labels a wanted interval, a wanted bound or a comparison takes, from assumptions or from a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rftj_cli.errors import InputError
from rftj_cli.measure.next_labels import Draw
from rftj_cli.measure.trust import BARS, ONE_CLUSTER, REWARD, bars_of, informative, kind_of
from rftj_cli.measure.values import Calibration, Criterion
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.plan import POWER, labels_for_width, labels_needed
from rftj_cli.stats.power import gate_labels, kappa_labels, mcnemar_labels, rate_labels

SCHEMA = "rftj.plan/1"
WIDTHS = (0.05, 0.10, 0.15, 0.20)


@dataclass(frozen=True, slots=True)
class Assumed:
    """What is assumed of a judge where there is no run: its kappa, the share of labels that pass, its rate on a class;
    the share of samples on which just one of two judges is right, and the gain to be seen."""

    kappa: float = 0.6
    pass_rate: float = 0.5
    rate: float = 0.9
    above: float = 0.8
    discordance: float = 0.2
    gain: float = 0.05


@dataclass(frozen=True, slots=True)
class Goal:
    """One wish and what it takes: `needed` labels in all, of what `unit` says; None with the reason in `note`.

    clusters: that the units are in now, 0 where each is its own; needed_clusters: in all, with the labels needed
    """

    about: str
    wish: str
    now: Estimate | None
    unit: str
    needed: int | None
    note: str | None = None
    clusters: int = 0
    needed_clusters: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """All goals; with `--next` also what was drawn."""

    goals: Sequence[Goal]
    assumed: Assumed | None
    run: str | None
    half_width: float
    draw: Draw | None = None
    warnings: Sequence[str] = field(default=())
    then: str | None = None  # the command that reads what was written
    schema: str = SCHEMA


def assumed_plan(assumed: Assumed, half_width: float) -> Plan:
    """Budgets from assumptions alone. Raises `InputError` for ones that contradict each other."""
    try:
        goals = list(_assumed(assumed, half_width))
    except ValueError as error:
        raise InputError(f"these assumptions do not fit together: {error}") from None
    return Plan(goals, assumed, None, half_width)


def _assumed(a: Assumed, half_width: float) -> Iterator[Goal]:
    for width in sorted({*WIDTHS, half_width}):
        n = kappa_labels(width, pass_rate=a.pass_rate, kappa_value=a.kappa, power=POWER)
        yield Goal("kappa", f"{a.kappa:g} known to +-{width:.2f}", None, "labels", n)
    n = rate_labels(a.rate, half_width, power=POWER)
    yield Goal("rate", f"{a.rate:g} known to +-{half_width:.2f}", None, "labels of the class", n)
    n = gate_labels(a.rate, a.above, power=POWER, level=0.95, exact=True)
    yield Goal("rate", f"{a.rate:g} shown to be at least {a.above:g}", None, "labels of the class", n)
    n = mcnemar_labels(a.discordance, a.gain, power=POWER)
    wish = f"a gain of {a.gain:g} seen where {a.discordance:.0%} of samples tell the two apart"
    yield Goal("two judges", wish, None, "samples that both judge", n)


def run_plan(report: Calibration, half_width: float, draw: Draw | None) -> Plan:
    """What the labels of a run say of how many more it takes: to a narrower interval, and to the bars of trust."""
    goals = [goal for one in report.criteria.values() for goal in _of_criterion(one, half_width)]
    if report.reward is not None and report.reward.pairs:
        name, bar = BARS[REWARD][0]
        goals.append(_bound(REWARD, name, report.reward.estimates[name], bar, "pairs", report.reward.clusters))
    return Plan(goals, None, str(report.run["folder"]), half_width, draw, report.warnings)


def _of_criterion(one: Criterion, half_width: float) -> Iterator[Goal]:
    if not one.table:
        return
    kind, estimates = kind_of(one), informative(one)
    name = {"ordinal": "kappa_quadratic", "preference": "pair_accuracy"}.get(kind, "kappa")
    yield _width(one.id, name, estimates[name], half_width, f"{one.unit}s", one.together)
    for name, bar in bars_of(one):
        unit = {"tnr": f"labels that are {one.levels[0]}", "tpr": f"labels that are {one.levels[-1]}"}
        yield _bound(one.id, name, estimates[name], bar, unit.get(name, f"{one.unit}s"), one.together)


def _width(id: str, name: str, now: Estimate, half_width: float, unit: str, clusters: int) -> Goal:
    wish = f"{name.replace('_', ' ')} known to +-{half_width:.2f}"
    if clusters == 1:
        return Goal(id, wish, now, unit, None, ONE_CLUSTER)
    need = labels_for_width(now, half_width, clusters=clusters)
    return Goal(id, wish, now, unit, need.units, need.reason, clusters, need.clusters)


def _bound(id: str, name: str, now: Estimate, bar: float, unit: str, clusters: int) -> Goal:
    wish = f"{name.replace('_', ' ')} shown to be at least {bar:g}"
    if now.value is None or now.low is None:
        return Goal(id, wish, now, unit, None, now.note or "no interval to start from")
    if now.low >= bar:
        return Goal(id, wish, now, unit, now.n, "shown")
    if now.value <= bar:
        return Goal(id, wish, now, unit, None, "the value itself does not reach it: more labels do not help")
    if clusters == 1:
        return Goal(id, wish, now, unit, None, ONE_CLUSTER)
    need = labels_needed(now, bar, clusters=clusters)
    return Goal(id, wish, now, unit, need.units, need.reason, clusters, need.clusters)
