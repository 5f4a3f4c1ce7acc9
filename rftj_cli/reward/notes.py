"""What a plan's reader should know beside its steps: which fingerprint changed, what is paid on, what else is needed."""

from __future__ import annotations

from rftj_cli.reward.existing import Found
from rftj_cli.reward.names import hex_sha256
from rftj_cli.reward.plan import JUDGE_TAG, NAME_TAG, REWARD_TAG, ZIP_TAG, Deployment


def notes(deployment: Deployment, found: Found, version: str | None) -> tuple[str, ...]:
    """Sentences, the most important first."""
    return (
        *_changed(deployment, found, version),
        *_taken_over(found, version),
        *_concurrency(deployment, found),
        *_paid(deployment, found),
        *_service(deployment),
        *_elsewhere(deployment),
    )


def _changed(deployment: Deployment, found: Found, version: str | None) -> list[str]:
    """Which fingerprint is another than the one that the function's tags name."""
    before, bundle = found.tags, deployment.bundle
    if before.get(NAME_TAG, bundle.name) != bundle.name:
        return [f"the function held another rubric before: {before[NAME_TAG]}; its versions stay"]
    if found.function is None or JUDGE_TAG not in before or version is not None:
        return []
    named = {"judge": (JUDGE_TAG, bundle.judge_fingerprint), "reward": (REWARD_TAG, bundle.reward_fingerprint)}
    other = [
        f"the {name} fingerprint changed: {before.get(tag, '?')[:12]} -> {now[:12]}"
        for name, (tag, now) in named.items()
        if before.get(tag) != now
    ]
    if other:
        same = "" if len(other) == 2 else f"; the {'reward' if 'judge' in other[0] else 'judge'} fingerprint did not"
        return [" and ".join(other) + same + ": old versions stay, a running job goes on with the one it named"]
    if before.get(ZIP_TAG) != hex_sha256(bundle):
        return ["the rubric is the same, the code is not: another version of rftj or of a library it packs"]
    now = found.function
    if all(now.get(key) == value for key, value in deployment.configuration.items()):
        return ["an earlier deployment of this zip stopped before its version was published: this one goes on"]
    return ["rubric and code are the same, the settings are not"]


def _taken_over(found: Found, version: str | None) -> list[str]:
    """What somebody else has set of the function, and what a new version therefore has as well. Names, no values."""
    now = found.function or {}
    variables = sorted((now.get("Environment") or {}).get("Variables") or {})
    layers = [str(one.get("Arn")) for one in now.get("Layers") or []]
    taken = [f"environment variables {', '.join(variables)}"] if variables else []
    taken += [f"layers {', '.join(layers)}"] if layers else []
    if version is not None or not taken:
        return []
    return [f"the new version takes over what was set of the function beside rftj: {'; '.join(taken)}"]


def _concurrency(deployment: Deployment, found: Found) -> list[str]:
    if deployment.options.reserved is None and found.reserved is not None:
        return [f"reserved concurrency {found.reserved:,} is kept as it is"]
    return []


def _paid(deployment: Deployment, found: Found) -> list[str]:
    name = deployment.place.function
    return [
        f"provisioned concurrency {count:,} of {other} goes on being paid; to end it: `aws lambda "
        f"delete-provisioned-concurrency-config --function-name {name} --qualifier {other}`"
        for other, count in sorted(found.provisioned.items())
        if other != deployment.alias
    ]


def _service(deployment: Deployment) -> list[str]:
    target, region = deployment.bundle.target, deployment.place.region
    if target == "hyperpod":
        endpoint = f"com.amazonaws.{region}.lambda"
        return [f"the cluster's VPC needs a VPC endpoint for Lambda ({endpoint}): HyperPod calls the function there"]
    if target == "sagemaker":
        return ["concurrency must be set in the recipe too: lambda_concurrency_limit"]
    return []


def _elsewhere(deployment: Deployment) -> list[str]:
    model = deployment.bundle.model
    if not model:
        return ["the reward has checks alone: the role may call no model, and none is called"]
    return [] if model.startswith("bedrock:") else [f"{model} is not on Bedrock: the role may call no model"]
