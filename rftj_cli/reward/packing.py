"""`reward build`: what the user says of a bundle, checked; and the zip written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rftj_cli.errors import InputError
from rftj_cli.files.text import write_bytes
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.reward.bundle import Bundle, Packing, Record, build, read_bundle
from rftj_cli.reward.fitness import what_a_constant_does

RATE: Final = 0.01
# The key's own ARN: IAM allows nothing on a key that a policy names by an alias.
_KEY: Final = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[\w-]+\Z", re.ASCII)
_PREFIX: Final = re.compile(r"[\w/!.'()-]*\Z", re.ASCII)
_S3: Final = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?\Z")


@dataclass(frozen=True, slots=True)
class Packed:
    """The bundle that was written, and what the user should know of it. `same`: the file was there, byte for byte."""

    bundle: Bundle
    notes: tuple[str, ...]
    same: bool


def record_to(place: str | None, rate: float | None, key: str | None) -> Record | None:
    """Where records go. Raises `InputError` for a place that is none, and for its options without it."""
    if place is None:
        if rate is not None or key is not None:
            raise InputError(
                "there are no records without --record", key="--record-rate" if rate is not None else "--record-key"
            )
        return None
    found = _S3.match(place)
    if found is None:
        raise InputError("not a place on S3", key="--record", found=place, expected="s3://BUCKET/PREFIX")
    if not _PREFIX.match(found.group(2) or ""):  # * ? and $ would be patterns in the policy that allows it
        raise InputError(
            "a prefix of other characters", key="--record", found=place, expected="letters, digits, / ! - _ . ' ( )"
        )
    if rate is not None and not 0 < rate <= 1:  # NaN, too
        raise InputError("not a share", key="--record-rate", found=rate, expected="more than 0, at most 1")
    if key is not None and not _KEY.match(key):
        raise InputError(
            "not the ARN of a KMS key", key="--record-key", found=key, expected="arn:aws:kms:REGION:ACCOUNT:key/ID"
        )
    prefix = (found.group(2) or "").strip("/")
    return Record(found.group(1), f"{prefix}/" if prefix else "", RATE if rate is None else rate, key)


def pack(rubric: Rubric, packing: Packing, out: Path | None, source: Path) -> Packed:
    """Build the bundle and write it. Raises `InputError` for a rubric that cannot be one, with its file."""
    try:
        made = build(rubric, packing)
    except InputError as error:
        raise error.located(file=source) from None
    path = out or Path("dist") / f"{rubric.name}-{rubric.reward_fingerprint[:8]}.zip"
    same = write_bytes(path, made)
    return Packed(read_bundle(path), _notes(rubric, packing), same)


def _notes(rubric: Rubric, packing: Packing) -> tuple[str, ...]:
    reward, notes = rubric.reward, []
    if rubric.criteria and rubric.judge.backend == "replay":
        notes.append("its judge is `replay:`: it answers from recorded replies alone, for `invoke --replies` and `verify`, "
                     "and cannot be deployed; --set judge.model=bedrock:MODEL names one that can")  # fmt: skip
    if rubric.criteria:
        low = f"on_failure: service {reward.on_service_failure:g}, content {reward.on_content_failure:g}. "
        notes.append(low + what_a_constant_does())
    if packing.record is not None:
        notes.append(f"records with the full texts of {packing.record.rate:.2%} of the answers go to "
                     f"s3://{packing.record.bucket}/{packing.record.prefix}: see who may read them")  # fmt: skip
    if packing.target == "sagemaker" and packing.envelope is None:
        notes.append(
            "results are wrapped as SageMaker's open-weight trainer takes them; for Nova on SageMaker: --envelope list"
        )
    return tuple(notes)
