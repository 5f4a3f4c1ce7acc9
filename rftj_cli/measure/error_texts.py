"""What a unit's judge was shown of the answer: the response, the item of it, or both responses."""

from __future__ import annotations

import json
from collections.abc import Mapping

from rftj_cli.files.runs import Run
from rftj_cli.kernel.asks import BadItems, items_of
from rftj_cli.measure.error_values import UnitId
from rftj_cli.measure.join import Unit


class Responses:
    """The texts of a run's units, each read once."""

    def __init__(self, run: Run) -> None:
        self._store, self._items = run.store(), run.rubric.items
        self._known: dict[UnitId, str] = {}

    def of(self, unit: Unit) -> str:
        """The text of a unit; empty where it cannot be found."""
        key = (unit.sample, unit.item)
        if key not in self._known:
            self._known[key] = self._text(self._store.fields(unit.sample), unit.item)
        return self._known[key]

    def close(self) -> None:
        """Nothing more is read."""
        self._store.close()

    def _text(self, fields: Mapping[str, object], item: str | None) -> str:
        if "response" not in fields:
            return f"A: {fields.get('response_a')}\nB: {fields.get('response_b')}"
        response = str(fields["response"])
        if item is None or self._items is None:
            return response
        try:
            part = next((one.content for one in items_of(response, self._items) if one.id == item), "")
        except BadItems:
            return ""
        return part if isinstance(part, str) else json.dumps(part, ensure_ascii=False)
