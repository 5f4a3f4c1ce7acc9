"""`rftj rft submit`."""

from __future__ import annotations


def submit() -> int:
    """To come."""
    raise NotImplementedError
