"""`rftj reward audit`."""

from __future__ import annotations


def audit() -> int:
    """To come."""
    raise NotImplementedError
