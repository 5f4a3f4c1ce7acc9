"""A prepared data set to a training job on Amazon Bedrock: a plan of calls, checked, shown, and then executed.

DIR (prepare.json) --plan_job--> JobPlan: uploads, the job --inspect the reward--> execute --> job.json
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rftj_cli import __version__
from rftj_cli.cloud import Ask, Call, CloudError, FunctionArn, check
from rftj_cli.errors import InputError
from rftj_cli.files.datasets import read_dataset, read_job, write_job
from rftj_cli.kernel.canonical import digest
from rftj_cli.rft.forecast import JudgeForecast, forecast
from rftj_cli.rft.settings import (
    ACCOUNT,
    BASE_MODEL,
    JOB_NAME,
    KMS,
    MODEL_NAME,
    OPEN_WEIGHT,
    ROLE,
    Hyper,
    matches,
    read_reward,
    read_s3,
)

SCHEMA: Final = "rftj.rft-job/1"
KIND: Final = "REINFORCEMENT_FINE_TUNING"
JUDGE_TAG: Final = "rftj:judge-fingerprint"
REWARD_TAG: Final = "rftj:reward-fingerprint"
_DENIED: Final = ("AccessDenied", "AccessDeniedException", "403")


@dataclass(frozen=True, slots=True)
class JobWish:
    """What the command line asks for. `bucket_owner` None: the account of the role."""

    folder: Path
    name: str
    role: str
    reward: str
    s3: str
    output: str | None = None
    base_model: str = "amazon.nova-2-lite-v1:0:256k"
    model_name: str | None = None
    kms_key: str | None = None
    bucket_owner: str | None = None
    hyper: Hyper = field(default_factory=Hyper)
    region: str | None = None
    run: str | None = None
    prices: Path | None = None
    allow_unpinned: bool = False


@dataclass(frozen=True, slots=True)
class JobPlan:
    """A job as data: the calls in their order, what the judge will cost, and what is to be said of it."""

    wish: JobWish
    manifest: Mapping[str, Any]
    reward: FunctionArn
    calls: tuple[Call, ...]
    forecast: JudgeForecast
    warnings: tuple[str, ...]

    @property
    def region(self) -> str:
        """Where the job runs: where the reward is."""
        return self.reward.region

    @property
    def token(self) -> str:
        """The same for the same job: AWS starts it once."""
        return str(self.calls[-1].parameters["clientRequestToken"])

    @property
    def before(self) -> str | None:
        """The ARN of exactly this job, where it was submitted already."""
        job = read_job(self.wish.folder)
        same = job is not None and job.get("client_request_token") == self.token
        return str(job["job_arn"]) if job is not None and same and job.get("job_arn") else None


@dataclass(frozen=True, slots=True)
class Submitted:
    """What came of a plan: the job, or (`job_arn` None) nothing, since it was only to be shown."""

    plan: JobPlan
    job_arn: str | None
    again: bool = False
    version: str | None = None
    warnings: tuple[str, ...] = ()


def plan_job(wish: JobWish) -> JobPlan:
    """The plan, every call checked by AWS's own model of it. Raises `InputError` for what cannot be; nothing is sent."""
    manifest, files = read_dataset(wish.folder)
    if wish.hyper.max_prompt_length is None:
        wish = replace(wish, hyper=replace(wish.hyper, max_prompt_length=int(manifest["max_prompt_length"])))
    if manifest.get("target") != "bedrock":
        raise InputError("this data was prepared for another target", file=wish.folder, key="target",
                         found=manifest.get("target"), expected="bedrock",
                         hint="a SageMaker training is started with SageMaker's own SDK")  # fmt: skip
    reward = read_reward(wish.reward, allow_unpinned=wish.allow_unpinned)
    if wish.region not in (None, reward.region):
        raise InputError("the job runs where its reward function is", key="--region", found=wish.region,
                         expected=reward.region)  # fmt: skip
    records = {name: int(part["records"]) for name, part in manifest["parts"].items()}
    judge = forecast(manifest, records, wish.hyper, wish.run, wish.prices)
    uploads, places = _uploads(wish, files)
    create = _creation(wish, manifest, places)
    calls = (*uploads, create)
    for call in calls:
        check(call)
    return JobPlan(wish, manifest, reward, calls, judge, tuple(_warnings(wish, manifest, reward)))


def _uploads(wish: JobWish, files: Mapping[str, bytes]) -> tuple[tuple[Call, ...], dict[str, str]]:
    """The uploads, and file name -> address. An address holds the hash of what is there: it is never written over."""
    bucket, prefix = read_s3(wish.s3, "--s3")
    role = ROLE.fullmatch(matches(ROLE, wish.role, "--role", "arn:aws:iam::ACCOUNT:role/NAME", 2048))
    assert role is not None
    owner = role[1] if wish.bucket_owner is None else matches(ACCOUNT, wish.bucket_owner, "--bucket-owner", "12 digits")
    encryption: dict[str, str] = {"ServerSideEncryption": "AES256"}
    if wish.kms_key is not None:
        key = matches(KMS, wish.kms_key, "--kms-key", "the id or ARN of a KMS key", 2048)
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    calls, places = [], {}
    for name, data in files.items():
        hashed = hashlib.sha256(data)
        place = "/".join(part for part in (prefix, hashed.hexdigest()[:12], name) if part)
        places[name] = f"s3://{bucket}/{place}"
        calls.append(
            Call("s3", "put_object", {
                "Bucket": bucket, "Key": place, "Body": data, "ContentType": "application/jsonl",
                "ChecksumSHA256": base64.b64encode(hashed.digest()).decode(), "ExpectedBucketOwner": owner, **encryption,
            })
        )  # fmt: skip
    return tuple(calls), places


def _creation(wish: JobWish, manifest: Mapping[str, Any], places: Mapping[str, str]) -> Call:
    read_s3(wish.output or wish.s3, "--output")
    tags = [{"key": key, "value": value} for key, value in _tags(manifest)]
    parameters: dict[str, Any] = {
        "jobName": matches(JOB_NAME, wish.name, "--name", "letters, digits, - + . (63 at most)"),
        "customModelName": matches(
            MODEL_NAME,
            wish.model_name or wish.name,
            "--model-name",
            "letters and digits, single - or _ between (63 at most)",
        ),
        "roleArn": wish.role,
        "baseModelIdentifier": matches(BASE_MODEL, wish.base_model, "--base-model", "a model id or ARN", 2048),
        "customizationType": KIND,
        "trainingDataConfig": {"s3Uri": places["train.jsonl"]},
        "outputDataConfig": {"s3Uri": wish.output or f"{wish.s3.rstrip('/')}/output"},
        "customizationConfig": {
            "rftConfig": {
                "graderConfig": {"lambdaGrader": {"lambdaArn": wish.reward}},
                "hyperParameters": wish.hyper.parameters,
            }
        },
        "jobTags": tags,
        "customModelTags": tags,
    }
    if "eval.jsonl" in places:
        parameters["validationDataConfig"] = {"validators": [{"s3Uri": places["eval.jsonl"]}]}
    return Call(
        "bedrock",
        "create_model_customization_job",
        {**parameters, "clientRequestToken": f"rftj-{digest(parameters)[:40]}"},
    )


def _tags(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    rubric = manifest.get("rubric") or {}
    tags = [("rftj", __version__), ("rftj:train-sha256", manifest["parts"]["train"]["sha256"])]
    if "eval" in manifest["parts"]:
        tags.append(("rftj:eval-sha256", manifest["parts"]["eval"]["sha256"]))
    if rubric:
        tags += [(JUDGE_TAG, rubric["judge_fingerprint"]), (REWARD_TAG, rubric["reward_fingerprint"])]
    return tags


def _warnings(wish: JobWish, manifest: Mapping[str, Any], reward: FunctionArn) -> list[str]:
    found = []
    if not reward.pinned:
        what = (
            "no version"
            if reward.qualifier in (None, "$LATEST")
            else f"the alias {reward.qualifier}, which can be moved"
        )
        found.append(f"the reward is pinned to {what}: what the training was rewarded for may not be known later")
    most, checked = wish.hyper.max_prompt_length or 0, int(manifest["max_prompt_length"])
    if most < checked:
        found.append(
            f"--max-prompt-length {most:,} is less than the {checked:,} that the data was checked against: more prompts may "
            "be dropped"
        )
    if wish.base_model.startswith(OPEN_WEIGHT):
        found.append("AWS documents another API for open-weight models (bedrock-mantle, OpenAI's fine_tuning.jobs)")
    if manifest.get("rubric") is None:
        found.append("the data was prepared without --rubric: nothing proves that the reward reads what was measured")
    if reward.account != wish.role.split(":")[4]:
        found.append("the role and the reward function are in different accounts")
    return found


def inspect(plan: JobPlan, ask: Ask) -> tuple[str | None, tuple[str, ...]]:
    """The version that the reward has now, and what is to be said of it.

    Raises `InputError` where the function or its version does not exist, or holds another rubric than the data's.
    """
    try:
        found = ask(Call("lambda", "get_function", {"FunctionName": plan.reward.arn}))
    except CloudError as error:
        if error.code in _DENIED:
            return None, (f"the reward function could not be looked at: {error.said or error.code}",)
        if error.code == "ResourceNotFoundException":
            raise InputError("no such function, or no such version of it", key="--reward", found=plan.reward.arn,
                             hint="`rftj reward deploy` publishes one and prints its ARN") from None  # fmt: skip
        raise
    configuration = found.get("Configuration", {})
    _refuse_other_rubric(plan, str(configuration.get("Description", "")), found.get("Tags") or {})
    notes = []
    state = configuration.get("State")
    if state not in (None, "Active", "Inactive"):
        notes.append(f"the reward function is not ready: {state}")
    return str(configuration.get("Version") or "") or None, tuple(notes)


def _refuse_other_rubric(plan: JobPlan, description: str, tags: Mapping[str, str]) -> None:
    """The description is the version's own; tags are the function's, and tell of its last version."""
    rubric = plan.manifest.get("rubric") or {}
    words = description.split()
    for key, tag, word in (("judge_fingerprint", JUDGE_TAG, "judge"), ("reward_fingerprint", REWARD_TAG, "reward")):
        known = (
            [words[at + 1] for at, one in enumerate(words[:-1]) if one == word][-1:] if words[:1] == ["rftj"] else []
        )
        there = (known or [tags.get(tag, "")])[0]
        ours = str(rubric.get(key, ""))
        if there and ours and not ours.startswith(there):
            raise InputError(
                "the reward function was made from another rubric than the data was prepared with", key=key,
                found=there[:12], expected=ours[:12], hint="prepare the data again, or deploy the rubric",
            )  # fmt: skip


def execute(plan: JobPlan, ask: Ask, told: Callable[[str], None] = lambda line: None) -> Submitted:
    """Look at the reward, upload, start the job, and note it beside the data. A repeat starts no second job."""
    if plan.before is not None:
        return Submitted(plan, plan.before, again=True)
    version, notes = inspect(plan, ask)
    for call in plan.calls[:-1]:
        ask(call)
        told(f"uploaded s3://{call.parameters['Bucket']}/{call.parameters['Key']}")
    try:
        arn = str(ask(plan.calls[-1])["jobArn"])
    except CloudError as error:
        if error.code in ("ConflictException", "ResourceInUseException"):
            raise InputError("there is a job or a model of this name already", key="--name", found=plan.wish.name,
                             hint=error.said) from None  # fmt: skip
        raise
    write_job(plan.wish.folder, _job(plan, arn, version))
    return Submitted(plan, arn, version=version, warnings=notes)


def _job(plan: JobPlan, arn: str, version: str | None) -> dict[str, Any]:
    create = dict(plan.calls[-1].parameters)
    token = create.pop("clientRequestToken")
    return {
        "schema": SCHEMA,
        "job_arn": arn,
        "job_name": create["jobName"],
        "region": plan.region,
        "submitted": datetime.now(UTC).isoformat(timespec="seconds"),
        "rftj": __version__,
        "reward_version": version,
        "client_request_token": token,
        "rubric": plan.manifest.get("rubric"),
        "data": {name: part["sha256"] for name, part in plan.manifest["parts"].items()},
        "parameters": create,
    }
