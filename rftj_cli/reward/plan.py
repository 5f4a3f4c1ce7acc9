"""One deployment as data: the function, its role and policy, its version, alias, tags and log, before anything is made.

    Bundle + Options + Place --planned--> Deployment --template.py--> CloudFormation, IAM JSON
                                                     --steps.py----> calls of AWS (what exists already is left)

Both ways carry the same `configuration`, documents, alias and tags, because both read them here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rftj_cli.cloud import Ask
from rftj_cli.errors import InputError, listed, nearest
from rftj_cli.kernel.regions import check_profile, check_region
from rftj_cli.reward.bundle import Bundle
from rftj_cli.reward.guardrail_access import guardrail_access
from rftj_cli.reward.judge_access import judge_access, reads_profile
from rftj_cli.reward.names import TARGETS, alias_of, function_name, hex_sha256, is_pinned_by_name, role_name
from rftj_cli.reward.policies import TRUST, Document, Place, execution_policy, training_policy

HANDLER: Final = "lambda_function.lambda_handler"
POLICY_NAME: Final = "rftj-reward"
UNKNOWN_ACCOUNT: Final = "ACCOUNT_ID"  # stands in IAM documents until somebody fills it in
RUNTIMES: Final = ("python3.13", "python3.12")
ARCHITECTURES: Final = ("arm64", "x86_64")
LONGEST_TIMEOUT, MOST_MEMORY, LEAST_MEMORY = 900, 10_240, 128
LARGEST_UPLOAD: Final = 50_000_000  # of a zip in the request itself
RETENTIONS: Final = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
                     3288, 3653)  # fmt: skip
OWNER_TAG: Final = "rftj"
NAME_TAG: Final = "rftj:name"
JUDGE_TAG, REWARD_TAG, ZIP_TAG = "rftj:judge-fingerprint", "rftj:reward-fingerprint", "rftj:zip-sha256"
_PATTERN: Final = re.compile(r"[*?$\s]")
_ROLE: Final = re.compile(r"arn:(aws[a-z-]*):iam::([0-9]{12}|[A-Z_]+):role/[\w+=,.@/-]{1,128}\Z")


@dataclass(frozen=True, slots=True)
class Options:
    """What the user may choose. None: no reserved or provisioned concurrency, a role that rftj makes."""

    function: str | None = None
    role: str | None = None
    runtime: str = RUNTIMES[0]
    architecture: str = ARCHITECTURES[0]
    timeout: int = 300
    memory: int = 512
    reserved: int | None = None
    provisioned: int | None = None
    retention: int = 90
    profile_regions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deployment:
    """All that a deployed reward function is. `role_name` is None where the role is the user's own."""

    bundle: Bundle
    place: Place
    options: Options
    role: str
    role_name: str | None
    policy: Document | None
    alias: str

    @property
    def trust(self) -> Document:
        return TRUST

    @property
    def configuration(self) -> dict[str, Any]:
        """What decides how the code runs, in the words of the Lambda API (and of CloudFormation: they are the same)."""
        return {
            "Runtime": self.options.runtime,
            "Handler": HANDLER,
            "Role": self.role,
            "Timeout": self.options.timeout,
            "MemorySize": self.options.memory,
        }

    @property
    def description(self) -> str:
        """Of the function and of its version: which rubric this is."""
        bundle = self.bundle
        text = f"rftj {bundle.rftj} reward {bundle.name[:120]} judge {bundle.judge_fingerprint[:12]}"
        return f"{text} reward {bundle.reward_fingerprint[:12]} zip {hex_sha256(bundle)[:8]}"

    @property
    def tags(self) -> dict[str, str]:
        """Of all that is made: who made it, from which rubric."""
        return {
            OWNER_TAG: self.bundle.rftj,
            NAME_TAG: self.bundle.name[:256],
            "rftj:target": self.bundle.target,
            JUDGE_TAG: self.bundle.judge_fingerprint,
            REWARD_TAG: self.bundle.reward_fingerprint,
            ZIP_TAG: hex_sha256(self.bundle),
        }

    @property
    def resource_tags(self) -> dict[str, str]:
        """Of the role and the log group, which serve all versions."""
        return {OWNER_TAG: self.bundle.rftj, NAME_TAG: self.bundle.name[:256]}

    @property
    def pinned_by_name(self) -> bool:
        return is_pinned_by_name(self.bundle.target)

    def training_policy(self, version: str | None = None) -> Document:
        """What the training job's role needs: this version and alias of the function, or (before there is a number) any."""
        if self.pinned_by_name:
            return training_policy(self.place, ())
        return training_policy(self.place, ["*"] if version is None else [version, self.alias])

    def reward_arn(self, version: str) -> str:
        """The ARN for the training job: pinned to a version. Provisioned concurrency serves the alias alone, and the
        alias' name holds the fingerprint, so it pins as well."""
        if self.pinned_by_name:
            return self.place.function_arn
        return f"{self.place.function_arn}:{version if self.options.provisioned is None else self.alias}"


def planned(
    bundle: Bundle, options: Options, region: str, account: str, ask: Ask | None = None, *, any_policy: bool = False
) -> Deployment:
    """The deployment of a bundle; `any_policy`: work out the execution role's policy for a role of the user's own too.

    Raises `InputError` for what AWS or the training service would refuse.
    """
    _check(bundle, options)
    place = Place(region, account, function_name(bundle, options.function))
    if bundle.allow_regions and bundle.model.startswith("bedrock:"):  # else every call of the judge would be refused
        check_region(region, bundle.model.partition(":")[2], bundle.allow_regions)
    made = None if options.role is not None else role_name(bundle, place.function, place.region)
    role = options.role or f"arn:{place.partition}:iam::{place.account}:role/{made}"
    if options.role is not None:
        _check_role(options.role, place)
    return Deployment(
        bundle=bundle,
        place=place,
        options=options,
        role=role,
        role_name=made,
        policy=_policy(bundle, options, place, ask) if made is not None or any_policy else None,
        alias=alias_of(bundle),
    )


def _policy(bundle: Bundle, options: Options, place: Place, ask: Ask | None) -> Document:
    record: Mapping[str, Any] | None = bundle.settings.get("record")
    judge = judge_access(bundle.model, place, ask, options.profile_regions)
    if bundle.allow_regions and judge is not None and judge.profile is not None:
        check_profile(bundle.model.partition(":")[2], judge.models, bundle.allow_regions)
    return execution_policy(
        place,
        judge,
        guardrails=guardrail_access(bundle.guardrail, place, ask, bundle.allow_regions),
        record=record,
        reads_profile=reads_profile(bundle.model, bundle.allow_regions),
    )


def _check(bundle: Bundle, options: Options) -> None:
    if bundle.target not in TARGETS:
        raise InputError(
            "unknown target",
            file=bundle.path,
            key="target",
            found=bundle.target,
            expected="one of " + listed(TARGETS),
            hint=nearest(str(bundle.target), TARGETS),
        )
    if bundle.model.startswith("replay:"):
        raise InputError(
            "this bundle can only repeat recorded replies: it would score no new answer",
            file=bundle.path,
            key="model",
            found=bundle.model,
            expected="a judge on Bedrock",
            hint="`rftj reward build RUBRIC --set judge.model=bedrock:MODEL` packages the rubric with a model",
        )
    backend, _, model = bundle.model.partition(":")
    if bundle.calls and not (backend and model):
        raise InputError("the bundle names no judge", file=bundle.path, key="model", found=bundle.model)
    for key, id in (("model", model), ("guardrail", bundle.guardrail or "")):
        if backend == "bedrock" and _PATTERN.search(id):  # in a policy it would allow more than that one
            raise InputError("an id that IAM would read as a pattern", file=bundle.path, key=key, found=id)
    if bundle.size > LARGEST_UPLOAD:
        raise InputError("too large for an upload to Lambda", file=bundle.path, found=bundle.size, expected="50 MB")
    _choice("--runtime", options.runtime, RUNTIMES)
    _choice("--architecture", options.architecture, ARCHITECTURES)
    _between("--timeout", options.timeout, 1, LONGEST_TIMEOUT, "seconds")
    _between("--memory", options.memory, LEAST_MEMORY, MOST_MEMORY, "MB")
    if options.retention not in RETENTIONS:
        raise InputError(
            "CloudWatch keeps logs for other numbers of days",
            key="--retention",
            found=options.retention,
            expected="one of " + listed(list(map(str, RETENTIONS)), 30),
        )
    _check_concurrency(bundle, options)


def _check_concurrency(bundle: Bundle, options: Options) -> None:
    for name, value in (("--reserved", options.reserved), ("--provisioned", options.provisioned)):
        if value is not None and value < 1:
            raise InputError("number out of range", key=name, found=value, expected="at least 1")
    if options.provisioned is None:
        return
    if is_pinned_by_name(bundle.target):
        raise InputError(
            f"{bundle.target} takes no version or alias in the ARN, and provisioned concurrency serves nothing else",
            key="--provisioned",
            found=options.provisioned,
            hint="--reserved keeps concurrency for the function",
        )
    if options.reserved is not None and options.provisioned > options.reserved:
        raise InputError(
            "more provisioned than reserved concurrency",
            key="--provisioned",
            found=options.provisioned,
            expected=f"at most --reserved, {options.reserved}",
        )


def _check_role(role: str, place: Place) -> None:
    found = _ROLE.match(role)
    if found is None:
        raise InputError(
            "this is no role's ARN", key="--role", found=role, expected=f"arn:{place.partition}:iam::ACCOUNT:role/NAME"
        )
    if found.group(1) != place.partition:
        raise InputError(
            "a role of another partition than the region's",
            key="--role",
            found=role,
            expected=f"arn:{place.partition}:iam::...",
        )
    if place.account.isdigit() and found.group(2) != place.account:
        raise InputError(
            "Lambda takes a role of the function's own account",
            key="--role",
            found=role,
            expected=f"a role of account {place.account}",
        )


def _choice(key: str, value: str, options: tuple[str, ...]) -> None:
    if value not in options:
        raise InputError(
            "unknown value", key=key, found=value, expected="one of " + listed(options), hint=nearest(value, options)
        )


def _between(key: str, value: int, low: int, high: int, unit: str) -> None:
    if not low <= value <= high:
        raise InputError("number out of range", key=key, found=value, expected=f"{low:,} to {high:,} {unit}")
