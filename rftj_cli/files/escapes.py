"""Text of samples in CSV cells and in JSON documents: nothing in it splits a row, hides, or becomes a formula.

A cell that needs no escape stands as it is. Any other begins with `'`, and the rest is the text with JSON's escapes: `\\\\`
for a backslash, `\\n`, `\\r`, `\\t`, `\\u202e`. A text that itself begins with `'` is escaped as well, so that each cell has
one reading; `restored` is the way back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# Control characters, line separators, marks of direction, invisible spaces, the byte order mark, halves of surrogate pairs.
_SET = "\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
_HIDDEN, _ESCAPED = re.compile(f"[{_SET}]"), re.compile(f"[\\\\{_SET}]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}
_LONG = {short: text for text, short in _SHORT.items()}
_SEQUENCE = re.compile(r"\\(?:[nrt\\]|u([0-9a-f]{4}))")
_FORMULA = re.compile("\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20]")  # spreadsheets take the full-width signs as well
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


def json_safe(document: str) -> str:
    """JSON with what is hidden in its strings as `\\u202e`; letters of all languages stay. Line ends between values stay."""
    return _HIDDEN.sub(lambda found: found[0] if found[0] == "\n" else _code(found[0]), document)


def cell(text: str) -> str:
    """A text for a CSV cell: escaped where it holds what is hidden, or where a spreadsheet would run it."""
    formula = _FORMULA.match(text) is not None and not _NUMBER.fullmatch(text)
    if not (formula or text.startswith("'") or _HIDDEN.search(text)):
        return text
    return "'" + _ESCAPED.sub(lambda found: _SHORT.get(found[0]) or _code(found[0]), text)


def restored(text: str) -> str:
    """The text of a cell that `cell` wrote; any other text, such as one that a person wrote, is given back as it is."""
    if not text.startswith("'"):
        return text
    plain = _SEQUENCE.sub(lambda found: _LONG.get(found[0]) or chr(int(found[1], 16)), text[1:])
    return plain if cell(plain) == text else text


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A CSV file of one line a row: every text is quoted; numbers and truth values are bare, and None is an empty cell."""
    return "".join(",".join(map(_field, row)) + "\n" for row in (header, *rows))


def _field(value: object) -> str:
    if value is None:
        return ""
    return '"' + cell(value).replace('"', '""') + '"' if isinstance(value, str) else str(value)


def _code(character: str) -> str:
    return f"\\u{ord(character):04x}"
