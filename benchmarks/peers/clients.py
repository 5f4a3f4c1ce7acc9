"""Every client of the benchmark: how it is got, how it is run, and how many verdicts it then reports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from peers import install
from peers.process import ROOT
from peers.task import MODEL, PROFILE, REGION, VERDICT, Job

HERE = Path(__file__).parent
DROPPED = ("AWS_", "OPENAI_", "RFTJ_", "INSPECT_", "PROMPTFOO_", "PYTHON")  # the caller's own settings
QUIET = {"PROMPTFOO_DISABLE_TELEMETRY", "PROMPTFOO_DISABLE_UPDATE", "PROMPTFOO_DISABLE_REMOTE_GENERATION"}
SIGNED = {"AWS_ACCESS_KEY_ID": "fake", "AWS_SECRET_ACCESS_KEY": "fake"}
BEARER = {"AWS_BEARER_TOKEN_BEDROCK": "fake"}


@dataclass(frozen=True)
class Plan:
    """One command, the environment variables it needs, and the verdicts that its output tells of."""

    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    verdicts: Callable[[Job, str], int] = lambda job, output: int(
        json.loads(output.strip().splitlines()[-1])["verdicts"]
    )


@dataclass(frozen=True)
class Client:
    """`ready` installs it and returns its versions, or raises InstallError; `plan` says how a job is run."""

    name: str
    title: str
    ready: Callable[[Path], list[str]]
    plan: Callable[[Path, Job], Plan]
    peer: bool = False


def environment(job: Job, more: Mapping[str, str]) -> dict[str, str]:
    """The caller's, without settings for any client, proxies and a home."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(DROPPED) and not name.lower().endswith("_proxy")
    }
    return {**kept, "HOME": str(job.home), "AWS_EC2_METADATA_DISABLED": "true", **more}


def rftj(model: str, more: Mapping[str, str], *options: str) -> Callable[[Path, Job], Plan]:
    def plan(cache: Path, job: Job) -> Plan:
        command = [sys.executable, "-m", "rftj_cli", "score", "rubric.yaml", "samples.jsonl", "--run", "run", "--fresh"]
        command += ["--workers", str(job.concurrency), "--set", f"judge.model={model}", "--json", "--quiet", *options]
        urls = {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": job.url, "OPENAI_BASE_URL": f"{job.url}/v1"}
        return Plan(command, {"PYTHONPATH": str(ROOT), "OPENAI_API_KEY": "fake", **urls, **more}, rftj_verdicts)

    return plan


def rftj_verdicts(job: Job, output: str) -> int:
    return int(json.loads(output)["counts"].get("stage_verdict", 0))


def rftj_ready(*flags: str) -> Callable[[Path], list[str]]:
    def ready(cache: Path) -> list[str]:
        told = subprocess.run(
            [sys.executable, "-m", "rftj_cli", "score", "--help"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        for flag in flags:
            if flag not in told.stdout:
                raise install.InstallError(f"`rftj score` has no {flag}")
        return install.python_versions(Path(sys.executable), "rftj", "boto3", "urllib3", "pycurl")

    return ready


def boto3_plan(cache: Path, job: Job) -> Plan:
    script = str(HERE / "boto3_threads.py")
    return Plan([sys.executable, script, job.url, str(job.prompts), str(job.concurrency)], SIGNED)


def openai_ready(cache: Path) -> list[str]:
    interpreter = install.python(cache, "openai", "openai[aiohttp]")
    return install.python_versions(interpreter, "openai", "aiohttp")


def openai_plan(*more: str) -> Callable[[Path, Job], Plan]:
    def plan(cache: Path, job: Job) -> Plan:
        interpreter, script = install.python(cache, "openai"), str(HERE / "openai_sdk.py")
        return Plan([str(interpreter), script, f"{job.url}/v1", str(job.prompts), str(job.concurrency), *more])

    return plan


def inspect_ready(cache: Path) -> list[str]:
    interpreter = install.python(cache, "inspect-ai", "inspect-ai", "openai")
    return install.python_versions(interpreter, "inspect-ai", "openai")


def inspect_plan(cache: Path, job: Job) -> Plan:
    interpreter, script = install.python(cache, "inspect-ai"), str(HERE / "inspect_eval.py")
    arguments = [f"{job.url}/v1", str(job.prompts), str(job.concurrency), str(job.folder / "logs")]
    return Plan([str(interpreter), script, *arguments], {"OPENAI_API_KEY": "fake"})


def promptfoo_ready(cache: Path) -> list[str]:
    return install.node_versions(install.node(cache, "promptfoo"))


def promptfoo_plan(cache: Path, job: Job) -> Plan:
    settings = {"apiBaseUrl": f"{job.url}/v1", "apiKey": "fake", "max_tokens": 512, "temperature": 0}
    config = {
        "prompts": ["{{text}}"],
        "providers": [{"id": f"openai:chat:{MODEL}", "config": settings}],
        "defaultTest": {"assert": [{"type": "contains", "value": VERDICT}]},
        "tests": [{"vars": json.loads(line)} for line in job.prompts.read_text().splitlines()],
    }
    (job.folder / "config.json").write_text(json.dumps(config))
    command = [str(install.node(cache, "promptfoo")), "eval", "-c", "config.json", "--no-cache"]
    command += [
        "-j",
        str(job.concurrency),
        "--no-table",
        "--no-progress-bar",
        "--no-share",
        "--no-write",
        "-o",
        "results.json",
    ]
    quiet = dict.fromkeys(QUIET, "1") | {"PROMPTFOO_CONFIG_DIR": str(job.home / "promptfoo")}
    return Plan(command, quiet, promptfoo_verdicts)


def promptfoo_verdicts(job: Job, output: str) -> int:
    results = json.loads((job.folder / "results.json").read_text())
    return int(results["results"]["stats"]["successes"])


BEDROCK = f"bedrock:{PROFILE}"
CLIENTS = (
    Client("rftj-openai", "rftj score, OpenAI", rftj_ready(), rftj(f"openai:{MODEL}", {})),
    Client("rftj-key", "rftj score, Bedrock, API key", rftj_ready(), rftj(BEDROCK, BEARER, "--region", REGION)),
    Client("rftj-sigv4", "rftj score, Bedrock, SigV4", rftj_ready(), rftj(BEDROCK, SIGNED, "--region", REGION)),
    Client(
        "rftj-boto3",
        "rftj score, Bedrock, boto3",
        rftj_ready("--transport"),
        rftj(BEDROCK, SIGNED, "--region", REGION, "--transport", "boto3"),
    ),
    Client("boto3", "boto3, threads", rftj_ready(), boto3_plan),
    Client("openai-sdk", "OpenAI SDK, async", openai_ready, openai_plan()),
    Client("openai-sdk-aiohttp", "OpenAI SDK, async, aiohttp", openai_ready, openai_plan("aiohttp")),
    Client("inspect-ai", "Inspect AI", inspect_ready, inspect_plan, peer=True),
    Client("promptfoo", "promptfoo", promptfoo_ready, promptfoo_plan, peer=True),
)
