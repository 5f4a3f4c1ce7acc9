"""What looks at a test split may claim."""

from __future__ import annotations

import pytest

from rftj_cli.stats.looks import level_of_look


def test_all_looks_together_spend_alpha() -> None:
    """The first five alphas by hand, and a million looks spend just under .05."""
    assert [round(1 - level_of_look(k), 5) for k in range(1, 6)] == [0.0304, 0.0076, 0.00338, 0.0019, 0.00122]
    spent = sum(1 - level_of_look(k) for k in range(1, 100_000))
    assert 0.04999 < spent < 0.05


def test_looks_are_counted_from_one() -> None:
    with pytest.raises(ValueError, match="from 1"):
        level_of_look(0)
