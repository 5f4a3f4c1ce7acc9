"""What a spell of refusals costs: a healthy run, one with a spell of 429 in it, and the run after it.

    python benchmarks/spell.py [--calls 10000] [--spell 30] [--latency 0.05] [--concurrency 256]

The service is the fake one of `rftj_cli.testing`, over HTTP on this machine; for `--spell` seconds, from the moment that a
tenth of the calls is served, it answers every request with 429. Each run is a process of its own, over samples of its own,
with runs next to each other: so the following run begins with what the run before it has learned. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from rftj_cli.testing import FakeJudgeServer, Faults

ROOT = Path(__file__).resolve().parent.parent
REPLY = '{"quality": {"reason": "because", "level": "pass"}}'
RUBRIC = """name: spell
kind: rubric
judge: {model: "openai:fake-judge"}
prompt: {user: "Judge this: {{ response }}"}
criteria: [{id: quality, question: Is it good?, scale: pass_fail}]
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--spell", type=float, default=30.0, help="seconds")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds")
    parser.add_argument("--concurrency", type=int, default=256)
    given = parser.parse_args()
    print(f"{given.calls:,} calls of {given.latency * 1000:g} ms at concurrency {given.concurrency}\n")
    print("| run | wall s | without the spell s | requests | refused |\n|---|---|---|---|---|")
    for name, spells in (("healthy service", (0.0,)), (f"{given.spell:g} s of 429", (given.spell, 0.0))):
        with (
            tempfile.TemporaryDirectory(prefix="rftj-bench-") as folder,
            FakeJudgeServer(REPLY, latency=given.latency, keep=0) as server,
        ):
            Path(folder, "rubric.yaml").write_text(RUBRIC)
            for number, spell in enumerate(spells):
                before = server.requests, server.counts()["faults"].get("429", 0)
                wall = run(Path(folder), number, given.calls, given.concurrency, server, spell)
                requests, refused = server.requests - before[0], server.counts()["faults"].get("429", 0) - before[1]
                row = name if number == 0 else "the run after it"
                print(f"| {row} | {wall:.1f} | {wall - spell:.1f} | {requests:,} | {refused:,} |", flush=True)


def run(folder: Path, number: int, calls: int, workers: int, server: FakeJudgeServer, spell: float) -> float:
    """Seconds of wall clock of one `score`; everything must be judged."""
    samples = folder / f"samples{number}.jsonl"
    rows = (json.dumps({"id": f"r{number}-{i}", "response": f"answer {number} {i}"}) for i in range(calls))
    samples.write_text("\n".join(rows) + "\n")
    over = threading.Event()
    if spell:
        threading.Thread(target=refuse, args=(server, server.requests + calls // 10, spell, over), daemon=True).start()
    command = [
        sys.executable, "-m", "rftj_cli", "score", "rubric.yaml", samples.name, "--run", f"runs/{number}",
        "--base-url", server.base_url, "--workers", str(workers), "--json", "--quiet",
    ]  # fmt: skip
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "OPENAI_API_KEY": "EMPTY"}
    began = time.monotonic()
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    wall = time.monotonic() - began
    over.set()
    document = json.loads(done.stdout) if done.stdout else {}
    if done.returncode or document.get("counts", {}).get("stage_verdict") != calls:
        sys.exit(f"exit code {done.returncode}: {done.stdout[-500:]}{done.stderr[-2000:]}")
    return wall


def refuse(server: FakeJudgeServer, after: int, seconds: float, over: threading.Event) -> None:
    """Answer with 429 for a while, once so many requests have come."""
    while server.requests < after and not over.wait(0.01):
        pass
    server.faults = Faults(rate=1.0, kinds=("429",))
    over.wait(seconds)
    server.faults = Faults()


if __name__ == "__main__":
    main()
