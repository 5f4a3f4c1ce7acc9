"""The steps of a deployment outside of Lambda: the execution role and the log group."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rftj_cli.cloud import Call
from rftj_cli.kernel.canonical import canonical
from rftj_cli.reward.plan import POLICY_NAME, Deployment
from rftj_cli.reward.step import Step

Existing = Mapping[str, Any] | None


def role_steps(deployment: Deployment, role: Existing, policy: Existing) -> list[Step]:
    """The role and its one policy. A role of the user's own is left alone: no call of IAM at all."""
    name = deployment.role_name
    if name is None:
        return [Step("leave", f"role {deployment.role}: yours; IAM is not touched")]
    steps = []
    trust = json.dumps(deployment.trust)
    if role is None:
        tags = [{"Key": key, "Value": value} for key, value in deployment.resource_tags.items()]
        made = {"RoleName": name, "AssumeRolePolicyDocument": trust, "Description": "Made by rftj", "Tags": tags}
        steps.append(Step("create", f"role {name}, which only Lambda may take", Call("iam", "create_role", made)))
    elif not _same(role.get("AssumeRolePolicyDocument"), deployment.trust):
        changed = {"RoleName": name, "PolicyDocument": trust}
        about = f"trust of role {name}: only Lambda may take it"
        steps.append(Step("update", about, Call("iam", "update_assume_role_policy", changed)))
    if not _same(policy, deployment.policy):
        put = {"RoleName": name, "PolicyName": POLICY_NAME, "PolicyDocument": json.dumps(deployment.policy)}
        about = f"its policy {POLICY_NAME}: {actions(deployment)}"
        steps.append(Step("create" if policy is None else "update", about, Call("iam", "put_role_policy", put)))
    return steps or [Step("leave", f"role {name} and its policy {POLICY_NAME}")]


def actions(deployment: Deployment) -> str:
    """The actions that the policy allows, each once."""
    found: dict[str, None] = {}
    for statement in (deployment.policy or {}).get("Statement", []):
        named = statement["Action"]
        found |= dict.fromkeys([named] if isinstance(named, str) else named)
    return ", ".join(found)


def log_steps(deployment: Deployment, group: Existing) -> list[Step]:
    """The log group and how long it keeps events. Nothing that is kept now is shortened: that would delete logs."""
    name, days = deployment.place.log_group, deployment.options.retention
    keep = Call("logs", "put_retention_policy", {"logGroupName": name, "retentionInDays": days})
    if group is None:
        made = Call("logs", "create_log_group", {"logGroupName": name, "tags": deployment.resource_tags})
        return [
            Step("create", f"log group {name}", made),
            Step("update", f"its events are kept for {days:,} days", keep),
        ]
    now = group.get("retentionInDays")
    if now is None and group.get("storedBytes"):
        return [Step("leave", f"log group {name}: kept for ever; to shorten that would delete logs")]
    if now is None or now < days:
        return [Step("update", f"log group {name}: kept for {now or 'ever'} -> {days:,} days", keep)]
    return [Step("leave", f"log group {name}: kept for {now:,} days")]


def _same(one: object, other: object) -> bool:
    """Whether two IAM documents are one; what cannot be read is another."""
    try:
        return canonical(json.loads(one) if isinstance(one, str) else one) == canonical(other)
    except ValueError:
        return False
