"""Tables that say hardly anything: no interval of no width, no p of 0, no bound that cannot be."""

from __future__ import annotations

import json

import numpy as np
import pytest

from rftj_cli.files.ledger import take_look
from rftj_cli.stats.agreement import agreement
from rftj_cli.stats.corrected import post_stratified
from rftj_cli.stats.homogeneity import marginal_homogeneity
from rftj_cli.stats.probability import probability_scores


def table(*cells: tuple[int, int, int], k: int) -> np.ndarray:
    made = np.zeros((k, k))
    for h, j, count in cells:
        made[h, j] = count
    return made


TABLES = [
    table((0, 1, 1), (2, 3, 1), k=4),
    table((1, 1, 30), k=3),
    table((1, 0, 10), (1, 1, 10), (1, 2, 10), k=3),
    table((0, 0, 10), (1, 0, 10), (2, 0, 10), k=3),
    table((0, 1, 30), k=3),
]


@pytest.mark.parametrize("kind", ["ordinal", "nominal", "preference"])
@pytest.mark.parametrize("counts", TABLES, ids=["none alike", "one level", "one label", "one verdict", "one cell"])
def test_no_interval_without_width(kind: str, counts: np.ndarray) -> None:
    """Two items that differ, labels or verdicts of one level: values stand without bounds, and say why."""
    if kind == "preference" and counts.shape != (3, 3):
        return
    for name, one in agreement(counts, kind=kind).items():  # type: ignore[arg-type]
        if one.low is not None and one.high is not None:
            assert one.high - one.low > 1e-6, name
        elif one.value is not None and name != "marginal_homogeneity" and "describes" not in one.method:
            assert one.note, name


def test_units_that_all_differ_alike_test_nothing() -> None:
    found = marginal_homogeneity(table((0, 1, 1), (1, 2, 1), k=3))
    assert found.value is None or found.value > 0
    assert marginal_homogeneity(table((0, 1, 5), k=3)).value is None


def test_bounds_stay_where_the_number_can_be() -> None:
    """Losses are above 0, and a mean over levels lies between the lowest and the highest."""
    rng = np.random.default_rng(1)
    scores = probability_scores(rng.random(8), rng.integers(0, 2, 8))
    assert scores is not None
    for loss in (scores.log_loss, scores.brier):
        assert loss.low is not None and 0 < loss.low < loss.value < loss.high  # type: ignore[operator]
    found = post_stratified(table((0, 2, 1), (2, 2, 2), k=3), np.array([40.0, 40, 60]), values=[1, 2, 3])
    assert found.low is None or 1 <= found.low <= found.high <= 3  # type: ignore[operator]


def test_a_ledger_whose_last_line_lost_its_end_is_mended(home) -> None:  # type: ignore[no-untyped-def]
    """An editor or a merge may take the final line break: the next look stands on a line of its own."""
    path = home / "ledger.jsonl"
    for judge in ("one", "two"):
        take_look(path, judge=judge, rubric="r", split="test", items=["a", "b"], frozen=False)
        path.write_text(path.read_text().rstrip("\n"))
    assert [json.loads(line)["judge"] for line in path.read_text().splitlines()] == ["one", "two"]
