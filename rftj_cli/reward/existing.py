"""What of a deployment is there already: read from AWS, nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rftj_cli.cloud import Ask, Call, CloudError
from rftj_cli.errors import InputError
from rftj_cli.reward.plan import POLICY_NAME, Deployment

_ABSENT: Final = (
    "ResourceNotFoundException",
    "NoSuchEntity",
    "NoSuchEntityException",
    "ProvisionedConcurrencyConfigNotFoundException",
)
UNRESERVED_LEAST: Final = 100  # Lambda keeps so much of the account's concurrency for all functions together


@dataclass(frozen=True, slots=True)
class Found:
    """What exists; everything absent by default, which is what `--offline` assumes.

    `provisioned` is by alias or version. `free` is the concurrency that Lambda would still let this function reserve.
    """

    function: Mapping[str, Any] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    reserved: int | None = None
    versions: tuple[Mapping[str, Any], ...] = ()
    alias_version: str | None = None
    role: Mapping[str, Any] | None = None
    role_policy: Mapping[str, Any] | None = None
    log_group: Mapping[str, Any] | None = None
    provisioned: Mapping[str, int] = field(default_factory=dict)
    free: int | None = None


def find(deployment: Deployment, ask: Ask) -> Found:
    """What is there in the account. Raises `InputError` where the answers are to be recorded in a bucket that is not."""
    _check_bucket(deployment, ask)
    name, options = deployment.place.function, deployment.options
    role, policy = _role(deployment, ask)
    group = _log_group(deployment.place.log_group, ask)
    got = _maybe(ask, Call("lambda", "get_function", {"FunctionName": name}))
    if got is not None and got.get("TagsError"):  # else it would seem to have none, and to be somebody else's
        call = Call("lambda", "list_tags", {"Resource": deployment.place.function_arn})
        raise CloudError(call, str(got["TagsError"].get("ErrorCode", "")), str(got["TagsError"].get("Message", "")))
    free = None
    if options.reserved is not None or options.provisioned is not None:
        limit = ask(Call("lambda", "get_account_settings"))["AccountLimit"]
        free = int(limit["UnreservedConcurrentExecutions"]) - UNRESERVED_LEAST
    if got is None:
        return Found(role=role, role_policy=policy, log_group=group, free=free)
    reserved = got.get("Concurrency", {}).get("ReservedConcurrentExecutions")
    alias = _maybe(ask, Call("lambda", "get_alias", {"FunctionName": name, "Name": deployment.alias}))
    return Found(
        function=got["Configuration"],
        tags=got.get("Tags", {}),
        reserved=reserved,
        versions=_versions(name, ask),
        alias_version=None if alias is None else str(alias["FunctionVersion"]),
        role=role,
        role_policy=policy,
        log_group=group,
        provisioned={} if options.provisioned is None else _provisioned(name, ask),
        free=free if free is None else free + (reserved or 0),
    )


def _check_bucket(deployment: Deployment, ask: Ask) -> None:
    record = deployment.bundle.settings.get("record")
    if not record:
        return
    try:
        ask(Call("s3", "head_bucket", {"Bucket": str(record["bucket"])}))
    except CloudError as error:
        if error.code in ("404", "NoSuchBucket"):  # 403: it is there, and not for these credentials
            raise InputError(
                "the bundle records answers in a bucket that does not exist",
                key="settings.record.bucket",
                found=record["bucket"],
                hint="make the bucket, or build the bundle without recording",
            ) from None
        if error.code != "403":
            raise


def _role(deployment: Deployment, ask: Ask) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """The role that rftj makes; a role of the user's own is not looked at."""
    if deployment.role_name is None:
        return None, None
    got = _maybe(ask, Call("iam", "get_role", {"RoleName": deployment.role_name}))
    if got is None:
        return None, None
    inline = {"RoleName": deployment.role_name, "PolicyName": POLICY_NAME}
    policy = _maybe(ask, Call("iam", "get_role_policy", inline))
    return got["Role"], None if policy is None else policy["PolicyDocument"]


def _log_group(name: str, ask: Ask) -> Mapping[str, Any] | None:
    groups = ask(Call("logs", "describe_log_groups", {"logGroupNamePrefix": name}))["logGroups"]
    return next((one for one in groups if one["logGroupName"] == name), None)


def _versions(name: str, ask: Ask) -> tuple[Mapping[str, Any], ...]:
    """The published versions, oldest first."""
    found: list[Mapping[str, Any]] = []
    marker: dict[str, str] = {}
    while True:
        page = ask(Call("lambda", "list_versions_by_function", {"FunctionName": name, **marker}))
        found += [one for one in page["Versions"] if one["Version"] != "$LATEST"]
        if not page.get("NextMarker"):
            return tuple(sorted(found, key=lambda one: int(one["Version"])))
        marker = {"Marker": str(page["NextMarker"])}


def _provisioned(name: str, ask: Ask) -> dict[str, int]:
    page = ask(Call("lambda", "list_provisioned_concurrency_configs", {"FunctionName": name}))
    return {
        str(one["FunctionArn"]).rpartition(":")[2]: int(one["RequestedProvisionedConcurrentExecutions"])
        for one in page.get("ProvisionedConcurrencyConfigs", [])
    }


def _maybe(ask: Ask, call: Call) -> dict[str, Any] | None:
    """The answer, or None where AWS says that there is no such thing."""
    try:
        return ask(call)
    except CloudError as error:
        if error.code in _ABSENT:
            return None
        raise
