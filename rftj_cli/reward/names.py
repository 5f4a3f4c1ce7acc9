"""What a deployment is called: function, role, alias and ARNs, within the limits of AWS and of the training services.

Bedrock takes the ARN of a version, so its function keeps its name from rubric to rubric. SageMaker's SDK takes an ARN
without a version only: there the fingerprint stands in the function's name, and a changed rubric is another function.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

from rftj_cli.errors import InputError
from rftj_cli.kernel.canonical import digest
from rftj_cli.reward.bundle import Bundle

TARGETS: Final = ("bedrock", "sagemaker", "hyperpod")
LONGEST: Final = 64
HYPERPOD: Final = "SageMaker"  # Nova Forge's check of a deployment is case-sensitive
_PARTITIONS: Final = (
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("eusc-", "aws-eusc"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("us-isof-", "aws-iso-f"),
    ("eu-isoe-", "aws-iso-e"),
)
_REGION: Final = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d\Z")


def partition_of(region: str) -> str:
    """`aws`, `aws-cn`, `aws-us-gov`, ..."""
    return next((partition for prefix, partition in _PARTITIONS if region.startswith(prefix)), "aws")


def check_region_name(region: str, key: str = "--region") -> str:
    """The region. Raises `InputError` where no region is called so."""
    if not _REGION.match(region):
        raise InputError("no AWS region is called so", key=key, found=region, expected="a name like us-east-1")
    return region


def check_account(account: str) -> str:
    """The account. Raises `InputError` where it is not 12 digits."""
    if not re.fullmatch(r"[0-9]{12}", account):
        raise InputError("no AWS account is called so", key="--account", found=account, expected="12 digits")
    return account


def hex_sha256(bundle: Bundle) -> str:
    """The zip's SHA-256 in hexadecimal."""
    return base64.b64decode(bundle.sha256).hex()


def alias_of(bundle: Bundle) -> str:
    """`fp-<judge>-<reward>-<zip>`: 12, 12 and 8 hexadecimal digits of the two fingerprints and of the zip's hash."""
    return f"fp-{bundle.judge_fingerprint[:12]}-{bundle.reward_fingerprint[:12]}-{hex_sha256(bundle)[:8]}"


def short_fingerprint(bundle: Bundle) -> str:
    """10 hexadecimal digits that change with either fingerprint and with the zip."""
    return _hash(f"{bundle.judge_fingerprint} {bundle.reward_fingerprint} {bundle.sha256}", 10)


def is_pinned_by_name(target: str) -> bool:
    """Whether the training service takes no version in the ARN, so that the function's name holds the fingerprint."""
    return target != "bedrock"


def function_name(bundle: Bundle, given: str | None = None) -> str:
    """The function's name: `rftj-NAME`, or the given one; with the fingerprint where the ARN can carry no version."""
    stem = _stem(bundle) if given is None else _checked(given, bundle.target)
    if not is_pinned_by_name(bundle.target):
        return stem if given is not None else shortened(stem, LONGEST)
    end = f"-{short_fingerprint(bundle)}"
    if given is not None and len(given) + len(end) > LONGEST:
        raise InputError(
            "a name too long",
            key="--function",
            found=given,
            expected=f"at most {LONGEST - len(end)} characters, "
            f"as `{end}` is added: {bundle.target} takes no version in the ARN",
        )
    return shortened(stem, LONGEST - len(end)) + end


def role_name(bundle: Bundle, function: str, region: str) -> str:
    """The execution role's name: roles are the account's, functions a region's.

    A function that is pinned by version has a role for each judge and place of records: versions keep the role that they
    were published with, and a policy that was changed for a new one would take the old one's judge from a running job.
    """
    if is_pinned_by_name(bundle.target):
        return shortened(f"{function}-{region}", LONGEST)
    needs = [bundle.model, list(bundle.allow_regions), bundle.guardrail, bundle.settings.get("record")]
    end = f"-{digest(needs)[:8]}"
    return shortened(f"{function}-{region}", LONGEST - len(end)) + end


def stack_name(function: str) -> str:
    """The function's name as CloudFormation takes it: letters, digits and -, a letter first."""
    name = function.replace("_", "-")
    return name if name[0].isalpha() else f"rftj-{name.lstrip('-')}"


def shortened(name: str, limit: int) -> str:
    """The name, or its beginning with a hash of all of it."""
    return name if len(name) <= limit else f"{name[: limit - 9].rstrip('-_')}-{_hash(name, 8)}"


def _stem(bundle: Bundle) -> str:
    plain = re.sub(r"[^a-zA-Z0-9_-]", "-", bundle.name)
    if plain != bundle.name:  # two rubrics must not meet in one function
        plain = f"{plain}-{_hash(bundle.name, 8)}"
    return f"rftj-{HYPERPOD}-{plain}" if bundle.target == "hyperpod" else f"rftj-{plain}"


def _checked(given: str, target: str) -> str:
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", given):
        raise InputError(
            "no Lambda function can be called so",
            key="--function",
            found=given,
            expected="a name of 1 to 64 letters, digits, - and _ (no ARN, no version)",
        )
    if target == "hyperpod" and HYPERPOD not in given:
        raise InputError(
            "HyperPod takes a function only if its name holds SageMaker, written so",
            key="--function",
            found=given,
            expected=f"for example rftj-{HYPERPOD}-{given}"[:80],
        )
    return given


def _hash(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]
