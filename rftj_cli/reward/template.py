"""A deployment as files for whoever owns the account: CloudFormation, and the IAM documents by themselves.

    Deployment --template--> template.yaml                (the role, the log group, the function, a version, an alias)
                             execution-role-policy.json   execution-role-trust.json   training-role-policy.json

The template reads the same `configuration`, documents, alias and tags as the calls of `rftj reward deploy`. In it the
account is `${AWS::AccountId}`; the region is fixed, as the judge's models are named by region.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rftj_cli.cloud import Ask, Cloud
from rftj_cli.errors import InputError
from rftj_cli.files.text import write_whole
from rftj_cli.kernel.canonical import canonical
from rftj_cli.reward.bundle import Bundle
from rftj_cli.reward.cloudformation_yaml import Tagged, indented, tagged, yaml_text
from rftj_cli.reward.existing import Found
from rftj_cli.reward.names import check_account, check_region_name, hex_sha256, stack_name
from rftj_cli.reward.notes import notes
from rftj_cli.reward.plan import POLICY_NAME, UNKNOWN_ACCOUNT, Deployment, Options, planned

ACCOUNT: Final = "${AWS::AccountId}"
# What the operation made that failed goes with it: else the next try would find its names taken.
KEPT: Final = "RetainExceptOnCreate"
TEMPLATE, POLICY, TRUST_FILE, TRAINING = (
    "template.yaml", "execution-role-policy.json", "execution-role-trust.json", "training-role-policy.json",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Template:
    """The files of a deployment, by name, and what it is called where it is deployed."""

    deployment: Deployment
    files: Mapping[str, str]
    stack: str
    code_key: str
    notes: tuple[str, ...]


def make_template(
    bundle: Bundle, options: Options, region: str | None, account: str | None, ask: Ask | None = None
) -> Template:
    """The files. AWS is asked (for what an inference profile holds) only if nothing else tells, and only with `ask`,
    or with the credentials that there are."""
    where = region or _region()
    known = UNKNOWN_ACCOUNT if account is None else check_account(account)
    door = ask or _door(bundle, options, where)
    written = planned(bundle, options, check_region_name(where), known, door, any_policy=True)
    general = planned(bundle, options, where, ACCOUNT, door, any_policy=True)
    key = f"rftj/{general.place.function}-{hex_sha256(bundle)[:12]}.zip"
    files = {
        TEMPLATE: cloudformation(general, key),
        POLICY: _json(written.policy),
        TRUST_FILE: _json(written.trust),
        TRAINING: _json(written.training_policy()),
    }
    return Template(written, files, stack_name(general.place.function), key, notes(written, Found(), None))


def write_template(template: Template, folder: Path) -> None:
    """Write all files; a folder that is a file, or cannot be made, is an error."""
    if folder.exists() and not folder.is_dir():
        raise InputError("this is a file, not a folder", file=folder, key="--out")
    for name, text in template.files.items():
        write_whole(folder / name, text)


def _region() -> str:
    import os

    found = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not found:
        raise InputError("no AWS region", key="--region", hint="give --region REGION, or set AWS_REGION")
    return found


def _door(bundle: Bundle, options: Options, region: str) -> Ask | None:
    """The door to AWS where something has to be asked: where the judge's profile computes, or its guardrail."""
    known = options.profile_regions or not bundle.model.startswith("bedrock:")
    if known and bundle.guardrail is None:
        return None
    try:
        return Cloud(region)
    except InputError:  # no credentials: what needs them says so
        return None


def cloudformation(deployment: Deployment, code_key: str) -> str:
    """The template: parameters for where the zip lies, then one resource after the other, each with a comment."""
    place, bundle = deployment.place, deployment.bundle
    head = (
        f"# {deployment.description}\n"
        f"# Written by `rftj reward template`; deploy it in {place.region}: the judge's models are named by region.\n"
        "# A new bundle gives a new template for the same stack. Versions and aliases of old ones are retained.\n"
    )
    outputs = {"RewardArn": {"Description": "For the training job", "Value": _reward_arn(deployment)}}
    start = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"Reward function {bundle.name}, by rftj",
        "Parameters": _parameters(code_key),
    }
    resources = "".join(f"\n  # {comment}\n{indented(one)}" for comment, one in _resources(deployment))
    return f"{head}{yaml_text(start)}\nResources:{resources}\n{yaml_text({'Outputs': outputs})}"


def _parameters(code_key: str) -> dict[str, Any]:
    return {
        "CodeBucket": {"Type": "String", "Description": "The S3 bucket that holds the zip, in this region"},
        "CodeKey": {"Type": "String", "Default": code_key, "Description": "Its key; another key for each zip"},
    }


def _resources(deployment: Deployment) -> list[tuple[str, dict[str, Any]]]:
    found = []
    if deployment.role_name is not None:
        found.append(("The function's role: the judge, its own log, and nothing else.", {"Role": _role(deployment)}))
    version = version_id(deployment)
    return [
        *found,
        ("Made here, so that its events are kept for a known time.", {"LogGroup": _log_group(deployment)}),
        ("The reward function.", {"Function": _function(deployment)}),
        (
            "A published version never changes. Its id here holds the fingerprint: another zip or setting, another id.",
            {version: _version(deployment)},
        ),
        (
            "Named by the judge's fingerprint, the reward's and the zip's hash.",
            {f"Alias{_digest(deployment.alias)}": _alias(deployment, version)},
        ),
    ]


def version_id(deployment: Deployment) -> str:
    """The version's logical id, which changes with the fingerprints, the zip and the settings."""
    return f"Version{_digest(canonical([deployment.alias, deployment.configuration, deployment.options.architecture]))}"


def _role(deployment: Deployment) -> dict[str, Any]:
    return {
        "Type": "AWS::IAM::Role",
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Retain",  # versions that stay need the role that they were published with
        "Properties": {
            "RoleName": deployment.role_name,
            "AssumeRolePolicyDocument": deployment.trust,
            "Policies": [{"PolicyName": POLICY_NAME, "PolicyDocument": deployment.policy}],
            "Tags": _tags(deployment.resource_tags),
        },
    }


def _log_group(deployment: Deployment) -> dict[str, Any]:
    return {
        "Type": "AWS::Logs::LogGroup",
        "DeletionPolicy": KEPT,
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "LogGroupName": deployment.place.log_group,
            "RetentionInDays": deployment.options.retention,
            "Tags": _tags(deployment.resource_tags),
        },
    }


def _function(deployment: Deployment) -> dict[str, Any]:
    options, settings = deployment.options, dict(deployment.configuration)
    if deployment.role_name is not None:
        settings["Role"] = tagged("!GetAtt", "Role.Arn")
    reserved = {} if options.reserved is None else {"ReservedConcurrentExecutions": options.reserved}
    return {
        "Type": "AWS::Lambda::Function",
        "DependsOn": "LogGroup",
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "FunctionName": deployment.place.function,
            "Description": deployment.description,
            "PackageType": "Zip",
            "Code": {"S3Bucket": tagged("!Ref", "CodeBucket"), "S3Key": tagged("!Ref", "CodeKey")},
            **settings,
            "Architectures": [options.architecture],
            **reserved,
            "Tags": _tags(deployment.tags),
        },
    }


def _version(deployment: Deployment) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Version",
        "DeletionPolicy": KEPT,
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "FunctionName": tagged("!Ref", "Function"),
            "CodeSha256": deployment.bundle.sha256,
            "Description": deployment.description,
        },
    }


def _alias(deployment: Deployment, version: str) -> dict[str, Any]:
    count = deployment.options.provisioned
    kept = {} if count is None else {"ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": count}}
    return {
        "Type": "AWS::Lambda::Alias",
        "DeletionPolicy": KEPT,
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "FunctionName": tagged("!Ref", "Function"),
            "Name": deployment.alias,
            "FunctionVersion": tagged("!GetAtt", f"{version}.Version"),
            "Description": deployment.description,
            **kept,
        },
    }


def _reward_arn(deployment: Deployment) -> Tagged:
    if deployment.pinned_by_name:
        return tagged("!GetAtt", "Function.Arn")
    if deployment.options.provisioned is not None:
        return tagged("!Ref", f"Alias{_digest(deployment.alias)}")
    return tagged("!Ref", version_id(deployment))


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _json(document: Mapping[str, Any] | None) -> str:
    return json.dumps(document, indent=2) + "\n"
