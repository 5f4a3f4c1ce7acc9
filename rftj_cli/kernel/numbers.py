"""What counts as a number in text that comes from outside: labels, replies, tables."""

from __future__ import annotations

import re
from typing import Final

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")


def read_number(text: str) -> float | None:
    """The number that the text is, in ASCII decimal notation (`3`, `-0.5`, `1e-3`), white space around it aside.

    None for anything else that Python's `float` would read: `1_0`, fullwidth or Arabic digits, `nan`, `inf`.
    """
    text = text.strip()
    return float(text) if _NUMBER.fullmatch(text) else None
