"""A rubric's prompt taken apart for services that have their own variables: literal text, and slots for values.

    "Judge this: {{ response | fence }}"  ->  Literal("Judge this: "), Slot("response")

Other services know no fence, no logic and no fields of rftj's samples: a template that uses more is refused, by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from jinja2 import Environment, nodes

from rftj_cli.kernel.rubric import Rubric

FIELDS: Final = ("prompt", "response", "reference")
MADE: Final = ("criteria", "answer_format")  # made from the rubric, no field of a sample


@dataclass(frozen=True, slots=True)
class Literal:
    """Text that stands as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for a value. `label` is the fence's name, None where the value is not fenced."""

    name: str
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Misfit:
    """Something in a template that no other service can do, in words."""

    why: str


Piece = Literal | Slot | Misfit


def pieces(rubric: Rubric) -> list[Piece]:
    """The system and the user message as one text, in pieces."""
    found: list[Piece] = []
    for text in (rubric.prompt.system, rubric.prompt.user):
        if text.strip():
            found += [Literal("\n\n")] if found else []
            found += _pieces(text)
    return found


def _pieces(source: str) -> Iterator[Piece]:
    for output in Environment(trim_blocks=True).parse(source).body:
        if not isinstance(output, nodes.Output):
            yield Misfit(f"the prompt computes ({{% {type(output).__name__.lower()} %}}): only text and values fit")
            continue
        for node in output.nodes:
            yield Literal(node.data) if isinstance(node, nodes.TemplateData) else _slot(node)


def _slot(node: nodes.Node) -> Slot | Misfit:
    label: str | None = None
    if isinstance(node, nodes.Filter) and node.name == "fence":
        first = node.args[0] if node.args else None
        label = str(first.value) if isinstance(first, nodes.Const) else "text"
        node = node.node or node
    if isinstance(node, nodes.Name) and node.name in (*FIELDS, *MADE):
        return Slot(node.name, label)
    name = _path(node)
    if name is None:
        return Misfit("the prompt computes (a filter, an expression): only text and values fit")
    return Misfit(f"the prompt uses `{name}`: the service knows only {', '.join(FIELDS)}")


def _path(node: nodes.Node | None) -> str | None:
    """`context.excerpt` of a name with attributes or keys."""
    if isinstance(node, nodes.Filter):
        return None if node.node is None else _path(node.node)
    if isinstance(node, nodes.Name):
        return None if node.name in (*FIELDS, *MADE) else node.name
    if isinstance(node, nodes.Getattr):
        return f"{_base(node.node)}.{node.attr}"
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        return f"{_base(node.node)}.{node.arg.value}"
    return None


def _base(node: nodes.Node) -> str:
    return node.name if isinstance(node, nodes.Name) else _path(node) or "..."
