"""`rftj reward verify`."""

from __future__ import annotations


def verify() -> int:
    """To come."""
    raise NotImplementedError
