"""`rftj reward invoke`."""

from __future__ import annotations


def invoke() -> int:
    """To come."""
    raise NotImplementedError
