"""`rftj reward watch`."""

from __future__ import annotations


def watch() -> int:
    """To come."""
    raise NotImplementedError
