"""YAML as CloudFormation reads it and as people write it: block style, and the short forms `!Ref`, `!GetAtt` and `!Sub`."""

from __future__ import annotations

import re
from typing import Final

import yaml

_LIKE_A_NUMBER: Final = re.compile(r"[0-9.eE+-]+")


class Tagged(str):
    """A text with a short form of CloudFormation's before it: `!Ref`, `!GetAtt`."""

    __slots__ = ("tag",)
    tag: str


def tagged(tag: str, text: str) -> Tagged:
    """A text with that short form."""
    found = Tagged(text)
    found.tag = tag
    return found


class _Dumper(yaml.SafeDumper):
    """Block style, no aliases, and CloudFormation's short forms."""

    def ignore_aliases(self, data: object) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    """A text with a pseudo parameter in it is substituted, any other is only quoted where YAML would misread it."""
    if "${AWS::" in text:
        return dumper.represent_scalar("!Sub", text)
    style = "'" if _LIKE_A_NUMBER.fullmatch(text) else None  # a hash may look like 12e34 to some parser
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _short(dumper: _Dumper, text: Tagged) -> yaml.ScalarNode:
    return dumper.represent_scalar(text.tag, str(text))


_Dumper.add_representer(str, _text)
_Dumper.add_representer(Tagged, _short)


def yaml_text(data: object) -> str:
    """Plain data as YAML, keys in their order."""
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=10**6, allow_unicode=True))


def indented(data: object) -> str:
    """The same, one level deeper."""
    return "".join(f"  {line}\n" for line in yaml_text(data).splitlines())
