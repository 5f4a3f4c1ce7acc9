"""The folder of an RFT data set: train.jsonl, eval.jsonl, and prepare.json, which says what they are.

A data set that a job was submitted with (job.json) stays as it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from rftj_cli.errors import InputError
from rftj_cli.files.text import read_data, read_text, write_bytes, write_whole

MANIFEST: Final = "prepare.json"
JOB: Final = "job.json"
FILES: Final = ("train.jsonl", "eval.jsonl")


@dataclass(frozen=True)
class _Part:
    records: int
    sha256: str


@dataclass(frozen=True)
class _Rubric:
    name: str
    model: str
    tier: Literal["default", "priority", "flex", "reserved"]
    judge_fingerprint: str
    reward_fingerprint: str


@dataclass(frozen=True)
class _Judging:
    calls: float
    input_tokens: float
    output_tokens: float
    of_answers: str


@dataclass(frozen=True)
class _Manifest:
    """What a reader of prepare.json relies on."""

    schema: Literal["rftj.rft-data/1"]
    target: str
    max_prompt_length: int
    parts: dict[Literal["train", "eval"], _Part]
    rubric: _Rubric | None
    judging: _Judging | None

    def __post_init__(self) -> None:
        if "train" not in self.parts:
            raise ValueError("no `train` among its parts")


def write_dataset(folder: Path, files: Mapping[str, bytes], manifest: Mapping[str, Any]) -> None:
    """Write the files, then the manifest. Raises `InputError` where the folder holds what is not to be written over."""
    if folder.exists() and not folder.is_dir():
        raise InputError("this is a file, not a folder", file=folder, key="--out")
    if not (folder / MANIFEST).exists():
        for name in FILES:
            if (folder / name).exists():
                raise InputError("there is a file already that `rftj rft prepare` did not write", file=folder / name)
    if (folder / JOB).exists() and any(
        _sha(folder / name) != hashlib.sha256(data).hexdigest() for name, data in files.items()
    ):
        raise InputError("a job was submitted with this data, and it would change", file=folder / JOB,
                         hint="prepare into another folder")  # fmt: skip
    for name in FILES:
        if name not in files:
            (folder / name).unlink(missing_ok=True)
    for name, data in files.items():
        write_bytes(folder / name, data)
    write_whole(folder / MANIFEST, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def read_dataset(folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest, and the files as they were prepared. Raises `InputError` where they were changed since."""
    if not folder.is_dir():
        raise InputError("no such folder", file=folder, hint="`rftj rft prepare` makes one")
    if not (folder / MANIFEST).exists():
        raise InputError("this data was not checked: there is no prepare.json", file=folder,
                         hint="rftj rft prepare SAMPLES --out DIR")  # fmt: skip
    manifest = _object(folder / MANIFEST)
    try:
        known = msgspec.convert(manifest, type=_Manifest)
    except msgspec.ValidationError as error:
        raise InputError(f"not a manifest of `rftj rft prepare`: {error}", file=folder / MANIFEST) from None
    files = {}
    for name, part in known.parts.items():
        path = folder / f"{name}.jsonl"
        data = read_data(path, "data set")
        if hashlib.sha256(data).hexdigest() != part.sha256:
            raise InputError(
                "the file was changed after it was checked", file=path, hint="run `rftj rft prepare` again"
            )
        files[path.name] = data
    return manifest, files


def read_job(folder: Path) -> dict[str, Any] | None:
    """The job that was submitted with a data set, if any."""
    return _object(folder / JOB) if (folder / JOB).exists() else None


def write_job(folder: Path, job: Mapping[str, Any]) -> None:
    """Note which job was submitted; jobs before it are kept under `earlier`."""
    before = read_job(folder)
    earlier = [] if before is None else [*before.pop("earlier", []), before]
    same = before is not None and before.get("job_arn") == job.get("job_arn")
    kept = earlier[:-1] if same else earlier
    write_whole(folder / JOB, json.dumps({**job, "earlier": kept}, indent=2, ensure_ascii=False) + "\n")


def _object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_text(path, path.name))
    except (ValueError, RecursionError) as error:
        raise InputError(f"broken JSON: {error}", file=path) from None
    if not isinstance(found, dict):
        raise InputError("not a JSON object", file=path)
    return found
