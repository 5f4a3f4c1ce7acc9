"""The guided tour: runs the real commands on the bundled contract-review example, and tells what they find.

Every figure comes out of a command that was run just now, and every command is named, so that it can be run again.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rftj_cli.errors import InputError, RftjError
from rftj_cli.files.runs import read_manifest
from rftj_cli.judges.install import model_path

EXAMPLE = "contract-review"
VARIANTS = ("no-contract", "brief", "defined", "rating-1-10")
LOCAL_SAMPLES = 8
LOCAL_SECONDS = 120.0  # for the small model: it proves a path, and a busy machine must not wait for it
RULES = """\
# What this judge must reach before it may be used. Decided on the 95% bounds.
undecided: fail
criteria:
  grounding: {min: {kappa: 0.6, tnr: 0.8}}
  consistency: {min: {kappa: 0.6, tnr: 0.8}}
  actionability: {min: {agreement: 0.8}}
reward: {min: {pair_accuracy: 0.75}}
max_failures: 0.02
"""


@dataclass(slots=True)
class Tour:
    """What the demo ran and found: JSON documents of the commands, by name."""

    folder: Path
    commands: list[str] = field(default_factory=list)
    calibrations: dict[str, dict[str, Any]] = field(default_factory=dict)
    gates: dict[str, dict[str, Any]] = field(default_factory=dict)
    local: dict[str, Any] | None = None
    local_missing: str = ""
    local_samples: int = LOCAL_SAMPLES


def tour(folder: Path, say: Callable[[str], None]) -> Tour:
    """Lay the example out in `folder` and run the loop on it. `say` is told each command as it starts."""
    lay_out(folder)
    seen = Tour(folder)

    def rftj(*arguments: str, seconds: float | None = None) -> dict[str, Any]:
        seen.commands.append("rftj " + " ".join(arguments))
        say(seen.commands[-1])
        return run_command(folder, arguments, seconds)

    samples, labels = f"datasets/{EXAMPLE}/samples.jsonl", f"datasets/{EXAMPLE}/labels.jsonl"
    _live(seen, rftj, samples, labels)
    for name in VARIANTS:
        replies = f"datasets/{EXAMPLE}/replies/{name}.jsonl"
        run = f"runs/{name}"
        rftj("score", f"prompts/{EXAMPLE}/{name}.yaml", samples, "--import-replies", replies, "--run", run)
        truth = ["--truth-rubric", f"prompts/{EXAMPLE}/defined.yaml"] if name == "rating-1-10" else []
        seen.calibrations[name] = rftj("calibrate", run, "--labels", labels, *truth)
    for name in VARIANTS[:3]:
        seen.gates[name] = rftj("gate", f"runs/{name}", "--labels", labels, "--rules", "gate.yaml")
    say("")
    return seen


def _live(seen: Tour, rftj: Callable[..., dict[str, Any]], samples: str, labels: str) -> None:
    """The judges that run here and now: the lexical baseline on all samples, the small model on a few."""
    rubric = f"prompts/{EXAMPLE}/brief.yaml"
    rftj("score", rubric, samples, "--set", "judge.model=lexical", "--run", "runs/lexical")
    seen.calibrations["lexical"] = rftj("calibrate", "runs/lexical", "--labels", labels)
    if find_spec("xllamacpp") is None or not model_path().exists():
        seen.local_missing = "is not installed: pip install 'rftj[local]' && rftj local install"
        return
    few = f"datasets/{EXAMPLE}/samples-{LOCAL_SAMPLES}.jsonl"
    seen.local = rftj("score", rubric, few, "--set", "judge.model=local", "--run", "runs/local", seconds=LOCAL_SECONDS)
    if "this_command" not in seen.local:
        manifest = read_manifest(seen.folder / "runs" / "local")
        seen.local_samples = 0 if manifest is None else manifest.counts["judged"]
        if manifest is None or not seen.local_samples:
            seen.local, seen.local_missing = None, f"judged nothing in {LOCAL_SECONDS:g} s on this machine"
            return
        seen.local = {"this_command": manifest.history[-1]}
    seen.calibrations["local"] = rftj("calibrate", "runs/local", "--labels", labels, "--ignore-unknown")


def run_command(folder: Path, arguments: tuple[str, ...], seconds: float | None = None) -> dict[str, Any]:
    """The document of a command; after `seconds` it is told to stop, and what it says then is the error of that."""
    command = [sys.executable, "-m", "rftj_cli", *arguments, "--json"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    stopped = False
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        stopped = True
        process.terminate()  # it keeps what it has judged
        out, err = process.communicate()
    try:
        document: dict[str, Any] = json.loads(out)
    except ValueError:
        if stopped:  # before it had begun to listen
            return {}
        raise RftjError(f"`rftj {' '.join(arguments)}` printed no JSON:\n{out}\n{err}") from None
    if document.get("schema") == "rftj.error/1" and not stopped:
        raise InputError(f"`rftj {' '.join(arguments)}` failed: {document['message']}")
    return document


def example_root() -> Path:
    """Where the bundled example lies: in the installed package, or in the checkout."""
    package = Path(__file__).parent
    for root in (package / "examples", package.parent):
        if (root / "datasets" / EXAMPLE / "samples.jsonl").exists():
            return root
    raise RftjError("the bundled example is missing from this installation")


def lay_out(folder: Path) -> None:
    """Copy the example into `folder`; files that are there stay as they are, so that edits survive a second demo."""
    marker = folder / "datasets" / EXAMPLE / "samples.jsonl"
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not marker.exists())):
        what = "folder is not empty, and not a demo" if folder.is_dir() else "is not a folder"
        raise InputError(f"this {what}", file=folder, hint="name another one: rftj demo DIR")
    try:
        _copy_example(folder)
    except OSError as error:
        raise InputError(f"cannot write the example: {error.strerror}", file=error.filename or folder) from None


def _copy_example(folder: Path) -> None:
    root = example_root()
    for part in ("datasets", "prompts"):
        for source in sorted((root / part / EXAMPLE).rglob("*")):
            target = folder / part / EXAMPLE / source.relative_to(root / part / EXAMPLE)
            if source.is_file() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
    rules = folder / "gate.yaml"
    if not rules.exists():
        rules.write_text(RULES, encoding="utf-8")
    few = folder / "datasets" / EXAMPLE / f"samples-{LOCAL_SAMPLES}.jsonl"
    if not few.exists():
        lines = (few.parent / "samples.jsonl").read_text(encoding="utf-8").splitlines()[:LOCAL_SAMPLES]
        few.write_text("\n".join(lines) + "\n", encoding="utf-8")
