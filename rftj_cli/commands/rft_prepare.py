"""`rftj rft prepare`."""

from __future__ import annotations


def prepare() -> int:
    """To come."""
    raise NotImplementedError
