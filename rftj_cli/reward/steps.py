"""From a deployment and what exists already to the calls that are missing, in order; nothing is ever deleted.

    role -> log group -> function -> reserved concurrency -> version -> alias -> provisioned concurrency -> tags

Each step says what it does to what; one that finds everything in place has no call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from rftj_cli.cloud import Call, check
from rftj_cli.errors import InputError
from rftj_cli.reward.existing import UNRESERVED_LEAST, Found
from rftj_cli.reward.notes import notes
from rftj_cli.reward.plan import OWNER_TAG, POLICY_NAME, Deployment
from rftj_cli.reward.role_steps import log_steps, role_steps
from rftj_cli.reward.step import Step

ZIP: Final = b"<the zip>"  # filled in when the call is made
PUBLISHED: Final = "<the new version>"
STACK_TAG: Final = "aws:cloudformation:stack-name"


@dataclass(frozen=True, slots=True)
class DeployPlan:
    """What will be done. `version` is the published version that exists already, None where one is to be made."""

    deployment: Deployment
    found: Found
    steps: tuple[Step, ...]
    notes: tuple[str, ...]
    version: str | None

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps that change something."""
        return tuple(step for step in self.steps if step.call is not None)


def plan_steps(deployment: Deployment, found: Found, *, take_over: bool = False) -> DeployPlan:
    """The ordered plan. Raises `InputError` where it would overwrite what rftj did not make, or exceed the account."""
    version = _version(deployment, found)
    steps = [
        *role_steps(deployment, found.role, found.role_policy),
        *log_steps(deployment, found.log_group),
        *_function_steps(deployment, found, version),
        *_reserved_steps(deployment, found),
        *_version_steps(deployment, found, version),
        *_provisioned_steps(deployment, found),
        *_tag_steps(deployment, found, version),
    ]
    if not take_over:
        _check_owner(deployment, found, changes=any(step.call for step in steps))
    for step in steps:
        if step.call is not None:
            check(step.call)
    return DeployPlan(deployment, found, tuple(steps), notes(deployment, found, version), version)


def _version(deployment: Deployment, found: Found) -> str | None:
    """The newest published version of exactly this zip with exactly these settings."""
    same = [one for one in found.versions if _is_code(deployment, one) and _is_configured(deployment, one)]
    return str(same[-1]["Version"]) if same else None


def _is_code(deployment: Deployment, one: Mapping[str, Any]) -> bool:
    architectures = one.get("Architectures") or ["x86_64"]
    return one.get("CodeSha256") == deployment.bundle.sha256 and architectures == [deployment.options.architecture]


def _is_configured(deployment: Deployment, one: Mapping[str, Any]) -> bool:
    return all(one.get(name) == value for name, value in deployment.configuration.items())


def _runs_latest(deployment: Deployment, version: str | None) -> bool:
    """Whether $LATEST must hold this zip: to publish from it, or because the training job calls it."""
    return version is None or deployment.pinned_by_name


def _function_steps(deployment: Deployment, found: Found, version: str | None) -> list[Step]:
    name, options = deployment.place.function, deployment.options
    target, settings = {"FunctionName": name}, deployment.configuration
    described = {**settings, "Description": deployment.description}
    if found.function is None:
        size = f"{options.runtime}, {options.architecture}, {options.timeout} s, {options.memory:,} MB"
        code = {"Code": {"ZipFile": ZIP}, "PackageType": "Zip", "Architectures": [options.architecture]}
        made = {**target, **described, **code, "Tags": deployment.tags}
        return [Step("create", f"function {name}: {size}", Call("lambda", "create_function", made), "function")]
    steps = []
    if _runs_latest(deployment, version):
        if not _is_code(deployment, found.function):
            new = {**target, "ZipFile": ZIP, "Architectures": [options.architecture]}
            about = f"code of function {name}: {deployment.bundle.path.name}"
            steps.append(Step("update", about, Call("lambda", "update_function_code", new), "function"))
        if not _is_configured(deployment, found.function):
            changed = ", ".join(
                f"{key} {found.function.get(key)} -> {value}"
                for key, value in settings.items()
                if found.function.get(key) != value
            )
            call = Call("lambda", "update_function_configuration", {**target, **described})
            steps.append(Step("update", f"settings of function {name}: {changed}", call, "function"))
    return steps or [Step("leave", f"function {name}: holds this zip with these settings")]


def _reserved_steps(deployment: Deployment, found: Found) -> list[Step]:
    wanted = deployment.options.reserved
    if wanted is None:
        return []
    if found.free is not None and wanted > found.free:
        raise InputError(
            f"the account has no such concurrency to reserve: {UNRESERVED_LEAST} must stay unreserved",
            key="--reserved",
            found=wanted,
            expected=f"at most {max(0, found.free):,}",
            hint="ask AWS for more (Service Quotas: Lambda, concurrent executions), or reserve less",
        )
    if found.reserved == wanted:
        return [Step("leave", f"reserved concurrency: {wanted:,}")]
    parameters = {"FunctionName": deployment.place.function, "ReservedConcurrentExecutions": wanted}
    about = f"reserved concurrency: {found.reserved or 'none'} -> {wanted:,}"
    return [Step("update", about, Call("lambda", "put_function_concurrency", parameters))]


def _version_steps(deployment: Deployment, found: Found, version: str | None) -> list[Step]:
    name, alias = deployment.place.function, deployment.alias
    description = {"Description": deployment.description}
    steps = [Step("leave", f"version {version}: this zip (CodeSha256), these settings")]
    if version is None:
        new = {"FunctionName": name, "CodeSha256": deployment.bundle.sha256, **description}
        publish = Call("lambda", "publish_version", new)
        steps = [Step("create", "a published version, which never changes", publish, "version")]
    points = {"FunctionName": name, "Name": alias, "FunctionVersion": version or PUBLISHED, **description}
    to = f"version {version}" if version else "that version"
    if found.alias_version is None:
        return [*steps, Step("create", f"alias {alias} for {to}", Call("lambda", "create_alias", points))]
    if found.alias_version != version:
        about = f"alias {alias}: version {found.alias_version} -> {to} (same rubric and zip, other settings)"
        moves: Literal["", "provisioned"] = "provisioned" if alias in found.provisioned else ""
        return [*steps, Step("update", about, Call("lambda", "update_alias", points), moves)]
    return [*steps, Step("leave", f"alias {alias} for {to}")]


def _provisioned_steps(deployment: Deployment, found: Found) -> list[Step]:
    wanted = deployment.options.provisioned
    if wanted is None:
        return []
    reserved = deployment.options.reserved or found.reserved
    limit = found.free if reserved is None else reserved
    if limit is not None and wanted > limit:
        raise InputError(
            "more provisioned concurrency than the function may have",
            key="--provisioned",
            found=wanted,
            expected=f"at most {max(0, limit):,}",
        )
    if found.provisioned.get(deployment.alias) == wanted:
        return [Step("leave", f"provisioned concurrency of the alias: {wanted:,}")]
    parameters = {
        "FunctionName": deployment.place.function,
        "Qualifier": deployment.alias,
        "ProvisionedConcurrentExecutions": wanted,
    }
    call = Call("lambda", "put_provisioned_concurrency_config", parameters)
    return [
        Step(
            "update",
            f"provisioned concurrency of the alias: {wanted:,}, paid by the hour (takes minutes)",
            call,
            "provisioned",
        )
    ]


def _tag_steps(deployment: Deployment, found: Found, version: str | None) -> list[Step]:
    """Last, so that a deployment that stopped half way is told apart: the tags say what was deployed whole."""
    if found.function is None or not _runs_latest(deployment, version):
        return []
    missing = {key: value for key, value in deployment.tags.items() if found.tags.get(key) != value}
    if not missing:
        return [Step("leave", "tags of the function")]
    call = Call("lambda", "tag_resource", {"Resource": deployment.place.function_arn, "Tags": missing})
    return [Step("update", "tags of the function: fingerprints and version of rftj", call)]


def _check_owner(deployment: Deployment, found: Found, *, changes: bool) -> None:
    name = deployment.place.function
    if found.function is not None and OWNER_TAG not in found.tags:
        raise InputError(
            "there is a function of this name that rftj did not make (it has no tag `rftj`)",
            key="--function",
            found=name,
            hint="another name: --function NAME; to overwrite its code and settings: --take-over",
        )
    stack = found.tags.get(STACK_TAG)
    if changes and stack is not None:
        raise InputError(
            f"the function belongs to the CloudFormation stack {stack}, which would undo changes made beside it",
            key="--function",
            found=name,
            hint="`rftj reward template` writes the new template; or --take-over",
        )
    tags = [one["Key"] for one in (found.role or {}).get("Tags", [])]
    if found.role is not None and OWNER_TAG not in tags:
        raise InputError(
            "there is a role of this name that rftj did not make (it has no tag `rftj`)",
            key="--role",
            found=deployment.role_name,
            hint=f"use it as it is: --role {deployment.role}; or --take-over, which "
            f"replaces its trust and its policy {POLICY_NAME}",
        )
