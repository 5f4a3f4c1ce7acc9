"""What to know of a table before its numbers: levels without an order, values of one side only, decimal commas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rftj_cli.errors import listed
from rftj_cli.measure.values import Calibration, Criterion


def notes(report: Calibration, with_commas: Sequence[str]) -> Iterator[str]:
    """Warnings of a table that say how its values were read."""
    first = next(iter(report.criteria.values()))
    if first.scale == "nominal":
        yield (
            f"the levels {listed(first.levels)} have no known order and are compared as mere names; if they have an order, "
            "give it with --levels WORST,...,BEST"
        )
    if with_commas:
        yield f"decimal commas: numbers in {listed(with_commas)} are read as 3,5 = 3.5"
    for id, one in report.criteria.items():
        yield from (f"{id}: {text}" for text in _beyond(one))
    rows = {
        id: sum(map(sum, one.table)) or one.estimates["coverage"].n - one.failed for id, one in report.criteria.items()
    }
    if len({one.failed for one in report.criteria.values()}) > 1:
        counts = ", ".join(f"{id} {n:,}" for id, n in rows.items())
        yield f"each judge is measured on the rows where it has a verdict, so not all on the same ones: {counts}"


def _beyond(one: Criterion) -> Iterator[str]:
    """Numbers that the judge gives and no label comes near, such as -1 for a failed call."""
    used = [index for index, row in enumerate(one.table) if sum(row)]
    if one.scale != "numeric" or not used:
        return
    said = [index for index in range(len(one.levels)) if sum(row[index] for row in one.table)]
    beyond = [one.levels[index] for index in said if not used[0] <= index <= used[-1]]
    if beyond:
        lowest, highest = one.levels[used[0]], one.levels[used[-1]]
        yield (
            f"values of the judge outside the labels, which go from {lowest} to {highest}: {listed(beyond)}; on another scale, "
            "map them with --values VALUE=LEVEL"
        )
    negative = [level for level in beyond if level.startswith("-") and not one.levels[used[0]].startswith("-")]
    if negative:
        yield f"if {negative[0]} marks a missing verdict, say --no-verdict {negative[0]}"
