"""The four ways to write a scale in a rubric."""

from __future__ import annotations

import math

from rftj_cli.errors import InputError, nearest
from rftj_cli.kernel.fields import Fields
from rftj_cli.kernel.rubric import Level, Scale

PASS_FAIL = Scale("pass_fail", (Level("fail", 0.0), Level("pass", 1.0)))
PREFERENCE = Scale("preference", (Level("A", 1.0), Level("tie", 0.5), Level("B", 0.0)))
MAX_LEVELS = 101


def read_scale(fields: Fields) -> Scale:
    """The `scale` of a criterion: `pass_fail`, a list of levels, or `{min, max, step}`."""
    raw = fields.raw("scale", "pass_fail")
    key = fields.path("scale")
    if raw == "pass_fail":
        return PASS_FAIL
    if isinstance(raw, list):
        return _levels(raw, key)
    if isinstance(raw, dict):
        return _numeric(Fields(raw, key))
    raise InputError(
        "unknown scale",
        key=key,
        found=raw,
        expected="pass_fail, a list of levels (worst first), or {min: 1, max: 10, step: 1}",
        hint=nearest(str(raw), ["pass_fail"]),
    )


def _levels(rows: list[object], key: str) -> Scale:
    levels: list[Level] = []
    for index, row in enumerate(rows):
        at = f"{key}[{index}]"
        if isinstance(row, (str, int, float)) and not isinstance(row, bool):
            row = {"level": row}
        fields = Fields(row, at)
        name = str(fields.raw("level")).strip()
        meaning = fields.text("is", "")
        value = fields.number("value", float(index + 1))
        fields.done()
        if isinstance(fields.raw("level"), bool) or not name:
            raise InputError("a level needs a name", key=f"{at}.level", found=name, hint="quote yes, no, true, false")
        if not name.isprintable():
            raise InputError("a level's name holds line breaks or control characters", key=f"{at}.level", found=name)
        levels.append(Level(name, value, meaning))
    if len(levels) < 2:
        raise InputError("a scale needs at least two levels", key=key, found=len(levels))
    _distinct(levels, key)
    return Scale("levels", tuple(levels))


def _distinct(levels: list[Level], key: str) -> None:
    seen: set[str] = set()
    for index, level in enumerate(levels):
        if level.name.casefold() in seen:
            raise InputError("the same level twice", key=f"{key}[{index}].level", found=level.name)
        seen.add(level.name.casefold())
        if index and level.value <= levels[index - 1].value:
            raise InputError(
                "values must rise from level to level, worst first", key=f"{key}[{index}].value", found=level.value
            )


def _numeric(fields: Fields) -> Scale:
    low, high = fields.number("min"), fields.number("max")
    step = fields.number("step", 1.0, low=0)
    fields.done()
    if step == 0 or high <= low:
        raise InputError("an empty scale", key=fields.at, found={"min": low, "max": high, "step": step})
    count = (high - low) / step
    if count > MAX_LEVELS - 0.5:
        raise InputError(f"more than {MAX_LEVELS} levels", key=fields.at, found={"min": low, "max": high, "step": step})
    if not math.isclose(count, round(count), abs_tol=1e-9):
        raise InputError("the steps do not reach max", key=fields.at, found={"min": low, "max": high, "step": step})
    values = [round(low + index * step, 10) for index in range(round(count) + 1)]
    return Scale("numeric", tuple(Level(f"{value:.12g}", value) for value in values))
