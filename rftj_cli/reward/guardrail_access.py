"""Which ARNs a guardrail on Bedrock is: its own, and its profile's where it computes in several regions."""

from __future__ import annotations

from collections.abc import Sequence

from rftj_cli.cloud import Ask, Call, CloudError
from rftj_cli.errors import InputError
from rftj_cli.reward.policies import Place


def guardrail_access(
    guardrail: str | None, place: Place, ask: Ask | None, allow_regions: Sequence[str] = ()
) -> tuple[str, ...]:
    """What the role must be allowed to apply for ID:VERSION. ask: puts a question to AWS; None where nobody is asked.

    AWS says of a guardrail which profile it uses, and not in which regions: there the one profile is named for all of them.
    Raises `InputError` for a guardrail that does not exist, and for one that may compute outside of `allow_regions`.
    """
    if guardrail is None:
        return ()
    id, _, version = guardrail.rpartition(":")  # an id may be an ARN
    id, version = (id, version) if id else (guardrail, "DRAFT")
    own = id if id.startswith("arn:") else place.arn("bedrock", f"guardrail/{id}")
    profile = "" if ask is None else _profile(id, version, place, ask)
    if not profile:
        return (own,)
    if allow_regions:
        raise InputError(
            f"the guardrail may compute in several regions, through {profile}, which judge.allow_regions forbids",
            key="judge.guardrail",
            found=guardrail,
            hint="a guardrail without cross-region inference computes where it is called",
        )
    return own, f"arn:{place.partition}:bedrock:*:{place.account}:guardrail-profile/{profile}"


def _profile(id: str, version: str, place: Place, ask: Ask) -> str:
    """The profile's id; "" where there is none, or where these credentials may not see it."""
    try:
        found = ask(Call("bedrock", "get_guardrail", {"guardrailIdentifier": id, "guardrailVersion": version}))
    except CloudError as error:
        if error.code in ("ResourceNotFoundException", "ValidationException"):
            raise InputError(
                f"AWS knows no such guardrail in {place.region}: {error.said}",
                key="judge.guardrail",
                found=f"{id}:{version}",
            ) from None
        return ""
    return str((found.get("crossRegionDetails") or {}).get("guardrailProfileId") or "")
