"""What `rftj reward deploy` prints: the plan, each step as it is done, and the ARN for the training job."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from rftj_cli.cloud import Call
from rftj_cli.errors import counted
from rftj_cli.report import asking
from rftj_cli.report.blocks import Block, Entries, Facts, Heading, Lines
from rftj_cli.report.copied import advise
from rftj_cli.report.documents import show_json
from rftj_cli.reward.deploy import Deployed
from rftj_cli.reward.plan import Deployment
from rftj_cli.reward.step import Step
from rftj_cli.reward.steps import DeployPlan

SCHEMA: Final = "rftj.deployment/1"


def show_plan(plan: DeployPlan, *, json: bool, reviewed: bool) -> None:
    """Print the plan; `reviewed`: with all that the role may do. With `json` the one document comes at the end."""
    if json:
        return
    from rftj_cli.report import console

    console.show(list(_plan_blocks(plan, reviewed)))


def confirm(plan: DeployPlan, *, yes: bool, json: bool) -> None:
    """Ask whether to execute the plan. Raises `InputError` where nobody can answer, `Interrupted` for a no."""
    if plan.changes:
        asking.confirm(f"Execute the plan: {counted(len(plan.changes), 'change')}?", yes=yes, json=json)


def teller(*, quiet: bool) -> Callable[[Step], None]:
    """Says of each step that it is done."""
    tell = asking.teller(quiet=quiet)
    return lambda step: tell(f"done: {step.effect} {step.about}")


def show_result(plan: DeployPlan, deployed: Deployed | None, *, json: bool, quiet: bool) -> None:
    """Print where the reward function is; of a plan that was not executed, that nothing was done."""
    if json:
        show_json(document(plan, deployed))
        return
    from rftj_cli.report import console

    console.show(list(_result_blocks(plan, deployed)))
    if deployed is None:
        return
    print(deployed.arn)  # on one line, whatever the width: it is copied
    if not quiet:
        advise("next", f"rftj reward verify {deployed.arn} RUN")
        advise("then", f"rftj rft submit DIR --name JOB --role ARN --reward {deployed.arn} --s3 s3://BUCKET/PREFIX")


def document(plan: DeployPlan, deployed: Deployed | None) -> dict[str, Any]:
    """The plan, and what came of it, as plain data."""
    found, version = plan.deployment, plan.version if deployed is None else deployed.version
    return {
        "schema": SCHEMA,
        "status": "planned" if deployed is None else "deployed" if plan.changes else "unchanged",
        "arn": None if version is None else found.reward_arn(version),
        "version": version,
        "alias": found.alias,
        **deployment_document(found),
        "steps": [
            {"effect": one.effect, "about": one.about, "call": None if one.call is None else _call(one.call)}
            for one in plan.steps
        ],
        "execution_policy": found.policy,
        "training_policy": found.training_policy(version),
        "notes": list(plan.notes),
    }


def deployment_document(found: Deployment) -> dict[str, Any]:
    """What is deployed, as plain data; shared with `rftj reward template`."""
    bundle, options = found.bundle, found.options
    return {
        "bundle": {
            "path": str(bundle.path),
            "name": bundle.name,
            "target": bundle.target,
            "model": bundle.model,
            "judge_fingerprint": bundle.judge_fingerprint,
            "reward_fingerprint": bundle.reward_fingerprint,
            "code_sha256": bundle.sha256,
            "rftj": bundle.rftj,
        },
        "region": found.place.region,
        "account": found.place.account,
        "function": found.place.function,
        "configuration": {**found.configuration, "Architectures": [options.architecture]},
        "reserved_concurrency": options.reserved,
        "provisioned_concurrency": options.provisioned,
        "tags": found.tags,
    }


def about(found: Deployment) -> list[tuple[str, str]]:
    """The deployment in a few lines; shared with `rftj reward template`."""
    bundle, place = found.bundle, found.place
    fingerprints = f"judge {bundle.judge_fingerprint[:12]}, reward {bundle.reward_fingerprint[:12]}"
    return [
        ("function", f"{place.function} in {place.region}, account {place.account}"),
        ("rubric", f"{bundle.name}: {fingerprints}"),
        ("judge", bundle.model or "none: checks alone"),
        ("for", f"{bundle.target}; bundle of rftj {bundle.rftj}, {counted(bundle.size, 'byte')}"),
    ]


def permissions(policy: Mapping[str, Any] | None) -> Entries:
    """What a policy allows: actions, and under them what they are allowed on."""
    rows: list[tuple[str, list[str]]] = []
    for statement in (policy or {}).get("Statement", []):
        action, resource = statement["Action"], statement["Resource"]
        condition = statement.get("Condition", {}).get("StringEquals", {})
        lines = [resource] if isinstance(resource, str) else list(resource)
        lines += [f"only where {key} is {value}" for key, value in condition.items()]
        rows.append((action if isinstance(action, str) else ", ".join(action), lines))
    return Entries(rows)


def _plan_blocks(plan: DeployPlan, reviewed: bool) -> Iterator[Block]:
    yield Facts(about(plan.deployment))
    yield Heading(f"Plan: {counted(len(plan.changes), 'change')}" if plan.changes else "Plan: nothing to change")
    yield Facts([(step.effect, step.about) for step in plan.steps])
    if reviewed and plan.deployment.policy is not None:
        yield Heading("The function's role may")
        yield permissions(plan.deployment.policy)
    if plan.notes:
        yield Heading("Notes")
        yield Lines(plan.notes)


def _result_blocks(plan: DeployPlan, deployed: Deployed | None) -> Iterator[Block]:
    if deployed is None:
        yield Heading("Nothing was done: this is a plan")
        return
    yield Heading("Deployed" if plan.changes else "Deployed already")
    yield Facts(
        [
            ("version", f"{deployed.version}, alias {plan.deployment.alias}"),
            ("needs", "the training job's role must be allowed lambda:InvokeFunction on this ARN:"),
        ]
    )


def _call(call: Call) -> dict[str, Any]:
    return {"service": call.service, "operation": call.operation, "parameters": _readable(call.parameters)}


def _readable(value: Any) -> Any:
    """Parameters without bytes: the zip is named, not printed."""
    if isinstance(value, bytes):
        return value.decode("ascii", "replace")
    if isinstance(value, Mapping):
        return {key: _readable(one) for key, one in value.items()}
    return [_readable(one) for one in value] if isinstance(value, list) else value
