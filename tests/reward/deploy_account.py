"""An AWS account for tests: moto behind the real `Cloud`, what moto lacks answered here, faults on demand."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from rftj_cli.cloud import Call, Cloud, CloudError, check

REGION = "us-east-1"
PROFILE = "us.amazon.nova-2-lite-v1:0"
DESTINATIONS = ("us-east-1", "us-east-2", "us-west-2")
READS = ("get_", "list_", "describe_", "head_")


def write_bundle(path: Path, **changed: Any) -> Path:
    """A small zip in the format of a bundle."""
    manifest = {
        "schema": "rftj.bundle/1",
        "rftj": "0.1.0",
        "name": "contract-review",
        "target": "bedrock",
        "model": f"bedrock:{PROFILE}",
        "allow_regions": [],
        "judge_fingerprint": "a1" * 32,
        "reward_fingerprint": "b2" * 32,
        "range": [0, 1],
        "guardrail": None,
        "settings": {"envelope": "list", "concurrency": 64, "record": None},
        "packages": {"jinja2": "3.1.6"},
        **changed,
    }
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(zipfile.ZipInfo("bundle.json"), json.dumps(manifest))
        file.writestr(zipfile.ZipInfo("lambda_function.py"), "def lambda_handler(event, context):\n    return []\n")
    return path


class Account:
    """Every call is held against AWS's own models, then goes to moto, or is answered here where moto cannot.

    `fail` maps an operation to the errors that its next calls meet, first one first.
    """

    def __init__(self, region: str = REGION) -> None:
        self.cloud, self.region = Cloud(region), region
        self.calls: list[Call] = []
        self.fail: dict[str, list[tuple[str, str]]] = {}
        self.unreserved = 1000
        self.provisioned: dict[str, int] = {}
        self.looks_until_ready = 1
        self.guardrails: dict[str, dict[str, Any]] = {}

    def __call__(self, call: Call) -> dict[str, Any]:
        check(call)
        self.calls.append(call)
        if self.fail.get(call.operation):
            raise CloudError(call, *self.fail[call.operation].pop(0))
        here = getattr(self, f"_{call.operation}", None)
        return here(dict(call.parameters)) if here is not None else self.cloud(call)

    @property
    def writes(self) -> list[str]:
        return [one.operation for one in self.calls if not one.operation.startswith(READS)]

    @property
    def services(self) -> set[str]:
        return {one.service for one in self.calls}

    def _get_account_settings(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": self.unreserved}}

    def _get_inference_profile(self, given: dict[str, Any]) -> dict[str, Any]:
        id = given["inferenceProfileIdentifier"]
        if id != PROFILE:
            call = Call("bedrock", "get_inference_profile", given)
            raise CloudError(call, "ResourceNotFoundException", "The profile was not found")
        models = [f"arn:aws:bedrock:{one}::foundation-model/amazon.nova-2-lite-v1:0" for one in DESTINATIONS]
        return {
            "inferenceProfileArn": f"arn:aws:bedrock:{self.region}:123456789012:inference-profile/{id}",
            "models": [{"modelArn": one} for one in models],
            "type": "SYSTEM_DEFINED",
        }

    def _get_guardrail(self, given: dict[str, Any]) -> dict[str, Any]:
        if given["guardrailIdentifier"] not in self.guardrails:
            call = Call("bedrock", "get_guardrail", given)
            raise CloudError(call, "ResourceNotFoundException", "The guardrail was not found")
        return self.guardrails[given["guardrailIdentifier"]]

    def _list_provisioned_concurrency_configs(self, given: dict[str, Any]) -> dict[str, Any]:
        arn = f"arn:aws:lambda:{self.region}:123456789012:function:{given['FunctionName']}"
        configs = [
            {"FunctionArn": f"{arn}:{alias}", "RequestedProvisionedConcurrentExecutions": count}
            for alias, count in self.provisioned.items()
        ]
        return {"ProvisionedConcurrencyConfigs": configs}

    def _put_provisioned_concurrency_config(self, given: dict[str, Any]) -> dict[str, Any]:
        self.provisioned[given["Qualifier"]] = given["ProvisionedConcurrentExecutions"]
        return {"Status": "IN_PROGRESS"}

    def _get_provisioned_concurrency_config(self, given: dict[str, Any]) -> dict[str, Any]:
        self.looks_until_ready -= 1
        return {"Status": "READY" if self.looks_until_ready <= 0 else "IN_PROGRESS"}


@contextmanager
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """An empty account, with credentials that lead nowhere else."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield Account()
