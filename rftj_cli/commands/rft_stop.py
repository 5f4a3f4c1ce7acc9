"""`rftj rft stop`."""

from __future__ import annotations


def stop() -> int:
    """To come."""
    raise NotImplementedError
