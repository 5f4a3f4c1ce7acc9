"""Rubric files: YAML to `Rubric`, with the files it refers to, and `--set` overrides."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from rftj_cli.errors import InputError
from rftj_cli.files.rewriting import end_of
from rftj_cli.files.text import Reader, read_text
from rftj_cli.files.yamls import Document, Loader
from rftj_cli.kernel.compile import compile_rubric
from rftj_cli.kernel.rubric import Rubric


def load_rubric(path: Path, overrides: tuple[str, ...] = (), read: Reader = read_text) -> Rubric:
    """The rubric in a YAML file, with `key.path=value` overrides applied. Raises `InputError` with file, line and key.

    read: how its text, and that of the files it names, is had: from the disk, or from a git revision
    """
    document = Document(path, "rubric", read)
    data = document.data
    try:
        for override in overrides:
            _override(data, override)
        _inline_prompt(data, path, read)
        _inline_schemas(data, path, read)
        return compile_rubric(data)
    except InputError as error:
        raise document.locate(error) from None


def recompiled(source: Mapping[str, Any], overrides: tuple[str, ...] = ()) -> Rubric:
    """The rubric in the plain data that a run keeps of it, with overrides applied."""
    data = copy.deepcopy(dict(source))
    for override in overrides:
        _override(data, override)
    return compile_rubric(data)


def with_reward_map(path: Path, knots: Sequence[tuple[float, float]]) -> str:
    """The text of a rubric file with `reward.map` set; all outside its `reward` section stays as it is, comments too."""
    text = read_text(path, "rubric")
    data = Document(path, "rubric").data
    reward = {**(data.get("reward") or {}), "map": [list(knot) for knot in knots]}
    line = yaml.safe_dump(reward, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6).strip()
    root: Any = yaml.compose(text, Loader=Loader)
    for key, value in root.value:
        if key.value == "reward":
            return f"{text[: key.end_mark.index]}: {line}{text[end_of(value) :]}"
    return text + ("" if text.endswith("\n") else "\n") + f"reward: {line}\n"


def named_files(path: Path, overrides: tuple[str, ...] = ()) -> tuple[Path, ...]:
    """A rubric file and the files that it names: prompts and JSON schemas. Where it cannot be read, itself alone."""
    try:
        data = Document(path, "rubric").data
        for override in overrides:
            _override(data, override)
    except InputError:
        return (path,)
    prompt, checks = data.get("prompt"), data.get("checks")
    found = [prompt] + [prompt.get(name) for name in ("system", "user")] if isinstance(prompt, dict) else []
    names = [one.get("file") for one in found if isinstance(one, dict)]
    names += [one.get("schema") for one in checks if isinstance(one, dict)] if isinstance(checks, list) else []
    return (path, *(path.parent / name for name in names if isinstance(name, str)))


def _override(data: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise InputError("bad --set", found=override, expected="key.path=value, for example judge.temperature=0")
    try:
        value = yaml.load(text, Loader=Loader)
    except yaml.YAMLError as error:
        raise InputError(f"bad --set: {error}", found=override) from None
    *parents, last = key.split(".")
    place: Any = data
    for parent in parents:
        place = place.setdefault(parent, {}) if isinstance(place, dict) else None
    if not isinstance(place, dict):
        raise InputError("bad --set: not a key of a mapping", key=key, found=override)
    place[last] = value


def _inline_prompt(data: dict[str, Any], path: Path, read: Reader) -> None:
    """Replace `prompt: {file: x.md}`, and `{file: ...}` for `system` or `user`, by the text of the file."""
    prompt = data.get("prompt")
    if not isinstance(prompt, dict):
        return
    if "file" in prompt:
        if "user" in prompt:
            raise InputError("`file` is the user message; give one of the two", key="prompt.file")
        prompt["user"] = {"file": prompt.pop("file")}
    for name in ("system", "user"):
        value = prompt.get(name)
        if isinstance(value, dict) and set(value) == {"file"}:
            prompt[name] = _text_beside(path, value["file"], f"prompt.{name}", "prompt file", read)


def _inline_schemas(data: dict[str, Any], path: Path, read: Reader) -> None:
    checks = data.get("checks")
    for index, check in enumerate(checks if isinstance(checks, list) else []):
        if isinstance(check, dict) and isinstance(check.get("schema"), str):
            key = f"checks[{index}].schema"
            text = _text_beside(path, check["schema"], key, "JSON schema", read)
            try:
                check["schema"] = json.loads(text)
            except (ValueError, RecursionError) as error:
                problem = f"the JSON schema is not valid JSON: {error}"
                raise InputError(problem, file=path.parent / check["schema"], key=key) from None


def _text_beside(path: Path, name: object, key: str, what: str, read: Reader) -> str:
    if not isinstance(name, str):
        raise InputError("wrong type", key=key, found=name, expected="a file name")
    try:
        return read(path.parent / name, what)
    except InputError as error:
        raise error.located(prefix=key) from None
