"""Folders of rollouts: `rollouts.json` beside the store, as a run has its `run.json`.

rollouts/PROMPTS-<8 of the settings' hash>/   readable by its owner alone
    rollouts.json  which model was asked for what, with which settings; counts, cost, times
    store.sqlite   every rollout, reply and failure
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from rftj_cli.errors import InputError
from rftj_cli.files.text import write_whole

SCHEMA: Final = "rftj.rollout-run/1"
FOLDER: Final = Path("rollouts")
NAME: Final = "rollouts.json"


@dataclass(frozen=True, slots=True)
class RolloutManifest:
    """What a folder of rollouts is. `settings` determine an answer; times are ISO 8601 in UTC, `cost` US dollars."""

    settings: dict[str, Any]
    source: str
    prompts_path: str
    rftj_version: str
    started: str
    updated: str
    status: Literal["running", "complete", "partial"]
    counts: dict[str, int] = field(default_factory=dict)
    cost: float | None = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    calls: int = 0
    learned: dict[str, Any] = field(default_factory=dict)
    history: tuple[dict[str, Any], ...] = ()
    schema: str = SCHEMA


def read_rollouts(folder: Path) -> RolloutManifest | None:
    """The manifest of a folder of rollouts; None where there is none."""
    path = folder / NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=RolloutManifest)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"not a manifest of rollouts: {error}", file=path) from None


def write_rollouts(folder: Path, manifest: RolloutManifest) -> None:
    """Replace the manifest in one step."""
    write_whole(folder / NAME, json.dumps(msgspec.to_builtins(manifest), indent=2, ensure_ascii=False) + "\n")


def refuse_foreign(folder: Path) -> None:
    """Raise `InputError` where the folder holds something else than rollouts."""
    if not folder.exists() or (folder / NAME).exists():
        return
    if not folder.is_dir():
        raise InputError("this is a file, not a folder of rollouts", file=folder, key="--run")
    left = [one.name for one in folder.iterdir() if one.name not in ("lock", ".gitignore", "store.sqlite")]
    if left or (folder / "store.sqlite").exists():
        hint = "the rollouts of a model get a folder of their own"
        raise InputError("this folder holds something else than rollouts", file=folder, key="--run", hint=hint)
