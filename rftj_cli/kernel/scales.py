"""The five ways to write a scale in a rubric."""

from __future__ import annotations

import math

from rftj_cli.errors import InputError, nearest
from rftj_cli.kernel.fields import Fields
from rftj_cli.kernel.rubric import Criterion, JudgeSettings, Level, Scale

PASS_FAIL = Scale("pass_fail", (Level("fail", 0.0), Level("pass", 1.0)))
PREFERENCE = Scale("preference", (Level("A", 1.0), Level("tie", 0.5), Level("B", 0.0)))
MAX_LEVELS = 101


def read_scale(fields: Fields) -> Scale:
    """The `scale` of a criterion: `pass_fail`, a list of levels, `{min, max, step}`, or `{labels: [...]}` without order."""
    raw = fields.raw("scale", "pass_fail")
    key = fields.path("scale")
    if raw == "pass_fail":
        return PASS_FAIL
    if isinstance(raw, list):
        return _levels(raw, key)
    if isinstance(raw, dict):
        return _nominal(Fields(raw, key)) if "labels" in raw else _numeric(Fields(raw, key))
    raise InputError(
        "unknown scale",
        key=key,
        found=raw,
        expected="pass_fail, a list of levels (worst first), {min: 1, max: 10, step: 1}, or {labels: [...]} without order",
        hint=nearest(str(raw), ["pass_fail"]),
    )


def _levels(rows: list[object], key: str) -> Scale:
    levels = [
        Level(name, float(index + 1) if value is None else value, meaning)
        for index, (name, value, meaning) in enumerate(_entries(rows, key, "level"))
    ]
    for index, level in enumerate(levels):
        if index and level.value <= levels[index - 1].value:
            raise InputError(
                "values must rise from level to level, worst first", key=f"{key}[{index}].value", found=level.value
            )
    return Scale("levels", tuple(levels))


def _nominal(fields: Fields) -> Scale:
    """Labels without order. With a value for each they give a reward, in any order of the values; else none has one."""
    key = fields.path("labels")
    entries = _entries(fields.rows("labels"), key, "label")
    fields.done()
    values = [value for _, value, _ in entries if value is not None]
    if values and len(values) < len(entries):
        missing = next(index for index, (_, value, _) in enumerate(entries) if value is None)
        raise InputError(
            "a value for some labels and none for others", key=f"{key}[{missing}].value", found=entries[missing][0],
            expected="a value for every label (then they give a reward), or for none",
        )  # fmt: skip
    if values and min(values) == max(values):
        raise InputError("all labels have one value, so they give no reward", key=key, found=values[0])
    return Scale("nominal", tuple(Level(name, value or 0.0, meaning) for name, value, meaning in entries))


def _entries(rows: list[object], key: str, word: str) -> list[tuple[str, float | None, str]]:
    """Name, value (None where there is none) and meaning of each level or label (`word`), all names different."""
    found: list[tuple[str, float | None, str]] = []
    for index, row in enumerate(rows):
        at = f"{key}[{index}]"
        if isinstance(row, (str, int, float)) and not isinstance(row, bool):
            row = {word: row}
        fields = Fields(row, at)
        name = str(fields.raw(word)).strip()
        meaning = fields.text("is", "")
        value = fields.number("value", None)
        fields.done()
        if isinstance(fields.raw(word), bool) or not name:
            hint = "quote yes, no, true, false"
            raise InputError(f"a {word} needs a name", key=f"{at}.{word}", found=name, hint=hint)
        if not name.isprintable():
            raise InputError(f"a {word}'s name holds line breaks or control characters", key=f"{at}.{word}", found=name)
        if name.casefold() in {other.casefold() for other, _, _ in found}:
            raise InputError(f"the same {word} twice", key=f"{at}.{word}", found=name)
        found.append((name, value, meaning))
    if len(found) < 2:
        raise InputError(f"a scale needs at least two {word}s", key=key, found=len(found))
    return found


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


def no_weight_without_values(fields: Fields, criterion: Criterion) -> None:
    """Labels without values have no part in the reward."""
    if criterion.scale.valued or not (criterion.weight or criterion.essential):
        return
    key = "weight" if criterion.weight else "essential"
    raise InputError(
        "labels without values give no reward", key=fields.path(key), found=fields.raw(key),
        expected=f"no `{key}`, or a value for every label: {{label: {criterion.scale.names[0]}, value: 0}}",
    )  # fmt: skip


def majority_of_labels(criteria: tuple[Criterion, ...], judge: JudgeSettings) -> None:
    """Labels without order have neither a mean nor a worst one."""
    for criterion in criteria:
        if criterion.scale.kind != "nominal":
            continue
        if judge.vote == "mean":
            raise InputError(
                f"{criterion.id} has labels without order, which have no mean",
                key="judge.vote",
                found="mean",
                expected="majority",
            )
        if judge.votes_tie in ("worst", "best"):
            raise InputError(
                f"{criterion.id} has labels without order: none of them is the {judge.votes_tie}", key="judge.votes_tie",
                found=judge.votes_tie, expected="failure",
            )  # fmt: skip
