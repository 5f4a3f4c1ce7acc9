"""Judged samples as the proposer sees them: what was judged, the verdict, the label, and both reasons."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from rftj_cli.kernel.asks import BadItems, items_of, names_used
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.measure.error_values import Cluster, ErrorReport
from rftj_cli.measure.errors import Found
from rftj_cli.measure.join import Unit
from rftj_cli.refine.proposer import Case

SHOWN, RIGHT = 6, 3
LONGEST = 700  # characters of one field


def cases_of(found: Found, report: ErrorReport, cluster: Cluster) -> list[Case]:
    """The first cases of a cluster."""
    known = {(unit.criterion, unit.id): unit for unit in report.units}
    store = found.run.store()
    cases = []
    for id in cluster.units[:SHOWN]:
        unit = known[cluster.criterion, id]
        judged = shown(store.fields(unit.sample), found.run.rubric, unit.item)
        cases.append(Case(judged, unit.verdict, unit.reason, unit.truth, unit.label_reason))
    store.close()
    return cases


def right_cases(found: Found, cluster: Cluster, agreeing: Sequence[Unit]) -> list[Case]:
    """A few units that the judge gets right and an edit might break: those that it gives the verdict of the errors first."""
    names = found.joined.scales[cluster.criterion].names
    wrong = cluster.examples[0].verdict if cluster.examples else None
    order = sorted(agreeing, key=lambda unit: (unit.level is None or names[unit.level] != wrong, unit.sample))
    store = found.run.store()
    cases = []
    for unit in order[:RIGHT]:
        assert unit.level is not None
        judged = shown(store.fields(unit.sample), found.run.rubric, unit.item)
        cases.append(Case(judged, names[unit.level], unit.reason, names[unit.level], ""))
    store.close()
    return cases


def shown(fields: Mapping[str, object], rubric: Rubric, item: str | None = None) -> str:
    """What the judge saw of a sample: the item or the response first, then the other fields, each cut."""
    names = names_used(rubric)
    seen = {key: value for key, value in fields.items() if key in names or (item is None and key == "response")}
    part = _item(fields, rubric, item)
    first = [key for key in ("response", "response_a", "response_b") if key in seen]
    rows = [*first, *(key for key in seen if key not in first)]
    return "\n".join([*part, *(f"{key} = {_text(seen[key])[:LONGEST]}" for key in rows)])


def _item(fields: Mapping[str, object], rubric: Rubric, item: str | None) -> list[str]:
    """The part of the response that was judged."""
    if item is None or rubric.items is None:
        return []
    try:
        parts = items_of(str(fields.get("response")), rubric.items)
    except BadItems:
        return [f"item {item}"]
    return [f"item {item} = {_text(part.content)[:LONGEST]}" for part in parts if part.id == item]


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
