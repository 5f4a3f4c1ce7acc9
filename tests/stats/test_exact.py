"""Shares with exact intervals, made from those that Wilson's method gave them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rftj_cli.stats.binomial import proportion
from rftj_cli.stats.estimate import LEVEL, Estimate
from rftj_cli.stats.exact import effective_n, exact, exactly


@given(
    n=st.integers(1, 400),
    part=st.floats(0, 1),
    deff=st.floats(1, 6),
    level=st.sampled_from([0.9, LEVEL, 0.99]),
)
def test_the_exact_interval_is_that_of_the_counts(n: int, part: float, deff: float, level: float) -> None:
    hits = round(part * n)
    wilson, counted = (proportion(hits, n, deff=deff, level=level, exact=one) for one in (False, True))
    found = exact(wilson, level)
    assert (found.low, found.high) == pytest.approx((counted.low, counted.high), abs=1e-9)
    assert (found.value, found.n, found.method, found.note) == (wilson.value, n, counted.method, wilson.note)
    assert effective_n(wilson, level) == pytest.approx(n / deff, rel=1e-6)
    if n / deff > 0.5:  # below, a bound of Clopper and Pearson is 0 or 1 to the last digit
        assert effective_n(found, level) == pytest.approx(n / deff, rel=1e-6)


def test_what_is_no_share_stays_as_it_is() -> None:
    others = {
        "kappa": Estimate(0.7, 0.6, 0.8, 100, "Dirichlet posterior 95%"),
        "tnr": Estimate.missing(0, "no items"),
        "pabak": Estimate.missing(0, "no items"),
    }
    assert exactly(others) == others
