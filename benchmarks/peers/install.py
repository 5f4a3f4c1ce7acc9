"""Other people's tools, each in a folder of its own below a cache folder; a second run installs nothing."""

from __future__ import annotations

import json
import subprocess
import venv
from pathlib import Path

ASK = """
import importlib.metadata as metadata, sys
known = {distribution.name.lower().replace("_", "-"): distribution.version for distribution in metadata.distributions()}
print(*(f"{name} {known[name]}" for name in sys.argv[1:] if name in known), sep="\\n")
"""


class InstallError(Exception):
    """A tool could not be installed; the message is the installer's last words."""


def python(cache: Path, name: str, *packages: str) -> Path:
    """The interpreter of a virtual environment with `packages`, the newest there are when it is made."""
    folder = cache / name
    stamp, interpreter = folder / "installed", folder / "bin" / "python"
    if not stamp.exists():
        venv.create(folder, with_pip=True, clear=True)
        run([str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages], folder)
        stamp.touch()
    return interpreter


def node(cache: Path, package: str) -> Path:
    """The command of an npm package."""
    folder = cache / package
    folder.mkdir(parents=True, exist_ok=True)
    stamp, command = folder / "installed", folder / "node_modules" / ".bin" / package
    if not stamp.exists():
        run(["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), package], folder)
        stamp.touch()
    return command


def python_versions(interpreter: Path, *packages: str) -> list[str]:
    """The versions of those of the packages that are there."""
    return run([str(interpreter), "-c", ASK, *packages], interpreter.parent).splitlines()


def node_versions(command: Path) -> list[str]:
    package = command.name
    manifest = command.parents[1] / package / "package.json"
    version = json.loads(manifest.read_text())["version"]
    return [f"{package} {version}", f"Node {run(['node', '--version'], command.parent)}"]


def run(command: list[str], folder: Path) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=1200)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallError(f"{command[0]}: {error}") from error
    if done.returncode:
        last = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()][-1:]
        raise InstallError(f"{Path(command[0]).name} ended with {done.returncode}: {''.join(last)}")
    return done.stdout.strip()
