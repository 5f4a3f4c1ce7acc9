"""`rftj reward export`."""

from __future__ import annotations


def export() -> int:
    """To come."""
    raise NotImplementedError
