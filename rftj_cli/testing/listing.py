"""What is there to ask: the lists of models, and Bedrock's inference profiles."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import unquote

from rftj_cli.testing.problems import Canned, Problem, bedrock_problem

_GEOGRAPHIES: Final = frozenset({"us", "us-gov", "eu", "apac", "jp", "au", "ca", "sa", "me", "af", "global"})
_ACCOUNT: Final = "123456789012"
PROFILES: Final = "/inference-profiles/"


def openai_models(models: Sequence[str]) -> Canned:
    """GET /v1/models."""
    data = [{"id": model, "object": "model", "created": 0, "owned_by": "fake"} for model in models]
    return Canned(200, json.dumps({"object": "list", "data": data}))


def ollama_tags(models: Sequence[str]) -> Canned:
    """GET /api/tags."""
    found = [
        {"name": model, "model": model, "modified_at": "2026-01-01T00:00:00Z", "size": 0, "digest": "0" * 64}
        for model in models
    ]
    return Canned(200, json.dumps({"models": found}))


def inference_profile(path: str, profiles: Mapping[str, Sequence[str]]) -> Canned:
    """GET /inference-profiles/{id}, by id or ARN: the profile's model in each of its regions, or a 404."""
    asked = unquote(path.removeprefix(PROFILES))
    name = asked if asked in profiles else asked.rpartition("/")[2]
    if name not in profiles:
        missing = Problem(404, "ResourceNotFoundException", f"Could not find the inference profile {asked}.")
        return bedrock_problem(missing)
    id = name.rpartition("/")[2]
    geography, _, rest = id.partition(".")
    model = rest if geography in _GEOGRAPHIES else id if "." in id else f"fake.{id}"
    regions = profiles[name]
    home = next(iter(regions), "us-east-1")
    found = {
        "inferenceProfileName": id,
        "inferenceProfileId": id,
        "inferenceProfileArn": f"arn:aws:bedrock:{home}:{_ACCOUNT}:inference-profile/{id}",
        "models": [{"modelArn": f"arn:aws:bedrock:{region}::foundation-model/{model}"} for region in regions],
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
    }
    return Canned(200, json.dumps(found))
