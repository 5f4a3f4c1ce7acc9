"""Agreement report on a large table: rftj beside judgegate 0.1.0, each in a process of its own.

    python benchmarks/table.py [--rows 1000000] [--repeat 3]

Prints a Markdown table of CPU seconds and peak memory; the lowest of the repeats counts. The data are generated, in a
temporary folder that is removed; judgegate is installed from PyPI into a virtual environment in the same place. It
reads JSON Lines only, so rftj is run on that file, too. Reading must give the same kappa.
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
GROUP = 4  # rows a group


@dataclass(frozen=True)
class Cost:
    """What one process used: CPU seconds, peak resident MB; and the kappa it found."""

    seconds: float
    megabytes: float
    kappa: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3, help="runs of each; the cheapest counts")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rftj-bench-") as name:
        folder = Path(name)
        write_rows(folder, given.rows)
        costs = {what: cheapest(command, folder, given.repeat) for what, command in commands(folder).items()}
    found = {round(cost.kappa, 9) for cost in costs.values()}
    if len(found) != 1:
        sys.exit(f"the tools differ on kappa: {sorted(found)}")
    show(costs, given.rows, given.repeat, found.pop())


def write_rows(folder: Path, rows: int) -> None:
    """The same rows as CSV and, with the keys that judgegate wants, as JSON Lines."""
    chance, words = random.Random(0), TEXT.split()
    with (folder / "t.csv").open("w", newline="") as one, (folder / "t.jsonl").open("w") as other:
        table = csv.writer(one)
        table.writerow(["id", "human", "judge", "seeded", "group", "text"])
        for index in range(rows):
            human = chance.random() < 0.6
            judge = human if chance.random() < 0.88 else not human
            labels = ["pass" if passed else "fail" for passed in (human, judge)]
            group, text = f"g{index // GROUP}", " ".join(chance.choices(words, k=30))
            table.writerow([f"r{index}", *labels, f"{chance.random():.6f}", group, text])
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
    csv_columns = ["t.csv", "--judge", "judge", "--human", "human"]
    return {
        f"{PEER.replace('==', ' ')}, JSON Lines": [*peer, "--format", "json"],
        "rftj, CSV": [*rftj, *csv_columns],
        "rftj, JSON Lines": [*rftj, "t.jsonl", "--judge", "judge_label", "--human", "human_label"],
        "rftj, CSV, intervals by cluster": [*rftj, *csv_columns, "--group", "group"],
    }


def cheapest(command: list[str], folder: Path, repeat: int) -> Cost:
    costs = [measured(command, folder) for _ in range(repeat)]
    return Cost(min(one.seconds for one in costs), min(one.megabytes for one in costs), costs[0].kappa)


def measured(command: list[str], folder: Path) -> Cost:
    """Run once. The exit code is the tool's verdict on the judge, so only a missing report is an error."""
    output = folder / "report.json"
    with output.open("w") as out, (folder / "errors").open("w") as errors:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=errors)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    try:
        kappa = kappa_of(json.loads(output.read_text()))
    except ValueError:
        sys.exit(f"{' '.join(command)}: exit {process.returncode}\n{(folder / 'errors').read_text()}")
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / unit, kappa)


def kappa_of(report: dict[str, Any]) -> float:
    if "criteria" in report:
        (criterion,) = report["criteria"].values()
        return float(criterion["estimates"]["kappa"]["value"])
    return float(report["kappa"])


def show(costs: dict[str, Cost], rows: int, repeat: int, kappa: float) -> None:
    peer = next(iter(costs.values()))
    print(f"Agreement report on {rows:,} rows, best of {repeat}; kappa {kappa:.6f} in all.\n")
    print("| tool, input | CPU s | peak MB | times less CPU | times less memory |\n|---|---|---|---|---|")
    for what, cost in costs.items():
        ratios = f"{peer.seconds / cost.seconds:.1f} | {peer.megabytes / cost.megabytes:.1f}"
        print(f"| {what} | {cost.seconds:.2f} | {cost.megabytes:.0f} | {'- | -' if cost is peer else ratios} |")
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
