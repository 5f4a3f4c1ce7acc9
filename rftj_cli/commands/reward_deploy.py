"""`rftj reward deploy`."""

from __future__ import annotations


def deploy() -> int:
    """To come."""
    raise NotImplementedError
