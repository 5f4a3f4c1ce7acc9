"""Rubrics as they stood in git: `HEAD~1:prompts/x.yaml`, with the prompt and schema files that they name."""

from __future__ import annotations

import posixpath
import subprocess
from pathlib import Path

from rftj_cli.errors import InputError, nearest
from rftj_cli.files.rubrics import load_rubric
from rftj_cli.kernel.rubric import Rubric


def is_revision(name: str) -> bool:
    """Whether a name means a file in a git revision, as git writes it, and no file here."""
    revision, colon, path = name.partition(":")
    return bool(revision and colon and path) and not Path(name).exists()


def load_revision(name: str, overrides: tuple[str, ...] = ()) -> Rubric:
    """The rubric `REVISION:PATH`. Raises `InputError` where git does not know the one or the other."""
    revision, _, path = name.partition(":")
    if revision.startswith("-"):
        raise InputError("not a git revision", found=revision, expected="for example HEAD~1:prompts/judge.yaml")
    answer = _git("rev-parse", "--quiet", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    if answer.returncode:
        wrong = answer.stderr.decode(errors="replace").strip().removeprefix("fatal: ")
        raise InputError("no such git revision", found=revision, hint=wrong or "`git log --oneline` lists them")
    commit = answer.stdout.decode().strip()

    def read(file: Path, what: str) -> str:
        return _show(commit, revision, str(file).removeprefix(f"{revision}:"), what)

    return load_rubric(Path(f"{revision}:{path}"), overrides, read)


def _show(commit: str, revision: str, path: str, what: str) -> str:
    """The text of a file in a commit."""
    inside = posixpath.normpath(path)
    relative = "./" if path.startswith("./") else ""
    answer = _git("show", "--no-textconv", f"{commit}:{relative}{inside}")
    if answer.returncode:
        listed = _git("ls-tree", "-r", "--name-only", "--full-tree", "-z", commit).stdout.decode(errors="replace")
        raise InputError(
            f"no such {what} in this revision",
            file=Path(f"{revision}:{path}"),
            hint=nearest(inside, listed.split("\0")),
        )
    try:
        return answer.stdout.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("the file is not UTF-8", file=Path(f"{revision}:{path}")) from None


def _git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["git", *arguments], capture_output=True, check=False, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise InputError("git is not installed, so a revision cannot be read") from None
