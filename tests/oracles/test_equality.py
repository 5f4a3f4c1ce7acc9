"""Every formula equals its oracle; oracles that are not installed here are skipped by name (`make oracles` has them all)."""

from __future__ import annotations

import pytest

from oracles.equality import Row, rows


@pytest.mark.parametrize("row", list(rows()), ids=lambda row: f"{row.what} ({row.library})")
def test_it_is_the_number_of_the_oracle(row: Row) -> None:
    try:
        gap = row.gap()
    except ImportError as error:
        pytest.skip(f"{row.library} is not installed: {error}")
    assert gap <= row.tolerance
