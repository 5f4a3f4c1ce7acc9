"""Which levels the columns of a `--table` use, and their codes. The levels are found, or named by the user; never guessed."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

import numpy as np

from rftj_cli.errors import InputError, counted, listed, nearest
from rftj_cli.files.columns import Column, row_of
from rftj_cli.kernel.sample import CANNOT_TELL
from rftj_cli.measure.table_values import MISSING, number, refuse_missing, rows_of
from rftj_cli.stats.arrays import Floats, Ints

PAIRS = (
    ("fail", "pass"), ("no", "yes"), ("false", "true"), ("bad", "good"), ("incorrect", "correct"), ("wrong", "right"),
    ("reject", "accept"), ("rejected", "accepted"), ("unsafe", "safe"), ("negative", "positive"), ("n", "y"), ("f", "t"),
    ("failed", "passed"),
)  # fmt: skip
LARGEST = 1e100  # squares of larger ones are no floats
MOST_LEVELS, MOST_FRACTIONS = 101, 12


@dataclass(frozen=True, slots=True)
class TableColumns:
    """Which columns hold what, and what is known of their values, as the command line has it.

    Several `judge` columns are measured one by one, several `human` columns are raters. `values` are texts VALUE=LEVEL.
    """

    judge: tuple[str, ...] = ()
    human: tuple[str, ...] = ()
    levels: str | None = None
    positive: str | None = None
    group: str | None = None
    no_verdict: str | None = None
    id: str | None = None
    values: tuple[str, ...] = ()
    delimiter: str | None = None

    def skipped(self) -> set[str]:
        """The words of `--no-verdict`."""
        return {value.strip().casefold() for value in (self.no_verdict or "").split(",") if value.strip()}

    def plain(self) -> bool:
        """Whether nothing is said of the values: numbers may then be read without their text."""
        return not (self.levels or self.positive or self.no_verdict or self.values)


@dataclass(frozen=True, slots=True)
class TableScale:
    """The levels that the columns use, worst first; no levels: continuous numbers."""

    scale: str
    names: tuple[str, ...]
    values: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class _Used:
    """A column with the distinct values that count in it: {value, case aside: as it is first written}."""

    column: Column
    values: dict[str, str]

    @staticmethod
    def of(column: Column, skipped: Collection[str]) -> _Used:
        found: dict[str, str] = {}
        for value in column.values:
            if value and value.casefold() not in skipped:
                found.setdefault(value.casefold(), value)
        return _Used(column, found)


def scale_of(
    humans: Sequence[Column], judges: Sequence[Column], columns: TableColumns, said: Collection[str], path: Path
) -> TableScale:
    """The one scale that fits all columns. Raises `InputError` for a value that is not a level of it.

    said: the levels (case aside) that `--values` names, which are never taken for missing values
    """
    skipped = columns.skipped()
    labels = [_Used.of(column, {CANNOT_TELL}) for column in humans]
    verdicts = [_Used.of(column, skipped) for column in judges]
    if columns.levels is None:
        for what, several in (("label", labels), ("verdict", verdicts)):
            for one in several:
                refuse_missing(one.column, one.values, said, what, path)
    found = _named(columns) or _numeric(labels, verdicts, path) or _words(_all(labels), _all(verdicts), columns)
    if found.names:
        known = {name.casefold() for name in found.names}
        for one in labels:
            _refuse_stray(one, found, known, path)
        for one in verdicts:
            _refuse_stray(one, found, known, path, failure="--no-verdict {} counts it as a failure; ")
    return found


def _refuse_stray(one: _Used, scale: TableScale, known: set[str], path: Path, failure: str = "") -> None:
    """Raise `InputError` for a value that is not a level. Only a word for a missing value is offered as a failure."""
    column = one.column
    stray = [value for key, value in one.values.items() if _key(key, scale) not in known]
    if column.numbers is not None and np.isfinite(column.numbers).any():
        found, index = f"{column.numbers[(rows := np.isfinite(column.numbers))][0]:g}", int(rows.argmax())
        count = int(rows.sum())
    elif stray:
        found, (index, count) = stray[0], rows_of(column, stray[0])
    else:
        return
    hint = failure.format(quote(found)) if found.casefold() in MISSING else ""
    raise InputError(
        f"this value is not a level of the labels ({counted(count, 'row')})", file=path, row=row_of(path, index), key=column.name,
        found=found, expected="one of " + listed(scale.names),
        hint=f"{hint}--values {quote(found + '=LEVEL')} says which level it is; --levels names all levels, worst first",
    )  # fmt: skip


def _all(several: Sequence[_Used]) -> dict[str, str]:
    """The values of several columns together, as they are first written."""
    return {key: value for one in reversed(several) for key, value in one.values.items()}


def _named(columns: TableColumns) -> TableScale | None:
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
    numbers = [number(name) for name in names]
    values = None if any(math.isnan(value) for value in numbers) else tuple(numbers)
    return TableScale("pass_fail" if len(names) == 2 else "levels", names, values)


def _numeric(labels: Sequence[_Used], verdicts: Sequence[_Used], path: Path) -> TableScale | None:
    """Levels of numbers: by value; many fractions are a continuous score."""
    used = _all(labels)
    many = any(one.column.numbers is not None for one in (*labels, *verdicts))
    if not (used or many) or any(math.isnan(number(value)) for value in used):
        return None
    for one in (*labels, *verdicts):
        _refuse_huge(one, path)
    given = {number(value) for value in {**_all(verdicts), **used}}
    values = sorted(value for value in given if not math.isnan(value))
    whole = all(value.is_integer() for value in values)
    if many or not whole and len(values) > MOST_FRACTIONS or len(values) > MOST_LEVELS:
        for one in verdicts:
            _refuse_words(one, path)
        return TableScale("continuous", ())
    if len(values) < 2:
        values = sorted({*values, 0.0, 1.0}) if set(values) <= {0.0, 1.0} else [*values, values[0] + 1]
    return TableScale("pass_fail" if len(values) == 2 else "numeric", tuple(f"{v:g}" for v in values), tuple(values))


def _refuse_huge(one: _Used, path: Path) -> None:
    huge: dict[int, object] = {
        one.column.first(value): value for key, value in one.values.items() if abs(number(key)) > LARGEST
    }
    if one.column.numbers is not None:
        place = np.flatnonzero(np.abs(one.column.numbers) > LARGEST)
        huge = {int(index): float(one.column.numbers[index]) for index in place[:1]}
    for index, found in huge.items():
        raise InputError(
            "a number too large to compute with", file=path, row=row_of(path, index), key=one.column.name, found=found,
            expected=f"at most {LARGEST:g}",
        )  # fmt: skip


def _refuse_words(one: _Used, path: Path) -> None:
    """Raise `InputError` for a word among continuous scores."""
    for key, value in one.values.items():
        if math.isnan(number(key)):
            hint = (
                f"--values {quote(value + '=NUMBER')} gives it one; --no-verdict {quote(value)} counts it as a failure"
            )
            row = row_of(path, one.column.first(value))
            raise InputError("not a number", file=path, row=row, key=one.column.name, found=value, hint=hint)


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


def _key(text: str, scale: TableScale) -> str:
    """How a value is looked up: numbers by value, words by their letters."""
    value = number(text)
    return text.casefold() if scale.values is None or math.isnan(value) else f"{value:g}".casefold()


def codes(column: Column, scale: TableScale, skipped: Collection[str] = ()) -> Ints:
    """The level of each row (n,), -1 where it has none or a value that is `skipped`, which the other column may use as a level."""
    place = {_key(name, scale): index for index, name in enumerate(scale.names)}
    levels = [-1 if value.casefold() in skipped else place.get(_key(value, scale), -1) for value in column.values]
    return np.array(levels, dtype=np.int64)[column.codes]


def numbers(column: Column, skipped: Collection[str] = ()) -> Floats:
    """The number in each row (n,), nan where there is none."""
    if column.numbers is not None:
        return column.numbers
    into = np.array([number(value) if value.casefold() not in skipped else math.nan for value in column.values])
    return into[column.codes]


def groups(column: Column) -> tuple[Ints, int]:
    """The group of each row (n,), and how many rows have none: each of these stands alone."""
    none = [code for code, value in enumerate(column.values) if not value or value.casefold() in MISSING]
    found, alone = column.codes.astype(np.int64), np.isin(column.codes, none)
    found[alone] = len(column.values) + np.arange(int(alone.sum()))
    return found, int(alone.sum())
