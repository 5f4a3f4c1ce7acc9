"""The manifest of a folder of rollouts while it is written, and what may not change in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rftj_cli import __version__
from rftj_cli.errors import InputError
from rftj_cli.files.rollouts import RolloutManifest, read_rollouts, write_rollouts
from rftj_cli.files.store import Store
from rftj_cli.running.account import Tally


def refuse_changed(known: RolloutManifest | None, settings: Mapping[str, Any], folder: Path) -> None:
    """Raise `InputError` where a folder holds rollouts of other settings."""
    if known is None:
        return
    for name, value in settings.items():
        before = known.settings.get(name)
        if before != value:
            raise InputError(
                f"these rollouts were sampled with another {name}", file=folder, key=name, found=value,
                expected=repr(before)[:80], hint="one folder holds the rollouts of one setting: --run DIR",
            )  # fmt: skip


def begun(folder: Path, settings: dict[str, Any], source: str, prompts: Path) -> RolloutManifest:
    """The manifest of a folder that is about to be filled, written first of all."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    known = read_rollouts(folder)
    manifest = RolloutManifest(settings, source, str(prompts), __version__, now, now, "running")
    if known is not None:
        manifest = replace(known, source=source, prompts_path=str(prompts), updated=now, status="running")
    write_rollouts(folder, manifest)
    return manifest


def ended(
    manifest: RolloutManifest, store: Store, wanted: int, tally: Tally, seconds: float, learned: Mapping[str, Any]
) -> RolloutManifest:
    """The manifest after a command, counted from the store itself."""
    stages = store.stages()
    cost, given, written, calls = store.spent()
    done = sum(stages.values())
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return replace(
        manifest,
        updated=now,
        status="complete" if done >= wanted else "partial",
        counts={
            "wanted": wanted,
            "sampled": done,
            "failed": done - stages.get("verdict", 0),
            **{f"stage_{name}": n for name, n in stages.items() if name != "verdict"},
        },
        cost=cost,
        input_tokens=given,
        output_tokens=written,
        calls=calls,
        learned={**manifest.learned, **learned},
        history=(*manifest.history, {"at": now, **tally.document(seconds)}),
    )
