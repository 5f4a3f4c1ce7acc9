"""ASCII decimal notation is a number, wherever numbers come from outside; whatever else Python reads is none."""

from __future__ import annotations

import pytest
from making import rubric

from rftj_cli.errors import InputError
from rftj_cli.kernel.numbers import read_number
from rftj_cli.kernel.sample import read_label

NOT = [
    "1_0",
    "\uff11",
    "\u0661",
    "\u0967.5",
    "1__0",
    "",
    " ",
    "nan",
    "inf",
    "-Infinity",
    "0x10",
    "1,5",
    "1 0",
    "+-1",
    "1e",
    ".",
]


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), (" 3 ", 3), ("3.0", 3), ("-0.5", -0.5), ("+.5", 0.5), ("4.", 4), ("1e-3", 0.001), ("1E0", 1)],
)
def test_decimal_notation_is_a_number(text: str, value: float) -> None:
    assert read_number(text) == value


@pytest.mark.parametrize("text", NOT)
def test_anything_else_is_none(text: str) -> None:
    assert read_number(text) is None
    assert (
        rubric(criteria=[{"id": "q", "question": "Q", "scale": {"min": 1, "max": 10}}]).criteria[0].scale.find(text)
        is None
    )


@pytest.mark.parametrize("weight", ["1_0", "\uff12", "nan", "0", "-1", True])
def test_a_weight_is_a_number_above_0(weight: object) -> None:
    with pytest.raises(InputError, match="bad weight"):
        read_label({"id": "a", "value": "pass", "weight": weight})
    assert read_label({"id": "a", "value": "pass", "weight": " 2.5 "}).weight == 2.5
