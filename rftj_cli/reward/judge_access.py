"""Which ARNs a judge on Bedrock is: the model's own, or a profile's with the models behind it, which only AWS knows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rftj_cli.cloud import Ask, Call, CloudError
from rftj_cli.errors import InputError
from rftj_cli.kernel.regions import is_profile
from rftj_cli.reward.names import check_region_name
from rftj_cli.reward.policies import Judge, Place

REGIONS_HINT: Final = (
    "give --profile-regions us-east-1,us-east-2,... (AWS lists them on the model's page), "
    "or AWS credentials that may call bedrock:GetInferenceProfile"
)
_GEOGRAPHY: Final = re.compile(r"(?:[a-z]{2}(?:-[a-z]+)*|apac|global)\.")
_KNOWN: Final = ("foundation-model", "provisioned-model", "custom-model", "custom-model-deployment", "imported-model")


@dataclass(frozen=True, slots=True)
class Profile:
    """An inference profile by what its id says: its ARN, its system-defined id ("" for an application's), its model."""

    arn: str
    id: str

    @property
    def model(self) -> str | None:
        """The model's id, where the profile's id says it."""
        return _GEOGRAPHY.sub("", self.id, count=1) if self.id else None

    @property
    def is_global(self) -> bool:
        return self.id.startswith("global.")


def judge_access(model: str, place: Place, ask: Ask | None, regions: Sequence[str]) -> Judge | None:
    """What the role must be allowed to invoke for `BACKEND:MODEL`; None where the judge is not on Bedrock.

    ask: puts a question to AWS; None where there are no credentials. regions: the profile's, as the user gives them.
    Raises `InputError` where a profile's regions are neither known nor given: never a wildcard.
    """
    backend, _, id = model.partition(":")
    if backend != "bedrock":
        return None
    if not _is_profile(id):
        return Judge((_model_arn(id, place),))
    profile = _profile(id, place)
    if regions:
        return Judge(_given(profile, place, regions), profile.arn)
    if ask is not None:
        return _asked(profile, place, ask, id)
    if profile.is_global and profile.model is not None:
        return Judge(_global(profile.model, place), profile.arn)
    raise InputError(
        "the judge is called through an inference profile, and which regions it computes in is not known",
        key="--profile-regions",
        found=id,
        hint=REGIONS_HINT if profile.id else "an application's profile names no model: AWS credentials are needed",
    )


def reads_profile(model: str, allow_regions: Sequence[str]) -> bool:
    """Whether the kernel asks AWS where the judge computes."""
    backend, _, id = model.partition(":")
    return backend == "bedrock" and bool(allow_regions) and _is_profile(id)


def _is_profile(id: str) -> bool:
    if id.startswith("arn:"):
        return "inference-profile" in id.split(":", 5)[-1].partition("/")[0]
    return id.startswith("global.") or is_profile(id, "", ())


def _profile(id: str, place: Place) -> Profile:
    if id.startswith("arn:"):
        kind, _, name = id.split(":", 5)[-1].partition("/")
        return Profile(id, name if kind == "inference-profile" else "")
    if "." in id:
        return Profile(place.arn("bedrock", f"inference-profile/{id}"), id)
    return Profile(place.arn("bedrock", f"application-inference-profile/{id}"), "")


def _model_arn(id: str, place: Place) -> str:
    if not id.startswith("arn:"):
        return _foundation(id, place, place.region)
    if id.split(":", 5)[-1].partition("/")[0] not in _KNOWN:
        raise InputError(
            "rftj knows no least-privilege policy for a judge of this kind",
            key="judge.model",
            found=id,
            expected="a model's id, an inference profile, or the ARN of " + ", ".join(_KNOWN),
        )
    return id


def _foundation(model: str, place: Place, region: str) -> str:
    return f"arn:{place.partition}:bedrock:{region}::foundation-model/{model}"


def _global(model: str, place: Place) -> tuple[str, ...]:
    """A global profile is authorised on the model in the calling region, and on the model without a region."""
    return _foundation(model, place, place.region), _foundation(model, place, "")


def _given(profile: Profile, place: Place, regions: Sequence[str]) -> tuple[str, ...]:
    if profile.model is None:
        raise InputError(
            "the regions of an application's profile do not say which model it calls",
            key="--profile-regions",
            found=profile.arn,
            hint="leave the option out, with AWS credentials: AWS is asked",
        )
    named = [check_region_name(one, "--profile-regions") for one in regions]
    models = {_foundation(profile.model, place, one): None for one in (place.region, *named)}
    return (*models, *([_foundation(profile.model, place, "")] if profile.is_global else []))


def _asked(profile: Profile, place: Place, ask: Ask, id: str) -> Judge:
    try:
        answer = ask(Call("bedrock", "get_inference_profile", {"inferenceProfileIdentifier": id}))
    except CloudError as error:
        if error.code in ("ResourceNotFoundException", "ValidationException"):
            raise InputError(
                f"AWS knows no such inference profile in {place.region}: {error.said}", key="judge.model", found=id
            ) from None
        if profile.is_global and profile.model is not None:
            return Judge(_global(profile.model, place), profile.arn)
        raise InputError(
            f"AWS does not say which regions the inference profile computes in ({error.code or error.said})",
            key="--profile-regions",
            found=id,
            hint=REGIONS_HINT,
        ) from None
    arns = [str(one["modelArn"]) for one in answer.get("models", []) if one.get("modelArn")]
    if not arns:
        raise InputError("AWS names no model behind the inference profile", key="judge.model", found=id)
    own = _foundation(arns[0].rpartition("/")[2], place, place.region)  # the calling region's is authorised too
    extra = [_foundation(profile.model, place, "")] if profile.is_global and profile.model is not None else []
    models = {arn: None for arn in (own, *sorted(arns), *extra)}
    return Judge(tuple(models), str(answer.get("inferenceProfileArn") or profile.arn))
