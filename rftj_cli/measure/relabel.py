"""Units to label again, blind: those whose label is suspected, hidden among as many on which judge and label agree."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rftj_cli.measure.error_values import ErrorUnit, Queue, UnitId
from rftj_cli.measure.join import Unit
from rftj_cli.measure.next_labels import write_labels

COLUMNS = ("id", "item", "criterion", "value", "rater")


def write_queue(out: Path, suspected: Sequence[ErrorUnit], agreeing: dict[str, list[Unit]], seed: int) -> Queue:
    """Write the queue; `agreeing` are the controls to draw from, by criterion. Nothing tells the two apart in it."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[UnitId, str]] = []
    for id in dict.fromkeys(unit.criterion for unit in suspected):
        doubtful = [unit.id for unit in suspected if unit.criterion == id]
        others = sorted((unit.sample, unit.item or "", unit.item) for unit in agreeing.get(id, ()))
        picked = rng.permutation(len(others))[: len(doubtful)].tolist()
        rows += [(one, id) for one in doubtful] + [((others[at][0], others[at][2]), id) for at in picked]
    order = [rows[at] for at in rng.permutation(len(rows)).tolist()]
    lines = [
        {"id": sample, "item": item or "", "criterion": id, "value": "", "rater": ""} for (sample, item), id in order
    ]
    write_labels(out, lines, COLUMNS, keep=("value", "rater"))
    return Queue(str(out), len(suspected), len(rows) - len(suspected))
