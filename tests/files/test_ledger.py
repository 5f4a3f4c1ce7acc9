"""The ledger: who met which test items, and what a look costs."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rftj_cli.errors import InputError
from rftj_cli.files.ledger import Look, find_ledger, item_hash, take_look

ITEMS = [item_hash(f"s{i}", {"response": f"text {i}"}) for i in range(300)]


def look(path: Path, judge: str, **changes: Any) -> Look:
    given: dict[str, Any] = {"rubric": "r", "split": "test", "items": ITEMS, "frozen": False, **changes}
    return take_look(path, judge=judge, **given)


def test_a_judge_is_charged_once_and_the_next_judge_after_it(tmp_path: Path) -> None:
    path = tmp_path / ".rftj" / "ledger.jsonl"
    assert [look(path, judge).number for judge in ("a", "b", "a", "c", "b")] == [1, 2, 1, 3, 2]
    assert len(path.read_text().splitlines()) == 3
    assert look(path, "a") == Look(1, False, True, str(path))


def test_items_that_are_added_do_not_make_a_new_test_set(tmp_path: Path) -> None:
    """A third of the items in common is enough to be recognised; other items are another set."""
    path = tmp_path / "ledger.jsonl"
    look(path, "a", items=ITEMS[:100])
    assert look(path, "b").number == 2
    assert look(path, "c", items=[item_hash(f"t{i}", {"response": "x"}) for i in range(300)]).number == 1
    assert look(path, "d", items=[item_hash(f"s{i}", {"response": "other"}) for i in range(300)]).number == 1


@pytest.mark.parametrize(("whole", "part"), [(5000, 20), (2000, 10), (20_000, 60)])
def test_a_small_part_of_a_large_test_set_is_recognised(tmp_path: Path, whole: int, part: int) -> None:
    """Ten test sets: the second judge that meets a part of the first one's items makes the second look."""
    for seed in range(10):
        items = [item_hash(f"{seed}-{i}", {"response": "x"}) for i in range(whole)]
        path = tmp_path / f"{seed}.jsonl"
        look(path, "a", items=items)
        assert look(path, "b", items=items[:part], frozen=True).number == 2
        assert look(path, "b", items=[*items, *ITEMS], frozen=True).number == 2


def test_lines_of_earlier_versions_are_read(tmp_path: Path) -> None:
    """They hold the 128 smallest hashes of what was met."""
    path = tmp_path / "ledger.jsonl"
    old = {
        "schema": "rftj.look/1",
        "judge": "a",
        "rubric": "r",
        "split": "test",
        "items": 300,
        "time": "2026-01-01T00:00:00+00:00",
    }
    path.write_text(json.dumps({**old, "sketch": sorted(ITEMS)[:128]}) + "\n")
    assert look(path, "b").number == 2 and look(path, "a", frozen=True).recorded
    assert look(path, "c", items=[item_hash("t", {"response": "x"})]).number == 1


def test_frozen_counts_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    assert look(path, "a", frozen=True) == Look(1, False, False, str(path))
    assert not path.exists()
    look(path, "a")
    before = path.read_bytes()
    assert look(path, "a", frozen=True).recorded
    assert look(path, "b", frozen=True) == Look(2, False, False, str(path))
    assert path.read_bytes() == before


def test_two_judges_at_once_are_two_looks(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda i: look(path, f"judge {i}").number, range(24)))
    assert sorted(numbers) == list(range(1, 25))


def test_a_broken_line_is_an_error_with_its_row(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    look(path, "a")
    with path.open("a") as file:
        file.write('{"schema": "rftj.look/1", "judge": "b"\n')
    with pytest.raises(InputError) as caught:
        look(path, "c")
    assert caught.value.row == 2
    assert "git" in str(caught.value.hint)


def test_a_ledger_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".rftj").write_text("a file")
    with pytest.raises(InputError, match="cannot be charged"):
        look(tmp_path / ".rftj" / "ledger.jsonl", "a")


def test_the_ledger_is_the_projects_from_any_folder_inside(tmp_path: Path) -> None:
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    assert find_ledger(inside) == tmp_path / ".rftj" / "ledger.jsonl"
    look(tmp_path / "a" / ".rftj" / "ledger.jsonl", "x")
    assert find_ledger(inside) == tmp_path / "a" / ".rftj" / "ledger.jsonl"
