"""Strict reading of a mapping: every key asked for by name and type; unknown keys refused with the nearest spelling."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rftj_cli.errors import InputError, listed, nearest

REQUIRED: Final[Any] = object()
LARGEST: Final = 1e9  # of any number in a rubric: sums and differences of such numbers stay exact enough


class Fields:
    """A mapping from a user's file, read key by key.

    `at` is the path of the mapping in its file (`criteria[0]`, empty for the root). Every method raises `InputError`
    with the full key path; `done()` refuses whatever was not asked for.
    """

    def __init__(self, data: object, at: str = "") -> None:
        if not isinstance(data, Mapping):
            raise InputError("expected a mapping of keys to values", key=at or None, found=data)
        self._data: Mapping[object, object] = data
        self._known: list[str] = []
        self.at = at

    def path(self, name: str) -> str:
        """The full path of a key, for error messages."""
        return f"{self.at}.{name}" if self.at else name

    def has(self, name: str) -> bool:
        """Whether the key is there with a value."""
        return self._data.get(name) is not None

    def raw(self, name: str, default: Any = REQUIRED) -> Any:
        """The value as it stands; an absent key or null gives `default`, or an error where there is none."""
        self._known.append(name)
        value = self._data.get(name)
        if value is None:
            if default is REQUIRED:
                wrong = [str(key) for key in self._data if str(key) not in self._known]
                raise InputError("missing key", key=self.path(name), hint=nearest(name, wrong))
            return default
        return value

    def _typed(self, name: str, default: Any, types: type | tuple[type, ...], expected: str) -> Any:
        value = self.raw(name, default)
        if value is default and default is not REQUIRED:
            return value
        if not isinstance(value, types) or (isinstance(value, bool) and types is not bool):
            raise InputError("wrong type", key=self.path(name), found=value, expected=expected)
        return value

    def text(self, name: str, default: Any = REQUIRED) -> Any:
        """A string that is not blank."""
        value = self._typed(name, default, str, "text")
        if isinstance(value, str) and value is not default and not value.strip():
            raise InputError("empty text", key=self.path(name))
        return value

    def flag(self, name: str, default: Any = REQUIRED) -> Any:
        """true or false."""
        return self._typed(name, default, bool, "true or false")

    def number(self, name: str, default: Any = REQUIRED, *, low: float = -math.inf, high: float = math.inf) -> Any:
        """A number in [low, high], and at most a billion either way."""
        value = self._typed(name, default, (int, float), "a number")
        if value is default and default is not REQUIRED:
            return value
        if not low <= value <= high or abs(value) > LARGEST:
            raise InputError("number out of range", key=self.path(name), found=value, expected=_between(low, high))
        return float(value)

    def integer(self, name: str, default: Any = REQUIRED, *, low: int, high: int = 10**9) -> Any:
        """A whole number in [low, high]."""
        value = self._typed(name, default, int, "a whole number")
        if value is not default and not low <= value <= high:
            raise InputError("number out of range", key=self.path(name), found=value, expected=_between(low, high))
        return value

    def choice(self, name: str, options: Sequence[str], default: Any = REQUIRED) -> Any:
        """One of the given words."""
        value = self.raw(name, default)
        if value is default and default is not REQUIRED:
            return value
        if value not in options:
            raise InputError(
                "unknown value",
                key=self.path(name),
                found=value,
                expected="one of " + listed(options),
                hint=nearest(str(value), options),
            )
        return value

    def rows(self, name: str, default: Any = REQUIRED) -> Any:
        """A list."""
        return self._typed(name, default, list, "a list")

    def raw_items(self) -> dict[object, object]:
        """All of it, for mappings whose keys are the user's own."""
        return dict(self._data)

    def done(self) -> None:
        """Refuse the first key that nothing asked for."""
        for key in self._data:
            if key not in self._known:
                split = self._data[key] is None and " " in str(key)  # {is: one, two} reads as the keys `is` and `two`
                raise InputError(
                    "unknown key",
                    key=self.path(str(key)),
                    expected="one of " + listed(list(dict.fromkeys(self._known)), 30),
                    hint="inside { } a comma starts a new key: put the text in quotes"
                    if split
                    else nearest(str(key), self._known),
                )


def _between(low: float, high: float) -> str:
    low, high = max(low, -LARGEST), min(high, LARGEST)
    return (
        f"a number of at least {low:g}" if high == LARGEST and low > -LARGEST else f"a number from {low:g} to {high:g}"
    )
