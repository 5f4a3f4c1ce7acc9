"""What `rftj reward build` prints: the zip, what it is pinned to, and what the user should know."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from shlex import quote
from typing import Any

from rftj_cli.report.blocks import Block, Facts
from rftj_cli.report.copied import advise
from rftj_cli.report.documents import show_json
from rftj_cli.reward.bundle import Bundle
from rftj_cli.reward.packing import Packed

SCHEMA = "rftj.bundle-built/1"


def show(packed: Packed, *, json: bool, quiet: bool) -> None:
    """Print the result in the wanted form."""
    if json:
        show_json(document(packed))
        return
    from rftj_cli.report import console

    console.show(list(_blocks(packed)))
    if quiet:
        return
    for note in packed.notes:
        print(f"note: {note}", file=sys.stderr)
    advise("next", f"rftj reward verify {quote(str(packed.bundle.path))} RUN")


def document(packed: Packed) -> dict[str, Any]:
    """The result as plain data."""
    return {"schema": SCHEMA, **as_data(packed.bundle), "unchanged": packed.same, "notes": packed.notes}


def as_data(bundle: Bundle) -> dict[str, Any]:
    """A bundle for a JSON document."""
    names = ("name", "rftj", "target", "model", "judge_fingerprint", "reward_fingerprint", "range", "settings",
             "packages", "size", "sha256")  # fmt: skip
    return {"zip": str(bundle.path), **{name: getattr(bundle, name) for name in names}}


def _blocks(packed: Packed) -> Iterator[Block]:
    one = packed.bundle
    packages = ", ".join(f"{name} {version}" for name, version in one.packages.items())
    same = ", unchanged" if packed.same else ""
    wrapped = "a bare list" if one.settings["envelope"] == "list" else "an HTTP response"
    yield Facts(
        [
            ("bundle", f"{one.path} ({one.size:,} bytes{same})"),
            ("judge", f"{one.model or 'none: checks alone'}, fingerprint {one.judge_fingerprint[:8]}"),
            ("reward", f"{one.range[0]:g} to {one.range[1]:g}, fingerprint {one.reward_fingerprint[:8]}"),
            ("target", f"{one.target}: {wrapped}, {one.settings['concurrency']} judge calls at a time"),
            ("holds", f"rftj {one.rftj}, {packages}"),
            ("sha256", one.sha256),
        ]
    )
