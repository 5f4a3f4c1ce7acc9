"""IAM documents of a deployment: what the function may do, who may take its role, and what the training role needs.

Least privilege: the judge's model and nothing else of Bedrock, the function's own log group, and where answers are
recorded the one prefix. The same documents go to the API, into CloudFormation and into files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rftj_cli.errors import InputError
from rftj_cli.reward.names import partition_of

Document = dict[str, Any]
_VERSION: Final = "2012-10-17"
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")
_KEY: Final = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+\Z")
TRUST: Final[Document] = {
    "Version": _VERSION,
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}


@dataclass(frozen=True, slots=True)
class Judge:
    """What the function calls on Bedrock: the models' ARNs and, where they are called through a profile, its ARN."""

    models: tuple[str, ...]
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a function stands: `account` may be a placeholder where it is not known."""

    region: str
    account: str
    function: str

    @property
    def partition(self) -> str:
        return partition_of(self.region)

    def arn(self, service: str, resource: str) -> str:
        """An ARN in this region and account."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    @property
    def function_arn(self) -> str:
        return self.arn("lambda", f"function:{self.function}")

    @property
    def log_group(self) -> str:
        return f"/aws/lambda/{self.function}"


def execution_policy(
    place: Place,
    judge: Judge | None,
    *,
    guardrails: Sequence[str] = (),
    record: Mapping[str, Any] | None = None,
    reads_profile: bool = False,
) -> Document:
    """What the function may do. `reads_profile`: the kernel asks where a profile computes (`allow_regions`)."""
    found = [] if judge is None else _judge(judge, reads_profile)
    if guardrails:
        found.append(_allow("Guardrail", ["bedrock:ApplyGuardrail"], guardrails))
    logs = place.arn("logs", f"log-group:{place.log_group}:*")
    found.append(_allow("OwnLog", ["logs:CreateLogStream", "logs:PutLogEvents"], [logs]))
    if record is not None:
        found += _record(place, record)
    return {"Version": _VERSION, "Statement": found}


def training_policy(place: Place, qualifiers: Sequence[str]) -> Document:
    """What the role of the training job needs: to invoke exactly this function. No qualifier: the function itself."""
    arns = [f"{place.function_arn}:{one}" for one in qualifiers] or [place.function_arn]
    return {"Version": _VERSION, "Statement": [_allow("Reward", ["lambda:InvokeFunction"], arns)]}


def _judge(judge: Judge, reads_profile: bool) -> list[Document]:
    if judge.profile is None:
        return [_allow("Judge", ["bedrock:InvokeModel"], judge.models)]
    found = [
        _allow("JudgeProfile", ["bedrock:InvokeModel"], [judge.profile]),
        {
            **_allow("JudgeModelsThroughTheProfile", ["bedrock:InvokeModel"], judge.models),
            "Condition": {"StringEquals": {"bedrock:InferenceProfileArn": judge.profile}},
        },
    ]
    if reads_profile:
        found.append(_allow("WhereTheProfileComputes", ["bedrock:GetInferenceProfile"], [judge.profile]))
    return found


def _record(place: Place, record: Mapping[str, Any]) -> list[Document]:
    bucket, prefix, key = record.get("bucket"), str(record.get("prefix") or ""), record.get("kms_key")
    if not bucket:
        raise InputError("the bundle records answers, but names no bucket", key="settings.record.bucket", found=bucket)
    if not _BUCKET.match(str(bucket)) or any(mark in prefix for mark in "*?$"):
        raise InputError(
            "no bucket is called so, or IAM would read the prefix as a pattern",
            key="settings.record",
            found=f"{bucket}/{prefix}",
        )
    if key and not _KEY.match(str(key)):  # an alias' ARN is well-formed there, and allows nothing
        raise InputError(
            "a key's policy needs the key's own ARN, not an alias",
            key="settings.record.kms_key",
            found=key,
            expected="arn:aws:kms:REGION:ACCOUNT:key/ID",
            hint="aws kms describe-key --key-id ALIAS tells it; build the bundle again with it",
        )
    found = [_allow("Record", ["s3:PutObject"], [f"arn:{place.partition}:s3:::{bucket}/{prefix}*"])]
    if key:
        found.append(_allow("RecordKey", ["kms:GenerateDataKey"], [str(key)]))
    return found


def _allow(sid: str, actions: Sequence[str], resources: Sequence[str]) -> Document:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": actions[0] if len(actions) == 1 else list(actions),
        "Resource": resources[0] if len(resources) == 1 else list(resources),
    }
