"""`rftj reward template`."""

from __future__ import annotations


def template() -> int:
    """To come."""
    raise NotImplementedError
