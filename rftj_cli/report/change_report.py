"""What changed between two rubrics, for people: the prompt word by word, long unchanged stretches left out, and the settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rftj_cli.errors import counted
from rftj_cli.measure.comparison import Against, Piece
from rftj_cli.report.blocks import Block, Difference, Facts, Grid, Stretch
from rftj_cli.report.words import cut

SCALE = re.compile(r"criteria\.(.+)\.scale")
LONGEST = 60  # characters of a value
CONTEXT = 70  # characters of unchanged text kept at either end of a change


def changed(one: Against, full: bool) -> Iterator[Block]:
    """The part of a report on one candidate."""
    words = {what: sum(len(p.text.split()) for p in one.what.prompt if p.what == what) for what in ("gone", "new")}
    if any(words.values()):
        yield Facts([("prompt", f"{words['gone']:,} words gone, {words['new']:,} new; verdicts can change")])
        yield Difference(stretches(one.what.prompt, whole=full))
    else:
        yield Facts([("prompt", "the same, word for word")])
    effects = {"verdicts": "verdicts can change", "reward": "rewards change, verdicts do not", "nothing": "no score"}
    rows = [[_key(one.key), *(_value(one.before), _value(one.after)), effects[one.effect]] for one in one.what.settings]
    if rows:
        yield Grid(["setting", "before", "after", "what it can change"], rows, left=4)


def _key(key: str) -> str:
    """`criteria.grounding.scale` as `scale of grounding`."""
    scale = SCALE.fullmatch(key)
    return f"scale of {scale[1]}" if scale else key


def _value(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, Mapping) and {"question", "scale"} <= value.keys():  # a criterion that one side lacks
        return cut(f"{value['question']} ({_scale(value['scale'])})", LONGEST)
    return cut(_scale(value) if _is_scale(value) else str(value), LONGEST)


def _is_scale(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(one, Mapping) and "meaning" in one for one in value)


def _scale(levels: Sequence[Mapping[str, Any]]) -> str:
    """`pass_fail`, or `vague | usable | ready`, with values that are not 1, 2, ... and the meanings of levels that have one."""
    names = [str(one["name"]) for one in levels]
    plain = [float(place) for place in range(1, len(levels) + 1)]
    values = [float(one["value"]) for one in levels]
    if names == ["fail", "pass"] and not any(one["meaning"] for one in levels):
        return "pass_fail"
    if len(names) > 2 and names == [f"{value:g}" for value in values]:
        return f"{names[0]} to {names[-1]}, step {values[1] - values[0]:g}"
    said = [
        name + ("" if values == plain else f" ({one['value']:g})") + (f": {one['meaning']}" if one["meaning"] else "")
        for name, one in zip(names, levels, strict=True)
    ]
    return " | ".join(said)


def stretches(pieces: Sequence[Piece], *, whole: bool) -> list[Stretch]:
    """The pieces with long unchanged text left out, unless the `whole` is wanted."""
    found = []
    for index, piece in enumerate(pieces):
        text, edges = piece.text, (index > 0, index < len(pieces) - 1)
        if whole or piece.what != "same" or len(text) <= CONTEXT * (1 + sum(edges)):
            found.append(Stretch(piece.what, text))
            continue
        head, tail = (text[:CONTEXT] if edges[0] else ""), (text[-CONTEXT:] if edges[1] else "")
        head, tail = head.rsplit(None, 1)[0] if head else "", tail.split(None, 1)[-1] if tail else ""
        left = len(text[len(head) : len(text) - len(tail)].split())
        found += [Stretch("same", head), Stretch("left_out", f" … {counted(left, 'word')} … "), Stretch("same", tail)]
    return [one for one in found if one.text]
