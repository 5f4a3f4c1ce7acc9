"""The bundle: one zip that AWS Lambda runs, of the kernel, the compiled rubric and the pure-Python packages they need.

Rubric + Packing --build--> bytes (the same for the same input)      zip --read_bundle--> Bundle
zip --differences--> what in it is not what this rftj would have packed

lambda_function.py   bundle.json   rubric.json   rftj_cli/{errors.py, kernel/}   jinja2/   markupsafe/   licenses/
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast

from rftj_cli import __version__
from rftj_cli.errors import InputError, listed
from rftj_cli.files.packages import kernel, vendored
from rftj_cli.files.zips import read_zip, zip_bytes
from rftj_cli.kernel.canonical import canonical
from rftj_cli.kernel.compile import compile_rubric
from rftj_cli.kernel.events import Envelope
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.reward.fitness import refuse_unfit

SCHEMA: Final = "rftj.bundle/1"
Target = Literal["bedrock", "sagemaker", "hyperpod"]
ENVELOPES: Final[Mapping[str, Envelope]] = {"bedrock": "list", "hyperpod": "list", "sagemaker": "http"}
LARGEST: Final = 3_000_000  # bytes
ENTRY: Final = b'''"""The entry of AWS Lambda: made once an environment, called once an invocation."""

from pathlib import Path

from rftj_cli.kernel.handler import load

lambda_handler = load(Path(__file__).parent)
'''


@dataclass(frozen=True, slots=True)
class Record:
    """Where full records go, and which share of them; `kms_key` None: encrypted with a key of S3's own."""

    bucket: str
    prefix: str
    rate: float
    kms_key: str | None = None


@dataclass(frozen=True, slots=True)
class Packing:
    """How a rubric is packed. `envelope` None: what the target takes. `concurrency`: judge calls at a time in one environment."""

    target: Target = "bedrock"
    envelope: Envelope | None = None
    concurrency: int = 64
    record: Record | None = None


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a zip says of itself, beside its size in bytes and its SHA-256 as Lambda writes it (base64)."""

    path: Path
    name: str
    rftj: str
    target: Target
    model: str
    allow_regions: tuple[str, ...]
    guardrail: str | None
    judge_fingerprint: str
    reward_fingerprint: str
    range: tuple[float, float]
    settings: Mapping[str, Any]
    packages: Mapping[str, str]
    size: int
    sha256: str

    @property
    def replays(self) -> bool:
        """Whether it can only answer from recorded replies."""
        return self.model.startswith("replay:")

    @property
    def calls(self) -> bool:
        """Whether it calls a model at all."""
        return bool(self.model)


def build(rubric: Rubric, packing: Packing) -> bytes:
    """The zip. Raises `InputError` for a rubric that cannot be a reward, or not in Lambda."""
    refuse_unfit(rubric)
    source = canonical(rubric.source)
    again = compile_rubric(json.loads(source))
    assert (again.judge_fingerprint, again.reward_fingerprint) == (rubric.judge_fingerprint, rubric.reward_fingerprint)
    members = {"lambda_function.py": ENTRY, "rubric.json": source.encode(), **kernel()}
    versions = {}
    for name in _packages(rubric):
        versions[name], files = vendored(name)
        members |= files
    members["bundle.json"] = json.dumps(_document(rubric, packing, versions), indent=1, sort_keys=True).encode()
    found = zip_bytes(members)
    if len(found) > LARGEST:
        raise InputError("the bundle is larger than it should be", found=f"{len(found):,} bytes", expected=f"{LARGEST:,}",
                         hint="a long prompt or JSON schema in the rubric?")  # fmt: skip
    return found


def _packages(rubric: Rubric) -> tuple[str, ...]:
    schemas = any(check.type == "json_schema" for check in rubric.checks)
    return ("jinja2", "markupsafe", *(["fastjsonschema"] if schemas else []))


def _document(rubric: Rubric, packing: Packing, packages: Mapping[str, str]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "rftj": __version__,
        "name": rubric.name,
        "target": packing.target,
        "model": rubric.judge.model if rubric.criteria else "",
        "allow_regions": list(rubric.judge.allow_regions),
        "guardrail": rubric.judge.guardrail,
        "judge_fingerprint": rubric.judge_fingerprint,
        "reward_fingerprint": rubric.reward_fingerprint,
        "range": [rubric.reward.low, rubric.reward.high],
        "settings": {
            "envelope": packing.envelope or ENVELOPES[packing.target],
            "concurrency": packing.concurrency,
            "record": None if packing.record is None else asdict(packing.record),
        },
        "packages": dict(packages),
    }


def read_bundle(path: Path) -> Bundle:
    """What a zip says of itself. Raises `InputError` for one that `rftj reward build` did not make."""
    return bundle_of(path, read_zip(path))


def bundle_of(path: Path, members: Mapping[str, bytes]) -> Bundle:
    """The same of members that are read already."""
    if "bundle.json" not in members:
        raise InputError("no bundle.json in it: `rftj reward build` did not make this zip", file=path,
                         found=listed(sorted(members)))  # fmt: skip
    try:
        data = json.loads(members["bundle.json"])
        if data["schema"] != SCHEMA:
            raise InputError(
                "a bundle of another version", file=path, key="schema", found=data["schema"], expected=SCHEMA
            )
        whole = path.read_bytes()
        return Bundle(
            path=path,
            name=data["name"],
            rftj=data["rftj"],
            target=data["target"],
            model=data["model"],
            allow_regions=tuple(data["allow_regions"]),
            guardrail=data["guardrail"],
            judge_fingerprint=data["judge_fingerprint"],
            reward_fingerprint=data["reward_fingerprint"],
            range=(data["range"][0], data["range"][1]),
            settings=data["settings"],
            packages=data["packages"],
            size=len(whole),
            sha256=base64.b64encode(hashlib.sha256(whole).digest()).decode(),
        )
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(f"bundle.json cannot be read: {type(error).__name__} {error}", file=path) from None


def rubric_of(path: Path, members: Mapping[str, bytes]) -> Rubric:
    """The rubric that a bundle holds."""
    try:
        return compile_rubric(json.loads(members["rubric.json"]))
    except KeyError:
        raise InputError("no rubric.json in it", file=path) from None
    except ValueError as error:
        raise InputError(f"rubric.json is not JSON: {error}", file=path) from None
    except InputError as error:
        raise error.located(file=f"{path}: rubric.json") from None


def differences(bundle: Bundle, members: Mapping[str, bytes]) -> tuple[str, ...]:
    """The members of a zip that are not, to the byte, what this rftj would have packed for its rubric and settings."""
    rubric, settings = rubric_of(bundle.path, members), bundle.settings
    record = None if settings["record"] is None else Record(**settings["record"])
    packing = Packing(bundle.target, cast(Envelope, settings["envelope"]), settings["concurrency"], record)
    own = _members_of(build(rubric, packing))
    changed = [f"{name}: changed" for name in sorted(own.keys() & members.keys()) if own[name] != members[name]]
    missing = [f"{name}: missing" for name in sorted(own.keys() - members.keys())]
    return (*changed, *missing, *(f"{name}: not rftj's" for name in sorted(members.keys() - own.keys())))


def _members_of(made: bytes) -> dict[str, bytes]:
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(made)) as given:
        return {name: given.read(name) for name in given.namelist()}
