"""What changed between two rubrics, for people: the prompt word by word, long unchanged stretches left out, and the settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rftj_cli.measure.comparison import Against, Piece, Setting
from rftj_cli.report.blocks import Block, Difference, Facts, Grid, Stretch
from rftj_cli.report.words import counted, cut

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
    rows = [
        [one.key, _value(one, one.before), _value(one, one.after), effects[one.effect]] for one in one.what.settings
    ]
    if rows:
        yield Grid(["setting", "before", "after", "what it can change"], rows, left=4)


def _value(one: Setting, value: object) -> str:
    return "-" if value is None else cut(str(value), 60)


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
