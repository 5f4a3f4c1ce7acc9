"""`rftj rft status`."""

from __future__ import annotations


def status() -> int:
    """To come."""
    raise NotImplementedError
