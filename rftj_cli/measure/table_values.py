"""What the cells of a `--table` mean: numbers, `--values A=B`, and words that may stand for a missing value."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rftj_cli.errors import InputError, nearest
from rftj_cli.files.columns import Column, row_of

MISSING = frozenset({
    "nan", "null", "nil", "none", "nat", "na", "n.a.", "n/a", "#n/a", "<na>", "<null>", "<none>", "(none)", "(null)", "undefined",
    "missing", "empty", "blank", "(blank)", "(empty)", "skip", "skipped", "unlabeled", "unlabelled", "tbd", "todo", "-", "--", "\u2013",
    "\u2014", "?", "??", ".",
})  # fmt: skip
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)


def number(text: str) -> float:
    """The number that a cell holds, nan where it holds none: `1_0`, digits of other scripts, inf and nan are not numbers."""
    value = float(text) if NUMBER.fullmatch(text) else math.nan
    return value if math.isfinite(value) else math.nan


def value_pairs(texts: Sequence[str]) -> dict[str, str]:
    """`--values yes=pass,no=fail` as {value, case aside: level}; an empty level is a missing value."""
    pairs: dict[str, str] = {}
    for text in texts:
        parts = text.split(",")
        for part in parts if all("=" in one for one in parts) else [text]:
            found, equals, level = part.partition("=")
            if not (equals and found.strip()):
                raise InputError("bad --values", found=part, expected="VALUE=LEVEL, for example yes=pass")
            pairs[found.strip().casefold()] = level.strip()
    return pairs


def mapped(columns: Sequence[Column], pairs: Mapping[str, str], path: Path) -> list[Column]:
    """The columns with `--values` applied. Raises `InputError` for a value that no cell holds."""
    held = {value.casefold(): value for column in columns for value in column.values}
    for value in pairs:
        if value not in held:
            raise InputError("--values: no cell holds this value", file=path, found=value, hint=nearest(value, held))
    return [replace(column, values=[pairs.get(one.casefold(), one) for one in column.values]) for column in columns]


def with_decimal_points(column: Column, path: Path) -> tuple[Column, bool]:
    """The column with the decimal commas of its numbers as points, and whether it has any.

    A comma is a decimal comma where the whole column agrees: one at most in a number, and no decimal points. Where all of them
    stand before three digits (`1,000`), it may also separate thousands: raises `InputError`, nothing is guessed.
    """
    commas = [value for value in column.values if COMMA.fullmatch(value)]
    if not commas:
        return column, False
    for value in column.values:
        if "." in value and not math.isnan(number(value)):
            raise InputError(
                "decimal points and decimal commas in one column", file=path, row=row_of(path, column.first(value)),
                key=column.name, found=value, expected=f"numbers written alike; another one is {commas[0]}",
            )  # fmt: skip
    if all(THOUSANDS.fullmatch(value) for value in commas):
        raise InputError(
            "is this a decimal comma, or does it separate thousands?", file=path,
            row=row_of(path, column.first(commas[0])), key=column.name, found=commas[0],
            expected=f"{commas[0].replace(',', '.')} or {commas[0].replace(',', '')}",
        )  # fmt: skip
    return replace(
        column, values=[one.replace(",", ".") if COMMA.fullmatch(one) else one for one in column.values]
    ), True


def refuse_missing(column: Column, used: Mapping[str, str], said: Collection[str], what: str, path: Path) -> None:
    """Raise `InputError` for a word that may mean "no value", and for any word among labels that are numbers.

    used: {value, case aside: as written}; said: values (case aside) of which the user has said what they are.
    """
    numbers = sum(not math.isnan(number(value)) for value in used)
    for key, value in used.items():
        among_numbers = what == "label" and numbers > 1 and math.isnan(number(key))
        if key in said or not (key in MISSING or among_numbers):
            continue
        none, level = (shlex.quote(f"{value}={level}") for level in ("", value))
        hint = (
            "leave the cell empty where there is no label" if what == "label" else f"--no-verdict {shlex.quote(value)}"
        )
        raise InputError(
            f"is this a {what}, or none?", file=path, row=row_of(path, column.first(value)), key=column.name, found=value,
            hint=f"if it is none: {hint}, or --values {none}; if it is a level: --values {level}, or all levels in --levels",
        )  # fmt: skip


def rows_of(column: Column, value: str) -> tuple[int, int]:
    """The index of the first row that holds this value, case aside, and how many rows hold it."""
    place = [code for code, one in enumerate(column.values) if one.casefold() == value.casefold()]
    rows = np.flatnonzero(np.isin(column.codes, place))
    return int(rows[0]), int(rows.size)
