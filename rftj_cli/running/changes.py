"""A run is judged by one rubric: what differs where another one is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rftj_cli.errors import InputError, listed
from rftj_cli.files.runs import is_foreign, read_manifest, refuse_damage
from rftj_cli.kernel.compile import compile_rubric
from rftj_cli.kernel.rubric import Rubric


def refuse_changes(rubric: Rubric, folder: Path) -> None:
    """A run is judged by one rubric; say what differs where another one is given."""
    manifest = read_manifest(folder)
    if manifest is None:
        if is_foreign(folder):
            raise InputError("this folder is not a run, and not empty", file=folder)
        return
    if manifest.counts.get("judged") and not _has_store(folder):
        raise InputError(
            f"this run has judged {manifest.counts['judged']:,} samples, but its store is gone", file=folder / "store.sqlite",
            hint="put the file back; or remove the folder, and the same command judges, and pays for, all of it again",
        )  # fmt: skip
    refuse_damage(folder, manifest)
    old = compile_rubric(manifest.rubric)
    changed = rubric_changes(old, rubric)
    if changed:
        raise InputError(
            f"this run was made with another rubric; changed: {listed(changed)}",
            file=folder,
            hint="score into a new folder (--run DIR); replies to unchanged requests are reused without a call",
        )


def _has_store(folder: Path) -> bool:
    path = folder / "store.sqlite"
    return path.is_file() and path.stat().st_size > 0


def rubric_changes(old: Rubric, new: Rubric) -> tuple[str, ...]:
    """What differs between two rubrics that a verdict or a reward can hang on."""
    found = differences(old.judge_content, new.judge_content) + differences(old.reward_content, new.reward_content)
    return tuple(dict.fromkeys(found))


def differences(old: Any, new: Any, at: str = "") -> list[str]:
    """The key paths at which two plain values differ, in words: `judge.temperature: 0 -> 1`."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted({*old, *new})
        return [d for key in keys for d in differences(old.get(key), new.get(key), f"{at}.{key}" if at else key)]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = zip(old, new, strict=True)
        return [d for i, (a, b) in enumerate(pairs) for d in differences(a, b, f"{at}[{i}]")]
    if old == new:
        return []
    short = all(len(str(value)) <= 40 for value in (old, new))
    return [f"{at}: {old!r} -> {new!r}" if short else at]
