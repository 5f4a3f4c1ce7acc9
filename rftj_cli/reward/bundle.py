"""What stands in a bundle (the zip of `rftj reward build`): its manifest, its size and its hash."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from rftj_cli.errors import InputError
from rftj_cli.files.binary import read_bytes


@dataclass(frozen=True, slots=True)
class Bundle:
    """A zip for AWS Lambda. `sha256` is in base64, as Lambda reports it (`CodeSha256`)."""

    path: Path
    name: str
    target: str
    model: str
    allow_regions: tuple[str, ...]
    judge_fingerprint: str
    reward_fingerprint: str
    guardrail: str | None
    settings: Mapping[str, Any]
    rftj: str
    packages: Mapping[str, str]
    size: int
    sha256: str


def read_bundle(path: Path) -> Bundle:
    """The bundle at `path`. Raises `InputError` where it is none."""
    data = read_bytes(path, "bundle")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            manifest = json.loads(file.read("bundle.json"))
        known = {field.name: manifest[field.name] for field in fields(Bundle) if field.name in manifest}
        known |= {"path": path, "size": len(data), "allow_regions": tuple(manifest["allow_regions"])}
        return Bundle(**known, sha256=base64.b64encode(hashlib.sha256(data).digest()).decode())
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"this is no bundle of rftj: {error}", file=path, hint="`rftj reward build RUBRIC` makes one"
        ) from None
