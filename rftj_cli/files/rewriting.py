"""A rubric file with other texts in it: only the places that changed are written anew, everything else stays, comments too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from rftj_cli.files.yamls import Loader


class _Dumper(yaml.SafeDumper):
    """Several lines as a literal block, as a person writes them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def rewritten(text: str, data: Mapping[str, Any]) -> str:
    """The YAML `text` with the values of `data` where they differ: of top-level keys, and inside `criteria` of single texts.

    Where the places cannot be told apart (anchors, flow style across lines) the whole of `data` is written instead.
    """
    root: Any = yaml.compose(text, Loader=Loader)
    before = yaml.load(text, Loader=Loader)
    patches: list[tuple[int, int, str]] = []
    for key, value in root.value:
        name = key.value
        if name in data and data[name] != before[name]:
            known = {"criteria": _criteria, "prompt": _texts}.get(name)
            found = known(value, before[name], data[name]) if known and _alike(before[name], data[name]) else None
            patches += found or [_whole(key, value, data[name], text)]
    patched = text
    for start, end, new in sorted(patches, reverse=True):
        patched = patched[:start] + new + patched[end:]
    try:
        same = yaml.load(patched, Loader=Loader) == dict(data)
    except yaml.YAMLError:
        same = False
    return patched if same else dumped(data)


def keeps_the_rest(text: str, data: Mapping[str, Any]) -> bool:
    """Whether `rewritten` can leave everything that does not change as it stands."""
    return rewritten(text, data) != dumped(data)


def dumped(data: Mapping[str, Any]) -> str:
    """Plain data as YAML that a person would write."""
    return yaml.dump(dict(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def _whole(key: Any, value: Any, new: Any, text: str) -> tuple[int, int, str]:
    """A top-level key with a new value."""
    end = end_of(value)
    body = dumped({key.value: new})
    return int(key.start_mark.index), end, body if text[end - 1 : end] == "\n" else body.rstrip("\n")


def _alike(old: Any, new: Any) -> bool:
    """Whether two values have the same shape, so that only texts in them differ."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return set(old) == set(new) and all(_alike(old[key], new[key]) for key in old)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_alike, old, new))
    return type(old) is type(new)


def _criteria(node: Any, before: Any, after: Any) -> list[tuple[int, int, str]]:
    """Single texts of criteria and of their levels."""
    patches = []
    for one, old, new in zip(node.value, before, after, strict=True):
        patches += _texts(one, old, new)
        scale = next((value for key, value in one.value if key.value == "scale"), None)
        if scale is not None and isinstance(old.get("scale"), list):
            for level, was, becomes in zip(scale.value, old["scale"], new["scale"], strict=True):
                patches += _texts(level, was, becomes) if isinstance(was, Mapping) else []
    return patches


def _texts(node: Any, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[int, int, str]]:
    """The texts of a mapping that differ."""
    changed = [
        (key, value)
        for key, value in node.value
        if isinstance(new[key.value], str) and old[key.value] != new[key.value]
    ]
    return [_scalar(value, new[key.value], key.start_mark.column + 2) for key, value in changed]


def _scalar(node: Any, new: str, indent: int) -> tuple[int, int, str]:
    """A text in the place of another: a literal block where one stood, else quoted on one line, which fits anywhere."""
    start, end = int(node.start_mark.index), int(node.end_mark.index)
    if node.style == "|" and new == new.strip(" \t") and not new.startswith("\n"):
        keep = "-" if not new.endswith("\n") else "" if not new.endswith("\n\n") else "+"
        lines = [f"{' ' * indent}{line}" if line else "" for line in new.rstrip("\n").split("\n")]
        return start, end, f"|{keep}\n" + "\n".join(lines) + "\n"
    quoted = yaml.dump(new, Dumper=yaml.SafeDumper, default_style='"', allow_unicode=True, width=10**6).strip()
    return start, end, quoted + ("\n" if node.style in ("|", ">") else "")


def end_of(node: Any) -> int:
    """Where the text of a node ends; that of a block ends with its last part, before the comments that follow it."""
    parts = [] if isinstance(node, yaml.ScalarNode) or node.flow_style else node.value
    if not parts:
        return int(node.end_mark.index)
    return end_of(parts[-1][1] if isinstance(node, yaml.MappingNode) else parts[-1])
