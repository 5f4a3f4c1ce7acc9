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
from rftj_cli.kernel.compile import compile_rubric
from rftj_cli.kernel.events import Envelope
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.reward.fitness import refuse_unfit

SCHEMA: Final = "rftj.bundle/1"
Target = Literal["bedrock", "sagemaker", "hyperpod"]
ENVELOPES: Final[Mapping[str, Envelope]] = {"bedrock": "list", "hyperpod": "list", "sagemaker": "http"}
LARGEST: Final = 3_000_000  # bytes
OF_THE_RUBRIC: Final = ("name", "model", "allow_regions", "guardrail", "range")  # a role is made for what these say
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
    found = zip_bytes(members_of(rubric, packing))
    if len(found) > LARGEST:
        raise InputError("the bundle is larger than it should be", found=f"{len(found):,} bytes", expected=f"{LARGEST:,}",
                         hint="a long prompt or JSON schema in the rubric?")  # fmt: skip
    return found


def members_of(rubric: Rubric, packing: Packing) -> dict[str, bytes]:
    """What stands in the zip, by name. Raises `InputError` as `build` does."""
    refuse_unfit(rubric)
    source = rubric_text(rubric)
    again = compile_rubric(json.loads(source))
    assert (again.judge_fingerprint, again.reward_fingerprint) == (rubric.judge_fingerprint, rubric.reward_fingerprint)
    members = {"lambda_function.py": ENTRY, "rubric.json": source.encode("utf-8", "backslashreplace"), **kernel()}
    versions = {}
    for name in _packages(rubric):
        versions[name], files = vendored(name)
        members |= files
    members["bundle.json"] = json.dumps(_document(rubric, packing, versions), indent=1, sort_keys=True).encode()
    return members


def rubric_text(rubric: Rubric) -> str:
    """rubric.json: what the rubric was compiled from, with sorted keys. Not canonical: a level called 1.0 is not called 1."""
    return json.dumps(_plain(rubric.source), sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)  # dates and other YAML scalars


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
    """What a zip says of itself. Raises `InputError` for one that `rftj reward build` did not make, or that would not start
    because its rubric is another than the one it names."""
    members = read_zip(path)
    bundle = bundle_of(path, members)
    if "rubric.json" not in members:
        return bundle
    rubric = rubric_of(path, members)
    for name in ("judge_fingerprint", "reward_fingerprint"):
        if getattr(rubric, name) != getattr(bundle, name):
            raise InputError("the rubric in it is not the one that it was built from: it would not start", file=path, key=name,
                             found=getattr(rubric, name), expected=getattr(bundle, name), hint="build it again")  # fmt: skip
    own = _bundle(path, b"", _document(rubric, Packing(), {}))
    for name in OF_THE_RUBRIC:
        if getattr(own, name) != getattr(bundle, name):
            raise InputError("bundle.json says other than the rubric beside it", file=path, key=name,
                             found=getattr(bundle, name), expected=getattr(own, name), hint="build it again")  # fmt: skip
    return bundle


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
        return _bundle(path, path.read_bytes(), data)
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise InputError(f"bundle.json cannot be read: {type(error).__name__} {error}", file=path) from None


def _bundle(path: Path, whole: bytes, data: Mapping[str, Any]) -> Bundle:
    words = ("name", "rftj", "target", "model", "judge_fingerprint", "reward_fingerprint")
    usual = {"envelope": ENVELOPES.get(data["target"], "list"), "concurrency": Packing().concurrency, "record": None}
    settings = {**usual, **data["settings"]}
    if not all(isinstance(data[name], str) for name in words) or not isinstance(settings["concurrency"], int):
        raise TypeError("a key of another type")
    if not all(data[name].isprintable() for name in words):  # they come to stand in a comment of a template
        raise ValueError("a line break or a control character in a name")
    if settings["record"] is not None and not isinstance(settings["record"], dict):
        raise TypeError("settings.record is no object")
    return Bundle(
        path=path,
        **{name: data[name] for name in words},
        allow_regions=tuple(data["allow_regions"]),
        guardrail=data["guardrail"],
        range=(float(data["range"][0]), float(data["range"][1])),
        settings=settings,
        packages=dict(data["packages"]),
        size=len(whole),
        sha256=base64.b64encode(hashlib.sha256(whole).digest()).decode(),
    )


def rubric_of(path: Path, members: Mapping[str, bytes]) -> Rubric:
    """The rubric that a bundle holds."""
    try:
        return compile_rubric(json.loads(members["rubric.json"]))
    except KeyError:
        raise InputError("no rubric.json in it", file=path) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"rubric.json is not JSON: {error}", file=path) from None
    except InputError as error:
        raise error.located(file=f"{path}: rubric.json") from None


def differences(bundle: Bundle, members: Mapping[str, bytes]) -> tuple[str, ...]:
    """The members of a zip that are not, to the byte, what this rftj would have packed for its rubric and settings.

    Raises `InputError` for a rubric that this rftj would not have packed at all.
    """
    rubric, settings = rubric_of(bundle.path, members), bundle.settings
    try:
        record = None if settings["record"] is None else Record(**settings["record"])
    except TypeError as error:
        raise InputError(f"bundle.json cannot be read: {error}", file=bundle.path, key="settings.record") from None
    packing = Packing(bundle.target, cast(Envelope, settings["envelope"]), settings["concurrency"], record)
    try:
        own = members_of(rubric, packing)
    except InputError as error:
        raise error.located(file=bundle.path) from None
    changed = [f"{name}: changed" for name in sorted(own.keys() & members.keys()) if own[name] != members[name]]
    missing = [f"{name}: missing" for name in sorted(own.keys() - members.keys())]
    return (*changed, *missing, *(f"{name}: not rftj's" for name in sorted(members.keys() - own.keys())))
