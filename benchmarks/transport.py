"""Batches of judge calls: rftj beside boto3, OpenAI's SDK and other tools, each as a whole process, one after another.

    python benchmarks/transport.py [--calls 10000] [--latency 0.2,1.0] [--concurrency 256] [--only NAME,...]

The server is a process of its own and answers after a fixed latency. From start-up to end of each client: wall clock,
CPU seconds and peak memory, its child processes included. The ideal is calls / concurrency * latency. Other people's
tools are installed into a cache folder, once; they make fewer calls, so their ideal is smaller. benchmarks/README.md
says what each column means.
"""

from __future__ import annotations

import argparse
import compileall
import dataclasses
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from peers import task
from peers.clients import CLIENTS, Client, environment
from peers.install import InstallError
from peers.process import ROOT, measured, serving
from peers.report import Row, machine, table

WARM = 8  # calls of the run before the first one that counts


@dataclasses.dataclass(frozen=True)
class Setting:
    """What all clients are asked to do in one table."""

    calls: int
    peer_calls: int
    concurrency: int
    latency: float

    def title(self) -> str:
        many = f"{self.calls:,} calls" + (f" ({self.peer_calls:,} for peers)" if self.peer_calls != self.calls else "")
        return f"{many} of {self.latency * 1000:g} ms at concurrency {self.concurrency}"


@dataclasses.dataclass(frozen=True)
class Bench:
    """Where things are kept while the benchmark runs, and how long one client may take."""

    cache: Path
    scratch: Path
    limit: float

    def row(self, client: Client, setting: Setting) -> Row:
        calls = setting.peer_calls if client.peer else setting.calls
        empty = Row(client.title, calls, setting.concurrency, setting.latency)
        with tempfile.TemporaryDirectory(dir=self.scratch) as name, serving(setting.latency, task.REPLY) as server:
            job = task.Job(Path(name), self.scratch / "home", server.url, calls, setting.concurrency)
            task.write(job)
            plan = client.plan(self.cache, job)
            variables = environment(job, plan.environment)
            used, output, errors = measured(plan.command, job.folder, variables, server.process.pid, self.limit)
            try:
                verdicts, trouble = plan.verdicts(job, output), ""
            except (ValueError, LookupError, OSError):
                verdicts, trouble = 0, f"exit code {used.code}: {last_words(output, errors)}"
        if used.killed:
            trouble = f"stopped after {self.limit:g} s"
        return dataclasses.replace(
            empty,
            wall=used.wall,
            cpu=used.cpu,
            megabytes=used.megabytes,
            connections=used.connections,
            server_cpu=server.cpu,
            others_cpu=None if used.rest is None else max(0.0, used.rest - server.cpu),
            requests=server.requests,
            verdicts=verdicts,
            trouble=trouble,
        )


def last_words(output: str, errors: str) -> str:
    """Why a client ended without its verdicts, as far as it tells."""
    try:
        text = str(json.loads(output)["message"])  # rftj's --json
    except (ValueError, LookupError, TypeError):
        text = (errors.strip() or output.strip() or "it says nothing").splitlines()[-1]
    return text if len(text) < 200 else f"{text[:200]}..."


def main() -> None:
    given = arguments()
    compileall.compile_dir(ROOT / "rftj_cli", quiet=1)
    settings = [Setting(given.calls, given.peer_calls, given.concurrency, latency) for latency in given.latency]
    if given.judgings:
        settings.append(Setting(given.judgings, given.judgings, 200, 0.2))
    with tempfile.TemporaryDirectory(prefix="rftj-bench-") as name:
        bench = Bench(given.cache.resolve(), Path(name), given.limit)
        (bench.scratch / "home").mkdir()
        versions, missing = made_ready(given.only, bench)
        tables = {setting: rows(bench, setting, given.only, missing) for setting in settings}
    facts = {**machine(), "versions": versions}
    show(tables, facts, given.markdown)
    if given.json:
        given.json.write_text(json.dumps(document(tables, facts), indent=1) + "\n")
    sys.exit(any(row.answers != "all" for found in tables.values() for row in found))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument(
        "--peer-calls", type=int, default=2000, help="calls of tools that take tens of ms of CPU a call"
    )
    parser.add_argument("--latency", type=by_comma(float), action="extend", help="seconds, by comma (default: 0.2,1.0)")
    parser.add_argument("--concurrency", type=int, default=256)
    parser.add_argument("--judgings", type=int, default=2000, help="calls of the last table, of 200 ms at 200; 0: none")
    names = [client.name for client in CLIENTS]
    parser.add_argument("--only", type=by_comma(str), default=names, metavar="NAME,...", help=", ".join(names))
    parser.add_argument("--limit", type=float, default=1800, help="seconds after which a client is stopped")
    parser.add_argument("--cache", type=Path, default=ROOT / ".bench", help="where other tools are installed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there, too")
    parser.add_argument("--markdown", action="store_true", help="tables in Markdown")
    given = parser.parse_args()
    given.latency = given.latency or [0.2, 1.0]
    if unknown := set(given.only) - set(names):
        parser.error(f"--only: unknown: {', '.join(sorted(unknown))}; known: {', '.join(names)}")
    return given


def by_comma(kind: Callable[[str], object]) -> Callable[[str], list[object]]:
    return lambda text: [kind(part) for part in text.split(",")]


def made_ready(only: Sequence[str], bench: Bench) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Installs every client and runs it once, uncounted: the versions, and why others cannot run."""
    versions: dict[str, list[str]] = {}
    missing: dict[str, str] = {}
    for client in (client for client in CLIENTS if client.name in only):
        progress(f"{client.title}: making ready")
        try:
            versions[client.title] = client.ready(bench.cache)
        except InstallError as error:
            missing[client.name] = f"not run: {error}"
            continue
        row = bench.row(client, Setting(WARM, WARM, WARM, 0.0))
        if row.answers != "all":
            progress(f"{client.title}: {row.answers}")
    return versions, missing


def rows(bench: Bench, setting: Setting, only: Sequence[str], missing: dict[str, str]) -> list[Row]:
    found = []
    for client in (client for client in CLIENTS if client.name in only):
        calls = setting.peer_calls if client.peer else setting.calls
        if client.name in missing:
            row = Row(client.title, calls, setting.concurrency, setting.latency, trouble=missing[client.name])
        else:
            progress(f"{client.title}: {calls:,} calls of {setting.latency * 1000:g} ms")
            row = bench.row(client, setting)
        found.append(row)
    return found


def show(tables: dict[Setting, list[Row]], facts: Mapping[str, object], markdown: bool) -> None:
    for setting, found in tables.items():
        print(f"{'### ' if markdown else ''}{setting.title()}\n\n{table(found, markdown)}\n")
    versions = facts["versions"]
    assert isinstance(versions, dict)
    named = dict.fromkeys(version for found in versions.values() for version in found)
    print(f"{facts['processor']}, {facts['cores']} cores, Python {facts['python']}, {facts['system']}, {facts['date']}")
    print(", ".join(named))


def document(tables: dict[Setting, list[Row]], facts: Mapping[str, object]) -> dict[str, object]:
    runs = [
        {**dataclasses.asdict(row), "ideal": row.ideal, "answers": row.answers}
        for found in tables.values()
        for row in found
    ]
    return {**facts, "runs": runs}


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
