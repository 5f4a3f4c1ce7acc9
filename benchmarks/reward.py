"""The reward function as Lambda runs it: what its start costs beyond boto3, and what a sample costs once it is warm.

    python benchmarks/reward.py [--python python3.12] [--runs 7] [--samples 64] [--latency 0,1]

The bundle of a rubric is built and unpacked; each start is a process of its own without site-packages and without .pyc
files, as after a deployment. "Until it is ready" holds a boto3 client, by which the judge finds its URL. The judge is `rftj_cli.testing`'s, in a process of its own, over plain HTTP. Prints a Markdown
table: the median and the lowest of the runs. Own CPU is the process's user and system time during invocations; an
invocation before does not count. Run it alone on the machine.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from peers.process import serving
from peers.report import machine

from rftj_cli.files.zips import read_zip
from rftj_cli.kernel.compile import compile_rubric
from rftj_cli.reward.bundle import Packing, build

BOTO3 = ("boto3", "botocore", "jmespath", "s3transfer", "urllib3", "dateutil", "six")
REPLY = json.dumps(
    {"grounding": {"reason": "It is. " * 30, "level": "pass"}, "clarity": {"reason": "Yes.", "level": 4}}
)
RUBRIC: Mapping[str, Any] = {
    "name": "bench",
    "criteria": [
        {"id": "grounding", "question": "Is every risk that it names supported by the contract?", "weight": 2},
        {"id": "clarity", "question": "How clear is it?", "scale": {"min": 1, "max": 5}},
    ],
    "checks": [{"id": "short", "type": "max_words", "max": 500, "weight": 0.5}],
    "prompt": {"user": "{{ context | fence }}\n{{ prompt | fence }}\n{{ response | fence }}\n{{ criteria }}"},
    "judge": {"model": "bedrock:us.amazon.nova-2-lite-v1:0"},
    "reward": {"on_failure": {"service": 0, "content": 0}},
}
# One start. Prints, in ms: CPU of boto3's imports, CPU of the imports beyond them, CPU and wall of all until it is ready.
START = """
import sys, time
sys.dont_write_bytecode = True
sys.path[:0] = sys.argv[1:3]
began, clock = time.perf_counter(), time.process_time
first = clock()
import boto3, botocore.session, botocore.config, botocore.exceptions
second = clock()
from rftj_cli.kernel import bedrock, converse, dialect, handler, http
third = clock()
import lambda_function
print(*(1000 * one for one in (second - first, third - second, clock() - first, time.perf_counter() - began)))
"""
# One environment: an invocation that does not count, then those that do. Prints CPU and wall seconds of each.
WARM = """
import json, sys, time
sys.path[:0] = sys.argv[1:3]
import lambda_function
event = json.load(sys.stdin)
for run in range(int(sys.argv[3]) + 1):
    began, used = time.perf_counter(), time.process_time()
    found = lambda_function.lambda_handler(event, None)
    used, wall = time.process_time() - used, time.perf_counter() - began
    assert len(found) == len(event) and all(one["aggregate_reward_score"] > 0.5 for one in found), found[0]
    print("run", used, wall)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="the interpreter that runs the bundle")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--samples", type=int, default=64, help="rows of an invocation")
    parser.add_argument("--latency", default="0,1", help="seconds of the judge, by comma")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rftj-bench-") as name:
        folder = Path(name)
        bundle, packages = unpacked(folder)
        run = Runner(given.python, bundle, packages)
        rows = started(run, given.runs)
        for latency in (float(part) for part in given.latency.split(",")):
            rows += warm(run, given.samples, given.runs, latency)
    print("| what | median | lowest |\n|---|---|---|")
    for what, values, unit in rows:
        print(f"| {what} | {statistics.median(values):.3g} {unit} | {min(values):.3g} {unit} |")
    facts = machine()
    version = subprocess.run([given.python, "-V"], capture_output=True, text=True, check=True).stdout.strip()
    print(f"\n{facts['processor']}, {facts['cores']} cores, {version}, {facts['system']}, {facts['date']}")


class Runner:
    """An interpreter that sees the standard library, the bundle and boto3."""

    def __init__(self, python: str, bundle: Path, packages: Path) -> None:
        self.command = [python, "-I", "-S", "-B"]
        self.places = [str(bundle), str(packages)]

    def __call__(self, code: str, *arguments: str, url: str = "http://127.0.0.1:9", given: str = "") -> list[list[str]]:
        keys = {
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
            "AWS_SESSION_TOKEN": "t" * 400,
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": url,
        }
        done = subprocess.run(
            [*self.command, "-c", code, *self.places, *arguments],
            input=given, env={"PATH": os.environ["PATH"], **keys}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            sys.exit(done.stderr)
        return [line.split() for line in done.stdout.splitlines() if not line.startswith("{")]


Row = tuple[str, Sequence[float], str]


def started(run: Runner, runs: int) -> list[Row]:
    """What a cold start takes, without .pyc files of the bundle."""
    found = [[float(word) for word in run(START)[0]] for _ in range(runs)]
    whats = ("CPU of importing boto3", "CPU of all other imports", "CPU until it is ready", "until it is ready")
    return [(f"start: {what}", [line[column] for line in found], "ms") for column, what in enumerate(whats)]


def warm(run: Runner, samples: int, runs: int, latency: float) -> list[Row]:
    """What an invocation takes in an environment that has had one."""
    with serving(latency, REPLY) as server:
        lines = run(WARM, str(runs), url=server.url, given=json.dumps(event(samples)))
    counted = [(float(cpu), float(wall)) for _, cpu, wall in lines[1:]]
    what = f"{samples} samples, judge {latency:g} s"
    return [
        (f"{what}: own CPU a sample", [1000 * cpu / samples for cpu, _ in counted], "ms"),
        (f"{what}: the invocation", [wall for _, wall in counted], "s"),
    ]


def event(samples: int) -> list[dict[str, Any]]:
    """Rows of about 3 kB, eight answers to a prompt."""
    contract = "The supplier's liability is limited to the fees that were paid in the twelve months before. " * 20
    return [
        {
            "id": f"s{index}",
            "messages": [
                {"role": "user", "content": f"Which risks does clause {index // 8} hold?"},
                {
                    "role": "assistant",
                    "content": f"Answer {index}: the cap is too low for a breach of confidence. " * 15,
                },
            ],
            "metadata": {"context": contract, "reference_answer": "The cap."},
        }
        for index in range(samples)
    ]


def unpacked(folder: Path) -> tuple[Path, Path]:
    """The bundle's folder, and one that holds boto3 and what it needs as links."""
    path, bundle, packages = folder / "reward.zip", folder / "bundle", folder / "packages"
    path.write_bytes(build(compile_rubric(dict(RUBRIC)), Packing()))
    for name, content in read_zip(path).items():
        (bundle / name).parent.mkdir(parents=True, exist_ok=True)
        (bundle / name).write_bytes(content)
    packages.mkdir()
    for name in BOTO3:
        spec = importlib.util.find_spec(name)
        assert spec is not None and spec.origin is not None
        source = Path(spec.origin)
        source = source.parent if source.stem == "__init__" else source
        (packages / source.name).symlink_to(source)
    return bundle, packages


if __name__ == "__main__":
    main()
