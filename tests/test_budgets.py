"""Limits that keep the code readable, and what it must never contain."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "rftj_cli"
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES, LONGEST_BODY = 300, 40
# The kernel is what Lambda runs: the standard library, and what the image is built with.
KERNEL_MAY = {"rftj_cli", "jinja2", "fastjsonschema", "boto3", "botocore", "py3langid"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def functions(path: Path) -> list[Function]:
    return [node for node in ast.walk(tree(path)) if isinstance(node, Function)]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_file_fits_a_few_screens(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < MOST_LINES


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_function_fits_a_screen(path: Path) -> None:
    long = {}
    for one in functions(path):
        body = one.body[1:] if ast.get_docstring(one) is not None else one.body
        lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0  # type: ignore[operator]
        if lines >= LONGEST_BODY:
            long[one.name] = lines
    assert not long


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_and_every_public_name_says_what_it_is(path: Path) -> None:
    module = tree(path)
    assert ast.get_docstring(module) or path.name == "__main__.py"
    named = (*(ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef),)
    silent = [
        one.name for one in module.body if isinstance(one, named) and one.name[0] != "_" and not ast.get_docstring(one)
    ]
    assert not silent


@pytest.mark.parametrize("path", sorted((PACKAGE / "kernel").rglob("*.py")), ids=name_of)
def test_the_kernel_imports_only_what_lambda_has(path: Path) -> None:
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    assert {one.partition(".")[0] for one in found} <= KERNEL_MAY | set(sys.stdlib_module_names)
    ours = {one for one in found if one.startswith("rftj_cli")}
    assert all(re.match(r"rftj_cli(\.kernel|\.errors|$)", one) for one in ours)


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_tests_replace_nothing() -> None:
    """Judges are faked at the network, and files are real: nothing of the product is patched away."""
    patched = re.compile(r"mock\.patch|from unittest import mock|import unittest\.mock|from unittest\.mock import")
    guilty = [
        name_of(path)
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if path != Path(__file__) and patched.search(path.read_text(encoding="utf-8"))
    ]
    assert guilty == []


def test_no_test_bounds_a_duration() -> None:
    """A loaded machine is slow: deadlines are tested with a clock of their own, complexity with `making.growth`."""
    clocks = {"monotonic", "perf_counter", "process_time", "time"}
    guilty = [
        f"{path}:{node.lineno}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Assert)
        for compared in ast.walk(node)
        if isinstance(compared, ast.Compare) and any(isinstance(op, (ast.Lt, ast.LtE)) for op in compared.ops)
        for one in ast.walk(compared)
        if isinstance(one, ast.Attribute)
        and isinstance(one.value, ast.Name)
        and one.value.id == "time"
        and one.attr in clocks
    ]
    assert not guilty


def test_no_file_knows_one_machine() -> None:
    places = re.compile(r"(?<![\w.])/(work|home|Users|root)/[\w.]+")
    allowed = re.compile(r"/home/(user|you|me|ubuntu|runner)\b")
    guilty = []
    for path in tracked():
        if path == Path(__file__) or path.suffix in (".parquet", ".png", ".gz"):
            continue
        text = path.read_text(encoding="utf-8", errors="ignore")
        guilty += [f"{name_of(path)}: {one.group()}" for one in places.finditer(text) if not allowed.match(one.group())]
    assert guilty == []
