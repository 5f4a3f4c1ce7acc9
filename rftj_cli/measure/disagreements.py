"""Where judge and labels differ, the worst first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rftj_cli.files.runs import Run
from rftj_cli.measure.gather import truth_level
from rftj_cli.measure.join import Joined, Unit
from rftj_cli.measure.means import between_levels
from rftj_cli.measure.values import Disagreement

WORST = 50  # kept in the report


def disagreements(run: Run, joined: Joined, used: Sequence[str]) -> list[Disagreement]:
    """The worst first: distance on the scale, then the dangerous side, then criteria in the rubric's order.

    Dangerous is to be milder than the labels: too high a level, of a pitfall too low a one.
    """
    ranked: list[tuple[float, int, str, Unit]] = []
    for place, id in enumerate(used):
        if between_levels(joined.units[id]):  # continuous scores nearly all differ: their size is in `mae` and `bias`
            continue
        scale = joined.scales[id]
        for unit in joined.units[id]:
            if unit.level is None or unit.truth is None or unit.truth.level in (None, unit.level):
                continue
            distance = abs(scale.share(scale.values[unit.level]) - scale.share(scale.values[truth_level(unit)]))
            ranked.append((-distance, place, id, unit))
    ranked.sort(key=lambda one: (one[0], _stricter(one[3], pitfall=joined.pitfalls.get(one[2], False)), one[1]))
    store = run.store()
    found = [_disagreement(store.fields(unit.sample), -far, id, joined, unit) for far, _, id, unit in ranked[:WORST]]
    store.close()
    return found


def _stricter(unit: Unit, *, pitfall: bool) -> bool:
    return ((unit.level or 0) > truth_level(unit)) == pitfall


def _disagreement(fields: Mapping[str, object], distance: float, id: str, joined: Joined, unit: Unit) -> Disagreement:
    names = joined.scales[id].names
    text = fields.get("response")
    if text is None:
        text = f"A: {fields.get('response_a')}\nB: {fields.get('response_b')}"
    assert unit.level is not None and unit.truth is not None
    return Disagreement(
        unit.sample, unit.item, id, names[truth_level(unit)], names[unit.level], distance, unit.reason,
        unit.truth.reason, str(text),
    )  # fmt: skip
