"""Rules and a calibration to a decision, on the bounds at the report's level (95%, or what a look at test leaves).

    min: low >= limit  PASS    high < limit  FAIL    else UNDECIDED, with the labels that would decide it
    max: high <= limit PASS    low > limit   FAIL    else UNDECIDED

Bounds of shares are exact (Clopper-Pearson on n/deff), others the report's own. Fewer than LEAST_LABELS labels decide nothing.
Pure: policy and estimates in, a decision out. `on: value` decides on the point estimate instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rftj_cli.errors import InputError, counted, listed, nearest
from rftj_cli.files.ledger import Look
from rftj_cli.gate.rules import EVERY, MAX_FAILURES, REWARD, Limit, Rules
from rftj_cli.measure.trust import ONE_CLUSTER, informative
from rftj_cli.measure.values import Calibration, Criterion
from rftj_cli.stats.estimate import LEAST_LABELS, LEVEL, Estimate
from rftj_cli.stats.exact import exactly
from rftj_cli.stats.plan import Need, labels_needed

SCHEMA = "rftj.gate/1"
READINGS = ("_failures_wrong", "_failures_tie", "_failures_included")
SOMETIMES = ("flips", "order_agreement", "first_place_wins", "reply_accuracy", "pair_accuracy")  # of some runs alone
Decision = Literal["PASS", "FAIL", "UNDECIDED"]


@dataclass(frozen=True, slots=True)
class Ruling:
    """One rule and what became of it.

    `n` counts what `unit` says; `needed` is how many of those in all would decide the rule in 4 of 5 cases, if the value
    stays, and `needed_clusters` from how many clusters in all (None: each is its own). `more` says it in words. `method`:
    how the bounds were made; None where nothing is estimated.
    """

    criterion: str
    estimate: str
    kind: str
    limit: float
    value: float | None
    low: float | None
    high: float | None
    n: int
    unit: str
    decision: Decision
    needed: int | None = None
    note: str | None = None
    needed_clusters: int | None = None
    more: str | None = None
    method: str | None = None


@dataclass(frozen=True, slots=True)
class GateResult:
    """The decision, every ruling, and what it was decided on."""

    decision: Decision
    exit_code: int
    rulings: tuple[Ruling, ...]
    run: Mapping[str, Any]
    rubric: Mapping[str, Any]
    split: str
    truth: str
    seed: int
    warnings: tuple[str, ...]
    level: float = LEVEL
    look: Look | None = None
    schema: str = field(default=SCHEMA)


def decide(rules: Rules, report: Calibration) -> GateResult:
    """Apply every rule. Raises `InputError` for a rule that names a criterion or an estimate that there is not."""
    rulings = [ruling for limit in rules.limits for ruling in _apply(limit, rules, report)]
    rulings += _counted(rules, report)
    decisions = {ruling.decision for ruling in rulings}
    decision: Decision = "FAIL" if "FAIL" in decisions else "PASS" if decisions == {"PASS"} else "UNDECIDED"
    code = {"PASS": 0, "FAIL": 1, "UNDECIDED": 3 if rules.undecided == "fail" else 0}[decision]
    return GateResult(
        decision=decision,
        exit_code=code,
        rulings=tuple(rulings),
        run=report.run,
        rubric=report.rubric,
        split=report.split,
        truth=report.truth,
        seed=report.seed,
        warnings=tuple(report.warnings),
        level=report.level,
        look=report.look,
    )


def _apply(limit: Limit, rules: Rules, report: Calibration) -> Iterator[Ruling]:
    holders = _holders(report)
    if limit.criterion == EVERY:
        # A criterion's own limit on the same estimate takes the place of the one for all.
        own = {one.criterion for one in rules.limits if (one.kind, one.estimate) == (limit.kind, limit.estimate)}
        named = {name for id, estimates in holders.items() if id != REWARD for name in estimates}
        holders = {id: estimates for id, estimates in holders.items() if id != REWARD and id not in own}
    else:
        if limit.criterion not in holders:
            yield _unlabelled(limit, report)
            return
        holders = {limit.criterion: holders[limit.criterion]}
        named = set(holders[limit.criterion])
    if not any(_find(estimates, limit.estimate) for estimates in holders.values()) and limit.estimate not in named:
        yield _no_estimate(limit, named, report.criteria.get(limit.criterion))
        return
    for id, estimates in holders.items():
        found = _find(estimates, limit.estimate)
        if found is not None:
            yield _rule(limit, id, found, _unit(limit.estimate, report.criteria.get(id)), report)


def _find(estimates: Mapping[str, Estimate], name: str) -> Estimate | None:
    """An estimate; where nothing failed, the readings of failures are the plain one."""
    return estimates.get(name) or estimates.get(next((name.removesuffix(end) for end in READINGS if end in name), ""))


def _unlabelled(limit: Limit, report: Calibration) -> Ruling:
    """A rule for something that this report could not measure; for something that does not exist, an error."""
    known = [*report.rubric.get("criteria", ()), *report.criteria]
    if limit.criterion == REWARD:
        return _open(limit, "no reward of the labels: no sample has a label for every criterion")
    if limit.criterion in known:
        return _open(limit, "no judged sample has a label for it")
    raise InputError(
        "a rule for a criterion that does not exist",
        key=f"criteria.{limit.criterion}",
        found=limit.criterion,
        expected="one of " + listed([EVERY, *dict.fromkeys(known)]),
        hint=nearest(limit.criterion, known),
    )


def _no_estimate(limit: Limit, named: set[str], criterion: Criterion | None) -> Ruling:
    if limit.estimate in SOMETIMES or not named:
        return _open(limit, "this run has no such estimate" if named else "no judged sample has a label")
    section = {EVERY: "", REWARD: "reward."}.get(limit.criterion, f"criteria.{limit.criterion}.")
    nominal = criterion is not None and criterion.scale == "nominal"
    raise InputError(
        f"no such estimate for {'any criterion' if limit.criterion == EVERY else limit.criterion}"
        + (", whose labels have no order" if nominal else ""),
        key=f"{section}{limit.kind}.{limit.estimate}",
        found=limit.estimate,
        expected="one of " + listed(sorted(named), 40),
        hint=nearest(limit.estimate, named),
    )


def _open(limit: Limit, reason: str) -> Ruling:
    return Ruling(
        limit.criterion,
        limit.estimate,
        limit.kind,
        limit.limit,
        None,
        None,
        None,
        0,
        "labels",
        "UNDECIDED",
        None,
        reason,
    )


def _holders(report: Calibration) -> dict[str, Mapping[str, Estimate]]:
    found: dict[str, Mapping[str, Estimate]] = {
        id: exactly(informative(one), report.level) for id, one in report.criteria.items()
    }
    if report.reward is not None:
        found[REWARD] = exactly(report.reward.estimates, report.level)
    return found


def _unit(estimate: str, criterion: Criterion | None) -> str:
    """What the n of an estimate counts."""
    if "by_group" in estimate or estimate.startswith("top_1"):
        return "groups"
    if "pair_accuracy" in estimate:
        return "pairs"
    if criterion is None or estimate not in ("tpr", "tnr"):
        return "labels"
    return f"labels that are {criterion.levels[estimate == 'tpr']}"


def _clusters(id: str, report: Calibration) -> int:
    """In how many clusters a criterion's units or the reward's answers are; 0: each is its own, or it is not known."""
    if id in report.criteria:
        return report.criteria[id].together
    return 0 if report.reward is None else report.reward.clusters


def _rule(limit: Limit, id: str, one: Estimate, unit: str, report: Calibration) -> Ruling:
    decision, note = _decide(limit, one)
    clusters, need, more = _clusters(id, report), Need(), None
    if decision == "UNDECIDED" and one.value is not None and clusters == 1:
        note = ONE_CLUSTER
    elif decision == "UNDECIDED" and one.value is not None and one.low is not None:
        need = labels_needed(one, limit.limit, clusters=clusters, level=report.level)
        more = need.words(unit, one.n, clusters)
        if need.units is not None and (one.value < limit.limit) == (limit.kind == "min"):
            more += " (it would then FAIL)"
    return Ruling(
        id, limit.estimate, limit.kind, limit.limit, one.value, one.low, one.high, one.n, unit, decision, need.units, note,
        need.clusters, more, one.method or None,
    )  # fmt: skip


def _decide(limit: Limit, one: Estimate) -> tuple[Decision, str | None]:
    if one.value is None:
        return "UNDECIDED", one.note or "it cannot be computed"
    # One picture for both kinds: "at least" on the number line, mirrored for "at most".
    sign = 1 if limit.kind == "min" else -1
    if limit.on == "value":
        return ("PASS" if sign * one.value >= sign * limit.limit else "FAIL"), "decided on the value"
    if one.low is None or one.high is None:
        return "UNDECIDED", one.note or "it has no interval"
    if one.n < LEAST_LABELS:
        return "UNDECIDED", f"a rule takes at least {LEAST_LABELS}, there {'is' if one.n == 1 else 'are'} {one.n}"
    near, far = (one.low, one.high) if sign > 0 else (one.high, one.low)
    if sign * near >= sign * limit.limit:
        return "PASS", one.note
    return ("FAIL" if sign * far < sign * limit.limit else "UNDECIDED"), one.note


def _counted(rules: Rules, report: Calibration) -> Iterator[Ruling]:
    counts = report.counts
    waiting = report.run.get("waiting", 0)
    if waiting:
        reason = f"the run is not complete: {counted(waiting, 'sample')} not judged yet"
        yield Ruling(
            "run", "judged", "min", 1.0, None, None, None, counts.samples, "samples", "UNDECIDED", None, reason
        )
    failed = counts.failed - report.run.get("stages", {}).get("skipped", 0)
    share, named = failed / max(1, counts.samples), rules.max_failures
    if named is not None or share > MAX_FAILURES:
        yield _fact("run", "failures", "max", MAX_FAILURES if named is None else named, share, counts.samples)
    holders = _holders(report)
    if report.criteria:
        holders.pop(REWARD, None)
    for id, estimates in holders.items():
        if rules.min_coverage is not None:
            coverage = estimates["coverage"]
            yield _fact(id, "coverage", "min", rules.min_coverage, coverage.value, coverage.n)
        if rules.max_flips is not None:
            yield _flips(id, rules.max_flips, estimates)


def _flips(id: str, limit: float, estimates: Mapping[str, Estimate]) -> Ruling:
    """Votes that are not unanimous, or winners that change with the order: whichever the run can show, the worse."""
    shares = []
    if "flips" in estimates and estimates["flips"].value is not None:
        shares.append((estimates["flips"].value, estimates["flips"].n))
    orders = estimates.get("order_agreement")
    if orders is not None and orders.value is not None:
        shares.append((1 - orders.value, orders.n))
    if not shares:
        reason = "one vote and one order show no flips: set judge.votes or orders"
        return Ruling(id, "flips", "max", limit, None, None, None, 0, "labels", "UNDECIDED", None, reason)
    value, n = max(shares)
    return _fact(id, "flips", "max", limit, value, n)


def _fact(id: str, name: str, kind: Literal["min", "max"], limit: float, value: float | None, n: int) -> Ruling:
    if value is None:
        return Ruling(id, name, kind, limit, None, None, None, n, "labels", "UNDECIDED", None, "no label with a truth")
    good = value >= limit if kind == "min" else value <= limit
    return Ruling(id, name, kind, limit, value, None, None, n, "samples", "PASS" if good else "FAIL", None, "counted")
