"""Agreement report on a large table: rftj next to judgegate 0.1.0, each in a process of its own.

    python benchmarks/table.py [--rows 1000000] [--repeat 3]

Prints a Markdown table of CPU seconds and peak memory; the lowest of the repeats counts. The data are generated, in a
temporary folder that is removed; judgegate is installed from PyPI into a virtual environment in the same place. It
reads JSON Lines and measures levels only, so rftj is run on that file, too, and alone on continuous scores. All readings of
the levels must give the same kappa, and both of the scores the same rank correlation.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PEER = "judgegate==0.1.0"
CONFIG = 'judge: {model: none, prompt: "{output}"}\nlabels: {values: [fail, pass]}\n'
TEXT = "the contract is governed by laws of a clause notice party term liability confidential breach cure"
GROUP = 4  # rows per group


@dataclass(frozen=True)
class Cost:
    """What one process used: CPU seconds, peak resident MB; and the kappa, or rank correlation, that it found."""

    seconds: float
    megabytes: float
    found: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3, help="runs of each; the cheapest counts")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rftj-bench-") as name:
        folder = Path(name)
        write_rows(folder, given.rows)
        costs = {what: cheapest(command, folder, given.repeat) for what, command in commands(folder).items()}
    found = {round(cost.found, 9) for cost in costs.values()}
    if len(found) != 2:
        sys.exit(f"the readings differ on kappa or on the rank correlation: {sorted(found)}")
    show(costs, given.rows, given.repeat)


def write_rows(folder: Path, rows: int) -> None:
    """The same rows as CSV and, with the keys that judgegate wants, as JSON Lines."""
    chance, words = random.Random(0), TEXT.split()
    with (folder / "t.csv").open("w", newline="") as one, (folder / "t.jsonl").open("w") as other:
        table = csv.writer(one)
        table.writerow(["id", "human", "judge", "label", "score", "group", "text"])
        for index in range(rows):
            human = chance.random() < 0.6
            judge = human if chance.random() < 0.88 else not human
            labels = ["pass" if passed else "fail" for passed in (human, judge)]
            group, text = f"g{index // GROUP}", " ".join(chance.choices(words, k=30))
            label = chance.random()
            scores = [f"{one:.6f}" for one in (label, label + chance.gauss(0, 0.2))]
            table.writerow([f"r{index}", *labels, *scores, group, text])
            row = {
                "id": f"r{index}",
                "human_label": labels[0],
                "judge_label": labels[1],
                "group": group,
                "output": text,
            }
            other.write(json.dumps(row) + "\n")


def commands(folder: Path) -> dict[str, list[str]]:
    """What is measured; judgegate comes first."""
    environment = folder / "venv"
    venv.create(environment, with_pip=True)
    subprocess.run([environment / "bin" / "pip", "install", "--quiet", PEER], check=True, stderr=subprocess.DEVNULL)
    (folder / "judge.yaml").write_text(CONFIG)
    peer = [str(environment / "bin" / "judgegate"), "verify", "t.jsonl", "--config", "judge.yaml", "--no-probes"]
    rftj = [sys.executable, "-m", "rftj_cli", "calibrate", "--json", "--table"]
    levels = ["t.csv", "--judge", "judge", "--human", "human"]
    scores = ["t.csv", "--judge", "score", "--human", "label"]
    return {
        f"{PEER.replace('==', ' ')}, levels, JSON Lines": [*peer, "--format", "json"],
        "rftj, levels, JSON Lines": [*rftj, "t.jsonl", "--judge", "judge_label", "--human", "human_label"],
        "rftj, levels": [*rftj, *levels],
        "rftj, levels, with groups": [*rftj, *levels, "--group", "group"],
        "rftj, continuous scores": [*rftj, *scores],
        "rftj, continuous scores, with groups": [*rftj, *scores, "--group", "group"],
    }


def cheapest(command: list[str], folder: Path, repeat: int) -> Cost:
    costs = [measured(command, folder) for _ in range(repeat)]
    return Cost(min(one.seconds for one in costs), min(one.megabytes for one in costs), costs[0].found)


def measured(command: list[str], folder: Path) -> Cost:
    """Run once. The exit code is the tool's verdict on the judge, so only a missing report is an error."""
    output = folder / "report.json"
    with output.open("w") as out, (folder / "errors").open("w") as errors:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=errors)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    try:
        found = found_in(json.loads(output.read_text()))
    except ValueError:
        sys.exit(f"{' '.join(command)}: exit {process.returncode}\n{(folder / 'errors').read_text()}")
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / unit, found)


def found_in(report: dict[str, Any]) -> float:
    if "criteria" in report:
        (criterion,) = report["criteria"].values()
        estimates = criterion["estimates"]
        return float(estimates["kappa" if "kappa" in estimates else "spearman"]["value"])
    return float(report["kappa"])


def show(costs: dict[str, Cost], rows: int, repeat: int) -> None:
    first, scores = next(iter(costs.values())), [*costs.values()][-1].found
    print(
        f"Agreement report on {rows:,} rows, {rows // GROUP:,} groups, best of {repeat}; kappa {first.found:.6f} in all rows of levels,"
    )
    print(f"rank correlation {scores:.6f} in both of scores. CSV but for JSON Lines.\n")
    print("| tool, input | CPU s | peak MB | times less CPU | times less memory |\n|---|---|---|---|---|")
    for what, cost in costs.items():
        ratios = f"{first.seconds / cost.seconds:.1f} | {first.megabytes / cost.megabytes:.1f}"
        alike = cost is not first and cost.found != scores  # the peer measures no scores
        print(f"| {what} | {cost.seconds:.2f} | {cost.megabytes:.0f} | {ratios if alike else '- | -'} |")
    today = datetime.datetime.now(tz=datetime.UTC).date()
    print(f"\n{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}, {today}")


def processor() -> str:
    """The name of the processor, where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
