"""The pages of the documentation as programs: their blocks are read, run, compared, and written again.

A page is run from top to bottom in one fresh folder that holds `datasets/` and `prompts/`:

    ```yaml          whose first line is `# file: NAME` is written to the folder
                     else it is a part of a rubric, laid over a small one and compiled; `# gate rules` first: gate rules
    <!-- file: NAME -->  before any other block writes that block
    ```console       `$ command` lines, each followed by what it prints (stdout and stderr as they come)
    ```bash, ```text are not touched

A plain `rftj ...` runs in this process, `echo $?` tells its exit code, everything else is left to bash. Before two
outputs are compared, what differs from run to run is replaced in both (`NORMAL`, `LONG`): durations, times, versions,
ports, sizes and hashes of zips, the folder, digits of long fractions beyond the sixth. A line `...` in the expected
output stands for any number of lines.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))
ELLIPSIS = "..."
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"<!-- file: (\S+) -->\n\Z")
SHELL = re.compile(r"[|<>;&$`*(){}]")
NORMAL = (
    (re.compile(r"\b\d+ h \d+ min\b|\b\d+ min \d\d s\b|\b\d+(\.\d+)? ?s\b"), "<time>"),
    (re.compile(r'("(?:seconds|latency_p\d+)": )(?:[\d.e-]+|null)'), r"\1<time>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d(T[\d:.]+(\+00:00|Z)?)?\b"), "<date>"),
    (re.compile(r'(rftj |"rftj_version": ")\d+\.\d+\.\d+\w*'), r"\1<version>"),
    (re.compile(r"\b[\d,]+ bytes|\b[\w+/]{43}="), "<of a zip>"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:<port>"),
    (re.compile(r"(?<![\d.])\d*\.?\d+ ms\b"), "<time>"),
    (re.compile(r"\b\d+ MB\b"), "<memory>"),
    (re.compile(r"[\d,]+(?= (judge calls|times) a minute)"), "<rate>"),
    (re.compile(r"[\d.]+ times(?=$| as long)"), "<factor> times"),
    (re.compile(r"((?:fp-[0-9a-f]{12}-[0-9a-f]{12})-)[0-9a-f]{8}\b"), r"\1<zip>"),
    (re.compile(r"-[0-9a-f]{12}\.zip|\bzip [0-9a-f]{8}\b"), "<zip>"),
    (re.compile(r"\b[\d,]+ bytes\b"), "<size>"),  # a bundle changes with the kernel in it
    (re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{43}="), "<sha256>"),
)
LONG = re.compile(r"\d+\.\d{7,}(?:e-?\d+)?")  # the last digits of JSON's numbers hang on the machine's arithmetic
SMALL: Mapping[str, Any] = {
    "name": "small",
    "criteria": [{"id": "quality", "question": "Is it good?"}],
    "prompt": {"user": "{{ response | fence }}\n{{ criteria }}"},
    "judge": {"model": "openai:any"},
}
SMALL_PAIR: Mapping[str, Any] = {
    "name": "small",
    "prompt": {"user": "{{ response_a | fence }}\n{{ response_b | fence }}"},
    "judge": {"model": "openai:any"},
}


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its text, and where the text stands in the page."""

    language: str
    text: str
    start: int
    end: int
    file: str | None


@dataclass(frozen=True)
class Step:
    """One command of a console block, with the output that the page shows."""

    command: str
    shown: list[str]


def blocks(page: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    for match in FENCE.finditer(page):
        text = match.group(2)
        marked = FILE.search(page[: match.start()])
        named = re.match(r"# file: (\S+)\n", text)
        file = marked.group(1) if marked else named.group(1) if named else None
        yield Block(match.group(1), text, match.start(2), match.end(2), file)


def steps(text: str) -> list[Step]:
    """The commands of a console block; a command that ends in a backslash goes on in the next line."""
    found: list[Step] = []
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("$ "):
            command = line[2:]
            while command.endswith("\\"):
                command += "\n" + next(lines)
            found.append(Step(command, []))
        elif found:
            found[-1].shown.append(line)
        else:
            raise ValueError(f"a console block begins with its output: {line!r}")
    return found


class Folder:
    """The folder in which one page runs."""

    def __init__(self, path: Path) -> None:
        self.path, self.code = path, 0
        for name in ("datasets", "prompts"):
            shutil.copytree(ROOT / name, path / name)

    def prepare(self, block: Block) -> str | None:
        """Write or compile a block that is no console block; what is wrong with it, if anything."""
        if block.file is not None:
            target = self.path / block.file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(re.sub(r"\A# file: \S+\n", "", block.text), encoding="utf-8")
        elif block.language == "yaml":
            return self._compiled(block.text)
        return None

    def _compiled(self, text: str) -> str | None:
        from rftj_cli.errors import InputError
        from rftj_cli.files.rubrics import load_rubric
        from rftj_cli.files.yamls import Document
        from rftj_cli.gate import compile_rules

        file = self.path / ".fragment.yaml"
        file.write_text(text, encoding="utf-8")
        try:
            data = Document(file, "example").data
            if text.startswith("# gate rules"):
                compile_rules(data)
            else:
                base = SMALL_PAIR if data.get("kind") == "preference" else SMALL
                whole = {
                    key: {**base[key], **data[key]} if key in ("prompt", "judge") and key in data else None
                    for key in base
                }
                merged = {**base, **data, **{key: value for key, value in whole.items() if value is not None}}
                file.write_text(yaml.safe_dump(merged, sort_keys=False), encoding="utf-8")
                load_rubric(file)
        except InputError as error:
            return str(error)
        finally:
            file.unlink()
        return None

    def run(self, command: str) -> list[str]:
        """What a command prints, line by line."""
        if command == "echo $?":
            return [str(self.code)]
        words = shlex.split(command.replace("\\\n", " "))
        out = io.StringIO()
        with self._surroundings():
            if words[0] == "rftj" and not SHELL.search(command):
                from rftj_cli.main import run

                with redirect_stdout(out), redirect_stderr(out):
                    self.code = run(words[1:])
                text = out.getvalue()
            else:
                done = subprocess.run(
                    ["bash", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
                )
                self.code, text = done.returncode, done.stdout
        text = text.replace(str(self.path), "/project")
        return [line.rstrip() for line in text.rstrip("\n").split("\n")] if text.strip() else []

    @contextmanager
    def _surroundings(self) -> Iterator[None]:
        """The page's folder, and an environment that knows no account, no endpoint and no terminal."""
        before, where = dict(os.environ), Path.cwd()
        for name in [name for name in os.environ if re.match(r"(AWS|OPENAI|RFTJ)_|CI$", name)]:
            del os.environ[name]
        nowhere = str(self.path / ".nowhere")
        os.environ |= {
            "COLUMNS": "100",
            "NO_COLOR": "1",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{before.get('PATH', '')}",
            "RFTJ_CACHE": nowhere,
            "AWS_CONFIG_FILE": nowhere,
            "AWS_SHARED_CREDENTIALS_FILE": nowhere,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        os.chdir(self.path)
        try:
            yield
        finally:
            os.chdir(where)
            os.environ.clear()
            os.environ.update(before)


def normal(line: str) -> str:
    """A line without what differs from run to run."""
    line = line.rstrip()
    for pattern, instead in NORMAL:
        line = pattern.sub(instead, line)
    return LONG.sub(lambda number: f"{float(number.group()):.6g}", line)


def same(shown: list[str], real: list[str]) -> bool:
    """Whether the output on the page is the real one; `...` stands for any number of lines."""
    parts: list[list[str]] = [[]]
    for line in shown:
        if line.strip() == ELLIPSIS:
            parts.append([])
        else:
            parts[-1].append(normal(line))
    lines = [normal(line) for line in real]
    if len(parts) == 1:
        return _trimmed(parts[0]) == _trimmed(lines)
    first, *middle, last = parts[0], *parts[1:-1], _trimmed(parts[-1])
    if lines[: len(first)] != first or (last and lines[-len(last) :] != last):
        return False
    at, end = len(first), len(lines) - len(last)
    for part in middle:
        found = next((i for i in range(at, end - len(part) + 1) if lines[i : i + len(part)] == part), None)
        if found is None:
            return False
        at = found + len(part)
    return at <= end


def _trimmed(lines: list[str]) -> list[str]:
    while lines and not lines[-1]:
        lines = lines[:-1]
    return lines


def difference(shown: list[str], real: list[str]) -> str:
    """The difference in words."""
    return "\n".join(unified_diff([normal(x) for x in shown], [normal(x) for x in real], "page", "real", lineterm=""))


def commands() -> dict[str, list[str]]:
    """Page of docs/commands -> the commands that it must describe: one page each, and for a group of one the group's."""
    from typer.main import get_command

    from rftj_cli.main import app

    found: dict[str, list[str]] = {}
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        if inner and len(inner) > 1:
            found |= {f"{name}-{one}": [f"{name} {one}"] for one in inner}
        else:
            found[name] = [f"{name} {one}" for one in inner] if inner else [name]
    return found


def help_of(command: str) -> str:
    """The real `--help`, between markers, as a page holds it."""
    out = io.StringIO()
    from rftj_cli.main import run

    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "100"
    try:
        with redirect_stdout(out), redirect_stderr(out):
            run([*command.split(), "--help"])
    finally:
        os.environ.pop("COLUMNS") if before is None else os.environ.update(COLUMNS=before)
    lines = "\n".join(line.rstrip() for line in out.getvalue().strip().splitlines())
    return f"<!-- help: rftj {command} -->\n```text\n{lines}\n```\n<!-- end of help -->"


HELP = re.compile(r"<!-- help: rftj ([\w -]+) -->\n.*?<!-- end of help -->", re.DOTALL)
