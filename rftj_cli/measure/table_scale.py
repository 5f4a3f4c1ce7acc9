"""Which levels the columns of a `--table` use, and their codes. The levels are found, or named by the user; never guessed."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rftj_cli.errors import InputError, listed, nearest
from rftj_cli.files.columns import Column, row_of
from rftj_cli.kernel.sample import CANNOT_TELL
from rftj_cli.stats.arrays import Floats, Ints

PAIRS = (
    ("fail", "pass"), ("no", "yes"), ("false", "true"), ("bad", "good"), ("incorrect", "correct"), ("wrong", "right"),
    ("reject", "accept"), ("rejected", "accepted"), ("unsafe", "safe"), ("negative", "positive"), ("n", "y"), ("f", "t"),
    ("failed", "passed"),
)  # fmt: skip
SURELY_MISSING = frozenset({"nan", "null", "nat", "n/a", "#n/a", "<na>"})
MISSING = SURELY_MISSING | {"none", "na", "-", "?"}
LARGEST = 1e100  # squares of larger ones are no floats
MOST_LEVELS, MOST_FRACTIONS = 101, 12


@dataclass(frozen=True, slots=True)
class TableColumns:
    """Which columns hold what, and what is known of the levels. Lists are separated by commas."""

    judge: str | None = None
    human: str | None = None
    levels: str | None = None
    positive: str | None = None
    group: str | None = None
    no_verdict: str | None = None


@dataclass(frozen=True, slots=True)
class TableScale:
    """The levels that the two columns use, worst first; no levels: continuous numbers."""

    scale: str
    names: tuple[str, ...]
    values: tuple[float, ...] | None = None


def skipped_values(columns: TableColumns) -> set[str]:
    """The words of `--no-verdict`."""
    return {value.strip().casefold() for value in (columns.no_verdict or "").split(",") if value.strip()}


def scale_of(human: Column, judge: Column, columns: TableColumns, path: Path) -> TableScale:
    """The scale that fits both columns. Raises `InputError` for a value that is no level of it."""
    skipped = skipped_values(columns)
    labels = _spellings(human, {CANNOT_TELL})
    verdicts = _spellings(judge, skipped)
    if columns.levels is None:
        _refuse_missing(human, labels, path)
    found = _named(columns, path) or _numeric(labels, verdicts, human, judge, path) or _words(labels, verdicts, columns)
    known = {name.casefold() for name in found.names}
    for column, used in ((human, labels), (judge, verdicts)):
        stray = [used[key] for key in used if found.names and _key(key, found) not in known]
        if stray:
            place = [
                code for code, value in enumerate(column.values) if value.strip().casefold() == stray[0].casefold()
            ]
            row = row_of(path, int(np.flatnonzero(column.codes == place[0])[0]))
            raise InputError(
                f"this value is no level ({int(np.isin(column.codes, place).sum())} rows)", file=path, row=row, key=column.name,
                found=stray[0], expected="one of " + listed(found.names),
                hint="--levels names all levels, worst first"
                + (f"; --no-verdict {stray[0]!r} counts it as a failure" if column is judge else ""),
            )  # fmt: skip
    return found


def _refuse_missing(human: Column, labels: dict[str, str], path: Path) -> None:
    """A word for "no label" is neither a level nor passed over: the user says which."""
    others = [value for value in labels if value not in MISSING]
    likely = MISSING if others and all(math.isfinite(_number(value)) for value in others) else SURELY_MISSING
    for key, value in labels.items():
        if key in likely:
            row = row_of(path, int(np.flatnonzero(human.codes == human.values.index(value))[0]))
            hint = "leave the cell empty where there is no label, or name all levels with --levels"
            raise InputError(
                "is this a label, or none?", file=path, row=row, key=human.name, found=value, hint=hint
            )  # fmt: skip


def _spellings(column: Column, skipped: set[str]) -> dict[str, str]:
    """The distinct values, case aside, as they are first written."""
    found: dict[str, str] = {}
    for value in column.values:
        if value and value.casefold() not in skipped:
            found.setdefault(value.casefold(), value)
    return found


def _named(columns: TableColumns, path: Path) -> TableScale | None:
    if columns.levels is None:
        return None
    names = tuple(name.strip() for name in columns.levels.split(",") if name.strip())
    if len({name.casefold() for name in names}) != len(names) or len(names) < 2:
        raise InputError("--levels: at least two different levels", found=columns.levels)
    if columns.positive is not None:
        raise InputError(
            "--positive and --levels exclude each other", hint="levels stand worst first: the last is positive"
        )
    if tuple(name.casefold() for name in names) == ("a", "tie", "b"):
        return TableScale("preference", names)
    numbers = [_number(name) for name in names]
    values = None if any(math.isnan(value) for value in numbers) else tuple(numbers)
    return TableScale("pass_fail" if len(names) == 2 else "levels", names, values)


def _numeric(
    labels: dict[str, str], verdicts: dict[str, str], human: Column, judge: Column, path: Path
) -> TableScale | None:
    """Levels of numbers: by value; many fractions are a continuous score."""
    if not labels or any(math.isnan(_number(value)) for value in labels):
        return None
    stray = [value for key, value in verdicts.items() if math.isnan(_number(key))]
    values = sorted({_number(value) for value in (*labels, *verdicts) if not math.isnan(_number(value))})
    for column, used in ((human, labels), (judge, verdicts)):
        huge = [value for key, value in used.items() if abs(_number(key)) > LARGEST]
        if huge:
            row = row_of(path, int(np.flatnonzero(column.codes == column.values.index(huge[0]))[0]))
            raise InputError(
                "a number too large to compute with", file=path, row=row, key=column.name, found=huge[0],
                expected=f"at most {LARGEST:g}",
            )  # fmt: skip
    whole = all(value.is_integer() for value in values)
    if not whole and len(values) > MOST_FRACTIONS or len(values) > MOST_LEVELS:
        if stray:
            row = row_of(path, int(np.flatnonzero(judge.codes == judge.values.index(stray[0]))[0]))
            hint = f"--no-verdict {stray[0]!r} counts it as a failure"
            raise InputError("not a number", file=path, row=row, key=judge.name, found=stray[0], hint=hint)
        return TableScale("continuous", ())
    if len(values) < 2:
        values = sorted({*values, 0.0, 1.0}) if set(values) <= {0.0, 1.0} else [*values, values[0] + 1]
    return TableScale("pass_fail" if len(values) == 2 else "numeric", tuple(f"{v:g}" for v in values), tuple(values))


def _words(labels: dict[str, str], verdicts: dict[str, str], columns: TableColumns) -> TableScale:
    used = {**verdicts, **labels}
    if columns.positive is not None:
        other = [key for key in labels if key != columns.positive.casefold()]
        if columns.positive.casefold() not in used or len(other) != 1:
            hint = nearest(columns.positive, labels.values())
            expected = "one of two levels: " + listed(list(labels.values()))
            raise InputError("--positive", found=columns.positive, expected=expected, hint=hint)
        return TableScale("pass_fail", (labels[other[0]], used[columns.positive.casefold()]))
    if set(labels) <= {"a", "b", "tie"} and {"a", "b"} & set(labels):
        return TableScale("preference", ("A", "tie", "B"))
    for pair in PAIRS:
        if set(labels) <= set(pair):
            return TableScale("pass_fail", tuple(used.get(word, word) for word in pair))
    names = labels if len(labels) > 1 else used
    return TableScale("nominal", tuple(names[key] for key in sorted(names)))


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _key(text: str, scale: TableScale) -> str:
    """How a value is looked up: numbers by value, words by their letters."""
    number = _number(text)
    return text.casefold() if scale.values is None or math.isnan(number) else f"{number:g}".casefold()


def codes(column: Column, scale: TableScale, skipped: Collection[str] = ()) -> Ints:
    """The level of each row (n,), -1 where it has none or a value that is `skipped`, which the other column may use as a level."""
    place = {_key(name, scale): index for index, name in enumerate(scale.names)}
    levels = [-1 if value.casefold() in skipped else place.get(_key(value, scale), -1) for value in column.values]
    return np.array(levels, dtype=np.int64)[column.codes]


def numbers(column: Column, skipped: Collection[str] = ()) -> Floats:
    """The number in each row (n,), nan where there is none."""
    into = np.array([_number(value) if value.casefold() not in skipped else math.nan for value in column.values])
    return into[column.codes]


def groups(column: Column) -> tuple[Ints, int]:
    """The group of each row (n,), and how many rows have none: each of these stands alone."""
    none = [code for code, value in enumerate(column.values) if not value or value.casefold() in SURELY_MISSING]
    found, alone = column.codes.astype(np.int64), np.isin(column.codes, none)
    found[alone] = len(column.values) + np.arange(int(alone.sum()))
    return found, int(alone.sum())
