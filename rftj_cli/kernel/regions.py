"""Where a call on Bedrock may compute, held to `judge.allow_regions`. Pure: whoever calls asks AWS for what is not known.

A model is computed in the region that is called. An inference profile may be computed in any region of its list, and
only AWS knows the list.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rftj_cli.errors import InputError, listed

_GEOGRAPHIC: Final = re.compile(
    r"([a-z]{2}(-[a-z]+)*|apac)\."
)  # us. eu. jp. us-gov. ...: no provider's name is so short
_FIXED: Final = ("foundation-model", "provisioned-model", "custom-model", "custom-model-deployment", "imported-model",
                 "endpoint")  # fmt: skip


def check_region(found: str | None, model: str, allowed: Sequence[str]) -> str:
    """The region to call. Raises `InputError` where there is none, and where it, or all that the model's id says of it,
    is not allowed."""
    if not found:
        raise InputError(
            "no AWS region for the judge on Bedrock",
            key="judge.model",
            hint="Give --region REGION, or set AWS_REGION, or a region in the AWS profile.",
        )
    if allowed and found not in allowed:
        raise _forbidden("the AWS region is not one of judge.allow_regions", found, allowed)
    if allowed and (model.startswith("global.") or "-profile/global." in model):
        raise InputError(
            "a global inference profile may compute in any region, which judge.allow_regions forbids",
            key="judge.model",
            found=model,
            hint="Name the profile of one geography, such as us. or eu., or the model itself.",
        )
    return found


def is_profile(model: str, region: str, allowed: Sequence[str]) -> bool:
    """Whether only AWS knows where the model computes. Raises `InputError` where its ARN names a forbidden region."""
    if not model.startswith("arn:"):
        return "." not in model or _GEOGRAPHIC.match(model) is not None
    parts = model.split(":", 5)
    kind = parts[-1].partition("/")[0]
    if "inference-profile" in kind:
        return True
    if kind not in _FIXED:
        raise unverified(model, "rftj does not know where such a resource computes")
    if (parts[3] or region) not in allowed:
        raise _forbidden("the model's region is not one of judge.allow_regions", parts[3], allowed)
    return False


def check_profile(model: str, arns: Sequence[str], allowed: Sequence[str]) -> None:
    """Raises `InputError` unless all the models that the profile's ARNs name stand in allowed regions."""
    regions = sorted({arn.split(":")[3] or "any region" for arn in arns if arn.count(":") >= 5})
    if not regions:
        raise unverified(model, "AWS names no region for it")
    outside = [region for region in regions if region not in allowed]
    if outside:
        raise InputError(
            f"the inference profile may compute outside of judge.allow_regions, in {listed(outside)}",
            key="judge.model",
            found=model,
            expected=f"a model or profile within {listed(list(allowed))}",
            hint="Name another profile or the model itself, or allow these regions in judge.allow_regions.",
        )


def unverified(model: str, why: str) -> InputError:
    """The error for a model whose regions cannot be found out."""
    return InputError(
        f"it cannot be verified that the model keeps to judge.allow_regions: {why}",
        key="judge.allow_regions",
        found=model,
        hint="Grant bedrock:GetInferenceProfile on it, or name a model that is not called through a profile, "
        "or take allow_regions out of the rubric.",
    )


def _forbidden(problem: str, found: str, allowed: Sequence[str]) -> InputError:
    return InputError(problem, key="judge.allow_regions", found=found, expected=listed(list(allowed)))
