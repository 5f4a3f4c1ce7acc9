"""`rftj rft sample`."""

from __future__ import annotations


def sample() -> int:
    """To come."""
    raise NotImplementedError
