"""Reads, plans and executes a deployment: waits until AWS has settled, and says what was done where it stops half way."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from rftj_cli.cloud import Ask, Call, Cloud, CloudError
from rftj_cli.errors import CannotTell, InputError, Interrupted, RftjError
from rftj_cli.files.text import read_data
from rftj_cli.reward.bundle import Bundle
from rftj_cli.reward.existing import Found, find
from rftj_cli.reward.names import check_account, check_region_name
from rftj_cli.reward.plan import UNKNOWN_ACCOUNT, Options, planned
from rftj_cli.reward.step import Step
from rftj_cli.reward.steps import PUBLISHED, ZIP, DeployPlan, plan_steps

_PAUSE, _PATIENCE = 2.0, 60  # seconds between two looks, and looks
_PROVISIONING_LOOKS: Final = 450
_BUSY: Final = ("ResourceConflictException", "TooManyRequestsException", "ThrottlingException", "Throttling")


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployment that stands. `arn` is what the training job is given."""

    plan: DeployPlan
    version: str
    arn: str


def plan_offline(bundle: Bundle, options: Options, region: str | None, account: str | None) -> DeployPlan:
    """The plan for an account in which nothing exists yet; nobody is asked."""
    if region is None:
        raise InputError("no AWS region", key="--region", hint="give --region REGION, or set AWS_REGION")
    known = UNKNOWN_ACCOUNT if account is None else check_account(account)
    return plan_steps(planned(bundle, options, check_region_name(region), known), Found())


def plan_online(
    bundle: Bundle, options: Options, ask: Ask, region: str, account: str | None = None, *, take_over: bool = False
) -> DeployPlan:
    """The plan for this account as it is. `account`: the one that the credentials must belong to."""
    check_region_name(region)
    patient = _patiently(ask, time.sleep)
    own = str(patient(Call("sts", "get_caller_identity"))["Account"])
    if account is not None and check_account(account) != own:
        raise InputError("the credentials belong to another account", key="--account", found=own, expected=account)
    deployment = planned(bundle, options, region, own, patient)
    return plan_steps(deployment, find(deployment, patient), take_over=take_over)


def plan_deployment(
    bundle: Bundle,
    options: Options,
    region: str | None,
    account: str | None,
    *,
    dry_run: bool,
    offline: bool,
    take_over: bool,
) -> tuple[DeployPlan, Ask | None]:
    """The plan, and the door to AWS through which it is to be executed; None for a dry run."""
    if offline:
        import os

        return plan_offline(bundle, options, region or os.environ.get("AWS_REGION"), account), None
    cloud = Cloud(region)
    plan = plan_online(bundle, options, cloud, cloud.region, account, take_over=take_over)
    return plan, None if dry_run else cloud


def execute(
    plan: DeployPlan,
    ask: Ask,
    tell: Callable[[Step], None] = lambda step: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Deployed:
    """Make the calls of a plan, one after the other. `tell` hears of each step that is done.

    Raises `CannotTell` where AWS stops it, with what was done: what exists is found again by the next deployment.
    """
    patient, version = _patiently(ask, sleep), plan.version or ""
    filled: dict[object, object] = {ZIP: _zip(plan)} if any(_uploads(step) for step in plan.changes) else {}
    done: list[Step] = []
    for step in plan.changes:
        if step.call is None:
            continue
        try:
            answer = patient(replace(step.call, parameters=_filled(step.call.parameters, filled)))
            if step.call.operation == "publish_version":
                version = str(answer["Version"])
                filled[PUBLISHED] = version
            _settle(step, plan, version, patient, sleep)
        except CannotTell as error:
            raise CannotTell(_half_way(error, done, plan.changes)) from None
        except KeyboardInterrupt:
            raise Interrupted(_half_way(Interrupted("interrupted"), done, plan.changes)) from None
        done.append(step)
        tell(step)
    return Deployed(plan, version, plan.deployment.reward_arn(version))


def _zip(plan: DeployPlan) -> bytes:
    """The bytes of the bundle, if they are still those that were planned with."""
    from rftj_cli.reward.bundle import read_bundle

    path = plan.deployment.bundle.path
    if read_bundle(path).sha256 != plan.deployment.bundle.sha256:
        raise InputError("the bundle changed while its deployment was planned", file=path, hint="deploy again")
    return read_data(path, "bundle")


def _uploads(step: Step) -> bool:
    return step.call is not None and step.call.operation in ("create_function", "update_function_code")


def _filled(parameters: Mapping[str, Any], values: Mapping[object, object]) -> dict[str, Any]:
    """Parameters with what is known only now."""
    found: dict[str, Any] = {}
    for key, value in parameters.items():
        if isinstance(value, Mapping):
            found[key] = _filled(value, values)
        else:
            found[key] = values.get(value, value) if isinstance(value, (str, bytes)) else value
    return found


def _patiently(ask: Ask, sleep: Callable[[float], None]) -> Ask:
    """The door, trying again while a new role is not known everywhere yet, or a change is under way."""

    def patient(call: Call) -> dict[str, Any]:
        looks = 0
        while True:
            try:
                return ask(call)
            except CloudError as error:
                looks += 1
                if looks >= _worth(call, error):
                    raise
            sleep(_PAUSE)

    return patient


def _worth(call: Call, error: CloudError) -> int:
    """How often a call is worth trying that meets this error."""
    if error.code == "ResourceConflictException" and call.operation.startswith("create_"):
        return 1  # it exists: made by another hand since it was looked for
    if error.code == "InvalidParameterValueException" and "with weights" in error.said:
        return _PROVISIONING_LOOKS  # an alias with warm environments moves to its new version step by step
    unknown_role = error.code == "InvalidParameterValueException" and "assumed" in error.said
    return _PATIENCE if unknown_role or error.code in _BUSY else 1


def _settle(step: Step, plan: DeployPlan, version: str, ask: Ask, sleep: Callable[[float], None]) -> None:
    """Wait until what a step started is done. `version` is the one that is published by now."""
    name = {"FunctionName": plan.deployment.place.function}
    if step.then == "function":
        call = Call("lambda", "get_function_configuration", name)
        _wait(call, _function_state, ask, sleep, _PATIENCE * 5)
    elif step.then == "version":
        call = Call("lambda", "get_function_configuration", {**name, "Qualifier": version})
        _wait(call, _function_state, ask, sleep, _PATIENCE * 5)
    elif step.then == "provisioned":
        call = Call("lambda", "get_provisioned_concurrency_config", {**name, "Qualifier": plan.deployment.alias})
        _wait(call, _provisioned_state, ask, sleep, _PROVISIONING_LOOKS)


def _function_state(answer: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether a function is ready, and why it will not be."""
    failed = "Failed" in (answer.get("State"), answer.get("LastUpdateStatus"))
    why = answer.get("LastUpdateStatusReason") or answer.get("StateReason") or "no reason given"
    # Inactive: nobody has called it for weeks. It takes changes all the same, and the next call wakes it.
    ready = (
        answer.get("State", "Active") in ("Active", "Inactive")
        and answer.get("LastUpdateStatus", "Successful") == "Successful"
    )
    return ready, f"the function is not usable: {why}" if failed else ""


def _provisioned_state(answer: Mapping[str, Any]) -> tuple[bool, str]:
    failed = answer.get("Status") == "FAILED"
    why = f"provisioned concurrency failed: {answer.get('StatusReason', 'no reason given')}"
    return answer.get("Status") == "READY", why if failed else ""


def _wait(
    call: Call,
    state: Callable[[Mapping[str, Any]], tuple[bool, str]],
    ask: Ask,
    sleep: Callable[[float], None],
    looks: int,
) -> None:
    for _ in range(looks):
        ready, fault = state(ask(call))
        if fault:
            raise CannotTell(fault)
        if ready:
            return
        sleep(_PAUSE)
    raise CannotTell(f"{call.operation}: not ready after {looks * _PAUSE:.0f} s")


def _half_way(error: RftjError, done: list[Step], steps: tuple[Step, ...]) -> str:
    """What stopped the deployment, what was done, what was not."""
    rest = steps[len(done) :]
    lines = ["the deployment stopped half way", f"  {error}"]
    lines += [f"  done:     {step.effect} {step.about}" for step in done]
    lines += [f"  not done: {step.effect} {step.about}" for step in rest]
    refused = "AccessDenied" in getattr(error, "code", "") and rest[0].call and rest[0].call.service == "iam"
    if refused:
        lines.append(
            "  to deploy with a role that others made: --role ARN; `rftj reward template` writes what it needs"
        )
    return "\n".join([*lines, "  the same command goes on from here"])
