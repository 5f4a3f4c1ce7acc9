"""`rftj reward build`."""

from __future__ import annotations


def build() -> int:
    """To come."""
    raise NotImplementedError
