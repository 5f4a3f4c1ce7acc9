"""What `rftj run repair` prints: counts, no text of samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rftj_cli.report.blocks import Block, Facts
from rftj_cli.report.copied import advise
from rftj_cli.report.documents import show_json
from rftj_cli.running.repair import SCHEMA, Repaired, Saved


def show(repaired: Repaired, *, json: bool, quiet: bool) -> None:
    """Print the result in the wanted form."""
    if json:
        show_json(document(repaired))
        return
    from rftj_cli.report import console

    console.show(list(_blocks(repaired)))
    if not quiet and repaired.judged < repaired.of:
        advise("next", repaired.command)


def document(repaired: Repaired) -> dict[str, Any]:
    """The result as plain data; `lost` null: how many there were cannot be told."""
    return {
        "schema": SCHEMA,
        "run": str(repaired.folder),
        "of": str(repaired.run),
        "tables": repaired.tables,
        "judged": repaired.judged,
        "samples": repaired.of,
    }


def _blocks(repaired: Repaired) -> Iterator[Block]:
    yield Facts(
        [
            ("run", f"{repaired.folder} (saved from {repaired.run})"),
            *((table, _counts(saved)) for table, saved in repaired.tables.items()),
            ("judged", f"{repaired.judged:,} of {repaired.of:,} samples"),
        ]
    )


def _counts(saved: Saved) -> str:
    lost = "an unknown number" if saved.lost is None else f"{saved.lost:,}"
    return f"{saved.saved:,} saved, {lost} lost"
