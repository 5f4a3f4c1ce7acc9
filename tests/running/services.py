"""`score` against a fake service whose right answers differ from sample to sample, on either protocol."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from making import write_rows, write_rubric

from rftj_cli.errors import CannotTell
from rftj_cli.files.prices import Price
from rftj_cli.files.rubrics import load_rubric
from rftj_cli.files.runs import open_run
from rftj_cli.files.samples import SampleFile
from rftj_cli.kernel.outcome import Failure
from rftj_cli.running.live import Endpoint
from rftj_cli.running.score import Scored, Settings, score
from rftj_cli.testing import FakeJudgeServer

MODELS = {
    "openai": "openai:m",
    "bedrock": "bedrock:us.amazon.nova-2-lite-v1:0",
    "boto3": "bedrock:us.amazon.nova-2-lite-v1:0",
}
KEY = "bedrock-api-key-of-the-tests"
POISON = "poisonous-text"
SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCY"


def number_in(body: dict[str, Any]) -> int:
    """Which sample a request is about."""
    content = body["messages"][-1]["content"]
    text = content if isinstance(content, str) else "".join(block.get("text", "") for block in content)
    found = re.search(r"number (\d+)\.", text)
    assert found is not None
    return int(found[1])


def right(number: int) -> str:
    return "pass" if number % 3 else "fail"


def rule(body: dict[str, Any]) -> str:
    return json.dumps({"quality": {"reason": "because", "level": right(number_in(body))}})


def aws(patch: pytest.MonkeyPatch, folder: Path, url: str, protocol: str) -> None:
    """Credentials of the protocol in the environment, and nothing of this machine's."""
    for name in ("AWS_PROFILE", "AWS_BEARER_TOKEN_BEDROCK", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID"):
        patch.delenv(name, raising=False)
    patch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", url)
    patch.setenv("AWS_REGION", "us-east-1")
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    patch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
    if protocol == "bedrock":
        patch.setenv("AWS_BEARER_TOKEN_BEDROCK", KEY)
    else:
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


@dataclass
class Job:
    """One project folder, one service, one way to call it."""

    folder: Path
    server: FakeJudgeServer
    protocol: str
    samples: int = 200
    workers: int = 32
    timeout: float = 8.0
    changes: dict[str, Any] = field(default_factory=dict)
    poisoned: frozenset[int] = frozenset()  # samples whose text holds POISON

    def __post_init__(self) -> None:
        judge = {"model": MODELS[self.protocol], **self.changes.pop("judge", {})}
        write_rubric(self.folder, judge=judge, **self.changes)
        rows = [
            {"id": f"s{i}", "response": f"number {i}." + f" {POISON}" * (i in self.poisoned)}
            for i in range(self.samples)
        ]
        write_rows(self.folder / "samples.jsonl", rows)

    def score(self, *, price: Price | None = None, **settings: Any) -> Scored:
        """The command, in process."""
        rubric = load_rubric(self.folder / "rubric.yaml", ())
        base = self.server.base_url if self.protocol == "openai" else None
        transport = "boto3" if self.protocol == "boto3" else "auto"
        endpoint = Endpoint(rubric.judge, self.workers, base, None, self.timeout, transport)  # type: ignore[arg-type]
        given = Settings(
            endpoint.connect,
            endpoint.name,
            folder=self.folder / "run",
            workers=self.workers,
            timeout=self.timeout,
            price=price,
            **settings,
        )
        samples = SampleFile(self.folder / "samples.jsonl", rubric.kind)
        return score(rubric, self.folder / "rubric.yaml", samples, given)

    def ends(self, **settings: Any) -> CannotTell | None:
        """Score; what ended it early, if anything did."""
        try:
            self.score(**settings)
        except CannotTell as error:
            return error
        return None

    def outcomes(self) -> dict[int, str]:
        """Number of a sample -> its level, or `stage` of its failure; each exactly once in the store."""
        found: dict[int, str] = {}
        for row, outcome in open_run(str(self.folder / "run")).store().outcomes():
            number = int(row.sample.id[1:])
            assert number not in found
            done = outcome.outcome
            found[number] = done.stage if isinstance(done, Failure) else done.ratings[0].level
        return found

    @property
    def history(self) -> dict[str, Any]:
        """What the manifest keeps of the last command."""
        return open_run(str(self.folder / "run")).manifest.history[-1]
